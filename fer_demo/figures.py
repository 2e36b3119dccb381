"""Plotly figures, as pure functions from data."""

import html
from collections.abc import Collection, Mapping
from typing import Any

import plotly.graph_objects as go

from fer_demo.classes import class_set
from fer_demo.wording import percent, ranked

TRACK = "rgba(127, 127, 127, 0.16)"
"""The unfilled part of a bar: visible on white and on black."""

MOST_BARS = 12
"""Of more classes only the most probable ones are drawn."""

WORDS_ABREAST, LETTERS_ABREAST = 8, 52
"""So many classes, and letters of their names together, stand beside each other below upright bars on a phone."""

PALE = 0.35
"""Opacity of a bar that is no candidate's."""

GRID = "rgba(127, 127, 127, 0.22)"
"""Lines of a grid, likewise."""


def blank_figure(height: int, **layout: Any) -> go.Figure:
    """A figure to add traces to. Its background is transparent and its text has no colour: the page's theme decides.

    Args:
        height: In pixels.
        **layout: Further settings, as ``update_layout`` takes them.
    """
    fig = go.Figure()
    fig.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 10, "b": 8},
        font={"size": 13},
        dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    fig.update_layout(**layout)
    fig.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True, fixedrange=True)
    fig.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True, fixedrange=True)
    return fig


def shown_of(classes: int) -> str:
    """The line below bars that are not those of all classes; empty where they are.

    Args:
        classes: How many the model has.
    """
    return f"The {MOST_BARS} most probable of {classes} classes." if classes > MOST_BARS else ""


def probability_bars(
    probabilities: Mapping[str, float], *, candidates: Collection[str] | None = None, height: int | None = None
) -> go.Figure:
    """Horizontal bars, the most probable class on top, with the word and the percentage beside each.

    Args:
        probabilities: Class name to probability in [0, 1].
        candidates: The classes that the answer may mean: their words are bold and the bars of the others pale. None
            makes the most probable word bold and no bar pale; an empty one, for a face that cannot be read, all pale.
        height: Height of the figure in pixels; None makes room for the bars, of which there are at most `MOST_BARS`.

    Returns:
        A figure with two bar traces: the empty track up to 1, and the probabilities on it.
    """
    rows = ranked(probabilities)[:MOST_BARS][::-1]  # Plotly draws the first category at the bottom
    names = [name for name, _ in rows]
    values = [value for _, value in rows]
    colors = class_set(probabilities).colors
    bold = {names[-1]} if candidates is None else set(candidates)
    pale = set() if candidates is None else set(names) - bold
    ticks = [f"<b>{name}</b>" if name in bold else name for name in names]
    texts = [f"<b>{percent(v)}</b>" if name in bold else percent(v) for name, v in rows]
    track = go.Bar(
        y=names,
        x=[1.0] * len(rows),
        orientation="h",
        marker={"color": TRACK, "cornerradius": 4},
        text=texts,
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
    )
    bars = go.Bar(
        y=names,
        x=values,
        orientation="h",
        name="probability",
        marker={
            "color": [colors[name] for name in names],
            "opacity": [PALE if name in pale else 1.0 for name in names],
            "cornerradius": 4,
        },
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    fig = blank_figure(
        height or max(110, 38 + 32 * len(rows)),
        barmode="overlay",
        bargap=0.38,
        showlegend=False,
        font={"size": 14},
        # Room on top for the button that a touch screen always shows: it would cover the first percentage.
        margin={"l": 0, "r": 52, "t": 30, "b": 4},
    )
    fig.add_traces([track, bars])
    # The percentages stand in the right margin, which keeps its width on narrow cards.
    fig.update_xaxes(range=[0, 1], visible=False)
    fig.update_yaxes(
        tickmode="array",
        tickvals=names,
        ticktext=ticks,
        ticksuffix="  ",
        tickfont={"size": 14},
        showgrid=False,
        showline=False,
        ticks="",
    )
    return fig


def count_bars(counts: Mapping[str, int], *, height: int = 240) -> go.Figure:
    """Bars, one for each class in its colour and the given order, with the number at its end.

    They are upright; but lie where their words would not stand beside each other on a phone, and are then those of
    `counted_classes` alone.

    Args:
        counts: Class name to how many there are, for all classes.
        height: Height of the figure in pixels, where the bars are upright.
    """
    if not abreast(counts):
        return _lying_counts(counts)
    names, values = list(counts), list(counts.values())
    bars = go.Bar(
        x=names,
        y=values,
        marker={"color": list(class_set(names).colors.values()), "cornerradius": 4},
        text=[f"{value:,}" for value in values],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{x}: %{y:,}<extra></extra>",
    )
    fig = blank_figure(height, showlegend=False, bargap=0.3, margin={"l": 4, "r": 4, "t": 34, "b": 4})
    fig.add_trace(bars)
    fig.update_xaxes(showgrid=False)
    fig.update_yaxes(visible=False)
    return fig


def abreast(names: Collection[str]) -> bool:
    """Whether class names stand beside each other below upright bars on a phone."""
    return len(names) <= WORDS_ABREAST and sum(map(len, names)) <= LETTERS_ABREAST


def counted_classes(counts: Mapping[str, int]) -> list[str]:
    """The classes that `count_bars` shows: all; or where they are too many or too long, those that occur.

    These are then the most frequent first, and `MOST_BARS` at most.
    """
    if abreast(counts):
        return list(counts)
    return sorted((name for name in counts if counts[name]), key=lambda name: -counts[name])[:MOST_BARS]


def _lying_counts(counts: Mapping[str, int]) -> go.Figure:
    names = counted_classes(counts)[::-1]  # Plotly draws the first category at the bottom
    colors = class_set(counts).colors
    fig = blank_figure(40 + 28 * len(names), showlegend=False, bargap=0.3, margin={"l": 0, "r": 52, "t": 30, "b": 4})
    fig.add_bar(
        y=names,
        x=[counts[name] for name in names],
        orientation="h",
        marker={"color": [colors[name] for name in names], "cornerradius": 4},
        text=[f"{counts[name]:,}" for name in names],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:,}<extra></extra>",
    )
    fig.update_xaxes(visible=False)
    fig.update_yaxes(ticksuffix="  ", showgrid=False)
    return fig


def standalone_html(figure: go.Figure, title: str, note: str = "") -> str:
    """A figure as a whole HTML file that opens without a connection: Plotly is inside it.

    Args:
        figure: The figure.
        title: Its heading.
        note: A sentence below it.
    """
    body = figure.to_html(full_html=False, include_plotlyjs=True, config={"displaylogo": False, "responsive": True})
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><style>body{font:16px/1.5 system-ui,'
        "sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}</style></head><body>"
        f"<h1>{html.escape(title)}</h1>{body}<p>{html.escape(note)}</p></body></html>"
    )
