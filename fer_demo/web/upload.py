"""The upload widget (drag and drop, paste, webcam) and the API of ``gradio_client``, as one Gradio application.

The pages embed it at ``upload/``; programs call it with
``gradio_client.Client(".../upload/").predict(handle_file("x.jpg"), api_name="/predict")``. `fer_demo.web.api` is the
same without Gradio.
"""

import asyncio
import html
import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

# First, since it sets what Gradio reads when it is imported.
from fer_demo.web.gradio_app import Widget, leave_it, mounted, visitor_of_request  # isort: skip
import gradio as gr

from fer_demo.checkpoints import bundled_checkpoints
from fer_demo.vision.images import IMAGE_EXTENSIONS, ImageError
from fer_demo.vision.kinds import tells_of_a_video
from fer_demo.web.answering import Answer, desk
from fer_demo.web.bundles import Bundle
from fer_demo.web.fair_queue import BusyError
from fer_demo.web.gradio_gate import GradioGate
from fer_demo.web.groups import Groups
from fer_demo.web.handover import HANDOVER, Delivery, Handover, Picture
from fer_demo.web.limits import limits
from fer_demo.web.shared import USER_ERRORS
from fer_demo.web.uploads import UPLOADS, Upload, UploadStore
from fer_demo.wording import count_faces, counted

NOT_UPLOADED = "The picture has to be uploaded first; send a file. An upload can be asked about once, within a minute."

Uploaded = dict[str, Any]
"""What Gradio makes of an uploaded file: its path and name."""

_MAX_SENTENCES = 3
_STYLE = Path(__file__).with_name("upload.css")
_SCRIPTS = tuple(Path(__file__).with_name(name) for name in ("zip.js", "folder.js", "upload.js"))

_FOLDER_HINT = (
    "Choose or drop many photos, a folder or a ZIP archive. JPEG, PNG, WebP, HEIC and others, up to {:g} MB each. "
    "Nothing is written to disk."
)

_HINT = (
    "Several at once or a ZIP archive will do; drop them here, or paste one anywhere on the page. JPEG, PNG, WebP, "
    "HEIC and others, up to {:g} MB. Nothing is written to disk."
)

ALBUM_SIDE = 1280
"""Pixels of the longer side that are kept of each of several pictures."""


def build_widget(handover: Handover = HANDOVER, uploads: UploadStore = UPLOADS) -> Widget:
    """Builds the widget and the API.

    Args:
        handover: Where pictures go that arrive with a page's ticket (``?sid=…``).
        uploads: Where they are until they are asked about.
    """
    with gr.Blocks(title="Add a photo", analytics_enabled=False, fill_width=True) as blocks:
        # Every kind of file may be chosen: what is no picture gets a sentence instead of silence.
        photos = gr.UploadButton(
            "Take or choose a photo", file_count="multiple", variant="primary", size="lg", elem_id="choose"
        )
        api_photo = gr.File(label="photo", visible=False)
        for component in (photos, api_photo):
            # Before a handler runs, Gradio would fetch what a payload names, an address or any file of this machine.
            component.async_move_resource_to_block_cache = leave_it  # type: ignore[assignment, method-assign]
        answer = gr.HTML(_note(_HINT.format(limits().upload_mb)), elem_id="answer", padding=False)

        async def show(payload: list[Uploaded] | None, request: gr.Request) -> AsyncIterator[str | dict[str, Any]]:
            if not payload:
                yield gr.skip()
                return
            notes: asyncio.Queue[str | None] = asyncio.Queue()
            task = asyncio.ensure_future(_answer_all(uploads, payload, request, notes.put_nowait))
            task.add_done_callback(lambda _: notes.put_nowait(None))
            try:
                while (note := await notes.get()) is not None:
                    yield _note(note)
                delivery = task.result()
            except (*USER_ERRORS, BusyError) as error:
                yield _note(str(error), error=True)
                return
            finally:
                task.cancel()
            yield _summary(delivery, handover.put(request.query_params.get("sid"), delivery))

        async def predict(payload: Uploaded | None, whole_image: bool | None, request: gr.Request) -> dict[str, Any]:
            """Finds the faces on a picture and says what their expressions look like."""
            if not payload:
                raise gr.Error("No picture was sent; give a file.", print_exception=False)
            try:
                _, found = await _answer(uploads, payload, visitor_of_request(request), whole_image=bool(whole_image))
            except (*USER_ERRORS, BusyError) as error:
                raise gr.Error(html.escape(str(error), quote=False), print_exception=False) from None
            return found.faces.to_dict()

        # preprocess=False: the handlers open the upload themselves, so that every door accepts the same pictures.
        # No limits of Gradio's own: visitors take turns at the desk.
        photos.upload(
            show,
            photos,
            answer,
            preprocess=False,
            api_visibility="private",
            show_progress="hidden",
            concurrency_limit=None,
        )
        gr.Button(visible=False).click(
            predict,
            [api_photo, gr.Checkbox(False, label="whole_image", visible=False)],
            gr.JSON(visible=False),
            preprocess=False,
            api_name="predict",
            concurrency_limit=None,
        )
    application = mounted(blocks, css=_STYLE.read_text(encoding="utf-8"), head=_head(uploads))
    inputs = {index: len(function.inputs) for index, function in blocks.fns.items()}
    api_inputs = next(len(function.inputs) for function in blocks.fns.values() if function.api_name == "predict")
    gate = GradioGate(application, uploads, inputs, api_inputs)
    return Widget(Groups(gate, handover, uploads), application.router.lifespan_context, application)


