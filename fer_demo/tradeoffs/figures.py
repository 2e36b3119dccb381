"""Plotly figures of trade-offs, as pure functions from rows."""

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import plotly.graph_objects as go
import timm

from fer_demo.classes import column_order
from fer_demo.figures import MOST_BARS, abreast, blank_figure
from fer_demo.tradeoffs.labels import HEIGHT, WIDTH, axis_range, place_labels, short_title
from fer_demo.tradeoffs.measures import KINDS, MEASURES, NOT_TRAINED, PUBLISHED, REPRODUCED
from fer_demo.tradeoffs.published import Human, data_sets, systems
from fer_demo.tradeoffs.table import Row, pareto_front

SYMBOLS = {PUBLISHED: "circle-open", REPRODUCED: "diamond", NOT_TRAINED: "x-thin-open"}
"""A row's kind as a sign, so that nothing depends on colour alone."""

FAMILY = ("#5B60CF", "#9A9DF0", "#B07CE8", "#7A4FD0")
"""Colours of the SE-Dense networks, around the accent colour, on white and on black."""

OTHERS = ("#C2185B", "#00838F", "#8D6E00", "#6D4C41", "#2E7D32", "#7B1FA2", "#546E7A")
"""Colours of the other networks: apart from each other on white and on black, and from the seven emotion colours."""

FAINT = "rgba(127, 127, 127, 0.8)"
"""Lines beside the points: legible on white and on black."""

PATTERNS = ("", "/", ".", "x")
SIZE = 13
"""Of a point in pixels."""


def model_color(name: str | None) -> str:
    """A network's colour, the same on every page.

    Args:
        name: A registered name or ``<architecture>.<tag>``; None is a system that is not built here.
    """
    architecture = (name or "").partition(".")[0].replace("_lm", "")  # with attention as without
    family = timm.list_models("fer_sedense*", exclude_filters="*_lm*")
    if architecture in family:
        return FAMILY[family.index(architecture) % len(FAMILY)]
    return _other_colors().get(architecture, "#7F7F7F")


@cache
def _other_colors() -> dict[str, str]:
    """Those that stand in one chart get different colours, as far as there are enough."""
    colors: dict[str, str] = {}
    for data in data_sets():
        shown = [system.model for system in systems() if any(result.data == data for result in system.results)]
        others = [model for model in shown if model and not model.startswith("fer_sedense")]
        colors = dict(zip(others, itertools.cycle(OTHERS), strict=False)) | colors
    return colors


def tradeoff_chart(
    rows: Sequence[Row],
    x: str = "parameters",
    y: str = "accuracy",
    *,
    log_x: bool = True,
    log_y: bool = False,
    front: bool = True,
    people: Human | None = None,
    height: int = 480,
) -> go.Figure:
    """Two measures against each other, a point a row, with the Pareto front.

    Args:
        rows: Rows of one data set.
        x: A key of `MEASURES`.
        y: Another one.
        log_x: Logarithmic x axis.
        log_y: Likewise.
        front: Draw the front.
        people: To draw as a band, where `y` is the accuracy.
        height: Pixels.

    Returns:
        A figure whose points carry the row's key as ``customdata``, for clicks.
    """
    legend = {"orientation": "h", "y": -0.22, "x": 0}
    fig = blank_figure(height, legend=legend, showlegend=True, hovermode="closest", clickmode="event+select")
    shown = [row for row in rows if x in row.values and y in row.values]
    corner = ""
    if people and y == "accuracy":
        middle, half = 100 * people.accuracy, 100 * people.spread
        fig.add_hrect(y0=middle - half, y1=middle + half, fillcolor="rgba(127,127,127,0.1)", line_width=0)
        fig.add_hline(y=middle, line={"color": FAINT, "dash": "dot", "width": 1})
        corner = f"people: {people}"  # not at the line, where points are
        fig.add_annotation(
            text=corner,
            x=1,
            y=0,
            xref="x domain",
            yref="y domain",
            xanchor="right",
            yanchor="bottom",
            showarrow=False,
            font={"size": 11},
            opacity=0.8,
        )
    if front:
        _add_front(fig, shown, x, y)
    places = place_labels(shown, x, y, log_x, log_y, corner)
    for kind in KINDS:
        if part := [row for row in shown if row.kind == kind]:
            fig.add_trace(_points(part, kind, x, y, places))
    for row in shown:
        if isinstance(step := places.get(row.key), tuple):
            _add_led_label(fig, row, (x, log_x), (y, log_y), step)
    for axis, measure, log in ((fig.update_xaxes, x, log_x), (fig.update_yaxes, y, log_y)):
        axis(title=f"{MEASURES[measure].title} ({MEASURES[measure].unit})", type="log" if log else "linear")
        axis(dtick=_log_ticks(shown, measure) if log else None, tickformat="~g", minor={"showgrid": False})
    if shown:  # stated, so that labels fit, and people's band does not press the systems together at the top
        fig.update_xaxes(range=axis_range(shown, x, log_x, WIDTH))
        fig.update_yaxes(range=axis_range(shown, y, log_y, HEIGHT))
    return fig


