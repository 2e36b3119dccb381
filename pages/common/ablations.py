"""The part of the Trade-offs page that says what each ingredient of the network and of its training brings."""

from collections.abc import Sequence

import streamlit as st

from fer_demo.tradeoffs import MEASURES, Row
from fer_demo.tradeoffs.answers import count_in_words, what_ingredients_bring
from fer_demo.tradeoffs.figures import ingredient_bars, parameters_text
from pages.common import look
from pages.common.downloads import downloads

WORDS = {"arch": "block", "ablation": "training"}
"""A group of short ablations to a word for what is changed in it."""


def ablations(rows: Sequence[Row]) -> None:
    """The answer, and for each group its bars with their table.

    Args:
        rows: From `tradeoff_rows`, for the accuracy that a full training reaches.
    """
    try:
        from training.report.ablations import GROUPS
        from training.report.ablations import ablations as compare_runs
        from training.run.runlog import read_runs

        runs = read_runs()
    except (ImportError, ValueError) as error:  # an install without the training package, or a damaged record
        st.info(f"The records of training runs cannot be read here ({error}).")
        return
    groups = {group: found for group in GROUPS if (found := compare_runs(runs, group))}
    short = {word: groups[group] for group, word in WORDS.items() if group in groups}
    st.markdown(what_ingredients_bring(short, _headline(rows)))
    for group, title in GROUPS.items():
        if group in groups:
            st.subheader(title, anchor=False)
            _group(group, title, groups[group])
        elif group in WORDS:
            st.subheader(title, anchor=False)
            st.info(f"No runs of this kind are recorded yet. They will stand in training/runs/{group}-…")


def _headline(rows: Sequence[Row]) -> str:
    """The best accuracy on FER2013 with weights here, in words; empty for none."""
    ready = [row for row in rows if row.usable and row.data == "fer2013"]
    best = max(ready, key=lambda row: row.values["accuracy"], default=None)
    return f"{MEASURES['accuracy'].text(best.values['accuracy'])} on PrivateTest (`{best.title}`)" if best else ""


def _group(group: str, title: str, found: dict) -> None:
    parts = found["parts"]
    figure = ingredient_bars(found["accuracy"], parts)
    look.chart(figure, f"{title}: accuracy of each variant, from that of the whole", key=f"bars {group}")
    epochs = count_in_words(found["epochs"])
    if found["seeds"] > 1:
        whole = f"after {epochs} epochs, the mean of {count_in_words(found['seeds'])} seeds"
        runs = "It is that of the mean difference to the whole, seed by seed (Student's t)."
    else:
        whole = f"after {epochs} short epochs (run {found['whole'].name})"
        runs = "One run each."
    note = (
        f"Each bar starts at {MEASURES['accuracy'].text(found['accuracy'])}, the PublicTest accuracy of the whole "
        f"{whole}, and ends at the variant's. Grey ones may be chance: their 95 % interval holds no change. {runs}"
    )
    st.caption(note)
    lines = [
        {
            "variant": part["title"],
            "run": part["run"],
            "seeds": part["seeds"],
            "points": round(100 * part["difference"], 2),
            "points_low": round(100 * part["interval"][0], 2),
            "points_high": round(100 * part["interval"][1], 2),
            "parameters": parameters_text(part["parameters"]),
        }
        for part in parts
    ]
    downloads(f"ablations-{group}", title, lines, figure, note)
