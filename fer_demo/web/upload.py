"""The upload widget (drag and drop, paste, webcam) and the API of ``gradio_client``, as one Gradio application.

The pages embed it at ``upload/``; programs call it with
``gradio_client.Client(".../upload/").predict(handle_file("x.jpg"), api_name="/predict")``. `fer_demo.web.api` is the
same without Gradio.
"""

import asyncio
import html
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
try:
    tempfile.gettempdir()
except FileNotFoundError:  # no folder can be written, and Gradio wants one when it is imported
    tempfile.tempdir = "/dev/shm"  # noqa: S108 - memory
# Gradio would take a folder that all users of this machine share. It makes this one and leaves it empty: uploads stay
# in memory.
os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(tempfile.gettempdir()) / f"fer_demo_empty_{os.getuid()}"))

import gradio as gr
from fastapi import FastAPI
from starlette.types import ASGIApp, Lifespan

from fer_demo.prediction import FacePrediction
from fer_demo.vision.images import ImageError
from fer_demo.web.answering import Answer, desk, visitor_of
from fer_demo.web.fair_queue import BusyError
from fer_demo.web.gradio_gate import GradioGate
from fer_demo.web.handover import HANDOVER, Delivery, Handover
from fer_demo.web.limits import limits
from fer_demo.web.shared import USER_ERRORS
from fer_demo.web.uploads import UPLOADS, Upload, UploadStore
from fer_demo.wording import count_faces

NOT_UPLOADED = "The picture has to be uploaded first; send a file. An upload can be asked about once, within a minute."

_MAX_SENTENCES = 3
_STYLE = Path(__file__).with_name("upload.css")

Payload = dict[str, Any] | None
"""What Gradio makes of an uploaded file: its path and name."""


@dataclass(frozen=True)
class Widget:
    """Gradio behind its gate.

    Attributes:
        app: What is to be mounted.
        lifespan: What has to be entered while it is served: Gradio's queue starts and stops there.
        gradio: Gradio's own application.
    """

    app: ASGIApp
    lifespan: Lifespan[FastAPI]
    gradio: FastAPI


def build_widget(handover: Handover = HANDOVER, uploads: UploadStore = UPLOADS) -> Widget:
    """Builds the widget and the API.

    Args:
        handover: Where pictures go that arrive with a page's ticket (``?sid=…``).
        uploads: Where they are until they are asked about.
    """
    with gr.Blocks(title="Add a photo", analytics_enabled=False, fill_width=True) as blocks:
        photo = gr.Image(
            label="Photo",
            show_label=False,
            sources=["upload", "webcam", "clipboard"],
            type="filepath",
            height=200,
            buttons=[],
            elem_id="photo",
            placeholder="# Drop a photo\nor click to choose one",
            webcam_options=gr.WebcamOptions(mirror=False),
        )
        # Before a handler runs, Gradio would fetch what a payload names, an address or any file of this machine.
        photo.async_move_resource_to_block_cache = _leave_it  # type: ignore[assignment, method-assign]
        hint = _note(f"JPEG, PNG, WebP and others, up to {limits().upload_mb:g} MB. Nothing is kept.")
        answer = gr.HTML(hint, elem_id="answer", padding=False)

        async def show(payload: Payload, request: gr.Request) -> AsyncIterator[tuple[Any, dict[str, Any] | str]]:
            if not payload:
                yield gr.skip(), gr.skip()
                return
            waiting: asyncio.Queue[str | None] = asyncio.Queue()

            async def on_wait(ahead: int) -> None:
                waiting.put_nowait(_note(f"Waiting: {ahead} before you."))

            task = asyncio.ensure_future(_answer(uploads, payload, _visitor(request), on_wait=on_wait))
            task.add_done_callback(lambda _: waiting.put_nowait(None))
            try:
                while (note := await waiting.get()) is not None:
                    yield gr.skip(), note
                upload, found = task.result()
            except (*USER_ERRORS, BusyError) as error:
                yield None, _note(str(error), error=True)
                return
            finally:
                task.cancel()
            sid = request.query_params.get("sid")
            handed_over = handover.put(sid, Delivery(upload.name or None, found))
            yield None, _summary(found.faces, handed_over)

        async def predict(payload: Payload, whole_image: bool | None, request: gr.Request) -> dict[str, Any]:
            """Finds the faces on a picture and says what their expressions look like."""
            if not payload:
                raise gr.Error("No picture was sent; give a file.", print_exception=False)
            try:
                _, found = await _answer(uploads, payload, _visitor(request), whole_image=bool(whole_image))
            except (*USER_ERRORS, BusyError) as error:
                raise gr.Error(html.escape(str(error), quote=False), print_exception=False) from None
            return found.faces.to_dict()

        # preprocess=False: the handlers open the upload themselves, so that every door accepts the same pictures.
        # No limits of Gradio's own: visitors take turns at the desk.
        photo.input(
            show,
            photo,
            [photo, answer],
            preprocess=False,
            api_visibility="private",
            show_progress="minimal",
            show_progress_on=answer,
            concurrency_limit=None,
        )
        gr.Button(visible=False).click(
            predict,
            [photo, gr.Checkbox(False, label="whole_image", visible=False)],
            gr.JSON(visible=False),
            preprocess=False,
            api_name="predict",
            concurrency_limit=None,
        )
    application: FastAPI = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        blocks,
        path="/",
        ssr_mode=False,
        run_history=False,
        footer_links=[],
        allowed_paths=[],
        show_error=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        theme=_theme(),
        css=_STYLE.read_text(encoding="utf-8"),
    )
    inputs = {index: len(function.inputs) for index, function in blocks.fns.items()}
    api_inputs = next(len(function.inputs) for function in blocks.fns.values() if function.api_name == "predict")
    gate = GradioGate(application, uploads, inputs, api_inputs)
    return Widget(gate, application.router.lifespan_context, application)