def _log_ticks(rows: Sequence[Row], name: str) -> str:
    """Plotly's step of a logarithmic axis: at 1, 2 and 5, or at each digit where all rows lie within a power of ten."""
    values = [row.values[name] for row in rows]
    return "D1" if values and max(values) < 10 * min(values) else "D2"


def _add_front(fig: go.Figure, rows: Sequence[Row], x: str, y: str) -> None:
    line = pareto_front(rows, x, y)
    # Steps, since nothing between two systems is known to exist: one has what the last one on the front has.
    shape = "hv" if not MEASURES[x].high_is_good else "vh"
    fig.add_scatter(
        x=[row.values[x] * MEASURES[x].factor for row in line],
        y=[row.values[y] * MEASURES[y].factor for row in line],
        mode="lines",
        line={"shape": shape, "color": FAINT, "width": 1.5, "dash": "dash"},
        name="Pareto front",
        hoverinfo="skip",
    )


def _points(rows: Sequence[Row], kind: str, x: str, y: str, places: Mapping[str, Any]) -> go.Scatter:
    colours = [model_color(row.model) for row in rows]
    mx, my = MEASURES[x], MEASURES[y]
    return go.Scatter(
        x=[row.values[x] * mx.factor for row in rows],
        y=[row.values[y] * my.factor for row in rows],
        error_x=_error_bars(rows, x),
        error_y=_error_bars(rows, y),
        mode="markers+text",
        name=kind,
        customdata=[[row.key] for row in rows],
        text=[short_title(row) if isinstance(places.get(row.key), str) else "" for row in rows],
        textfont={"size": 12},
        cliponaxis=False,
        textposition=[p if isinstance(p := places.get(row.key), str) else "top center" for row in rows],
        marker={"symbol": SYMBOLS[kind], "size": SIZE, "color": colours, "line": {"width": 2.5, "color": colours}},
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 0.75}},
        hovertext=[hover(row, x, y) for row in rows],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _add_led_label(
    fig: go.Figure, row: Row, x: tuple[str, bool], y: tuple[str, bool], step: tuple[float, float]
) -> None:
    """Names a point that has no room beside it: a thin line leads to the name."""
    at = [row.values[name] * MEASURES[name].factor for name, _ in (x, y)]
    fig.add_annotation(
        x=math.log10(at[0]) if x[1] else at[0],
        y=math.log10(at[1]) if y[1] else at[1],
        ax=step[0],
        ay=-step[1],
        text=short_title(row),
        font={"size": 12},
        showarrow=True,
        arrowhead=0,
        arrowwidth=1,
        arrowcolor=FAINT,
        standoff=SIZE / 2,
        borderpad=0,
    )


def hover(row: Row, x: str, y: str) -> str:
    """What a pointed-at row says."""
    parts = [f"<b>{row.title}</b> ({row.kind})"]
    for name in (x, y):
        text = f"{MEASURES[name].title}: {MEASURES[name].text(row.values[name])}"
        if name in row.intervals:
            low, high = (MEASURES[name].text(v) for v in row.intervals[name])
            text += f" ({low} to {high})"
        parts.append(text)
    return "<br>".join(parts)


def _error_bars(rows: Sequence[Row], name: str) -> dict[str, Any]:
    factor = MEASURES[name].factor
    up, down = [], []
    for row in rows:
        low, high = row.intervals.get(name, (row.values[name], row.values[name]))
        up.append((high - row.values[name]) * factor)
        down.append((row.values[name] - low) * factor)
    return {
        "type": "data",
        "array": up,
        "arrayminus": down,
        "symmetric": False,
        "thickness": 1,
        "width": 3,
        "color": FAINT,
        "visible": any(v > 0 for v in up),
    }


