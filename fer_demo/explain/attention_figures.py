"""Pictures of attention to eyes, brows and mouth, and of what landmarks change, as pure functions from arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from fer_demo.emotions import text_color
from fer_demo.explain.face import on_photo
from fer_demo.figures import MOST_BARS, blank_figure
from fer_demo.prediction import FacePrediction
from fer_demo.vision.close_up import close_up
from fer_demo.wording import percent

REGION_COLORS = ("#56B4E9", "#F0E442", "#D55E00")
"""Of the three maps: from the Okabe-Ito palette, and each of another lightness, so that grey alone tells them apart."""

LOOK, AWAY = "#E66101", "#5E3C99"
"""Where the network looks harder, and where it looks away: ColorBrewer's PuOr. Other colours than those that speak for
a class and against it."""

OPACITY = 0.8
"""Of the gate's strongest colour."""

MARGIN = 0.12
"""How much of the photo is shown around the crop, as a fraction of its side."""

SIDE = 480
"""Pixels of the shorter side at least: on a smaller photo lines and dots would be coarse."""

LEAST_HEIGHT = 0.1
"""A map that is nowhere as high as this has no line: it says nothing of any place."""

LEAST_SPREAD = 0.05
"""A gate that stays closer to 1 everywhere than this is not drawn as if it were a strong one."""


