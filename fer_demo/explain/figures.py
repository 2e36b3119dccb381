"""Pictures and Plotly figures of explanations, as pure functions from arrays.

Blue speaks against the class and red for it, on every figure; the colours say so in words beside them.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import get_colorscale, sample_colorscale

from fer_demo.figures import GRID, blank_figure

if TYPE_CHECKING:
    from fer_demo.explain.face import FaceCurves

SIGNED, POSITIVE = "RdBu_r", "Inferno"
LINES = {"deletion": "dash", "insertion": "solid"}
PALETTE = ("#4B4FB8", "#7F7F7F", "#8D6E00")


def limit(values: NDArray[np.floating]) -> float:
    """The value that gets the strongest colour: symmetric about 0, so that nothing is white but nothing."""
    return max(float(np.abs(values).max()), 1e-12)


ROBUST_PERCENTILE = 98.0
"""Of the absolute values that count at all: a few single pixels must not leave all others pale."""


def robust_limit(values: NDArray[np.floating]) -> float:
    """A value for the strongest colour that a few extreme pixels do not set.

    Integrated Gradients has single pixels that are ten times as strong as the next ones; scaled by these, nothing else
    could be seen.

    Args:
        values: float (H, W).

    Returns:
        The `ROBUST_PERCENTILE` of the absolute values that are not next to nothing; above 0.
    """
    size = np.abs(values)
    counting = size[size > 0.02 * size.max()] if size.max() > 0 else size
    return max(float(np.percentile(counting, ROBUST_PERCENTILE)), 1e-12)


def softened(values: NDArray[np.floating], sigma: float = 0.7) -> NDArray[np.float32]:
    """A map whose single pixels run into each other a little, so that an eye can see where they are many.

    Args:
        values: float (H, W).
        sigma: Of the Gaussian, in pixels.
    """
    blurred: NDArray[np.float32] = cv2.GaussianBlur(values.astype(np.float32), (0, 0), sigma).astype(np.float32)
    return blurred


def colours_say(signed: bool) -> str:
    """What `blend`'s colours mean, as a sentence."""
    return "Red speaks for it, blue against it." if signed else "Brighter counted more."


def blend(
    photo: NDArray[np.uint8],
    values: NDArray[np.floating],
    *,
    signed: bool = True,
    opacity: float = 0.6,
    strongest: float | None = None,
) -> NDArray[np.uint8]:
    """A map over a picture; where the map is near 0, the picture shows unchanged.

    Args:
        photo: uint8 (H, W) or (H, W, 3).
        values: float (H, W).
        signed: Show what speaks against the class too.
        opacity: Of the strongest colour, 0 to 1.
        strongest: The value that gets the strongest colour, such as `robust_limit`; None is the largest one.

    Returns:
        uint8 (H, W, 3).
    """
    rgb = np.repeat(photo[..., None], 3, axis=2) if photo.ndim == 2 else photo
    strength = np.clip(values / (strongest or limit(values)), -1 if signed else 0, 1)
    table = _table(SIGNED if signed else POSITIVE)
    colours = table[np.round((strength + 1) * 127.5 if signed else strength * 255).astype(int)]
    alpha = (opacity * np.abs(strength) ** 0.7)[..., None]
    blended: NDArray[np.float64] = rgb * (1 - alpha) + colours * alpha
    return np.round(blended).astype(np.uint8)


def _table(scale: str) -> NDArray[np.float64]:
    colours = sample_colorscale(get_colorscale(scale), np.linspace(0, 1, 256), colortype="tuple")
    return np.array(colours, np.float64) * 255


def hover_map(
    crop: NDArray[np.uint8], values: NDArray[np.floating], *, signed: bool = True, height: int = 360
) -> go.Figure:
    """The crop under its map, with the map's value at each pixel.

    Args:
        crop: uint8 (H, W).
        values: float (H, W).
        signed: As for `blend`.
        height: Pixels.
    """
    shown = blend(crop, values, signed=signed)
    fig = blank_figure(height)
    fig.add_image(z=shown, hoverinfo="skip")
    # The picture carries the colours; an invisible map over it answers the pointer.
    fig.add_heatmap(
        z=values / limit(values),
        opacity=0,
        showscale=False,
        zmin=-1,
        zmax=1,
        hovertemplate="row %{y}, column %{x}: %{z:+.2f}<extra></extra>",
    )
    fig.update_xaxes(visible=False, constrain="domain")
    fig.update_yaxes(visible=False, scaleanchor="x", autorange="reversed")
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


def block_title(gate: str) -> str:
    """``"stages.2.blocks.1.se"`` as ``"stage 3, block 2"``; other names stay as they are."""
    parts = gate.split(".")
    if len(parts) == 5 and parts[0] == "stages" and parts[2] == "blocks":
        return f"stage {int(parts[1]) + 1}, block {int(parts[3]) + 1}"
    return gate


def layer_title(layer: str) -> str:
    """``"stages.2"`` as ``"after stage 3"``, ``"stages.2.blocks.1"`` as ``"after stage 3, block 2"``."""
    parts = layer.split(".")
    if len(parts) == 2:
        return f"after stage {int(parts[1]) + 1}"
    return f"after {block_title(f'{layer}.se')}"


def effect_bars(answers: Mapping[str, Mapping[str, float]], height: int = 300) -> go.Figure:
    """By how many points each probability changes while a channel is held at another value.

    Args:
        answers: Title to class name to probability, as `fer_demo.explain.face.channel_effect` gives them; the first is
            the answer as it is, from which the others are counted.
        height: Pixels.
    """
    legend = {"orientation": "h", "y": -0.2, "x": 0}
    fig = blank_figure(height, barmode="group", showlegend=True, legend=legend)
    base, *_ = answers.values()
    most = 1.0
    for colour, pattern, (title, probabilities) in zip(
        PALETTE, ("", "/", "."), list(answers.items())[1:], strict=False
    ):
        points = [100 * (probabilities[n] - base[n]) for n in base]
        most = max(most, *map(abs, points))
        fig.add_bar(
            x=list(base),
            y=points,
            name=title,
            marker={"color": colour, "pattern": {"shape": pattern}, "cornerradius": 2},
            customdata=[[base[n], probabilities[n]] for n in base],
            hovertemplate=f"{title}: %{{x}} from %{{customdata[0]:.1%}} to %{{customdata[1]:.1%}}<extra></extra>",
        )
    # At least one point either way, so that a hundredth of a point does not look like much.
    fig.update_yaxes(range=[-1.1 * most, 1.1 * most], title="points", zeroline=True, zerolinecolor=GRID)
    return fig


def faithfulness_curves(found: Mapping[str, "FaceCurves"], height: int = 340) -> go.Figure:
    """Deletion (dashed) and insertion (solid) for each map.

    Args:
        found: As `fer_demo.explain.face.face_curves` gives it.
        height: Pixels.
    """
    fig = blank_figure(height, legend={"orientation": "h", "y": -0.3, "x": 0})
    for colour, (title, curve) in zip(PALETTE, found.items(), strict=False):
        for kind, values in (("insertion", curve["insertion"]), ("deletion", curve["deletion"])):
            fig.add_scatter(
                x=curve["fraction"],
                y=values,
                mode="lines",
                name=f"{title}: {kind}",
                line={"color": colour, "dash": LINES[kind], "width": 2.5},
                hovertemplate=f"{title}, {kind} of %{{x:.0%}}: %{{y:.1%}}<extra></extra>",
            )
    fig.update_yaxes(range=[0, 1.02], tickformat=".0%", title="probability")
    fig.update_xaxes(tickformat=".0%", title="share of the pixels")
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