def ingredient_bars(full: float, parts: Sequence[Mapping[str, Any]], height: int | None = None) -> go.Figure:
    """What each ingredient brings: a bar hangs from the accuracy of the whole and ends where it stands without it.

    Args:
        full: Accuracy of the whole, from 0 to 1.
        parts: For each variant ``title``, ``difference`` of its accuracy from `full`, ``interval`` (low and high of
            that difference) and ``parameters``, by how many it has more or fewer.
        height: Pixels; by default enough for all bars.
    """
    fig = blank_figure(height or 90 + 56 * len(parts), showlegend=False, bargap=0.62)
    parts = sorted(parts, key=lambda part: -part["difference"])
    texts = [f"{_signed(100 * p['difference'], '.1f')} points, {parameters_text(p['parameters'])}" for p in parts]
    fig.add_bar(
        y=[part["title"] for part in parts],
        x=[100 * part["difference"] for part in parts],
        base=100 * full,
        orientation="h",
        text=texts,
        textposition="none",
        # Grey where the interval holds 0: such a difference may be chance.
        marker={
            "color": ["#9A9AA5" if p["interval"][0] <= 0 <= p["interval"][1] else FAMILY[0] for p in parts],
            "cornerradius": 3,
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "thickness": 1,
            "width": 4,
            "color": FAINT,
            "array": [100 * (p["interval"][1] - p["difference"]) for p in parts],
            "arrayminus": [100 * (p["difference"] - p["interval"][0]) for p in parts],
        },
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    fig.add_vline(x=100 * full, line={"color": FAINT, "width": 2})
    fig.update_xaxes(title="PublicTest accuracy (%)")
    fig.update_yaxes(showgrid=False, showticklabels=False)
    for part in parts:  # above its bar: beside it, a name would leave a phone no room for bars
        fig.add_annotation(
            x=0,
            xref="x domain",
            xanchor="left",
            y=part["title"],
            yshift=20,
            text=part["title"],
            showarrow=False,
            font={"size": 13},
        )
    return fig


def _signed(value: float, form: str) -> str:
    return f"{value:+{form}}".replace("-", "−")


def parameters_text(change: int) -> str:
    """``"−12 k parameters"``, or ``"same size"`` for none."""
    return f"{_signed(change / 1000, ',.0f')} k parameters" if change else "same size"


def answer_bars(answers: Mapping[str, Mapping[str, float]], height: int = 300) -> go.Figure:
    """Several models' probabilities for one face, a group a class; of more than `MOST_BARS` the most probable ones.

    Args:
        answers: Model's name to class name to probability in [0, 1].
        height: Pixels, where the bars are upright: they lie where their words would not fit beside each other.
    """
    every = column_order(dict.fromkeys(label for found in answers.values() for label in found))
    best = {label: max(found.get(label, 0.0) for found in answers.values()) for label in every}
    most = sorted(every, key=lambda label: -best[label])[:MOST_BARS]
    labels = [label for label in every if label in most]
    if not abreast(labels):
        return _lying_answers(answers, labels)
    legend = {"orientation": "h", "y": -0.2, "x": 0}
    fig = blank_figure(height, barmode="group", bargap=0.3, showlegend=True, legend=legend)
    for i, (name, probabilities) in enumerate(answers.items()):
        fig.add_bar(
            x=labels,
            y=[probabilities.get(label) for label in labels],  # no bar for a class that only others have
            name=name,
            marker={"color": model_color(name), "pattern": {"shape": PATTERNS[i % 4]}, "cornerradius": 2},
            hovertemplate=f"{name}, %{{x}}: %{{y:.1%}}<extra></extra>",
        )
    fig.update_yaxes(tickformat=".0%", range=[0, 1.02], title="probability")
    return fig


def _lying_answers(answers: Mapping[str, Mapping[str, float]], labels: Sequence[str]) -> go.Figure:
    """`answer_bars` where the words stand below each other."""
    legend = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "traceorder": "normal"}
    height = 110 + len(labels) * (14 + 11 * len(answers))
    fig = blank_figure(height, barmode="group", bargap=0.25, showlegend=True, legend=legend, margin={"t": 80, "r": 16})
    for i, (name, probabilities) in enumerate(answers.items()):
        fig.add_bar(
            y=labels,
            x=[probabilities.get(label) for label in labels],
            orientation="h",
            name=name,
            marker={"color": model_color(name), "pattern": {"shape": PATTERNS[i % 4]}, "cornerradius": 2},
            hovertemplate=f"{name}, %{{y}}: %{{x:.1%}}<extra></extra>",
        )
    fig.update_xaxes(tickformat=".0%", range=[0, 1.02], nticks=5)
    fig.update_yaxes(autorange="reversed", ticksuffix="  ", showgrid=False)
    return fig
