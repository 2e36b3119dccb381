"""Pictures with what was found drawn onto them: Pillow and NumPy alone, as the light install has them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fer_demo.classes import class_set
from fer_demo.emotions import text_color
from fer_demo.files import atomic_write

PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
"""File name endings, in lower case, that `save_picture` writes."""


class Drawable(Protocol):
    """What is drawn of a face; a `FacePrediction` has it."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x, y, width, height in pixels of the picture."""
        ...

    @property
    def label(self) -> str:
        """The most probable class."""
        ...

    @property
    def probabilities(self) -> Mapping[str, float]:
        """All classes of the model, which give the colours."""
        ...

    @property
    def candidates(self) -> Sequence[str]:
        """The classes that the answer may mean."""
        ...

    @property
    def readable(self) -> bool:
        """Whether the crop can be read at all."""
        ...

    @property
    def unsure(self) -> bool:
        """Whether it cannot be read, or the best of several candidates is not clear."""
        ...


UNTOLD_COLOR = "#BBBBBB"
"""The box of a face of which nothing can be told, in no emotion's colour."""


def face_label(number: int, face: Drawable) -> str:
    """What a box says: ``"1 happy"``, ``"1 happy?"`` for two that are close, ``"1 ?"`` where nothing can be told."""
    if not _told(face):
        return f"{number} ?"
    return f"{number} {face.label}{'?' if face.unsure else ''}"


def face_color(face: Drawable) -> str:
    """The hex colour of a face's box: its label's, or `UNTOLD_COLOR`."""
    return class_set(face.probabilities)[face.label].color if _told(face) else UNTOLD_COLOR


def _told(face: Drawable) -> bool:
    """Whether the words for a face are other than "can't tell"."""
    return face.readable and (not face.unsure or len(face.candidates) <= 2)


def draw_faces(
    image: NDArray[np.uint8],
    faces: Sequence[Drawable],
    *,
    chosen: int | None = None,
    max_side: int | None = None,
    numbers: Sequence[int] | None = None,
) -> NDArray[np.uint8]:
    """The picture with a numbered box and a word for each face, in the emotion's colour.

    Lines and letters grow with the picture, so that they look the same once it is shown at a page's width.

    Args:
        image: uint8 RGB [H, W, 3].
        faces: `FacePrediction` objects, or others of the kind.
        chosen: Index of the face to bring forward; the others get thinner boxes.
        max_side: Shrink the result to at most this many pixels on its longer side before drawing.
        numbers: What each face is called, for instance the number of a person; None counts from 1.

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
        face, color = faces[i], face_color(faces[i])
        x, y, w, h = (scale * float(v) for v in face.box)
        x0, y0 = max(0.0, x), max(0.0, y)
        x1, y1 = max(x0 + 1, min(picture.width - 1, x + w)), max(y0 + 1, min(picture.height - 1, y + h))
        width = max(1, round((3 if chosen in (None, i) else 1.5) * unit))
        # A thin dark edge on both sides keeps the box visible on a background of its own colour.
        edge = max(1, round(0.8 * unit))
        draw.rectangle((x0 - edge, y0 - edge, x1 + edge, y1 + edge), outline="#00000099", width=width + 2 * edge)
        draw.rectangle((x0, y0, x1, y1), outline=color, width=width)
        number = i + 1 if numbers is None else numbers[i]
        _draw_label(draw, face_label(number, face), (x0, y0, x1, y1), color, font, unit, picture.size)
    return np.asarray(picture)


def _draw_label(
    draw: ImageDraw.ImageDraw,
    text: str,
    box: tuple[float, float, float, float],
    color: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    unit: float,
    size: tuple[int, int],
) -> None:
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    pad = max(2, round(4 * unit))
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    x = min(max(0.0, box[0]), max(0.0, size[0] - width))
    y = box[1] - height if box[1] >= height else min(box[3], size[1] - height) if box[3] + height <= size[1] else box[1]
    draw.rectangle((x, y, x + width, y + height), fill=color)
    draw.text((x + pad - left, y + pad - top), text, fill=text_color(color), font=font)


def save_picture(image: NDArray[np.uint8], file: Path) -> None:
    """Writes a picture in the format that the file's name ends in, one of `PICTURE_ENDINGS`.

    Args:
        image: uint8 RGB [H, W, 3].
        file: Where to; a file that is there is written over.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If its name ends in none of them, or the format does not hold a picture of that size.
    """
    if file.suffix.lower() not in PICTURE_ENDINGS:
        raise ValueError(f"A picture's name must end in {', '.join(PICTURE_ENDINGS)}, but this one is {file.name}.")
    form = Image.registered_extensions()[file.suffix.lower()]
    picture = Image.fromarray(image)
    atomic_write(file, lambda f: picture.save(f, form, quality=95))  # which matters for JPEG and WebP alone


def enlarge(crop: NDArray[np.uint8], times: int = 6) -> NDArray[np.uint8]:
    """Every pixel of a uint8 array [H, W] as a square of `times` pixels: [times * H, times * W]."""
    return np.repeat(np.repeat(crop, times, axis=0), times, axis=1)


def fit_width(image: NDArray[Any], *, max_width: int, max_height: int) -> int:
    """The width at which a picture [H, W, …] fits into a frame, in whole pixels of at least 1."""
    height, width = map(int, image.shape[:2])
    return max(1, min(max_width, round(max_height * width / height)))
