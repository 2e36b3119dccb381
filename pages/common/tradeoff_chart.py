"""Pieces of the Trade-offs page: the measuring, the charts, and the card of a system."""

import threading
from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from fer_demo.tradeoffs import (
    KINDS,
    MEASURES,
    Benchmark,
    Row,
    load_benchmark,
    measure,
    networks_of,
    save_benchmark,
    tradeoff_rows,
)
from fer_demo.tradeoffs.answers import busy_note, time_text
from fer_demo.tradeoffs.figures import tradeoff_chart
from fer_demo.tradeoffs.published import data_sets, human
from fer_demo.tradeoffs.words import card
from pages.common import look, state
from pages.common.downloads import downloads

SIGNS = "Circles are published, diamonds reproduced here, crosses not trained."

SECONDS = 0.5
"""How long the page measures each of a network's two times."""


def known_benchmark() -> Benchmark:
    """What was measured on this server's machine: kept on disk, or in this session where that cannot be written."""
    return st.session_state.get("benchmark") or load_benchmark()


@st.cache_resource
def _measuring() -> threading.Lock:
    """Held by the one visitor who measures: two at a time would measure each other."""
    return threading.Lock()


def measuring(benchmark: Benchmark) -> None:
    """The button that measures, its progress, and a line that says where the times come from."""
    networks = networks_of(tradeoff_rows())
    missing = [network for network in networks if network not in benchmark.timings]
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = st.button(
            "Measure again" if not missing else "Measure speed on this machine", icon=":material/timer:", key="measure"
        )
        done = f"{len(networks) - len(missing)} of {len(networks)} networks"
        when = (
            f"{done} measured {benchmark.measured} with ONNX Runtime on {benchmark.place}"
            if benchmark.timings
            else "not measured yet"
        )
        st.caption(f"Latency and throughput: {when}. Some minutes of work; you can stop.", width="content")
    if note := busy_note(benchmark):
        st.warning(note, icon=":material/hourglass_top:")
    if not asked:
        return
    if not _measuring().acquire(blocking=False):
        st.warning("Somebody else is measuring at this moment. Try again in a few minutes.")
        return
    try:
        _measure(missing or networks, benchmark)
    finally:
        _measuring().release()
    st.rerun()


def _measure(networks: list, benchmark: Benchmark) -> None:
    bar = st.progress(0.0, "Starting …")
    st.button("Stop", icon=":material/stop:", key="stop")  # any click ends this run at the bar's next step
    done = 0

    def tick() -> None:
        model, size = networks[min(done, len(networks) - 1)]
        bar.progress(done / len(networks), f"{model} at {size} pixels, {done + 1} of {len(networks)}")

    for _, found in measure(networks, known=benchmark, seconds=SECONDS, tick=tick):
        done += 1
        try:  # after each network, so that a stop keeps what was measured
            save_benchmark(found)
        except OSError:
            st.session_state["benchmark"] = found


def chart_and_card(rows: Sequence[Row]) -> None:
    """Two measures of the visitor's choice against each other, and beside them the card of the chosen point."""
    st.header("Costs and accuracy", anchor=False)
    # FER+ is known of our own checkpoints alone, too few points for an axis.
    names = [name for name in MEASURES if name != "ferplus"]
    titles = {name: measure.title for name, measure in MEASURES.items()}
    data = st.segmented_control(
        "Faces of",
        list(data_sets()),
        default=next(iter(data_sets())),
        format_func=lambda name: data_sets()[name]["title"],
        key="data",
        required=True,
    )
    with st.popover("Axes and kinds of numbers", icon=":material/tune:"):
        x = st.selectbox("Across", names, index=names.index("parameters"), format_func=titles.get, key="x")
        y = st.selectbox("Up", names, index=names.index("accuracy"), format_func=titles.get, key="y")
        log = st.toggle("Logarithmic", value=True, key="log", help="For all measures but accuracy.")
        front = st.toggle("Pareto front", value=True, key="front")
        kinds = st.pills("Numbers", list(KINDS), selection_mode="multi", default=list(KINDS), key="kinds")
        st.caption(" ".join(f"*{kind}*: {meaning}." for kind, meaning in KINDS.items()))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        figure = _chart([row for row in rows if row.data == data and row.kind in kinds], data, x, y, log, front)
    with right:
        _system_card(rows)
    if figure is not None:
        downloads(
            f"tradeoffs-{data}",
            f"{MEASURES[y].title} by {MEASURES[x].title} on {data_sets()[data]['title']}",
            [row.to_dict() for row in rows if row.data == data and {x, y} <= row.values.keys()],
            figure,
            f"{SIGNS} Times: ONNX Runtime on {known_benchmark().place}.",
        )
    st.caption(
        f"{SIGNS} Bars are 95 % intervals of accuracy, for published ones worked out from the number of test pictures, "
        "and quartiles of times."
    )


