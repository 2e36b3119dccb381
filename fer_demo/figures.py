"""Pictures and Plotly figures, as pure functions from data."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageDraw, ImageFont

from fer_demo.emotions import COLORS, text_color
from fer_demo.wording import is_unsure, percent, ranked

TRACK = "rgba(127, 127, 127, 0.16)"
"""The unfilled part of a bar: visible on white and on black."""

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
        height=height, margin={"l": 8, "r": 8, "t": 10, "b": 8}, font={"size": 13}, dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    fig.update_layout(**layout)
    fig.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True, fixedrange=True)
    fig.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True, fixedrange=True)
    return fig


def probability_bars(probabilities: Mapping[str, float], *, height: int = 236) -> go.Figure:
    """Horizontal bars, the most probable class on top, with the word and the percentage beside each.

    Args:
        probabilities: Class name to probability in [0, 1].
        height: Height of the figure in pixels.

    Returns:
        A figure with two bar traces: the empty track up to 1, and the probabilities on it.
    """
    rows = ranked(probabilities)[::-1]  # Plotly draws the first category at the bottom
    names = [name for name, _ in rows]
    values = [value for _, value in rows]
    best = names[-1]
    ticks = [f"<b>{name}</b>" if name == best else name for name in names]
    texts = [f"<b>{percent(v)}</b>" if name == best else percent(v) for name, v in rows]
    track = go.Bar(
        y=names, x=[1.0] * len(rows), orientation="h", marker={"color": TRACK, "cornerradius": 4},
        text=texts, textposition="outside", cliponaxis=False, hoverinfo="skip",
    )  # fmt: skip
    bars = go.Bar(
        y=names, x=values, orientation="h", name="probability",
        marker={"color": [COLORS[name] for name in names], "cornerradius": 4},
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )  # fmt: skip
    fig = blank_figure(
        height, barmode="overlay", bargap=0.38, showlegend=False, font={"size": 14},
        margin={"l": 0, "r": 52, "t": 4, "b": 4},
    )  # fmt: skip
    fig.add_traces([track, bars])
    # The percentages stand in the right margin, which keeps its width on narrow cards.
    fig.update_xaxes(range=[0, 1], visible=False)
    fig.update_yaxes(
        tickmode="array", tickvals=names, ticktext=ticks, ticksuffix="  ", tickfont={"size": 14},
        showgrid=False, showline=False, ticks="",
    )  # fmt: skip
    return fig


def face_label(number: int, probabilities: Mapping[str, float]) -> str:
    """What a box says: ``"1 happy"``, or ``"1 happy?"`` when the answer is unsure."""
    return f"{number} {ranked(probabilities)[0][0]}{'?' if is_unsure(probabilities) else ''}"


def draw_faces(
    image: np.ndarray, faces: Sequence[Any], *, chosen: int | None = None, max_side: int | None = None
) -> np.ndarray:
    """The picture with a numbered box and a word for each face, in the emotion's colour.

    Lines and letters grow with the picture, so that they look the same once it is shown at a page's width.

    Args:
        image: uint8 RGB [H, W, 3].
        faces: `FacePrediction` objects, or anything with ``box`` (x, y, width, height in pixels), ``label`` and
            ``probabilities``.
        chosen: Index of the face to bring forward; the others get thinner boxes.
        max_side: Shrink the result to at most this many pixels on its longer side before drawing.

    Returns:
        uint8 RGB array, [H, W, 3] or smaller by `max_side`; `image` itself is not changed.
    """
    picture = Image.fromarray(image)
    scale = 1.0
    if max_side and max(picture.size) > max_side:
        scale = max_side / max(picture.size)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    unit = max(picture.width, picture.height) / 640  # one pixel of a picture shown 640 pixels wide
    font = ImageFont.load_default(size=max(9, round(15 * unit)))
    draw = ImageDraw.Draw(picture, "RGBA")  # so that the half-transparent edge is blended
    order = sorted(range(len(faces)), key=lambda i: i == chosen)  # the chosen one last, hence on top
    for i in order:
        face, color = faces[i], COLORS[faces[i].label]
        x, y, w, h = (scale * float(v) for v in face.box)
        x0, y0 = max(0.0, x), max(0.0, y)
        x1, y1 = max(x0 + 1, min(picture.width - 1, x + w)), max(y0 + 1, min(picture.height - 1, y + h))
        width = max(1, round((3 if chosen in (None, i) else 1.5) * unit))
        # A thin dark edge on both sides keeps the box visible on a background of its own colour.
        edge = max(1, round(0.8 * unit))
        draw.rectangle((x0 - edge, y0 - edge, x1 + edge, y1 + edge), outline="#00000099", width=width + 2 * edge)
        draw.rectangle((x0, y0, x1, y1), outline=color, width=width)
        _draw_label(draw, face_label(i + 1, face.probabilities), (x0, y0, x1, y1), color, font, unit, picture.size)
    return np.asarray(picture)


def _draw_label(draw, text, box, color, font, unit, size) -> None:
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    pad = max(2, round(4 * unit))
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    x = min(max(0.0, box[0]), max(0.0, size[0] - width))
    y = box[1] - height if box[1] >= height else min(box[3], size[1] - height) if box[3] + height <= size[1] else box[1]
    draw.rectangle((x, y, x + width, y + height), fill=color)
    draw.text((x + pad - left, y + pad - top), text, fill=text_color(color), font=font)


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


def enlarge(crop: np.ndarray, times: int = 6) -> np.ndarray:
    """Every pixel of a uint8 array [H, W] as a square of `times` pixels: [times * H, times * W]."""
    return np.repeat(np.repeat(crop, times, axis=0), times, axis=1)


def fit_width(image: np.ndarray, *, max_width: int, max_height: int) -> int:
    """The width at which a picture [H, W, …] fits into a frame, in whole pixels of at least 1."""
    height, width = image.shape[:2]
    return max(1, min(max_width, round(max_height * width / height)))
