"""One HTML file with a face's explanation that opens without a connection: pictures and Plotly are inside it."""

import base64
import html
import io

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from PIL import Image
from plotly.offline import get_plotlyjs

from fer_demo.emotions import DISCLAIMER
from fer_demo.explain import METHODS
from fer_demo.explain.channel_figures import gate_heatmap
from fer_demo.explain.face import FaceMap, face_channels, face_curves
from fer_demo.explain.figures import colours_say, faithfulness_curves
from fer_demo.figures import probability_bars
from fer_demo.prediction import FacePrediction
from fer_demo.predictor import Predictor

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#23242f;background:#fff}
.row{display:flex;flex-wrap:wrap;gap:1.5rem;align-items:center}.row>*{flex:1 1 20rem;min-width:0}
img{max-width:100%;border-radius:8px}small,.note{color:#5b5d6b}
"""


def section(
    predictor: Predictor,
    face: FacePrediction,
    number: int,
    picture: NDArray[np.uint8],
    found: FaceMap,
    label: str,
    method: str,
    against: str | None = None,
    signed: bool = True,
) -> str:
    """One face's part of a report.

    Args:
        predictor: Whose network answered.
        face: The answer.
        number: Of the face on the photo, from 1.
        picture: uint8 (H, W, 3), the photo under the map.
        found: The map.
        label: The class explained.
        method: A key of `METHODS`.
        against: The class it is contrasted with, or None.
        signed: Whether the picture shows what speaks against the class too.

    Returns:
        HTML.
    """
    bars = probability_bars(face.probabilities, candidates=face.candidates if face.readable else ())
    rather = f" rather than {against}" if against else ""
    parts = [f"<h2>Face {number}: {html.escape(face.full_sentence)}</h2>"]
    parts.append(
        f'<div class="row"><div><img alt="{METHODS[method]} on the photo" src="{_data(picture)}">'
        f"<p><small>{METHODS[method]}: why {html.escape(label + rather)}? {colours_say(signed)}"
        f"</small></p></div><div>{_figure(bars)}</div></div>"
    )
    if against is None:
        curves = face_curves(predictor, face.required_crop(), label, found)
        areas = "; ".join(
            f"{name}: deletion {c['deletion_area']:.2f}, insertion {c['insertion_area']:.2f}"
            for name, c in curves.items()
        )
        parts.append(f"<h3>Is this map to be believed?</h3>{_figure(faithfulness_curves(curves))}")
        parts.append(f'<p class="note">Areas under the curves: {html.escape(areas)}. Low deletion, high insertion.</p>')
    weights = face_channels(predictor, face.required_crop())
    if weights:
        parts.append(f"<h3>Squeeze-and-excitation: the channel weights</h3>{_figure(gate_heatmap(weights))}")
    return "\n".join(parts)


def report(title: str, model: str, sections: list[str]) -> str:
    """The whole file.

    Args:
        title: The photo's name.
        model: The checkpoint's name.
        sections: From `section`.
    """
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style>'
        f"<script>{get_plotlyjs()}</script></head><body><h1>{html.escape(title)}</h1>"
        f'<p class="note">{html.escape(DISCLAIMER)} Model: {html.escape(model)}.</p>{"".join(sections)}</body></html>'
    )


def _figure(figure: go.Figure) -> str:
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False}))


def _data(picture: NDArray[np.uint8]) -> str:
    return f"data:image/png;base64,{base64.b64encode(png(picture)).decode()}"


def png(picture: NDArray[np.uint8]) -> bytes:
    """A uint8 picture (H, W, 3) as the bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()