def _chart(rows: list[Row], data: str, x: str, y: str, log: bool, front: bool) -> go.Figure | None:
    """Draws the chart; what keeps it from being drawn is said instead."""
    title = data_sets()[data]["title"]
    drawn = [row for row in rows if x in row.values and y in row.values]
    if not rows:
        st.info("Nothing is chosen: pick at least one kind of number.")
        return None
    if not drawn:
        st.info(f"Nothing on {title} has both numbers. Speeds need to be measured on this machine first.")
        return None
    figure = tradeoff_chart(
        rows,
        x,
        y,
        log_x=log and MEASURES[x].log,
        log_y=log and MEASURES[y].log,
        front=front,
        people=human() if human().data == data else None,
    )
    key = f"chart {data} {x} {y}"
    words = f"{title}: {MEASURES[y].title} by {MEASURES[x].title} of {len(drawn)} systems; the table below has them all"
    st.caption("Click a point for its card.")
    look.chart(figure, words, key=key, on_select=lambda: _open_card(key), selection_mode="points")
    return figure


def _open_card(key: str) -> None:
    points = st.session_state[key]["selection"]["points"]
    if points and points[0].get("customdata"):
        st.session_state["system"] = points[0]["customdata"][0]
        st.session_state["card opened"] = st.session_state.get("card opened", 0) + 1


# On a phone the card stands below the chart: whoever has tapped a point is taken to the card's name.
_SHOW_CARD = """<script data-opened="{count}">
if (matchMedia("(max-width: 640px)").matches)
  document.querySelector(".st-key-card_name")?.scrollIntoView({{block: "center", behavior: "smooth"}});
</script>"""


def _system_card(rows: Sequence[Row]) -> None:
    """The card of the system that was clicked or chosen, with the way to the pages that use it."""
    by_key = {row.key: row for row in rows}
    ours = next(row.key for row in rows if row.published and row.published.this_paper)
    if st.session_state.get("system") not in by_key:
        st.session_state["system"] = ours
    key = st.selectbox(
        "Card of",
        list(by_key),
        key="system",
        format_func=lambda k: f"{by_key[k].title} · {data_sets()[by_key[k].data]['title']} · {by_key[k].kind}",
        persist_state="session",
    )
    row = by_key[key]
    with st.container(border=True, key="system_card"):
        with st.container(key="card_name"):
            st.subheader(row.title, anchor=False)
            st.markdown(f"**{row.kind}**: {KINDS[row.kind]}.")
        st.markdown("\n".join(["| measure | value |", "|---|---|", *_lines(row)]))
        st.markdown("\n\n".join(f"**{heading}.** {words}" for heading, words in card(row).items()))
        if row.checkpoint:
            with st.container(horizontal=True):
                for label, page, icon in (
                    ("Use it on Predict", "pages/predict.py", "face"),
                    ("Use it on Explain", "pages/explain.py", "visibility"),
                ):
                    if st.button(label, icon=f":material/{icon}:", key=label):
                        state.use_model(row.checkpoint)
                        st.switch_page(page)
    if opened := st.session_state.get("card opened"):
        st.html(_SHOW_CARD.format(count=opened), unsafe_allow_javascript=True)


def _lines(row: Row) -> list[str]:
    lines = [f"| input | {row.size} × {row.size} grey pixels |"]
    for name, measured in MEASURES.items():
        if name not in row.values or name == "products":  # which stand beside the milliseconds
            continue
        text = time_text(row) if name == "latency" else measured.text(row.values.get(name))
        if name in row.intervals:
            low, high = (f"{v * measured.factor:.3g}" for v in row.intervals[name])
            text += f" ({low} to {high})"
        lines.append(f"| {measured.title} | {text} |")
    return lines
