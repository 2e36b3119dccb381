"""How a video is read."""

import math
from dataclasses import dataclass

from fer_demo.video.smoothing import HALF_LIFE, Smoother

DETECT_EVERY = 0.2
"""Seconds from one look for faces to the next; in between they are followed."""


@dataclass(frozen=True)
class Settings:
    """How a video is read.

    Attributes:
        fps: Frames a second that are taken; None takes all.
        start: Seconds; what comes before is left out.
        end: Seconds; what comes from there on is left out. None reads to the end.
        region: x, y, width and height in pixels of the upright frame: faces elsewhere are left out. None takes all.
        half_life: Seconds; see `fer_demo.video.smoothing.Smoother`.
        detect_every: Seconds from one look for faces to the next; 0 looks on every frame.

    Raises:
        ValueError: If a number makes no sense.
    """

    fps: float | None = None
    start: float = 0.0
    end: float | None = None
    region: tuple[int, int, int, int] | None = None
    half_life: float = HALF_LIFE
    detect_every: float = DETECT_EVERY

    def __post_init__(self) -> None:
        if self.fps is not None and not (math.isfinite(self.fps) and 0 < self.fps <= 1000):
            raise ValueError(f"The fps must be above 0 and at most 1000, but are {self.fps}.")
        if not (math.isfinite(self.start) and self.start >= 0):
            raise ValueError(f"The start must be 0 seconds or later, but is {self.start}.")
        if self.end is not None and not self.end > self.start:
            raise ValueError(f"The end must be later than the start, {self.start:g} seconds, but is {self.end:g}.")
        if self.region is not None and (min(self.region[:2]) < 0 or min(self.region[2:]) < 16):
            raise ValueError(
                "The region must be x, y, width, height with x and y of 0 or more and sides of at least 16 pixels, but "
                f"is {','.join(map(str, self.region))}."
            )
        if not (math.isfinite(self.detect_every) and self.detect_every >= 0):
            raise ValueError(f"The detect_every must be 0 seconds or more, but is {self.detect_every}.")
        Smoother(self.half_life)
