"""Carry faces between a picture and a smaller copy of it."""

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

__all__ = ["scaled_box", "scaled_face"]

Face = TypeVar("Face", bound=Any)
"""A dataclass with the fields ``box`` and ``landmarks``."""


def scaled_box(box: tuple[float, ...], scale: tuple[float, float]) -> tuple[float, float, float, float]:
    """A box (x, y, width, height) in a picture whose sides are `scale` times as long."""
    x, y, width, height = box
    return x * scale[0], y * scale[1], width * scale[0], height * scale[1]


def scaled_face(face: Face, scale: tuple[float, float]) -> Face:
    """A face in a picture whose sides are `scale` times as long; for (1, 1) the face itself.

    Args:
        face: A `DetectedFace` or `FacePrediction`.
        scale: Factors for x and y.
    """
    if scale == (1, 1):
        return face
    marks = None if face.landmarks is None else (face.landmarks * scale).astype(np.float32)
    changed: Face = replace(face, box=scaled_box(face.box, scale), landmarks=marks)
    return changed
