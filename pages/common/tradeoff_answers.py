"""Pieces of the Trade-offs page that answer questions: the calculator and the paper's tables."""

from collections.abc import Sequence

import streamlit as st

from fer_demo.tradeoffs import MEASURES, Row, best_within
from fer_demo.tradeoffs.answers import time_text
from fer_demo.tradeoffs.published import data_sets, systems, tables
from fer_demo.tradeoffs.words import accuracy_text, paper_table
from pages.common.downloads import downloads

LIMITS = {"latency": 33.0, "file_bytes": 2.0, "macs": None, "parameters": None}
"""What the calculator asks for, in shown units, with what it starts from: the time of a video's frame, for one."""


@st.fragment
def calculator(rows: Sequence[Row]) -> None:
    """How accurate one can be under limits of the visitor's choice."""
    st.header("How accurate can I be under …?", anchor=False)
    st.markdown(":gray[At most this much of each; empty a field for no limit.]")
    data = st.segmented_control(
        "Faces like those of",
        list(data_sets()),
        default=next(iter(data_sets())),
        format_func=lambda name: data_sets()[name]["title"],
        key="calculator data",
    ) or next(iter(data_sets()))
    limits = {}
    for column, (name, value) in zip(st.columns(len(LIMITS)), LIMITS.items(), strict=True):
        # Started through the session: a field that is given a value of its own goes back to it when it is emptied.
        st.session_state.setdefault(f"limit {name}", value)
        shown = column.number_input(
            f"{MEASURES[name].title.capitalize()}, {MEASURES[name].unit}",
            0.0,
            value=None,
            step=1.0,
            format="%g",
            key=f"limit {name}",
            placeholder="no limit",
            persist_state="session",
        )
        limits[name] = None if shown is None else shown / MEASURES[name].factor
    if not any("latency" in row.values for row in rows) and limits["latency"] is not None:
        st.info("The limit on latency is left out: no speed has been measured on this machine yet.")
        limits["latency"] = None
    fitting, unknown = best_within(rows, data, limits)
    if fitting:
        st.markdown(f"Most accurate: **{accuracy_text(fitting[0])}, {fitting[0].title}** ({fitting[0].kind}).")
        ready = next((row for row in fitting if row.usable), None)
        if ready is None:
            st.markdown("None of those that fit has weights here.")
        elif ready is not fitting[0]:
            st.markdown(f"With weights that you can use here: **{accuracy_text(ready)}, `{ready.title}`**.")
        table = [
            {
                "system": row.title,
                "accuracy": accuracy_text(row),
                "kind": row.kind,
                **{MEASURES[name].title: _cost_text(row, name) for name in LIMITS},
            }
            for row in fitting
        ]
        st.dataframe(
            table,
            hide_index=True,
            column_config={"system": st.column_config.TextColumn(pinned=True)},
            alt=f"The {len(table)} systems within these limits, the most accurate first",
        )
    else:
        st.markdown("Nothing here keeps all these limits. " + _what_would_help(rows, data, limits))
    if unknown:
        st.caption(f"Not judged, since a number is missing: {', '.join(row.title for row in unknown)}.")


def _cost_text(row: Row, name: str) -> str:
    return time_text(row) if name == "latency" else MEASURES[name].text(row.values.get(name))


def _what_would_help(rows: Sequence[Row], data: str, limits: dict[str, float | None]) -> str:
    """Which single limit to give up, and what that would bring."""
    parts = []
    for name in (name for name, limit in limits.items() if limit is not None):
        fitting, _ = best_within(rows, data, limits | {name: None})
        if fitting:
            parts.append(
                f"- without the one on {MEASURES[name].title}: {accuracy_text(fitting[0])}, {fitting[0].title}"
            )
    return "\n".join(["It would help to loosen one:", *parts]) if parts else "Loosen more than one of them."


def paper_tables(rows: Sequence[Row]) -> None:
    """The paper's two tables with what was reproduced, and its slips."""
    reached = _reached()
    for number, table in tables().items():
        lines = paper_table(rows, number, reached)
        st.subheader(table["title"], anchor=False)
        st.dataframe(
            lines,
            hide_index=True,
            column_config={
                "system": st.column_config.TextColumn(pinned=True),
                "published accuracy": st.column_config.NumberColumn(format="percent"),
                "published parameters": st.column_config.NumberColumn(format="%.2f M"),
                "parameters here": st.column_config.NumberColumn(
                    format="%.2f M", help="Of the network as it is built here."
                ),
            },
            alt=f"{table['title']}: accuracy and parameters as published and as reproduced here",
        )
        for note in table["notes"]:
            st.caption(note)
        downloads(f"table-{number}", table["title"], lines)


def _reached() -> dict[tuple[str, str], str]:
    """What run records say was reached with each system; empty for an install without the training package."""
    try:
        from training.report.systems import NOT_TRAINED, reached
    except ImportError:
        return {}
    found = {(system.model, data): reached(system, data) for system in systems() for data in data_sets()}
    return {key: words for key, words in found.items() if words != NOT_TRAINED}
