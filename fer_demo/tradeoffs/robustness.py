"""How well damaged faces are read: what was measured of the bundled checkpoints, as rows and as charts."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fer_demo.checkpoints import bundled_checkpoints, checkpoint_file
from fer_demo.figures import blank_figure
from fer_demo.stats import wilson
from fer_demo.tradeoffs.figures import FAMILY, OTHERS
from fer_demo.vision.damages import KINDS, Damage

ROBUSTNESS_FILE = "robustness.json"
"""In a checkpoint's folder: what ``python -m training robustness --write`` measured."""


class Measure(NamedTuple):
    """What a curve can show.

    Attributes:
        title: In words.
        meaning: One sentence for those who do not know it.
        format: The axis's number format, of D3.
    """

    title: str
    meaning: str
    format: str


MEASURES: Mapping[str, Measure] = {
    "accuracy": Measure("accuracy", "The share of faces whose expression is named as their label names it.", ".0%"),
    "ece": Measure(
        "calibration error",
        "How far the stated confidence is from how often the answer is right (ECE, 15 bins): 0 is best. Where it "
        "grows, the network does not notice that it sees too little.",
        ".2f",
    ),
    "unsure": Measure(
        "unsure answers", "The share of answers that are worded as unsure. On a spoilt picture, more are better.", ".0%"
    ),
}

COLOURS = (FAMILY[0], *OTHERS)
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star")
SIGNS = "●■◆▲✚✖★"
"""`SYMBOLS` as text."""

LOGARITHMIC = ("light", "contrast", "pixels", "jpeg")
"""Kinds whose strengths are factors or counts, which fall as the damage grows."""

NARROW = 0.095
"""Share of an axis that a number takes in a small chart."""

Robustness = Mapping[str, Mapping[str, Any]]
"""Checkpoint to the content of its file, as `training.eval.robustness.robustness` returns it, with its ``split``."""


def known_robustness() -> dict[str, dict[str, Any]]:
    """What was measured of the bundled checkpoints; those without figures are left out.

    Raises:
        ModelError: If a checkpoint is damaged.
    """
    found = {name: checkpoint_file(name, ROBUSTNESS_FILE) for name in bundled_checkpoints()}
    return {name: content for name, content in found.items() if "ladders" in content}


def summary_rows(known: Robustness) -> list[dict[str, Any]]:
    """A row a checkpoint, the best mean first: fractions in [0, 1], ECE and unsure answers as means of the twelve."""
    rows = [
        {
            "checkpoint": name,
            "undamaged": round(content["clean"]["accuracy"], 3),
            "mean of twelve": round(content["mean"]["accuracy"], 3),
            "95 % interval": "{:.1f} to {:.1f} %".format(*(100 * end for end in content["mean"]["interval"])),
            "worst": round(content["worst"]["accuracy"], 3),
            "worst damage": Damage(content["worst"]["kind"], content["worst"]["strength"]).words,
            "ECE": round(content["mean"]["ece"], 3),
            "unsure": round(content["mean"]["unsure"], 3),
        }
        for name, content in known.items()
    ]
    return sorted(rows, key=lambda row: -row["mean of twelve"])


def ladder_rows(known: Robustness) -> list[dict[str, Any]]:
    """A row for each kind, strength and checkpoint: fractions in [0, 1]."""
    return [
        {
            "kind": about.title,
            "damage": "undamaged" if step["strength"] == about.none else Damage(kind, step["strength"]).words,
            "checkpoint": name,
            **{measure.title: step[key] for key, measure in MEASURES.items()},
        }
        for kind, about in KINDS.items()
        for i in range(max((len(content["ladders"].get(kind, ())) for content in known.values()), default=0))
        for name, content in known.items()
        for step in content["ladders"].get(kind, ())[i : i + 1]
    ]


def highest(known: Robustness, measure: str) -> float:
    """The largest value on any ladder, so that all kinds can be drawn to one scale."""
    steps = (step for content in known.values() for ladder in content["ladders"].values() for step in ladder)
    return max((float(step[measure]) for step in steps), default=1.0)


def ladder_figure(
    known: Robustness, kind: str, measure: str = "accuracy", *, top: float, height: int = 230
) -> go.Figure:
    """A measure against the strength of a damage, a line a checkpoint; the damage grows to the right.

    Args:
        known: At most as many as a reader can tell apart.
        kind: A key of `KINDS`.
        measure: A key of `MEASURES`.
        top: Where the upright axis ends, such as `highest`.
        height: Pixels.
    """
    fig = blank_figure(height, showlegend=False, hovermode="closest")
    about, shown = KINDS[kind], MEASURES[measure]
    ticks: list[float] = []
    for i, (name, content) in enumerate(known.items()):
        steps = content["ladders"].get(kind, ())
        ticks = [step["strength"] for step in steps] or ticks
        color = COLOURS[i % len(COLOURS)]
        fig.add_scatter(
            x=[step["strength"] for step in steps],
            y=[step[measure] for step in steps],
            name=name,
            mode="lines+markers",
            line={"color": color, "dash": DASHES[i % len(DASHES)], "width": 2},
            marker={"size": 7, "symbol": SYMBOLS[i % len(SYMBOLS)]},
            customdata=[_hover(step, measure, about.none, kind, content["n"]) for step in steps],
            hovertemplate=f"{name}<br>%{{customdata}}<extra></extra>",
        )
    axis: dict[str, Any] = {"tickvals": ticks, "ticktext": _labels(ticks, kind in LOGARITHMIC), "tickangle": 0}
    if kind in LOGARITHMIC:
        axis |= {"type": "log", "autorange": "reversed"}
    fig.update_xaxes(**axis, title=None)
    fig.update_yaxes(range=[0, 1.06 * top], tickformat=shown.format, nticks=5)
    return fig


def _labels(ticks: Sequence[float], logarithmic: bool) -> list[str]:
    """A number for each tick, and nothing where it would run into the one before."""
    if not ticks:
        return []
    places = np.log(ticks) if logarithmic else np.asarray(ticks, dtype=float)
    shares = abs(places - places[0]) / max(float(np.ptp(places)), 1e-9)
    labels, last = [], -np.inf
    for tick, place in zip(ticks, shares, strict=True):
        free = place - last >= NARROW
        labels.append(f"{tick:g}" if free else "")
        last = place if free else last
    return labels


def _hover(step: Mapping[str, Any], measure: str, none: float, kind: str, n: int) -> str:
    words = "undamaged" if step["strength"] == none else Damage(kind, step["strength"]).words
    value = step[measure]
    if measure == "ece":
        return f"{words}: {value:.3f}"
    low, high = wilson(value, n)
    return f"{words}: {value:.1%} ({100 * low:.0f} to {100 * high:.0f} %)"


def in_words(known: Robustness, kind: str, measure: str) -> str:
    """A chart for those who cannot see it: where each line begins and ends."""
    number = ".2f" if measure == "ece" else ".0%"
    lines = [
        f"{name} from {steps[0][measure]:{number}} to {steps[-1][measure]:{number}}"
        for name, content in known.items()
        if (steps := content["ladders"].get(kind))
    ]
    return f"{KINDS[kind].title}: {MEASURES[measure].title} by strength, {'; '.join(lines)}"
