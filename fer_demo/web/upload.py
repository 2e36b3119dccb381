"""The upload widget (drag and drop, paste, webcam) and the HTTP API, as one Gradio application.

The pages embed it at ``/upload/``; programs call it with
``gradio_client.Client(".../upload/").predict(handle_file("x.jpg"), api_name="/predict")``.
"""

import atexit
import contextlib
import html
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported

import gradio as gr
import numpy as np
from fastapi import FastAPI, Response
from numpy.typing import NDArray

from fer_demo.prediction import FacePrediction
from fer_demo.results import result_dict
from fer_demo.vision.images import ImageError, open_image
from fer_demo.web.handover import HANDOVER, Delivery, Handover
from fer_demo.web.shared import USER_ERRORS, shared_predictor
from fer_demo.wording import count_faces

MAX_UPLOAD_MB = 20
"""Megabytes, as ``server.maxUploadSize`` in .streamlit/config.toml."""

Move = Callable[[str | Path | None], Coroutine[Any, Any, str | None]]
"""How Gradio brings a file to where a handler may read it."""

GONE = "The picture was removed before it could be read; please add it once more."
NOT_UPLOADED = "The picture has to be uploaded first; send a file."
LINKS = "Send the picture itself, not a link to it; this server fetches nothing."

_MAX_SENTENCES = 3
_STYLE = Path(__file__).with_name("upload.css")
_NOTHING = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


def build_gradio(handover: Handover = HANDOVER) -> FastAPI:
    """Builds the widget and the API.

    Args:
        handover: Where pictures go that arrive with a page's ticket (``?sid=…``).

    Returns:
        An application to be mounted somewhere; whoever mounts it has to enter its ``router.lifespan_context``.
    """
    _use_private_upload_folder()
    with gr.Blocks(title="Add a photo", analytics_enabled=False, delete_cache=(60, 300), fill_width=True) as blocks:
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
        move = _only_uploads(photo.async_move_resource_to_block_cache)
        photo.async_move_resource_to_block_cache = move  # type: ignore[assignment, method-assign]
        hint = _note(f"JPEG, PNG, WebP and others, up to {MAX_UPLOAD_MB} MB. Nothing is kept.")
        answer = gr.HTML(hint, elem_id="answer", padding=False)

        def show(
            payload: dict[str, Any] | None, request: gr.Request
        ) -> tuple[dict[str, Any] | None, dict[str, Any] | str]:
            if not payload:
                return gr.skip(), gr.skip()
            try:
                name, image = _read_and_delete(payload)
                faces = shared_predictor().predict(image)
            except USER_ERRORS as error:
                return None, _note(str(error), error=True)
            sid = request.query_params.get("sid")
            handed_over = handover.put(sid, Delivery(name, image, faces))
            return None, _summary(faces, handed_over)

        def predict(payload: dict[str, Any] | None, whole_image: bool) -> dict[str, Any]:
            """Finds the faces on a picture and says what their expressions look like."""
            if not payload:
                raise gr.Error("No picture was sent; give a file.", print_exception=False)
            try:
                name, image = _read_and_delete(payload)
                faces = shared_predictor().predict(image, whole_image=whole_image)
            except USER_ERRORS as error:
                raise gr.Error(html.escape(str(error), quote=False), print_exception=False) from None
            return result_dict(name, image, faces)

        # preprocess=False: the handlers open the file themselves, so that every door accepts the same pictures.
        photo.input(
            show,
            photo,
            [photo, answer],
            preprocess=False,
            api_visibility="private",
            show_progress="minimal",
            show_progress_on=answer,
            concurrency_limit=2,
            concurrency_id="predict",
        )
        gr.Button(visible=False).click(
            predict,
            [photo, gr.Checkbox(False, label="whole_image", visible=False)],
            gr.JSON(visible=False),
            preprocess=False,
            api_name="predict",
            concurrency_limit=2,
            concurrency_id="predict",
        )
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    for route in ("file={path:path}", "file/{path:path}", "proxy={path:path}"):  # the last two fetch and read likewise
        outer.api_route(f"/gradio_api/{route}", methods=["GET", "HEAD"])(_show_nothing)
    application: FastAPI = gr.mount_gradio_app(
        outer,
        blocks,
        path="/",
        ssr_mode=False,
        run_history=False,
        footer_links=[],
        allowed_paths=[],
        show_error=False,
        max_file_size=f"{MAX_UPLOAD_MB}mb",
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        theme=_theme(),
        css=_STYLE.read_text(encoding="utf-8"),
    )
    return application


def _use_private_upload_folder() -> None:
    # Gradio has to write an upload to disk before it calls a handler. Not in the shared /tmp/gradio, though, and
    # whatever a crash left behind goes with the process.
    if "GRADIO_TEMP_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="fer_demo_upload_")
        os.environ["GRADIO_TEMP_DIR"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def _show_nothing(path: str) -> Response:
    # The browser asks for its own upload back, as a preview, while the handler deletes it: Gradio's route would fail
    # in the middle. The page shows the photo anyway, and so nobody can fetch an upload by its path, or make the server
    # fetch an address.
    return Response(_NOTHING, media_type="image/svg+xml")


def _only_uploads(move: Move) -> Move:
    # Before a handler runs, Gradio fetches a payload that names a URL and copies one that names any file of this
    # machine: its check of paths is off in an application that is mounted instead of launched.
    async def checked(path: str | Path | None) -> str | None:
        if "://" in str(path):
            raise gr.Error(LINKS, print_exception=False)
        if path is None or not _is_upload(path):
            raise gr.Error(NOT_UPLOADED, print_exception=False)
        return await move(path)

    return checked


def _is_upload(path: str | os.PathLike[str]) -> bool:
    folder = Path(os.environ["GRADIO_TEMP_DIR"]).resolve()
    return Path(path).resolve().is_relative_to(folder)


def _read_and_delete(payload: dict[str, Any]) -> tuple[str | None, NDArray[np.uint8]]:
    """Opens an uploaded file and removes it from disk, whether or not it was a picture."""
    # Checked here too, since some payloads come past `_only_uploads`, and this deletes.
    if not payload.get("path") or not _is_upload(payload["path"]):
        raise ImageError(NOT_UPLOADED)
    path = Path(payload["path"])
    name = Path(payload["orig_name"]).name if payload.get("orig_name") else None
    try:
        data = io.BytesIO(path.read_bytes())
    except FileNotFoundError:
        raise ImageError(GONE) from None
    finally:
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody else is uploading the same picture
            path.parent.rmdir()  # one folder for each upload, named by a hash
    data.name = name or "The picture"  # for the sentence when it is none
    return name, open_image(data)


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
