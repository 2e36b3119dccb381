"""Pictures of a high dynamic range brought to the range of a screen."""

import functools
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

PQ, HLG = 16, 18
"""Transfer functions by their numbers in ITU-T H.273: SMPTE ST 2084 and ARIB STD-B67."""

WHITE = 203.0
"""Candela per square metre of a white sheet, as ITU-R BT.2408 has it."""


def standard_range(rgb: NDArray[np.uint8], transfer: int, note: Callable[[str], None]) -> NDArray[np.uint8]:
    """A frame as a screen shows it.

    Args:
        rgb: uint8 (H, W, 3), coded by `transfer`, of whatever depth it was before.
        transfer: The number of the transfer function.
        note: Called with a sentence where something was changed.

    Returns:
        The same array, or a new one for PQ. HLG is made to look right without a change.
    """
    if transfer != PQ:
        return rgb
    note("The video is HDR (PQ): its brightness was brought to an ordinary screen's.")
    return np.asarray(cv2.LUT(rgb, _pq_table()), np.uint8)


@functools.cache
def _pq_table() -> NDArray[np.uint8]:
    """Level to level: ST 2084 to light, light over white gently limited, light to sRGB."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    coded = (np.arange(256) / 255) ** (1 / m2)
    light = 10_000 * (np.maximum(coded - c1, 0) / (c2 - c3 * coded)) ** (1 / m1) / WHITE
    shown = np.where(light < 0.7, light, 0.7 + 0.3 * (1 - np.exp(-(light - 0.7) / 0.3)))
    srgb = np.where(shown <= 0.0031308, 12.92 * shown, 1.055 * shown ** (1 / 2.4) - 0.055)
    return np.round(255 * np.clip(srgb, 0, 1)).astype(np.uint8)