def _head(uploads: UploadStore) -> str:
    """The widget's own scripts, and what they have to know of this server."""
    sizes = uploads.limits
    told = {"files": sizes.request_files, "request_mb": sizes.request_mb, "upload_mb": sizes.upload_mb}
    known = {
        "limits": told | {"folder": sizes.folder},
        "endings": sorted(IMAGE_EXTENSIONS),
        "hint": _FOLDER_HINT.format(sizes.upload_mb),
    }
    scripts = (f"window.ferUpload = {json.dumps(known)};", *(path.read_text(encoding="utf-8") for path in _SCRIPTS))
    return "".join(f"<script>{script}</script>" for script in scripts)


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


async def _answer_all(
    uploads: UploadStore, payload: list[Uploaded], request: gr.Request, note: Callable[[str], None]
) -> Delivery:
    """Answers all pictures of one upload, one after the other.

    Raises:
        ImageError: If there is no such upload, an archive is of no use, or the only picture cannot be read.
        ModelError: If the model that was asked for cannot be loaded.
        BusyError: If too many are waiting.
    """
    files = [uploads.take(one.get("path")) for one in payload]
    if any(file is None for file in files):
        raise ImageError(NOT_UPLOADED)
    bundle = await asyncio.to_thread(Bundle, [file for file in files if file], uploads.limits)
    model = request.query_params.get("model")
    model = model if model in bundled_checkpoints() else None

    async def on_wait(ahead: int) -> None:
        note(f"Waiting: {ahead} before you.")

    found: list[Picture] = []
    pictures = iter(bundle)
    while (picture := await asyncio.to_thread(next, pictures, None)) is not None:
        if bundle.count > 1:
            note(f"Photo {len(found) + 1} of {bundle.count} …")
        if isinstance(picture, ImageError):
            found.append(Picture(None, None, str(picture)))
            continue
        name = picture.name or None
        try:
            answer = await desk().answer(picture.data, name, visitor_of_request(request), model=model, on_wait=on_wait)
        except ImageError as error:
            if bundle.count == 1:
                raise
            found.append(Picture(name, None, str(error)))
            continue
        if bundle.count > 1:
            answer = replace(answer, picture=answer.picture.within(ALBUM_SIDE))
        found.append(Picture(name, answer))
    return Delivery(tuple(found), bundle.left_out)


def _summary(delivery: Delivery, handed_over: bool) -> str:
    answers = [one.answer for one in delivery.pictures if one.answer]
    faces = [face for answer in answers for face in answer.faces]
    if len(delivery.pictures) > 1:
        unread = len(delivery.pictures) - len(answers)
        more = f", {unread} could not be read" if unread else ""
        said = f"<b>{len(answers)} photos, {count_faces(len(faces))}{more}</b>"
        left = f"<br>{counted(delivery.left_out, 'other file')} left out." if delivery.left_out else ""
        return _told(f"{said}{left}", handed_over)
    if not faces:
        return _told("No face found." + (" The page says what to try." if handed_over else ""), handed_over)
    found = f"<b>{count_faces(len(faces))} found</b><br>"
    if handed_over and len(faces) > 1:
        return _told(f"{found}The page shows what each looks like.", handed_over)
    sentences = [f"Face {i}: {face.sentence}" for i, face in enumerate(faces, 1)]
    more_faces = len(sentences) - _MAX_SENTENCES
    lines = [html.escape(sentence) for sentence in sentences[:_MAX_SENTENCES]]
    if more_faces > 0:
        lines.append(f"and {more_faces} more")
    return _told(found + "<br>".join(lines), handed_over)


def _told(content: str, handed_over: bool) -> str:
    # The mark is new each time: upload.js tells the page when it sees one.
    mark = f' data-delivered="{secrets.token_hex(4)}"' if handed_over else ""
    return f'<div class="note" role="status"{mark}>{content}</div>'


def _note(text: str, error: bool = False) -> str:
    kind = 'class="note error" role="alert"' if error else 'class="note" role="status"'
    # The widget stands in a frame of a page; the link opens in place of that page.
    more = ' <a href="../video" target="_top">Open the page Video</a>.' if tells_of_a_video(text) else ""
    return f"<div {kind}>{html.escape(text)}{more}</div>"
