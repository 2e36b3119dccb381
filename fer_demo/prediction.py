"""The answer for one face."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_demo.classes import check_names
from fer_demo.vision.quality import FLAGS, CropQuality
from fer_demo.wording import candidates, describe, is_clear

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
        quality: The measures of the crop; None if nobody took them, as in what an older version wrote.
        candidates: The classes that the answer may mean, the most probable first; see `fer_demo.wording.candidates`.
            Left out, they are those of a model that has no threshold.
    """

    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float32] | None
    score: float | None
    probabilities: dict[str, float]
    crop: NDArray[np.uint8] | None = field(default=None, repr=False)
    quality: CropQuality | None = None
    candidates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.candidates:
            object.__setattr__(self, "candidates", candidates(self.probabilities))

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
    def readable(self) -> bool:
        """Whether the crop can be read at all; True where it was not measured."""
        return self.quality is None or self.quality.readable

    @property
    def flags(self) -> tuple[str, ...]:
        """What is wrong with the crop, keys of `fer_demo.vision.quality.FLAGS`, the gravest first."""
        return () if self.quality is None else self.quality.flags

    @property
    def unsure(self) -> bool:
        """Whether there is more than one candidate and the best is not clear, or the crop cannot be read."""
        return not self.readable or (len(self.candidates) > 1 and not is_clear(self.probabilities))

    @property
    def sentence(self) -> str:
        """The answer in words, e.g. ``"looks happy (82 %)"``; see `fer_demo.wording.describe`."""
        return describe(self.probabilities, self.candidates, None if self.readable else FLAGS[self.flags[0]])

    @property
    def remarks(self) -> str:
        """What is wrong with the crop and `sentence` does not say, such as ``"blurred, turned away"``; or empty."""
        return ", ".join(FLAGS[flag] for flag in self.flags[0 if self.readable else 1 :])

    @property
    def full_sentence(self) -> str:
        """`sentence`, and `remarks` if there are any: ``"looks happy (82 %); blurred, turned away"``."""
        return f"{self.sentence}; {self.remarks}" if self.remarks else self.sentence

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
            "candidates": list(self.candidates),
            "readable": self.readable,
            "flags": list(self.flags),
            "quality": None if self.quality is None else asdict(self.quality),
            "probabilities": {k: round(v, 4) for k, v in self.probabilities.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "FacePrediction":
        """Reads what `to_dict` gave, as far as it goes: numbers stay rounded, and there is no crop.

        `Predictor.predict` takes such faces as its ``faces``, to read them again without looking for them.

        Args:
            data: What `to_dict` gave, or the same from JSON. ``label``, ``confidence``, ``unsure``, ``readable`` and
                ``flags`` are not read: they follow from the others. ``candidates`` and ``quality`` may be missing, as
                in what an older version wrote.

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
            check_names(probabilities)
            names = tuple(map(str, data.get("candidates") or ()))
            if not set(names) <= set(probabilities):
                raise ValueError(f"candidates {', '.join(names)}")
            quality = None if data.get("quality") is None else CropQuality.from_dict(data["quality"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error).removesuffix(".")
            raise ValueError(
                f"A face cannot be read from this dictionary ({reason}); give what FacePrediction.to_dict returned."
            ) from error
        return cls((x, y, width, height), landmarks, score, probabilities, None, quality, names)
