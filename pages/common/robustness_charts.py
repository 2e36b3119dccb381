"""The part of the Robustness page about many faces: the benchmark of twelve, and curves for each kind of damage."""

from typing import Any

import streamlit as st

from fer_demo.checkpoints import bundled_checkpoints, checkpoint_file
from fer_demo.tradeoffs import robustness as measured
from fer_demo.tradeoffs.robustness import (
    COLOURS,
    MEASURES,
    ROBUSTNESS_FILE,
    SIGNS,
    Robustness,
    highest,
    in_words,
    ladder_figure,
    ladder_rows,
    summary_rows,
)
from fer_demo.vision.damages import KINDS, TWELVE
from fer_demo.web.models import own_models
from pages.common import look
from pages.common.downloads import downloads

IN_A_ROW = 3


def known() -> Robustness:
    """What was measured of the bundled checkpoints, and of the server owner's where that speaks of the same faces.

    Raises:
        ModelError: If a checkpoint is damaged.
    """
    found: dict[str, Any] = {}
    for one in own_models():
        content = checkpoint_file(one.source, ROBUSTNESS_FILE)
        if one.of_fer2013 and isinstance(content, dict) and "ladders" in content:
            found[one.name] = content
    return found | measured.known_robustness()


def own(known: Robustness) -> None:
    """Says that the server owner's model is none of those below, if so."""
    for one in own_models():
        if one.name not in known:
            st.info(
                f"How `{one.name}` reads damaged faces was not measured on these; the figures below are of the "
                "bundled checkpoints.",
                icon=":material/info:",
            )


@st.fragment
def robustness(known: Robustness) -> None:
    """What was measured of the bundled checkpoints.

    Args:
        known: As `fer_demo.tradeoffs.robustness.known_robustness` gives it.
    """
    st.header("On many faces", anchor=False)
    if missing := [name for name in bundled_checkpoints() if name not in known]:
        st.info(
            f"Not measured yet: {', '.join(missing)}. `python -m training robustness --write` does it.",
            icon=":material/info:",
        )
    if not known:
        return
    first = next(iter(known.values()))
    st.markdown(
        f"Each checkpoint read {first['n']:,} faces of FER2013's {first['split']}: as they are, and with twelve "
        "damages that photos often have."
    )
    _twelve(known)
    st.subheader("Worse and worse", anchor=False)
    measure = st.segmented_control(
        "Show", list(MEASURES), default="accuracy", format_func=lambda name: MEASURES[name].title, key="robust measure"
    )
    measure = measure or "accuracy"
    st.caption(f"{MEASURES[measure].meaning} In every chart the damage grows to the right.")
    _legend(known)
    _charts(known, measure)


def _twelve(known: Robustness) -> None:
    """The table of the benchmark."""
    percent = st.column_config.NumberColumn(format="percent")
    unsure = st.column_config.NumberColumn(format="percent", help="Answers worded as unsure, mean of the twelve.")
    st.dataframe(
        summary_rows(known),
        hide_index=True,
        column_config={
            "checkpoint": st.column_config.TextColumn(pinned=True),
            **dict.fromkeys(("undamaged", "mean of twelve", "worst"), percent),
            "unsure": unsure,
            "ECE": st.column_config.NumberColumn(format="%.3f", help="Calibration error, mean of the twelve."),
        },
    )
    st.caption(f"The twelve: {'; '.join(what.words for what in TWELVE)}.")


def _legend(known: Robustness) -> None:
    """One for all charts: sign and colour of each checkpoint."""
    entries = (
        f'<span style="white-space:nowrap"><span style="color:{COLOURS[i % len(COLOURS)]}">{SIGNS[i % len(SIGNS)]}'
        f"</span> {name}</span>"
        for i, name in enumerate(known)
    )
    st.html(f'<div style="display:flex;flex-wrap:wrap;gap:.25rem 1.25rem">{"".join(entries)}</div>')


def _charts(known: Robustness, measure: str) -> None:
    """A chart a kind, all to one scale, and the numbers as a table."""
    top = highest(known, measure)
    kinds = list(KINDS)
    for start in range(0, len(kinds), IN_A_ROW):
        for column, kind in zip(st.columns(IN_A_ROW), kinds[start : start + IN_A_ROW], strict=False):
            with column:
                st.markdown(f"**{KINDS[kind].title}**  \n:gray[{KINDS[kind].measure}]")
                look.chart(ladder_figure(known, kind, measure, top=top), in_words(known, kind, measure))
    first = next(iter(known.values()))
    note = (
        f"{first['n']:,} faces of {first['split']}, drawn with seed {first['seed']}. Point at a mark for its value; "
        "shares have their 95 % interval there, about 5 points either way for 400 faces. Differences between "
        "checkpoints are surer than that, since all read the same faces."
    )
    st.caption(note)
    with st.expander("All numbers as a table", icon=":material/table:"):
        rows = ladder_rows(known)
        percent = st.column_config.NumberColumn(format="percent")
        st.dataframe(
            rows,
            hide_index=True,
            column_config={
                "accuracy": percent,
                "unsure answers": percent,
                "calibration error": st.column_config.NumberColumn(format="%.3f"),
            },
        )
        downloads("robustness", "Damaged faces", rows)
