"""Pictures and Plotly figures of explanations, as pure functions from arrays.

Blue speaks against the class and red for it, on every figure; the colours say so in words beside them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import cv2
import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import get_colorscale, sample_colorscale

from fer_demo.figures import blank_figure

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
