"""Plotly figures of squeeze-and-excitation's channel weights, as pure functions from arrays."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from fer_demo.explain.figures import PALETTE, SIGNED, block_title, limit
from fer_demo.figures import GRID, MOST_BARS, abreast, blank_figure

FOR, AGAINST = "#D6604D", "#4393C3"
"""Colours of `fer_demo.explain.figures.SIGNED` that can be seen on white and on black."""


def importance_bars(changes: NDArray[np.floating], count: int = 10, height: int = 320) -> go.Figure:
    """The channels whose shutting changes a class's logit most, the most important first.

    Args:
        changes: float (C,), as `fer_demo.explain.face.face_channel_importance` gives them.
        count: How many.
        height: Pixels.
    """
    order = np.argsort(-np.abs(changes), kind="stable")[:count]
    # What speaks for the class is red and points right, so the sign is turned: the logit falls without it.
    for_it = -changes[order]
    fig = blank_figure(height)
    fig.add_bar(
        x=for_it,
        y=[f"channel {channel}" for channel in order],
        orientation="h",
        marker={
            "color": [FOR if value >= 0 else AGAINST for value in for_it],
            "pattern": {"shape": ["" if value >= 0 else "/" for value in for_it]},
            "cornerradius": 2,
        },
        customdata=changes[order],
        hovertemplate="%{y} shut: the logit changes by %{customdata:+.3f}<extra></extra>",
    )
    fig.update_xaxes(title="speaks against it  ·  speaks for it (logit)", zeroline=True, zerolinecolor=GRID)
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return fig


def gate_heatmap(
    weights: Mapping[str, NDArray[np.floating]],
    means: Mapping[str, NDArray[np.floating]] | None = None,
    height: int = 380,
) -> go.Figure:
    """The channel weights, a row a block; or by how much they differ from a class's average.

    Args:
        weights: Gate name to float (C,), from 0 to 1; C may differ from gate to gate.
        means: The same for a class on average, or None.
        height: Pixels.

    Returns:
        A figure whose points carry the gate's name as ``customdata``, for clicks.
    """
    names = list(weights)
    # Blocks may have channels in different numbers: the shorter rows end in empty cells.
    z = np.full((len(names), max(map(len, weights.values()))), np.nan)
    for row, name in zip(z, names, strict=True):
        row[: len(weights[name])] = weights[name] - (means[name] if means else 0)
    bound = limit(z[np.isfinite(z)]) if means else 1.0
    digits = 2 if bound > 0.05 else 3  # some networks' weights hardly depend on the face
    scale = (
        {"colorscale": SIGNED, "zmin": -bound, "zmax": bound}
        if means
        else {"colorscale": "Viridis", "zmin": 0, "zmax": 1}
    )
    rows = [block_title(n) for n in names]
    fig = blank_figure(height, clickmode="event+select")
    fig.add_heatmap(
        z=z,
        y=rows,
        x=list(range(z.shape[1])),
        ygap=1,
        hoverongaps=False,
        **scale,
        xgap=1 if z.shape[1] <= 32 else 0,  # on a phone the gaps would take half of 64 columns
        colorbar={"thickness": 10, "outlinewidth": 0, "tickformat": f"+.{digits}f" if means else ".1f"},
        hoverinfo="skip",
    )
    # A heat map's cells cannot be clicked in Streamlit; transparent markers on them can, and they answer the pointer.
    y, x = np.nonzero(np.isfinite(z))
    fig.add_scatter(
        x=x,
        y=[rows[i] for i in y],
        mode="markers",
        showlegend=False,
        customdata=[[names[i], int(c)] for i, c in zip(y, x, strict=True)],
        marker={"size": 14, "opacity": 0.004, "symbol": "square", "color": "#000"},
        text=[f"{v:+.{digits}f} from the average" if means else f"weight {v:.2f}" for v in z[y, x]],
        hovertemplate="%{y}, channel %{x}: %{text}<extra></extra>",
    )
    fig.update_xaxes(title="channel", showgrid=False, range=[-0.5, z.shape[1] - 0.5])
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return fig


def effect_bars(answers: Mapping[str, Mapping[str, float]], height: int = 300) -> go.Figure:
    """By how many points each probability changes while a channel is held at another value.

    Args:
        answers: Title to class name to probability, as `fer_demo.explain.face.channel_effect` gives them; the first is
            the answer as it is, from which the others are counted. Of more than `MOST_BARS` classes those are shown
            that change most.
        height: Pixels.
    """
    base, *changed = answers.values()
    by_change = sorted(base, key=lambda n: -max((abs(other[n] - base[n]) for other in changed), default=0.0))
    names = [n for n in base if n in by_change[:MOST_BARS]]
    # Long words are turned upright, and a legend below them would lie on them.
    below = {"y": -0.2} if abreast(names) else {"y": 1.0, "yanchor": "bottom"}
    fig = blank_figure(height, barmode="group", showlegend=True, legend={"orientation": "h", "x": 0} | below)
    if not abreast(names):
        fig.update_layout(margin_t=70, height=height + 90)
    most = 1.0
    for colour, pattern, (title, probabilities) in zip(
        PALETTE, ("", "/", "."), list(answers.items())[1:], strict=False
    ):
        points = [100 * (probabilities[n] - base[n]) for n in names]
        most = max(most, *map(abs, points))
        fig.add_bar(
            x=names,
            y=points,
            name=title,
            marker={"color": colour, "pattern": {"shape": pattern}, "cornerradius": 2},
            customdata=[[base[n], probabilities[n]] for n in names],
            hovertemplate=f"{title}: %{{x}} from %{{customdata[0]:.1%}} to %{{customdata[1]:.1%}}<extra></extra>",
        )
    # At least one point either way, so that a hundredth of a point does not look like much.
    fig.update_yaxes(range=[-1.1 * most, 1.1 * most], title="points", zeroline=True, zerolinecolor=GRID)
    return fig


def most_different(
    weights: Mapping[str, NDArray[np.floating]], means: Mapping[str, NDArray[np.floating]], count: int = 5
) -> Sequence[tuple[str, int, float, float]]:
    """The channels that differ most from a class's average: gate, channel, weight, average."""
    rows = [
        (gate, channel, float(value), float(means[gate][channel]))
        for gate, values in weights.items()
        for channel, value in enumerate(values)
    ]
    return sorted(rows, key=lambda row: -abs(row[2] - row[3]))[:count]
