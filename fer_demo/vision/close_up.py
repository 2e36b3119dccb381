"""The part of a photo around one face, and where the face's crop lies on it; needs no PyTorch."""

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_demo.prediction import FacePrediction
from fer_demo.vision.align import crop_matrix, needed_part

MAX_SIDE = 800
"""Pixels of the longer side: more than a page shows."""

MARGIN = 0.35
"""How much of the photo is shown around the crop, as a fraction of the crop's side."""


def close_up(
    image: NDArray[np.uint8], face: FacePrediction, size: int, *, margin: float = MARGIN
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The part of a photo around a face.

    Args:
        image: uint8 RGB (height, width, 3).
        face: The face.
        size: Side of its crop in pixels.
        margin: How much of the photo to show around the crop, as a fraction of the crop's side.

    Returns:
        uint8 (h, w, 3), at most `MAX_SIDE` pixels on a side; and float64 (2, 3), from there to the crop, as
        `fer_demo.vision.align.warp` takes it.
    """
    part, matrix = needed_part(image, crop_matrix(face.box, face.landmarks, size), size, margin)
    shrink = max(part.shape[:2]) / MAX_SIDE
    if shrink > 1:
        whole = part.shape
        part = cv2.resize(part, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA).astype(np.uint8)
        matrix = matrix * (whole[1] / part.shape[1], whole[0] / part.shape[0], 1.0)
    return part, matrix
