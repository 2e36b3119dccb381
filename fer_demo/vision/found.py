"""A face while the detector works on it: where it was seen, and how it is tilted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fer_demo.vision.turns import roll

# A face of this score that is tilted by no more than this is clear: in photos on their heads YuNet gives faces up to
# 0.91, in upright ones 0.92 to 0.95.
CLEAR_SCORE, CLEAR_ROLL = 0.92, 45.0

# YuNet's landmarks follow a tilt in part. In crops of 410 faces that were turned by up to 30 degrees from where the
# landmarks lie level, they followed by 0.3 of the angle, 0.18 to 0.43 from face to face (5th and 95th percentile). A
# larger share multiplies the noise by less: with this one rolls are about as steady as those of six looks at each face.
FOLLOW = 0.5

# Two poses that differ by no more than this are one: the roll in degrees, the size as a factor, the place as a fraction
# of the size.
SAME_ROLL, SAME_SIZE, SAME_PLACE = 8.0, 1.25, 0.15


@dataclass(frozen=True, eq=False)
class Found:
    """A detection before it is finished.

    Attributes:
        centre: float64 (2,), x and y in pixels.
        size: Width and height in pixels, across and along the face, not along the picture.
        landmarks: float64 (5, 2), as `fer_demo.vision.detector.DetectedFace` has them.
        score: 0 to 1.
    """

    centre: np.ndarray
    size: tuple[float, float]
    landmarks: np.ndarray
    score: float

    @classmethod
    def of(cls, row: np.ndarray) -> "Found":
        """The face of one row of `fer_demo.vision.yunet.YuNet.detect`, float64 (15,)."""
        return cls(row[:2] + row[2:4] / 2, (row[2], row[3]), _tilted(row[4:14].reshape(5, 2)), float(row[14]))

    @cached_property
    def angle(self) -> float:
        """Roll in degrees, -180 to 180."""
        return roll(self.landmarks)

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """x, y, width and height of the upright box, in pixels."""
        # A face is nearer to an ellipse than to a rectangle: this is the upright box around the turned ellipse.
        (w, h), a = self.size, math.radians(self.angle)
        width = math.hypot(w * math.cos(a), h * math.sin(a))
        height = math.hypot(w * math.sin(a), h * math.cos(a))
        return float(self.centre[0] - width / 2), float(self.centre[1] - height / 2), width, height

    def moved(self, matrix: np.ndarray) -> "Found":
        """The same face after a similarity transform (2, 3)."""
        scale = math.hypot(matrix[0, 0], matrix[1, 0])
        turn, shift = matrix[:, :2], matrix[:, 2]
        size = (self.size[0] * scale, self.size[1] * scale)
        return Found(turn @ self.centre + shift, size, self.landmarks @ turn.T + shift, self.score)

    def same_pose(self, other: "Found") -> bool:
        """Whether a crop that is made for one shows the other in about the same way."""
        ratio = max(self.size) / max(other.size)
        apart = float(np.linalg.norm(self.centre - other.centre))
        return (
            abs((self.angle - other.angle + 180) % 360 - 180) <= SAME_ROLL
            and 1 / SAME_SIZE <= ratio <= SAME_SIZE
            and apart <= SAME_PLACE * max(self.size)
        )


def clear(found: Sequence[Found], most: float = CLEAR_ROLL) -> float:
    """The sum of the scores of the faces that are clear, and tilted by at most so many degrees."""
    return sum(f.score for f in found if f.score >= CLEAR_SCORE and abs(f.angle) <= most)


def apart(seen: Sequence[Found], certain: Sequence[Found]) -> list[Found]:
    """Those that are seen outside all faces that are certain, which are no part of them."""
    return [f for f in seen if all(np.linalg.norm(f.centre - c.centre) > 0.5 * max(c.size) for c in certain)]


def _tilted(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks that follow a tilt, from those that YuNet gives: turned about their middle by what is missing."""
    a = math.radians(roll(landmarks)) * (1 / FOLLOW - 1)
    middle = landmarks.mean(axis=0)
    back = np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]])
    turned: np.ndarray = (landmarks - middle) @ back + middle
    return turned
