"""What travels with a visitor from page to page, in ``st.session_state``.

Keys:
    ``photo``: the `Photo` on show, with the faces found on it; set by `show`, read with `current_photo`.
    ``face``: index of the chosen face in ``photo.faces``; 0 for a new photo. Read it with `chosen_face`.
    ``request``: a `Request` that the page still has to work off, or absent.
    ``problem``: one sentence about the last request, or absent.
    ``model``: name of the model that answers for this visitor; absent or None for `fer_demo.web.models.default_model`.
    ``album``: the `Delivery` of several pictures that were added together, or None.
    ``sid``: the ticket under which the upload widget hands pictures to this visitor.

A photo lives here, and under the ticket for a quarter of an hour after the page's last sign, so that loading the page
again does not lose it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import streamlit as st

from fer_demo.checkpoints import checkpoint_file
from fer_demo.prediction import FacePrediction
from fer_demo.predictor import Predictor
from fer_demo.results import FaceResults
from fer_demo.vision.images import IMAGE_EXTENSIONS, OpenedImage
from fer_demo.vision.samples import SAMPLES, Sample
from fer_demo.vision.scaling import scaled_face
from fer_demo.web.answering import Answer, open_now, read_now, visitor_of
from fer_demo.web.fair_queue import BusyError
from fer_demo.web.handover import HANDOVER, Delivery
from fer_demo.web.models import AppModel, find, own_models
from fer_demo.web.shared import USER_ERRORS, ModelError, shared_predictor

PAGE_PATHS = frozenset(path.stem for path in Path(__file__).parents[1].glob("*.py"))
"""The last part of each page's address."""

PICTURES = sorted(ending.lstrip(".") for ending in IMAGE_EXTENSIONS)
"""Endings that a ``file_uploader`` offers."""


@dataclass(frozen=True)
class Photo:
    """A picture with its answer.

    Attributes:
        name: File name, or None.
        picture: The picture, perhaps at a fraction of its size.
        results: The answer, in pixels of the picture itself, in the predictor's order.
        credit: Where a sample comes from; None for a visitor's own photo.
        whole: The whole picture was taken as one face.
        sample: The sample's `Sample.id`; None for a visitor's own photo.
    """

    name: str | None
    picture: OpenedImage
    results: FaceResults
    credit: str | None = None
    whole: bool = False
    sample: str | None = None

    @property
    def image(self) -> np.ndarray:
        """What is shown: uint8 RGB [H, W, 3]."""
        return self.picture.pixels

    @cached_property
    def faces(self) -> list[FacePrediction]:
        """`results` in pixels of `image`."""
        return in_pixels(Answer(self.picture, self.results))


@dataclass(frozen=True)
class Request:
    """A picture to be looked at: its name, a function that opens it, and the rest as in `Photo`.

    ``faces`` are those that another model found on it; None has them looked for.
    """

    name: str | None
    load: Callable[[], OpenedImage]
    credit: str | None = None
    whole: bool = False
    faces: FaceResults | None = None
    sample: str | None = None


def in_pixels(answer: Answer) -> list[FacePrediction]:
    """The faces of an answer in pixels of the picture as it was opened, perhaps at a fraction of its size."""
    x, y = answer.picture.scale
    return [scaled_face(face, (1 / x, 1 / y)) for face in answer.faces]


def current_photo() -> Photo | None:
    """The photo on show; None before the first one."""
    return st.session_state.get("photo")


def chosen_face() -> FacePrediction | None:
    """The chosen face's `FacePrediction`; None without a photo or without faces."""
    photo = current_photo()
    return photo.faces[st.session_state.get("face", 0)] if photo and photo.faces else None


def base_path() -> str:
    """The path below which the visitor's browser finds this application, as ``"/"`` or ``"/fer/"``.

    A proxy may have put something before the addresses that this server knows; the browser tells what it sees.
    """
    path = urlsplit(st.context.url or "").path.rstrip("/")
    folder, _, last = path.rpartition("/")
    return f"{folder if last in PAGE_PATHS else path}/"


def visitor() -> str:
    """Who counts as this visitor when requests take turns."""
    return visitor_of(st.context.ip_address)


def predictor() -> Predictor:
    """The predictor of the model that answers for this visitor.

    Raises:
        ModelError: If it cannot be loaded.
    """
    return shared_predictor(st.session_state.get("model"))


def model() -> AppModel:
    """The model that answers for this visitor.

    Raises:
        ModelError: If there is none of this name.
    """
    return find(st.session_state.get("model"))


def files() -> str:
    """Where figures of the model that answers are looked for, as `fer_demo.checkpoints.checkpoint_file` takes it.

    Raises:
        ModelError: If the model cannot be loaded.
    """
    own = [one for one in own_models() if st.session_state.get("model") in (None, one.name)]
    return own[0].source if own else predictor().name


def figures(file: str) -> dict[str, Any]:
    """A JSON file beside the model that answers; empty where there is none.

    Args:
        file: Its name, such as ``"channels.json"``.

    Returns:
        What is in it; empty as well, after a sentence on the page, where it cannot be read.
    """
    try:
        content = checkpoint_file(files(), file)
    except ModelError as error:
        st.warning(str(error), icon=":material/broken_image:")
        return {}
    return content if isinstance(content, dict) else {}