def region_picture(
    maps: NDArray[np.floating[Any]],
    image: NDArray[np.uint8],
    face: FacePrediction,
    landmarks: NDArray[np.floating[Any]] | None = None,
    signs: Sequence[str] = ("R", "L", "M"),
) -> NDArray[np.uint8]:
    """The three maps over the grey photo: tinted, with a line at half of each one's height, and landmarks as dots.

    Args:
        maps: float (3, H, W), from 0 to 1, as `fer_demo.explain.attention.RegionLook.maps`.
        image: The photo, uint8 RGB (height, width, 3).
        face: The face.
        landmarks: Float (5, 2) in pixels of the face's crop; None draws no dots.
        signs: A letter for each map, which stands at its highest place: nothing hangs on colours alone.

    Returns:
        uint8 (h, w, 3).
    """
    laid = [_laid(values, image, face) for values in maps]
    shown = laid[0][0].astype(np.float64)
    for (_, values), color in zip(laid, REGION_COLORS, strict=True):
        alpha = (0.45 * values)[..., None]
        shown = shown * (1 - alpha) + np.array(_rgb(color)) * alpha
    picture: NDArray[np.uint8] = np.round(shown).astype(np.uint8)
    unit = min(picture.shape[:2]) / SIDE
    for (_, values), color in zip(laid, REGION_COLORS, strict=True):
        lines, _ = cv2.findContours(_inside(values).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        # A dark rim, since a face has places of any lightness.
        cv2.drawContours(picture, lines, -1, (20, 20, 20), max(1, round(5 * unit)), cv2.LINE_AA)
        cv2.drawContours(picture, lines, -1, _rgb(color), max(1, round(3 * unit)), cv2.LINE_AA)
    for (_, values), color, sign in zip(laid, REGION_COLORS, signs, strict=True):
        if _inside(values).any():
            _sign(picture, values, sign, color, unit)
    if landmarks is not None:
        for x, y in _in_picture(landmarks, image, face, picture):
            cv2.circle(picture, (x, y), round(8 * unit), (20, 20, 20), cv2.FILLED, cv2.LINE_AA)
            cv2.circle(picture, (x, y), round(5 * unit), (255, 255, 255), cv2.FILLED, cv2.LINE_AA)
    return picture


def gate_picture(
    gate: NDArray[np.floating[Any]], image: NDArray[np.uint8], face: FacePrediction, centre: float = 1.0
) -> NDArray[np.uint8]:
    """A spatial gate over the grey photo, scaled by `spread`.

    Args:
        gate: float (H, W), from 0 to 2, as `fer_demo.explain.attention.RegionLook.gates`.
        image: The photo, uint8 RGB (height, width, 3).
        face: The face.
        centre: The value without a colour: 1, or the gate's mean where that tells places apart better.

    Returns:
        uint8 (h, w, 3), of the size of `region_picture`'s; as the photo is where the gate has that value, and outside
        the crop.
    """
    part, values = _laid(gate - centre, image, face)
    low, high = ends(gate, centre)
    strength = np.clip(values / np.where(values > 0, high - centre, centre - low), -1, 1)
    colours = np.where((strength > 0)[..., None], _rgb(LOOK), _rgb(AWAY))
    alpha = (OPACITY * np.abs(strength))[..., None]
    return np.asarray(np.round(part * (1 - alpha) + colours * alpha).astype(np.uint8))


def ends(gate: NDArray[np.floating[Any]], centre: float = 1.0) -> tuple[float, float]:
    """The values of a gate that get the strongest colours: equally far from 1, or else its smallest and largest.

    Equally far from its mean one of them might be beyond what a gate can be.
    """
    if centre == 1:
        most = max(float(np.abs(gate - 1).max()), LEAST_SPREAD)
        return 1 - most, 1 + most
    return min(float(gate.min()), centre - 1e-3), max(float(gate.max()), centre + 1e-3)


def one_sided(gate: NDArray[np.floating[Any]]) -> bool:
    """Whether a gate is above 1, or below it, nearly everywhere: then only its differences tell places apart.

    The weights of the layers after it can undo what it does to all places alike.
    """
    return not 0.05 < float((gate > 1).mean()) < 0.95


def region_legend(names: Sequence[str], signs: Sequence[str] = ("R", "L", "M"), *, dots: bool = False) -> str:
    """What colours, letters and dots of `region_picture` mean, as HTML.

    Args:
        names: Of the three maps.
        signs: As for `region_picture`.
        dots: Whether landmarks are drawn.
    """
    chips = [
        f'<span><b style="background:{color};color:{text_color(color)};border:1px solid #7F7F7F;border-radius:4px;'
        f'padding:0 .4em;margin-right:.4em">{sign}</b>{name}</span>'
        for color, sign, name in zip(REGION_COLORS, signs, names, strict=True)
    ]
    if dots:
        size = "display:inline-block;box-sizing:border-box;width:12px;height:12px;margin-right:.5em"
        dot = "background:#FFF;border:3px solid #141414;outline:1px solid #7F7F7F;border-radius:50%"
        chips.append(f'<span><b style="{size};{dot}"></b>landmarks</span>')
    return _line("gap:.35rem 1rem", "".join(chips))


def gate_legend(gate: NDArray[np.floating[Any]], centre: float = 1.0) -> str:
    """What the colours of `gate_picture` mean, as HTML, with the gate's values."""
    low, high = ends(gate, centre)
    ramp = f"linear-gradient(90deg,{AWAY},{AWAY}00 50%,{LOOK}00 50%,{LOOK})"
    middle = "1" if centre == 1 else f"{centre:.2f}"
    words = (f"{low:.2f}: looks away", middle, f"{high:.2f}: looks harder")
    row = "".join(f'<span style="flex:{flex};text-align:{side}">{word}</span>' for word, flex, side in zip(
        words, (3, 1, 3), ("left", "center", "right"), strict=True
    ))  # fmt: skip
    bar = f'<div style="height:.75rem;border-radius:4px;border:1px solid #7F7F7F;background:{ramp};width:100%"></div>'
    return _line("gap:.35rem 0", f'{bar}<div style="display:flex;width:100%">{row}</div>')


def answer_pair(answers: Mapping[str, Mapping[str, float]]) -> go.Figure:
    """One answer, or two of the same face side by side: a row a class, a bar an answer, with percentages.

    Args:
        answers: Title to class name to probability. Of more than `MOST_BARS` classes the most probable are shown.
    """
    first = next(iter(answers.values()))
    best = sorted(first, key=lambda name: -max(one[name] for one in answers.values()))[:MOST_BARS]
    names = sorted(best, key=lambda name: first[name])  # Plotly draws the first category at the bottom
    height = 70 + (26 + 16 * (len(answers) - 1)) * len(names)
    fig = blank_figure(height, barmode="group", bargap=0.3, bargroupgap=0.08)
    fig.update_layout(
        showlegend=len(answers) > 1,
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "traceorder": "reversed"},
        margin={"l": 0, "r": 52, "t": 52 if len(answers) > 1 else 30, "b": 4},
    )
    # Within a group Plotly draws the first bar at the bottom, too.
    for (title, own), (color, pattern) in list(zip(answers.items(), (("#7F7F7F", ""), (LOOK, "/")), strict=False))[
        ::-1
    ]:
        fig.add_bar(
            y=names,
            x=[own[name] for name in names],
            orientation="h",
            name=title,
            marker={
                "color": color,
                "pattern": {"shape": pattern, "size": 6, "fillmode": "overlay", "fgcolor": "#FFFFFF", "fgopacity": 0.5},
                "cornerradius": 3,
            },
            text=[percent(own[name]) for name in names],
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"{title}: %{{y}} %{{x:.1%}}<extra></extra>",
        )
    fig.update_xaxes(range=[0, 1], visible=False)
    fig.update_yaxes(ticksuffix="  ", tickfont={"size": 14}, showgrid=False)
    return fig


