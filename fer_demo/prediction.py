"""The answer for one face."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_demo.emotions import LABELS
from fer_demo.wording import describe, is_unsure

_SIDES = ("x", "y", "width", "height")


@dataclass(frozen=True, eq=False)
class FacePrediction:
    """The answer for one face.

    Attributes:
        box: x, y, width, height in pixels of the picture; may reach over its border.
        landmarks: float32 (5, 2) as `DetectedFace.landmarks`; None for a box that was given and for a whole picture.
        score: The detector's confidence, 0 to 1; None likewise.
        probabilities: Class name to probability in [0, 1], in the order of the model's outputs; they add up to 1.
        crop: uint8 grey (height, width): the picture that the network saw. None only for a face of `from_dict`, since
            `to_dict` writes no pixels.
    """

    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float32] | None
    score: float | None
    probabilities: dict[str, float]
    crop: NDArray[np.uint8] | None = field(default=None, repr=False)

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        """The box as its left, upper, right and lower edge in pixels; may reach over the picture's border."""
        x, y, width, height = map(float, self.box)
        return x, y, x + width, y + height

    @property
    def label(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def confidence(self) -> float:
        """The probability of `label`."""
        return self.probabilities[self.label]

    @property
    def unsure(self) -> bool:
        """Whether the answer is too close to call; see `fer_demo.wording.is_unsure`."""
        return is_unsure(self.probabilities)

    @property
    def sentence(self) -> str:
        """The answer in words, e.g. ``"looks happy (82 %)"``; see `fer_demo.wording.describe`."""
        return describe(self.probabilities)

    def required_crop(self) -> NDArray[np.uint8]:
        """`crop`, for those who cannot do without it.

        Raises:
            ValueError: If there is none.
        """
        if self.crop is None:
            raise ValueError("This face has no crop to explain, since it was read from a dictionary; predict it again.")
        return self.crop

    def to_dict(self) -> dict[str, Any]:
        """The answer without pixels, ready for ``json.dumps``; coordinates rounded to a tenth of a pixel."""
        return {
            "box": {k: round(float(v), 1) for k, v in zip(_SIDES, self.box, strict=True)},
            "landmarks": None if self.landmarks is None else [[round(float(v), 1) for v in p] for p in self.landmarks],
            "score": None if self.score is None else round(self.score, 4),
            "label": self.label,
            "confidence": round(self.confidence, 4),
            "unsure": self.unsure,
            "probabilities": {k: round(v, 4) for k, v in self.probabilities.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "FacePrediction":
        """Reads what `to_dict` gave, as far as it goes: numbers stay rounded, and there is no crop.

        `Predictor.predict` takes such faces as its ``faces``, to read them again without looking for them.

        Args:
            data: What `to_dict` gave, or the same from JSON. ``label``, ``confidence`` and ``unsure`` are not read:
                they follow from the probabilities.

        Returns:
            The face, with `crop` None.

        Raises:
            ValueError: If an entry is missing or makes no sense.
        """
        try:
            x, y, width, height = (float(data["box"][side]) for side in _SIDES)
            landmarks = data["landmarks"]
            if landmarks is not None:
                landmarks = np.array(landmarks, np.float32)
                if landmarks.shape != (5, 2):
                    raise ValueError(f"landmarks of shape {landmarks.shape}")
            score = None if data["score"] is None else float(data["score"])
            probabilities = {str(name): float(value) for name, value in data["probabilities"].items()}
            if set(probabilities) != set(LABELS):
                raise ValueError(f"probabilities of {', '.join(probabilities) or 'nothing'}")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(
                f"A face cannot be read from this dictionary ({reason}); give what FacePrediction.to_dict returned."
            ) from error
        return cls((x, y, width, height), landmarks, score, probabilities)
