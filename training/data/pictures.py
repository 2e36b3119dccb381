"""Pictures as predicting reads them: upright, 8 bits, on white, and square by repeating the border."""

from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from fer_demo.vision.images import ImageError, OpenedImage, open_image, open_reduced
from fer_demo.vision.sources import NAMELESS, one_line
from training.data.faces import DataError

MAX_SIDE = 4096
"""Of pictures that decide the side of all others: a narrow strip must not become a square of gigabytes."""


class Crop(Protocol):
    """Makes a square grey picture of what was opened."""

    def __call__(self, source: Path | bytes, opened: OpenedImage, where: str, side: int | None) -> np.ndarray:
        """See `as_is`, whose arguments these are, and `source`, the file or its bytes."""


def as_is(source: Path | bytes, opened: OpenedImage, where: str, side: int | None) -> np.ndarray:
    """The whole picture, which shows one face.

    Args:
        source: Not needed here.
        opened: The picture.
        where: What it is called in a sentence.
        side: In pixels; the picture's longer side if None.

    Returns:
        uint8 grey (side, side).

    Raises:
        DataError: If no side was given and the picture's is longer than `MAX_SIDE`.
    """
    from fer_demo.vision.align import whole_picture  # needs OpenCV, which machines that train on an .npz may lack

    longest = max(opened.width, opened.height)
    if side is None and longest > MAX_SIDE:
        raise DataError(f"{where} has a side of {longest} pixels, more than {MAX_SIDE}: give crops of single faces.")
    return whole_picture(opened.pixels, side or max(opened.pixels.shape[:2]))


def read_picture(source: Path | bytes, where: str, side: int | None, crop: Crop = as_is) -> np.ndarray:
    """One picture as grey uint8 (side, side), from the pixels that predicting sees.

    Args:
        source: A file, or its bytes.
        where: What it is called in a sentence.
        side: In pixels; None for `crop`'s own choice.
        crop: Cuts the square out.

    Raises:
        DataError: If it cannot be read, or `crop` refuses it.
    """
    try:
        opened = open_reduced(source)
    except ImageError as error:
        raise _unreadable(source, where, error) from error
    return crop(source, opened, where, side)


def open_grey(source: bytes, where: str) -> np.ndarray:
    """A picture as grey uint8 (H, W), in full size.

    Raises:
        DataError: If it cannot be read, or has more than `fer_demo.vision.images.MAX_PIXELS`.
    """
    try:
        return np.array(Image.fromarray(open_image(source)).convert("L"))
    except ImageError as error:
        raise _unreadable(source, where, error) from error


def _unreadable(source: Path | bytes, where: str, error: ImageError) -> DataError:
    name = NAMELESS if isinstance(source, bytes) else one_line(str(source))
    reason = " ".join(str(error).split()).rstrip(".")
    if reason.startswith(name + " "):
        reason = "it" + reason[len(name) :]
    return DataError(f"{where} cannot be read as a picture ({one_line(reason, 300)}); replace or delete it.")