def _laid(
    values: NDArray[np.floating[Any]], image: NDArray[np.uint8], face: FacePrediction
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The grey photo around a face, uint8 (h, w, 3), and a map on it, float32 (h, w); 0 outside the crop."""
    size = face.required_crop().shape[0]
    smooth = cv2.resize(values.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    fine: NDArray[np.float32] = np.clip(smooth, values.min(), values.max()).astype(np.float32)
    part, laid, _ = on_photo(fine, image, face, margin=MARGIN)
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    larger = max(1.0, SIDE / min(grey.shape))
    place = (round(grey.shape[1] * larger), round(grey.shape[0] * larger))
    grey = cv2.resize(grey, place, interpolation=cv2.INTER_CUBIC)
    # Smooth lines: what OpenCV warps is made of facets.
    large = cv2.GaussianBlur(cv2.resize(laid, place, interpolation=cv2.INTER_LINEAR), (0, 0), 3.0)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8), large.astype(np.float32)


def _in_picture(
    landmarks: NDArray[np.floating[Any]], image: NDArray[np.uint8], face: FacePrediction, picture: NDArray[np.uint8]
) -> list[tuple[int, int]]:
    """Where landmarks of the crop lie in what `_laid` gave."""
    size = face.required_crop().shape[0]
    part, matrix = close_up(image, face, size, margin=MARGIN)
    points = (np.asarray(landmarks, np.float64) - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    points = points * (picture.shape[1] / part.shape[1], picture.shape[0] / part.shape[0])
    return [(round(x), round(y)) for x, y in points.tolist()]


def _inside(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where a map has at least half of its own height: bool (h, w)."""
    inside: NDArray[np.bool_] = values >= max(float(values.max()), LEAST_HEIGHT) / 2
    return inside if values.max() >= LEAST_HEIGHT else np.zeros_like(inside)


def _around_the_top(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The piece of `_inside` that holds a map's highest place: bool (h, w)."""
    _, pieces = cv2.connectedComponents(_inside(values).astype(np.uint8))
    piece: NDArray[np.bool_] = pieces == pieces.flat[int(values.argmax())]
    return piece


def _sign(picture: NDArray[np.uint8], values: NDArray[np.float32], sign: str, color: str, unit: float) -> None:
    """Writes a map's letter above its highest piece; below it in the lower half, where the nose is above."""
    columns, rows = (np.flatnonzero(_around_the_top(values).any(axis)) for axis in (0, 1))
    scale, thick = 0.8 * unit, max(1, round(2 * unit))
    (w, h), _ = cv2.getTextSize(sign, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    x = int(np.clip(columns.mean() - w / 2, 0, picture.shape[1] - w))
    pad = round(4 * unit)
    y = rows[-1] + 1.6 * h + pad if rows.mean() > picture.shape[0] / 2 else rows[0] - 0.6 * h - pad
    y = int(np.clip(y, h + pad, picture.shape[0] - pad))
    cv2.rectangle(picture, (x - pad, y - h - pad), (x + w + pad, y + pad), _rgb(color), cv2.FILLED)
    ink = _rgb(text_color(color))
    cv2.putText(picture, sign, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thick, cv2.LINE_AA)


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _line(style: str, inside: str) -> str:
    return f'<div style="display:flex;flex-wrap:wrap;font-size:.875rem;{style}">{inside}</div>'
