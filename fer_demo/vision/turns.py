"""Photos that stand on their heads or lie on a side: quarter turns, and what the faces say about them."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_demo.vision.align import TEMPLATE

__all__ = ["QUARTERS", "roll", "turn_of", "turn_sentence", "turned_back"]

QUARTERS = (1, 2, 3)
"""Numbers of quarter turns clockwise beside none."""

UPRIGHT_ROLL = 60.0
"""Degrees up to which a head is only tilted; one tilted by more may be a photo on its side."""

_LEVEL = (TEMPLATE - TEMPLATE.mean(axis=0)) @ (1, 1j)

_WORDS = {90: "turned left", 180: "upside down", 270: "turned right"}


def turned_back(quarters: int, width: int, height: int) -> NDArray[np.float64]:
    """The matrix (2, 3) from places in ``np.rot90(picture, -quarters)`` to places in the picture.

    Args:
        quarters: Quarter turns clockwise, 1 to 3.
        width: Of the picture itself, in pixels.
        height: Of the picture itself, in pixels.
    """
    right, below = width - 1.0, height - 1.0
    rows = {
        1: [[0.0, 1.0, 0.0], [-1.0, 0.0, below]],
        2: [[-1.0, 0.0, right], [0.0, -1.0, below]],
        3: [[0.0, -1.0, right], [1.0, 0.0, 0.0]],
    }
    return np.array(rows[quarters])


def roll(landmarks: NDArray[Any]) -> float:
    """How far a face is turned clockwise as the viewer sees it, in degrees from -180 to 180.

    Args:
        landmarks: (5, 2), as `fer_demo.vision.detector.DetectedFace` has them.
    """
    # As `similarity` finds it, in a tenth of the time.
    turned = np.vdot(_LEVEL, landmarks @ (1, 1j))
    return math.degrees(math.atan2(turned.imag, turned.real))


def turn_of(landmarks: Iterable[NDArray[Any] | None]) -> int:
    """The clockwise turn that would put a photo upright: 0, 90, 180 or 270 degrees.

    Args:
        landmarks: Of its faces, the largest first; None for a face that has none.

    Returns:
        What the largest face needs, but 0 when any face is upright already or none has landmarks.
    """
    rolls = [roll(marks) for marks in landmarks if marks is not None]
    if not rolls or min(map(abs, rolls)) <= UPRIGHT_ROLL:
        return 0
    return round(-rolls[0] / 90) * 90 % 360


def turn_sentence(turn: int) -> str | None:
    """What to tell people about a photo that needs this turn; None for 0."""
    return f"the photo seems to be {_WORDS[turn]}" if turn else None