async def _leave_it(path: str | Path | None) -> str | None:
    return None if path is None else str(path)


def _visitor(request: gr.Request) -> str:
    return visitor_of(request.client.host if request.client else None)


async def _answer(uploads: UploadStore, payload: dict[str, Any], visitor: str, **options: Any) -> tuple[Upload, Answer]:
    """Answers an upload, which is then gone.

    Raises:
        ImageError: If there is no such upload, or it is no picture.
        BusyError: If too many are waiting.
    """
    upload = uploads.take(payload.get("path"))
    if upload is None:
        raise ImageError(NOT_UPLOADED)
    return upload, await desk().answer(upload.data, upload.name or None, visitor, **options)


def _summary(faces: Sequence[FacePrediction], handed_over: bool) -> str:
    if not faces:
        return _note("No face found." + (" The page says what to try." if handed_over else ""))
    found = f"<b>{count_faces(len(faces))} found</b><br>"
    if handed_over and len(faces) > 1:
        return f'<div class="note" role="status">{found}The page shows what each looks like.</div>'
    sentences = [f"Face {i}: {face.sentence}" for i, face in enumerate(faces, 1)]
    more = len(sentences) - _MAX_SENTENCES
    lines = [html.escape(s) for s in sentences[:_MAX_SENTENCES]] + ([f"and {more} more"] if more > 0 else [])
    return f'<div class="note" role="status">{found}{"<br>".join(lines)}</div>'


def _note(text: str, error: bool = False) -> str:
    kind = 'class="note error" role="alert"' if error else 'class="note" role="status"'
    return f"<div {kind}>{html.escape(text)}</div>"


def _theme() -> gr.themes.Base:
    # The fonts are files inside Gradio: a browser that shows this widget talks to this server alone.
    font: list[gr.themes.Font | str] = [
        gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)),
        "system-ui",
        "sans-serif",
    ]
    mono: list[gr.themes.Font | str] = [
        gr.themes.LocalFont("Source Code Pro", weights=(400,)),
        "ui-monospace",
        "monospace",
    ]
    return gr.themes.Base(
        primary_hue=gr.themes.colors.indigo,
        neutral_hue=gr.themes.colors.slate,
        font=font,
        font_mono=mono,
        radius_size=gr.themes.sizes.radius_md,
    )
