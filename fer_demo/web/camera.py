"""The camera where no page for the visitor's own browser was exported: its pictures come here, by Gradio's stream.

A picture that comes while one of the same visitor is being read is dropped, and nothing is kept: neither a picture nor
an answer.
"""

import base64
import html
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

# First, since it sets what Gradio reads when it is imported.
from fer_demo.web.gradio_app import Widget, leave_it, mounted, visitor_of_request  # isort: skip
import gradio as gr
from PIL import Image

from fer_demo.annotate import draw_faces
from fer_demo.classes import class_set
from fer_demo.figures import MOST_BARS, shown_of
from fer_demo.prediction import FacePrediction
from fer_demo.web.answering import Answer, desk
from fer_demo.web.camera_gate import CameraGate
from fer_demo.web.fair_queue import BusyError
from fer_demo.web.shared import USER_ERRORS
from fer_demo.web.uploads import UPLOADS
from fer_demo.wording import count_faces, ranked

ADDRESS = "/camera/"
"""Where the app serves it."""

SECONDS = 0.2
"""From one picture to the next, if the one before was answered by then."""

SHOWN_SIDE = 480
"""Pixels of the longer side of the picture that is shown with its boxes."""

_STYLE = Path(__file__).with_name("camera.css")

_HINT = "Open the camera, and press the round button."


def build_camera(read: Callable[..., Any] | None = None) -> Widget:
    """Builds the widget.

    Args:
        read: Answers a picture as `fer_demo.web.answering.Desk.answer`, which it is by default.
    """
    busy: set[str] = set()
    with gr.Blocks(title="Live", analytics_enabled=False, fill_width=True) as blocks:
        options = gr.WebcamOptions(constraints={"video": {"width": {"ideal": 640}, "height": {"ideal": 480}}})
        with gr.Row():
            camera = gr.Image(
                sources=["webcam"], streaming=True, webcam_options=options, height=300, show_label=False, min_width=300
            )
            answer = gr.HTML(_HINT, elem_id="answer", min_height=300)
        camera.async_move_resource_to_block_cache = leave_it  # type: ignore[assignment, method-assign]

        async def look(frame: dict[str, Any] | None, request: gr.Request) -> Any:
            visitor = visitor_of_request(request)
            if not frame or visitor in busy:
                return gr.skip()
            busy.add(visitor)
            try:
                data = base64.b64decode(frame["url"].partition(",")[2], validate=True)
                return show(await (read or desk().answer)(data, "The camera's picture", visitor))
            except BusyError:
                return gr.skip()  # the next one may have more luck
            except (*USER_ERRORS, ValueError) as error:
                return f"<p>{html.escape(str(error))}</p>"
            finally:
                busy.discard(visitor)

        camera.stream(
            look,
            camera,
            answer,
            preprocess=False,
            api_visibility="private",
            show_progress="hidden",
            stream_every=SECONDS,
            time_limit=None,
            concurrency_limit=None,
        )
    application = mounted(blocks, css=_STYLE.read_text(encoding="utf-8"))
    inputs = {index: len(function.inputs) for index, function in blocks.fns.items()}
    return Widget(CameraGate(application, UPLOADS, inputs, 0), application.router.lifespan_context, application)


def show(answer: Answer) -> str:
    """An answer as HTML: the picture with its boxes, and for each face a sentence and a bar a class.

    Args:
        answer: Of one picture.
    """
    faces = answer.faces
    if not faces:
        return '<div class="seen" role="status"><p><b>No face in view: look at the camera.</b></p></div>'
    drawn = io.BytesIO()
    Image.fromarray(draw_faces(answer.picture.pixels, faces, max_side=SHOWN_SIDE)).save(drawn, "JPEG", quality=80)
    source = f"data:image/jpeg;base64,{base64.b64encode(drawn.getvalue()).decode()}"
    parts = [f'<img src="{source}" alt="The picture that was answered, {count_faces(len(faces))}">']
    parts += [f"<p><b>{i}: {html.escape(face.full_sentence)}</b></p>{_bars(face)}" for i, face in enumerate(faces, 1)]
    return f'<div class="seen">{"".join(parts)}</div>'


def _bars(face: FacePrediction) -> str:
    colors = class_set(face.probabilities).colors
    shown = dict(ranked(face.probabilities)[:MOST_BARS])
    rows = (
        f'<dt>{html.escape(label)}</dt><dd><div class="bar">'
        f'<i style="width:{100 * p:.1f}%;background:{colors[label]}"></i></div></dd><dd>{100 * p:.0f} %</dd>'
        for label, p in face.probabilities.items()
        if label in shown
    )
    return f"<dl>{''.join(rows)}</dl>{html.escape(shown_of(len(face.probabilities)))}"
