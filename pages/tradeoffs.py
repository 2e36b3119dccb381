"""Trade-offs: what the paper's network gives for its size, next to the systems it was compared with."""

import streamlit as st

from fer_demo.tradeoffs import tradeoff_rows
from fer_demo.tradeoffs.published import data_sets
from fer_demo.tradeoffs.words import what_it_buys, what_it_does_not_buy
from fer_demo.web.shared import USER_ERRORS
from pages.common import look, side_by_side, tradeoff_answers, tradeoff_chart
from pages.common.downloads import downloads

st.title("What do 0.48 million parameters buy?", anchor=False)
try:
    with st.spinner("Counting what each network costs …"):
        benchmark = tradeoff_chart.known_benchmark()
        rows = tradeoff_rows(benchmark)
except USER_ERRORS as error:
    st.error(look.plain(str(error)), icon=":material/error:")
    st.stop()
for data in data_sets():
    st.markdown(what_it_buys(rows, data))
st.markdown(what_it_does_not_buy(rows))

st.header("Costs and accuracy", anchor=False)
tradeoff_chart.charts(rows)
tradeoff_chart.measuring(benchmark)
tradeoff_chart.system_card(rows)
with st.expander("All numbers as a table", icon=":material/table:"):
    table = [row.to_dict() for row in rows]
    st.dataframe(table, hide_index=True, column_config={"system": st.column_config.TextColumn(pinned=True)})
    st.caption("Bytes, seconds and fractions, as `python -m fer_demo benchmark --json` prints them.")
    downloads("tradeoffs", "All numbers", table)
tradeoff_answers.calculator(rows)
tradeoff_answers.paper_tables(rows)
tradeoff_answers.ablations()
side_by_side.side_by_side()
