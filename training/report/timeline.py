"""The story of the released weights: each release in its turn, as a figure and in words."""

from collections.abc import Sequence
from datetime import date

import plotly.graph_objects as go

from fer_demo.figures import GRID, blank_figure
from fer_demo.tradeoffs.figures import model_color
from training.run.provenance import Release

ROW = 46
"""Pixels of one release: its name above, its two figures below."""

SPLITS = {"PublicTest": ("public", "circle"), "PrivateTest": ("private", "diamond")}
"""Title to the release's attribute and its sign."""


def _day(release: Release) -> str:
    found = date.fromisoformat(release.released)
    return f"{found.day} {found:%B}"


def _percent(share: float | None) -> str:
    return "not looked at" if share is None else f"{100 * share:.1f} %"


def timeline(released: Sequence[Release]) -> go.Figure:
    """Each release as a row, the first on top: its day and name, and its accuracy on both splits.

    Args:
        released: The oldest first.

    Returns:
        A figure whose names are inside the plot, so that none is cut off on a phone.
    """
    rows = range(len(released))
    legend = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0}
    fig = blank_figure(90 + ROW * len(released), legend=legend, showlegend=True, hovermode="closest")
    for row, release in zip(rows, released, strict=True):
        if release.private is not None:
            x = [100 * release.public, 100 * release.private]
            color = model_color(release.name)
            fig.add_scatter(
                x=x, y=[row, row], mode="lines", line={"color": color, "width": 2}, showlegend=False, hoverinfo="skip"
            )
        fig.add_annotation(
            x=0,
            xref="x domain",
            xanchor="left",
            y=row,
            yshift=17,
            text=f"{_day(release)}: <b>{release.name}</b>",
            showarrow=False,
            font={"size": 12},
        )
    for title, (attribute, symbol) in SPLITS.items():
        shown = [(row, r, getattr(r, attribute)) for row, r in zip(rows, released, strict=True)]
        shown = [entry for entry in shown if entry[2] is not None]
        colors = [model_color(r.name) for _, r, _ in shown]
        fig.add_scatter(
            x=[100 * value for _, _, value in shown],
            y=[row for row, _, _ in shown],
            name=title,
            mode="markers",
            marker={
                "symbol": symbol if attribute == "private" else f"{symbol}-open",
                "size": 11,
                "color": colors,
                "line": {"width": 2, "color": colors},
            },
            customdata=[[r.name, f"{value:.2%}"] for _, r, value in shown],
            hovertemplate=f"%{{customdata[0]}}: %{{customdata[1]}} of {title}<extra></extra>",
        )
    fig.update_xaxes(title="accuracy (%)", side="bottom", ticksuffix=" %")
    fig.update_yaxes(
        range=[len(released) - 0.4, -0.9], tickvals=list(rows), showticklabels=False, gridcolor=GRID, title=None
    )
    return fig


def in_words(released: Sequence[Release]) -> list[str]:
    """A sentence a release, for those who cannot see the figure and for the first row of a table."""
    return [
        f"{_day(r)}: {r.name}, {_percent(r.public)} of PublicTest, {_percent(r.private)} of PrivateTest"
        if r.private is not None
        else f"{_day(r)}: {r.name}, {_percent(r.public)} of PublicTest; PrivateTest was not looked at"
        for r in released
    ]


def story(released: Sequence[Release], model: str = "fer_sedense") -> str:
    """How one network went from its first release to its best one, as Markdown; empty for none.

    Args:
        released: The oldest first.
        model: Its architecture.
    """
    own = [r for r in released if r.name.partition(".")[0] == model]
    if not own:
        return ""
    first, best = own[0], max(own, key=lambda r: r.public)
    if best is first:
        return (
            f"`{model}` has one good release: `{first.name}`, {_percent(first.public)} of PublicTest, on {_day(first)}."
        )
    private = ""
    if first.private is not None and best.private is not None:
        private = f", and from {_percent(first.private)} to {_percent(best.private)} of PrivateTest"
    return (
        f"`{model}` went **from {_percent(first.public)} to {_percent(best.public)}** of PublicTest{private}: from "
        f"`{first.name}` on {_day(first)} to `{best.name}` on {_day(best)}, the {_ordinal(own.index(best) + 1)} of "
        f"its {len(own)} sets of weights."
    )


def _ordinal(number: int) -> str:
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    return words[number - 1] if number <= len(words) else f"{number}th"
