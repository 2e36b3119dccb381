"""Pictures to try: photographs that come inside installed packages, and drawn faces; nothing is fetched.

What each one shows is what the weights that answer by default say about it; tests hold that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from fer_demo.vision.drawn import Expression, draw_face
from fer_demo.vision.images import open_image

__all__ = ["SAMPLES", "Sample", "sample"]

_DRAWN = "drawn by this project, MIT"


@dataclass(frozen=True)
class Sample:
    """One picture.

    Attributes:
        name: File name, which does not change.
        title: Who or what is on it.
        credit: Where it comes from.
        load: Returns the picture, uint8 RGB [H, W, 3].
        shows: The answers, the largest face first: classes of `fer_demo.emotions.LABELS`, or "unsure"; empty for a
            picture without a face.
    """

    name: str
    title: str
    credit: str
    load: Callable[[], NDArray[np.uint8]]
    shows: tuple[str, ...]

    @property
    def id(self) -> str:
        """The name without its ending, for links such as ``?sample=astronaut``."""
        return PurePath(self.name).stem


def sample(id: str) -> Sample | None:
    """The sample of this `Sample.id`; None if there is none."""
    return next((found for found in SAMPLES if found.id == id), None)


# Found by trying: what the face does is drawn from the textbook, and then changed little by little until the networks
# were sure of it.
_SURPRISED = Expression(
    brow_up=9,
    brow_arch=8,
    eye_open=20,
    mouth_width=24,
    mouth_open=26.8,
    mouth_curve=2.4,
    mouth_down=0.1,
    teeth=0.3,
    jaw=10,
)
_SAD = Expression(
    brow_up=-5.4, brow_inner=10.1, brow_arch=-0.1, eye_open=6, iris=10.4, mouth_width=35.8, mouth_open=0,
    mouth_curve=-8.4, lip=5.5, mouth_down=-0.2, nose_fold=1.8, frown=1.4, jaw=2.2,
)  # fmt: skip
_ANGRY = Expression(
    brow_up=-8, brow_inner=-8, brow_arch=0, eye_open=10.1, iris=9.1, mouth_width=25.1, mouth_open=0, mouth_curve=-3.7,
    lip=4.1, mouth_down=-0.5, nose_fold=2.5, frown=4.9,
)  # fmt: skip
_AFRAID = Expression(
    brow_up=-4.3, brow_inner=9.4, brow_arch=-3, eye_open=17.1, mouth_width=36.9, mouth_open=8.8, mouth_curve=2.5,
    lip=4.6, mouth_down=-1.2, teeth=4.3, nose_fold=2, frown=0.6, lid=0.1,
)  # fmt: skip
_UNCLEAR = Expression(brow_inner=9, brow_arch=-1, mouth_curve=-7, eye_open=9, mouth_open=0)


def _astronaut() -> NDArray[np.uint8]:
    from skimage.data import astronaut

    return open_image(astronaut())


def _grace_hopper() -> NDArray[np.uint8]:
    from matplotlib.cbook import get_sample_data

    return open_image(get_sample_data("grace_hopper.jpg", asfileobj=False))


def _group() -> NDArray[np.uint8]:
    """The two photographs and two drawings side by side."""
    hopper = open_image(_grace_hopper()[:512])
    faces = [np.repeat(np.repeat(draw_face(face), 2, axis=0), 2, axis=1) for face in (_SURPRISED, _ANGRY)]
    return np.ascontiguousarray(np.concatenate([_astronaut()[:, :440], faces[0], hopper[:, ::-1], faces[1]], axis=1))


def _cat() -> NDArray[np.uint8]:
    from skimage.data import chelsea

    return open_image(chelsea())


def _drawn(face: Expression) -> Callable[[], NDArray[np.uint8]]:
    return lambda: draw_face(face)


SAMPLES: tuple[Sample, ...] = (
    Sample("astronaut.png", "Eileen Collins", "NASA, public domain", _astronaut, ("happy",)),
    Sample("grace_hopper.jpg", "Grace Hopper", "U.S. Navy, public domain", _grace_hopper, ("neutral",)),
    Sample("surprised.png", "Surprised, drawn", _DRAWN, _drawn(_SURPRISED), ("surprise",)),
    Sample("sad.png", "Sad, drawn", _DRAWN, _drawn(_SAD), ("sad",)),
    Sample("angry.png", "Angry, drawn", _DRAWN, _drawn(_ANGRY), ("angry",)),
    Sample("afraid.png", "Afraid, drawn", _DRAWN, _drawn(_AFRAID), ("fear",)),
    Sample("unclear.png", "Hard to tell, drawn", _DRAWN, _drawn(_UNCLEAR), ("unsure",)),
    Sample(
        "group.png",
        "Four faces",
        f"NASA and U.S. Navy, public domain; two {_DRAWN}",
        _group,
        ("surprise", "angry", "neutral", "happy"),
    ),
    Sample("cat.png", "A cat, no face", "Stéfan van der Walt, CC0 (scikit-image)", _cat, ()),
)
"""The first one is shown when the page opens."""
