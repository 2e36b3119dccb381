"""What a head looks like, in few numbers, to tell persons of one video apart; never written to a file."""

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_demo.vision.align import TEMPLATE, needed_part, similarity

SIDE = 16
"""Side of the small colour picture."""

MARGIN = 0.35
"""Extra picture on each side of the face, as a fraction of it: hair and neck tell more than eyes and mouth."""

_PART = 48  # longer side to which what surrounds a head is reduced before it is turned


def look(picture: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """A head levelled, scaled and reduced to a small colour picture, without its brightness and contrast.

    Args:
        picture: uint8 RGB (H, W, 3).
        landmarks: Float (5, 2), in pixels.

    Returns:
        float32 (768,) of length 1; the product of two is their correlation, -1 to 1.
    """
    inner = (TEMPLATE + MARGIN) / (1 + 2 * MARGIN)
    part, matrix = needed_part(picture, similarity(landmarks, inner * SIDE), SIDE)
    part, scale = reduced(part, _PART)
    # OpenCV counts from the centre of the top left pixel.
    drawn = 2 * matrix / (scale, scale, 1.0)
    drawn[:, 2] += 0.5 * (drawn[:, 0] + drawn[:, 1]) - 0.5
    double = cv2.warpAffine(part, drawn, (2 * SIDE, 2 * SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    values = cv2.resize(double, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    values -= values.mean()
    length = float(np.linalg.norm(values))
    return np.asarray(values / max(length, 1e-6), np.float32)


def reduced(picture: NDArray[np.uint8], longest: int) -> tuple[NDArray[np.uint8], float]:
    """A picture with at most `longest` pixels on its longer side, and what its sides were multiplied by."""
    scale = longest / max(picture.shape[:2])
    if scale >= 1:
        return picture, 1.0
    size = tuple(max(1, round(side * scale)) for side in picture.shape[1::-1])
    # Bilinear alone skips pixels from a half on, which shimmers; averaging whole blocks first costs little.
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8), scale
