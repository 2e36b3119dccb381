"""Trade-offs: three questions a reader has, each with its answer first and its figures below."""

import streamlit as st

from fer_demo.tradeoffs import tradeoff_rows
from fer_demo.tradeoffs.answers import does_the_claim_hold, for_my_device
from fer_demo.tradeoffs.published import data_sets
from fer_demo.tradeoffs.words import what_it_buys, what_it_does_not_buy
from fer_demo.web.models import default_model, own_models
from fer_demo.web.shared import USER_ERRORS
from pages.common import ablations, look, side_by_side, tradeoff_answers, tradeoff_chart
from pages.common.downloads import downloads
from pages.common.own_row import own_row

# A tab's label stands in the page's address, as in ?question=The+paper: links break if it changes.
TABS = ("My device", "Side by side", "The paper", "Ingredients")

st.title("What do 0.48 million parameters buy?", anchor=False)
try:
    with st.spinner("Counting what each network costs …"):
        benchmark = tradeoff_chart.known_benchmark()
        rows, usual, own = tradeoff_rows(benchmark), default_model(), own_models()
except USER_ERRORS as error:
    st.error(look.plain(str(error)), icon=":material/error:")
    st.stop()
device, beside, paper, ingredients = st.tabs(TABS, key="question", bind="query-params")

if device.open:
    with device:
        st.header("Which network for my device?", anchor=False)
        st.markdown(for_my_device(rows, answering=usual.name))
        for one in own:
            st.caption(
                f":material/model_training: `{one.name}`, which answers on the other pages, is in the table of all "
                "numbers and can be laid side by side with the others; the chart is of the paper's data sets."
            )
        tradeoff_chart.measuring(benchmark)
        tradeoff_chart.chart_and_card(rows)
        with st.expander("All numbers as a table", icon=":material/table:"):
            table = [*(own_row(one) for one in own), *(row.to_dict() for row in rows)]
            st.dataframe(
                table,
                hide_index=True,
                column_config={"system": st.column_config.TextColumn(pinned=True)},
                alt="All systems with all their numbers, a row each",
            )
            st.caption("Bytes, seconds and fractions, as `python -m fer_demo benchmark --json` prints them.")
            downloads("tradeoffs", "All numbers", table)
        tradeoff_answers.calculator(rows)
if beside.open:
    with beside:
        side_by_side.side_by_side()
if paper.open:
    with paper:
        st.header("What did the paper claim, and does it hold?", anchor=False)
        st.markdown(does_the_claim_hold(rows))
        for data in data_sets():
            st.markdown(what_it_buys(rows, data))
        st.markdown(what_it_does_not_buy(rows))
        tradeoff_answers.paper_tables(rows)
if ingredients.open:
    with ingredients:
        st.header("What does each ingredient bring?", anchor=False)
        ablations.ablations(rows)