def use_model(name: str | None) -> None:
    """Lets another model answer from now on, for the current photo too; None is the default."""
    st.session_state["model"] = name
    st.session_state.pop("class averages", None)  # the mean maps of the one before
    if photo := current_photo():
        st.session_state["request"] = Request(
            photo.name,
            lambda: photo.picture,
            photo.credit,
            photo.whole,
            None if photo.whole else photo.results,
            photo.sample,
        )


def choose_face(index: int) -> None:
    """Makes a face of the current photo the chosen one."""
    st.session_state["face"] = index


def show(photo: Photo) -> None:
    """Puts a photo on show in place of the last one."""
    if photo.credit:
        st.session_state["album"] = None
    st.session_state["photo"] = photo
    st.session_state["face"] = 0
    st.session_state.pop("problem", None)


def ask_sample(sample: Sample) -> None:
    """Asks for one of the samples."""

    def load() -> OpenedImage:
        return OpenedImage.of(sample.load())

    st.session_state["request"] = Request(sample.name, load, f"{sample.title} ({sample.credit})", sample=sample.id)


def ask_widget(key: str) -> None:
    """Asks for the photo in a ``file_uploader`` or ``camera_input``; for nothing when it was emptied.

    Args:
        key: The widget's key.
    """
    file = st.session_state.get(key)
    if file is not None:
        st.session_state["request"] = Request(file.name, lambda: open_now(file.getvalue(), file.name, visitor()))


def ask_file(name: str, data: bytes) -> None:
    """Asks for the photo in a file that is in memory already.

    Args:
        name: The file's name.
        data: What is in it.
    """
    st.session_state["request"] = Request(name, lambda: open_now(data, name, visitor()))


def ask_whole_picture() -> None:
    """Asks for the current photo again, taken as one face."""
    photo = current_photo()
    st.session_state["request"] = Request(
        photo.name, lambda: photo.picture, photo.credit, whole=True, sample=photo.sample
    )


def turn_photo(degrees: int) -> None:
    """Asks for the current photo again, turned clockwise.

    Args:
        degrees: A multiple of 90.
    """
    photo = current_photo()
    st.session_state["request"] = Request(
        photo.name, lambda: photo.picture.turned(degrees), photo.credit, whole=photo.whole
    )


def work_off(sample: bool = True) -> None:
    """Works off the request that waits, or shows the first sample to a new visitor.

    Errors that a visitor can act on become the session's ``problem``; the last photo then stays.

    Args:
        sample: Whether a new visitor gets one.
    """
    if sample and current_photo() is None and "request" not in st.session_state and "problem" not in st.session_state:
        ask_sample(SAMPLES[0])
    request: Request | None = st.session_state.pop("request", None)
    if request is None:
        return
    try:
        answer = read_now(
            request.load(),
            request.name,
            visitor(),
            whole_image=request.whole,
            faces=request.faces,
            model=st.session_state.get("model"),
        )
    except (*USER_ERRORS, BusyError) as error:
        st.session_state["problem"] = str(error)
    else:
        show(Photo(request.name, answer.picture, answer.faces, request.credit, request.whole, request.sample))


def ticket() -> str:
    """This visitor's ticket for the upload widget; a new one when the last has run out."""
    sid = st.session_state.get("sid")
    if sid is None or not HANDOVER.renew(sid):
        sid = st.session_state["sid"] = HANDOVER.open()
    return sid


def resume(sid: str) -> bool:
    """Goes on with the visit that this browser tab had before its page was loaded again.

    Args:
        sid: The ticket of that visit, which only this tab knows.

    Returns:
        Whether there was one, and a photo in it.
    """
    before = HANDOVER.kept(sid)
    if sid == st.session_state.get("sid") or (before is None and not HANDOVER.count(sid)):
        return False
    st.session_state["sid"] = sid
    if before:
        _deliver(before)
    return True


def collect() -> bool:
    """Shows what the upload widget left for this visitor, if anything.

    Returns:
        Whether the page has to be drawn anew: something came, or the ticket has run out.
    """
    sid = st.session_state["sid"]
    if delivery := HANDOVER.take(sid):
        HANDOVER.keep(sid, delivery)
        _deliver(delivery)
        return True
    return not HANDOVER.renew(sid)


def _deliver(delivery: Delivery) -> None:
    """Puts what was delivered on show: the one photo, or an album and its first photo that could be read."""
    st.session_state.pop("problem", None)
    st.session_state["album"] = delivery if len(delivery.pictures) > 1 else None
    read = (number for number, one in enumerate(delivery.pictures) if one.answer)
    if (first := next(read, None)) is not None:
        show_from(delivery, first)


def show_from(delivery: Delivery, number: int) -> None:
    """Puts one of several delivered pictures on show, read by the model that answers for this visitor now."""
    picture = delivery.pictures[number]
    if (answer := picture.answer) is None:
        return
    if answer.model == st.session_state.get("model"):
        show(Photo(picture.name, answer.picture, answer.faces))
    else:  # another one was chosen since
        st.session_state["request"] = Request(picture.name, lambda: answer.picture, faces=answer.faces)


def forget() -> None:
    """Removes the visitor's photos from the server."""
    if sid := st.session_state.pop("sid", None):
        HANDOVER.close(sid)
    for name in ("photo", "album", "problem", "request"):
        st.session_state.pop(name, None)


def album() -> Delivery | None:
    """The pictures that were added together; None for a single one."""
    return st.session_state.get("album")
