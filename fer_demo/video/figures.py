"""Plotly figures of a video's persons, as pure functions from what the timeline and the summary say."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from fer_demo.classes import class_set
from fer_demo.emotions import LABELS
from fer_demo.figures import blank_figure
from fer_demo.video.summary import UNSURE
from fer_demo.wording import percent

UNSURE_COLOR = "#BBBBBB"
"""Of the share of time in which the answer was unsure; paler than "neutral"."""


def timeline_figure(
    person: Mapping[str, Any],
    start: float,
    end: float,
    at: float | None = None,
    height: int = 150,
    labels: Sequence[str] = LABELS,
) -> go.Figure:
    """A person's smoothed probabilities over time, stacked; they add up to 1.

    Each point can be selected, wherever in its column somebody clicks.

    Args:
        person: As `fer_demo.video.timeline.Timeline.persons` gives it.
        start: Seconds at the left end.
        end: Seconds at the right end.
        at: Where to draw the line of the chosen moment; None draws none.
        height: In pixels.
        labels: The classes of the lines, as `fer_demo.video.timeline.Timeline.labels` has them.
    """
    colors = class_set(labels).colors
    fig = blank_figure(height, showlegend=False, hovermode="x unified", clickmode="event+select", hoverdistance=-1)
    invisible = {"size": 8, "opacity": 0}
    for label, values in zip(labels, person["values"], strict=True):
        fig.add_scatter(
            x=person["t"],
            y=values,
            name=label,
            stackgroup="one",
            mode="lines+markers",
            line={"width": 0.5, "color": colors[label]},
            fillcolor=colors[label],
            marker=invisible,
            selected={"marker": {"opacity": 0}},
            unselected={"marker": {"opacity": 0}},
            hovertemplate="%{y:.0%}",
            connectgaps=False,
        )
    if at is not None:
        fig.add_vline(x=at, line_width=2, line_dash="dot")
    fig.update_xaxes(range=[start, max(end, start + 0.1)], ticksuffix=" s", hoverformat=".1f")
    fig.update_yaxes(range=[0, 1], tickformat=".0%", nticks=3)
    return fig


def share_figure(share: Mapping[str, float], height: int | None = None) -> go.Figure:
    """Shares of the time in which a face could be read, the largest on top; those of nothing are left out.

    Args:
        share: Class name, or "unsure", to share in [0, 1]; all classes of the model.
        height: In pixels; None makes room for the bars.
    """
    rows = sorted(((name, value) for name, value in share.items() if value >= 0.005), key=lambda row: row[1])
    names: Sequence[str] = [name for name, _ in rows]
    colors = class_set(name for name in share if name != UNSURE).colors
    fig = blank_figure(
        height or 30 * max(1, len(rows)) + 12, showlegend=False, margin={"l": 0, "r": 52, "t": 4, "b": 4}
    )
    fig.add_bar(
        y=names,
        x=[value for _, value in rows],
        orientation="h",
        marker={"color": [UNSURE_COLOR if name == UNSURE else colors[name] for name in names], "cornerradius": 4},
        text=[percent(value) for _, value in rows],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.1%} of the time<extra></extra>",
    )
    fig.update_xaxes(range=[0, 1], visible=False)
    fig.update_yaxes(ticksuffix="  ", showgrid=False, showline=False, ticks="")
    return fig
