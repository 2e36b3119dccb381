"""What is told of a frame, and of each face on it."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fer_demo.prediction import FacePrediction
from fer_demo.video.tracking import Box
from fer_demo.vision.quality import CropQuality


@dataclass(frozen=True, eq=False)
class VideoFace:
    """One person's face on one frame.

    Attributes:
        person: The number, from 1, which stays the same from frame to frame.
        box: x, y, width and height in pixels of the upright frame; may reach over its border.
        landmarks: float32 (5, 2) as `fer_demo.vision.detector.DetectedFace.landmarks`.
        score: The detector's confidence, 0 to 1, of the last time that it found this face.
        detected: Whether it was found on this frame, and not followed to it.
        raw: Class name to probability, of this frame alone.
        probabilities: The same, smoothed over time. Of a crop that cannot be read: what was known before, or `raw`.
        quality: The measures of the crop.
        crop: uint8 grey (48, 48): what the network saw; None for an answer of an earlier run.
        candidates: The classes that the smoothed answer may mean, the most probable first.
    """

    person: int
    box: Box
    landmarks: NDArray[np.float32]
    score: float
    detected: bool
    raw: dict[str, float]
    probabilities: dict[str, float]
    quality: CropQuality
    crop: NDArray[np.uint8] | None = field(default=None, repr=False)
    candidates: tuple[str, ...] = ()

    @cached_property
    def prediction(self) -> FacePrediction:
        """The same as the answer for a photograph, which has words for it."""
        return FacePrediction(
            self.box, self.landmarks, self.score, self.probabilities, self.crop, self.quality, self.candidates
        )

    @property
    def label(self) -> str:
        """The most probable class of the smoothed answer."""
        return self.prediction.label

    @property
    def confidence(self) -> float:
        """Its probability."""
        return self.prediction.confidence

    @property
    def readable(self) -> bool:
        """Whether the crop can be read at all."""
        return self.prediction.readable

    @property
    def flags(self) -> tuple[str, ...]:
        """What is wrong with the crop, keys of `fer_demo.vision.quality.FLAGS`, the gravest first."""
        return self.prediction.flags

    @property
    def unsure(self) -> bool:
        """Whether the smoothed answer is not clear, or the crop cannot be read."""
        return self.prediction.unsure

    @property
    def sentence(self) -> str:
        """The smoothed answer in words."""
        return self.prediction.sentence


@dataclass(frozen=True, eq=False)
class FrameAnswer:
    """The answer for one frame.

    Attributes:
        index: Of the frame in the video, from 0 at the first that was decoded.
        time: Seconds from the start of the video.
        faces: Who is on it, by number.
        progress: How much of the video, or of what was asked of it, is done: 0 to 1; None if its length is not known.
        pixels: uint8 RGB (H, W, 3), upright; None for an answer of an earlier run. It is not kept anywhere else.
    """

    index: int
    time: float
    faces: tuple[VideoFace, ...]
    progress: float | None = None
    pixels: NDArray[np.uint8] | None = field(default=None, repr=False)
