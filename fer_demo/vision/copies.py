"""The reduced copies of a picture that the detector glances at."""

import cv2
import numpy as np

# YuNet knows faces up to about 300 pixels: of FER2013's pictures, which are nothing but a face, it finds 97 % at 192
# pixels and 16 % at 640. So close-ups need a second, smaller copy, and thumbnails are enlarged to it.
LONGEST_SIDE, CLOSE_UP_SIDE = 640, 192

Copies = list[tuple[np.ndarray, float]]
"""Copies, the larger first, and what their sides were multiplied by."""


def copies(picture: np.ndarray) -> Copies:
    """The reduced copy, and the one for close-ups.

    Args:
        picture: uint8 (H, W, 3).
    """
    longest = max(picture.shape[:2])
    scale, close_up = min(1.0, LONGEST_SIDE / longest), CLOSE_UP_SIDE / longest
    reduced = scaled(picture, scale)
    source, done = (reduced, scale) if close_up < scale else (picture, 1.0)
    return [(reduced, scale), (scaled(source, close_up / done), close_up)]


def useful(made: Copies) -> Copies:
    """Without the first where the second is larger: it is a thumbnail enlarged."""
    return made if made[0][0].size > made[1][0].size else made[1:]


def turned_pixels(made: Copies) -> int:
    """About as many pixels as the copies have that are turned by 35 degrees one way."""
    return sum(2 * copy.shape[0] * copy.shape[1] for copy, _ in useful(made))


def zoom(scale: float) -> np.ndarray:
    """The matrix (2, 3) that multiplies places."""
    return np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])


def scaled(picture: np.ndarray, scale: float) -> np.ndarray:
    """A picture whose sides are multiplied, at least one pixel each."""
    if scale == 1:
        return picture
    width, height = (max(1, round(v * scale)) for v in picture.shape[1::-1])
    # Halving is ten times as fast as averaging by a fraction, and what is left then needs no averaging.
    while picture.shape[1] >= 2 * width and picture.shape[0] >= 2 * height:
        half = picture.shape[1] // 2, picture.shape[0] // 2
        picture = cv2.resize(picture[: 2 * half[1], : 2 * half[0]], half, interpolation=cv2.INTER_AREA)
    if picture.shape[:2] == (height, width):
        return picture
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC)
