"""Scenes with FER2013's faces in them at known places: what a photo is, with an answer that is known.

The backgrounds are photographs that lie in scikit-image's wheel, so nothing is fetched, and show no person. A face
keeps all pixels of its square; from there it fades into the scene by repeating its border. FER2013's squares end in the
middle of hair and chin: with a hard edge there, or with one that fades inwards, the detector finds fewer of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

BACKGROUNDS = ("coffee", "rocket", "stereo_motorcycle")
"""Functions of `skimage.data`; the files of all three lie in the wheel."""

WIDTH, HEIGHT = 640, 480
"""Of a scene, in pixels: what a webcam gives, and what the detector looks at without reducing it."""

SMALLEST, LARGEST = 16, 440
"""Sides of a face's square that a scene takes, in pixels."""

MOST_FACES = 6
"""In one scene."""

FADE = 0.1
"""How far beyond its square a face fades into the scene, as a fraction of the square's side."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture with faces in it.

    Attributes:
        image: uint8 RGB (480, 640, 3).
        rows: Which of the given pictures are in it.
        boxes: Where they are: left, top, side of each square, in pixels; a square cut at the scene's edge reaches over
            it.
    """

    image: NDArray[np.uint8]
    rows: tuple[int, ...]
    boxes: tuple[tuple[int, int, int], ...]


@cache
def backgrounds() -> tuple[NDArray[np.uint8], ...]:
    """The photographs behind the faces, uint8 RGB (H, W, 3), enlarged until they cover a scene."""
    from skimage import data

    result = []
    for name in BACKGROUNDS:
        loaded = getattr(data, name)()
        image = np.ascontiguousarray(loaded[0] if isinstance(loaded, tuple) else loaded)[..., :3]
        scale = 1.2 * max(WIDTH / image.shape[1], HEIGHT / image.shape[0])
        size = round(image.shape[1] * scale), round(image.shape[0] * scale)
        result.append(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC))
    return tuple(result)


def make_scenes(
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], side: int, *, seed: int = 0, cut: float = 0.0
) -> Iterator[Scene]:
    """Puts faces into scenes, each once.

    Args:
        images: uint8 grey (N, H, W), square.
        side: Of a face's square in the scene, in pixels.
        seed: Decides the order, the backgrounds and the places. Another side draws others.
        cut: This fraction of each face's side lies beyond the scene's left or right edge, so that it is lost.

    Yields:
        Scenes of up to `MOST_FACES` faces, as many as find room; with `cut` one or two.

    Raises:
        ValueError: If the side is too small or too large for a scene, or `cut` is not from 0 to below 0.5.
    """
    check_side(side)
    if not 0 <= cut < 0.5:
        raise ValueError(f"cut must be from 0 to below 0.5 of a face's side, but is {cut}.")
    rng = np.random.default_rng([seed, side])
    order = rng.permutation(len(images))
    cells = _cells(side, bool(cut))
    for start in range(0, len(order), len(cells)):
        rows = order[start : start + len(cells)]
        image = _background(rng)
        boxes = []
        for row, cell in zip(rows, rng.permutation(len(cells)), strict=False):
            left, top = (int(low + rng.integers(room + 1)) for low, room in cells[cell])
            if cut:
                left = -round(cut * side) if cell % 2 == 0 else WIDTH - side + round(cut * side)
            paste(image, images[row], left, top, side)
            boxes.append((left, top, side))
        yield Scene(image, tuple(map(int, rows)), tuple(boxes))


def check_side(side: int) -> None:
    """Raises ValueError if a face of this side, in pixels, is too small or too large for a scene."""
    if not SMALLEST <= side <= LARGEST:
        raise ValueError(f"A face of {side} pixels has no place in a scene; give {SMALLEST} to {LARGEST} pixels.")


def paste(image: NDArray[np.uint8], face: NDArray[np.uint8], left: int, top: int, side: int) -> None:
    """Draws a face into a scene, in place.

    Args:
        image: uint8 RGB (H, W, 3).
        face: uint8 grey (h, w), square.
        left: Of the face's square, in pixels; may be negative.
        top: Likewise.
        side: Of the face's square, in pixels.
    """
    way = cv2.INTER_AREA if side < face.shape[0] else cv2.INTER_CUBIC
    fade = round(FADE * side)
    drawn = cv2.resize(face, (side, side), interpolation=way)
    drawn = cv2.copyMakeBorder(drawn, *(fade,) * 4, cv2.BORDER_REPLICATE).astype(np.float32)[..., None]
    left, top, side = left - fade, top - fade, side + 2 * fade
    ramp = np.clip((np.minimum(np.arange(side), np.arange(side)[::-1]) + 1) / (fade + 1), 0, 1)
    alpha = (ramp[:, None] * ramp).astype(np.float32)[..., None]
    height, width = image.shape[:2]
    rows = slice(max(0, top), min(height, top + side))
    columns = slice(max(0, left), min(width, left + side))
    inside = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    behind = image[rows, columns].astype(np.float32)
    image[rows, columns] = np.rint(behind + alpha[inside] * (drawn[inside] - behind)).astype(np.uint8)


def _cells(side: int, at_edge: bool) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Places for faces that do not touch: of each, the lowest left and top, and how much more there may be."""
    across = 2 if at_edge else WIDTH // round(1.5 * side)
    columns, rows = max(1, min(3, across)), max(1, min(2, HEIGHT // round(1.5 * side)))
    if at_edge and 2 * side > WIDTH:
        columns = 1
    w, h = WIDTH // columns, HEIGHT // rows
    return [((x * w, w - side), (y * h, h - side)) for y in range(rows) for x in range(columns)]


def _background(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A part of one of the photographs, mirrored or not."""
    photo = backgrounds()[rng.integers(len(BACKGROUNDS))]
    top, left = (int(rng.integers(have - want + 1)) for have, want in zip(photo.shape, (HEIGHT, WIDTH), strict=False))
    part = photo[top : top + HEIGHT, left : left + WIDTH]
    return np.ascontiguousarray(part[:, ::-1] if rng.random() < 0.5 else part)
