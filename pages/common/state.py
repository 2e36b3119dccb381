"""What travels with a visitor from page to page, in ``st.session_state``.

Keys:
    ``photo``: the `Photo` on show, with the faces found on it; set by `show`, read with `current_photo`.
    ``face``: index of the chosen face in ``photo.faces``; 0 for a new photo. Read it with `chosen_face`.
    ``request``: a `Request` that the page still has to work off, or absent.
    ``problem``: one sentence about the last request, or absent.
    ``model``: name of the bundled checkpoint that answers for this visitor; absent for the default.
    ``sid``: the ticket under which the upload widget hands pictures to this visitor.

A photo lives here only: it goes when the visitor leaves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from fer_demo.predictor import Predictor
from fer_demo.vision.images import IMAGE_EXTENSIONS, open_image
from fer_demo.vision.samples import SAMPLES, Sample
from fer_demo.web.handover import HANDOVER
from fer_demo.web.shared import USER_ERRORS, shared_predictor

PICTURES = sorted(ending.lstrip(".") for ending in IMAGE_EXTENSIONS)
"""Endings that a ``file_uploader`` offers."""


@dataclass(frozen=True)
class Photo:
    """A picture with its answer.

    Attributes:
        name: File name, or None.
        image: uint8 RGB [H, W, 3].
        faces: `FacePrediction` objects, in the predictor's order.
        credit: Where a sample comes from; None for a visitor's own photo.
        whole: The whole picture was taken as one face.
    """

    name: str | None
    image: np.ndarray
    faces: list[Any]
    credit: str | None = None
    whole: bool = False


@dataclass(frozen=True)
class Request:
    """A picture to be looked at: its name, a function that opens it, and the rest as in `Photo`.

    ``faces`` are those that another model found on it; None has them looked for.
    """

    name: str | None
    load: Callable[[], np.ndarray]
    credit: str | None = None
    whole: bool = False
    faces: list[Any] | None = None


def current_photo() -> Photo | None:
    """The photo on show; None before the first one."""
    return st.session_state.get("photo")


def chosen_face() -> Any | None:
    """The chosen face's `FacePrediction`; None without a photo or without faces."""
    photo = current_photo()
    return photo.faces[st.session_state.get("face", 0)] if photo and photo.faces else None


def predictor() -> Predictor:
    """The predictor of the checkpoint that answers for this visitor.

    Raises:
        ModelError: If it cannot be loaded.
    """
    return shared_predictor(st.session_state.get("model"))


def use_model(name: str | None) -> None:
    """Lets another bundled checkpoint answer from now on, for the current photo too; None is the default."""
    st.session_state["model"] = name
    st.session_state.pop("class averages", None)  # the mean maps of the one before
    if photo := current_photo():
        st.session_state["request"] = Request(
            photo.name, lambda: photo.image, photo.credit, photo.whole, None if photo.whole else photo.faces
        )


def choose_face(index: int) -> None:
    """Makes a face of the current photo the chosen one."""
    st.session_state["face"] = index


def show(photo: Photo) -> None:
    """Puts a photo on show in place of the last one."""
    st.session_state["photo"] = photo
    st.session_state["face"] = 0
    st.session_state.pop("problem", None)


def ask_sample(sample: Sample) -> None:
    """Asks for one of the samples."""
    st.session_state["request"] = Request(sample.name, sample.load, f"{sample.title} ({sample.credit})")


def ask_widget(key: str) -> None:
    """Asks for the photo in a ``file_uploader`` or ``camera_input``; for nothing when it was emptied.

    Args:
        key: The widget's key.
    """
    file = st.session_state.get(key)
    if file is not None:
        st.session_state["request"] = Request(file.name, lambda: open_image(file))


def ask_whole_picture() -> None:
    """Asks for the current photo again, taken as one face."""
    photo = current_photo()
    st.session_state["request"] = Request(photo.name, lambda: photo.image, photo.credit, whole=True)


def work_off() -> None:
    """Works off the request that waits, or shows the first sample to a new visitor.

    Errors that a visitor can act on become the session's ``problem``; the last photo then stays.
    """
    if current_photo() is None and "request" not in st.session_state and "problem" not in st.session_state:
        ask_sample(SAMPLES[0])
    request: Request | None = st.session_state.pop("request", None)
    if request is None:
        return
    try:
        image = request.load()
        faces = predictor().predict(image, whole_image=request.whole, faces=request.faces)
    except USER_ERRORS as error:
        st.session_state["problem"] = str(error)
    else:
        show(Photo(request.name, image, faces, request.credit, request.whole))


def ticket() -> str:
    """This visitor's ticket for the upload widget; a new one when the last has run out."""
    sid = st.session_state.get("sid")
    if sid is None or not HANDOVER.renew(sid):
        sid = st.session_state["sid"] = HANDOVER.open()
    return sid


def collect() -> bool:
    """Shows the photo that the upload widget left for this visitor, if any.

    Returns:
        Whether the page has to be drawn anew: a photo came, or the ticket has run out.
    """
    sid = st.session_state["sid"]
    delivery = HANDOVER.take(sid)
    if delivery is not None and st.session_state.get("model"):
        # The widget knows nothing of this visitor's choice: it asked the best checkpoint.
        st.session_state["request"] = Request(delivery.name, lambda: delivery.image, faces=delivery.faces)
        return True
    if delivery is not None:
        show(Photo(delivery.name, delivery.image, delivery.faces))
        return True
    return not HANDOVER.renew(sid)
