"""What a photograph suffers before anybody looks at it: blur, few pixels, compression, noise, bad light, covered parts.

The kinds resemble those of ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261); a turned face and covered eyes
or mouth are added. They mean what `training.run.corruptions` does to whole batches, in PyTorch, with strengths drawn at
random: so a network can be trained on the one and tested on the other. Here a strength is named, JPEG is the real one,
and the bar over eyes or mouth is black and always in the same place.

Strengths in pixels are those of a face of 48 pixels, which is how large FER2013's are: a blur grows with the crop.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_demo.vision.preprocess import resize_weights

FACE_SIDE = 48
"""Pixels of the face to which strengths in pixels refer."""

EYES, MOUTH = 0.37, 0.76
"""Where eyes and mouth are in a crop: the middle of the bar that covers them, as a fraction of the height."""


@dataclass(frozen=True)
class Kind:
    """One kind of damage.

    Attributes:
        title: What it is called where people choose.
        low: Smallest strength.
        high: Largest strength.
        step: Between the positions of a slider.
        none: The strength at which nothing happens.
        ladder: Strengths from `none` on, each worse than the one before.
        words: A strength in words; ``{}`` stands for the number.
        measure: What the number is.
    """

    title: str
    low: float
    high: float
    step: float
    none: float
    ladder: tuple[float, ...]
    words: str
    measure: str


_FACTORS = (1, 0.8, 0.6, 0.45, 0.3, 0.2, 0.1)
_BARS = (0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)

KINDS: Mapping[str, Kind] = {
    "turn": Kind("Turn", -45, 45, 5, 0, (0, 5, 10, 15, 20, 30, 40), "turned by {} degrees", "degrees"),
    "light": Kind("Light", 0.1, 2, 0.1, 1, _FACTORS, "brightness x {}", "factor"),
    "contrast": Kind("Contrast", 0.1, 1, 0.1, 1, _FACTORS, "contrast x {}", "factor around the mean"),
    "blur": Kind(
        "Blur", 0, 4, 0.25, 0, (0, 0.5, 1, 1.5, 2, 3, 4), "blur, sigma {}", "standard deviation, pixels of 48"
    ),
    "pixels": Kind("Size", 8, 48, 1, 48, (48, 32, 24, 20, 16, 12, 8), "{0} x {0} pixels", "pixels of the face's side"),
    "noise": Kind(
        "Noise", 0, 50, 1, 0, (0, 5, 10, 15, 25, 35, 50), "noise, sigma {}", "standard deviation, grey levels of 255"
    ),
    "jpeg": Kind("JPEG", 1, 100, 1, 100, (100, 70, 40, 20, 10, 5, 2), "JPEG, quality {}", "quality, 100 is unchanged"),
    "eyes": Kind("Eyes covered", 0, 0.4, 0.05, 0, _BARS, "eyes covered, {} of the height", "bar, share of the height"),
    "mouth": Kind(
        "Mouth covered", 0, 0.4, 0.05, 0, _BARS, "mouth covered, {} of the height", "bar, share of the height"
    ),
}
"""In the order in which they are applied, which is that of a picture's life."""


class Damage(NamedTuple):
    """A kind of damage at a strength.

    Attributes:
        kind: A key of `KINDS`.
        strength: In the kind's own measure.
    """

    kind: str
    strength: float

    @property
    def words(self) -> str:
        """For tables, e.g. ``"blur, sigma 2"``."""
        return KINDS[self.kind].words.format(f"{self.strength:g}")


TWELVE: tuple[Damage, ...] = (
    Damage("blur", 1),
    Damage("blur", 2),
    Damage("pixels", 24),
    Damage("pixels", 16),
    Damage("jpeg", 10),
    Damage("noise", 10),
    Damage("noise", 25),
    Damage("light", 0.3),
    Damage("contrast", 0.3),
    Damage("turn", 20),
    Damage("eyes", 0.25),
    Damage("mouth", 0.25),
)
"""The benchmark: what is met often, at strengths at which people still read a face. Each is on its kind's ladder."""


def damage(crop: NDArray[np.uint8], kind: str, strength: float, *, seed: int = 0) -> NDArray[np.uint8]:
    """One damage.

    Args:
        crop: uint8 grey (H, W) of any size.
        kind: A key of `KINDS`.
        strength: From the kind's `Kind.low` to its `Kind.high`.
        seed: Of the noise. The same seed gives the same grain at every strength.

    Returns:
        uint8 grey (H, W), a new array.

    Raises:
        TypeError: If the pixels are not uint8.
        ValueError: If the crop is not grey or is empty, the kind is unknown, or the strength is out of its range.
    """
    if crop.dtype != np.uint8:
        raise TypeError(f"Pictures must be uint8 with values 0 to 255, but are {crop.dtype}.")
    if crop.ndim != 2 or not crop.size:
        raise ValueError(f"A face crop must be grey, (height, width), but has shape {crop.shape}; convert it first.")
    if kind not in KINDS:
        raise ValueError(f"Unknown damage {kind!r}; choose from {', '.join(KINDS)}.")
    known = KINDS[kind]
    if not known.low <= strength <= known.high:
        raise ValueError(f"The strength of {kind} must be from {known.low:g} to {known.high:g}; got {strength}.")
    if strength == known.none:
        return crop.copy()
    return _APPLY[kind](crop, float(strength), seed)


def damage_all(crop: NDArray[np.uint8], strengths: Mapping[str, float], *, seed: int = 0) -> NDArray[np.uint8]:
    """Several damages, one after the other in the order of `KINDS`.

    Args:
        crop: As for `damage`.
        strengths: Kind to strength; kinds that are left out do nothing.
        seed: As for `damage`.

    Returns:
        As `damage`.

    Raises:
        TypeError: As `damage`.
        ValueError: As `damage`.
    """
    for kind in sorted(strengths, key=lambda name: list(KINDS).index(name) if name in KINDS else -1):
        crop = damage(crop, kind, strengths[kind], seed=seed)
    return crop.copy()


def damage_each(crops: Sequence[NDArray[np.uint8]], what: Damage, *, seed: int = 0) -> list[NDArray[np.uint8]]:
    """The same damage to many crops, with a grain of its own for each.

    Args:
        crops: As `damage` takes them, each of any size.
        what: Kind and strength.
        seed: The crop at index i gets `seed` + i.
    """
    return [damage(crop, *what, seed=seed + i) for i, crop in enumerate(crops)]


def _grey(x: NDArray[Any]) -> NDArray[np.uint8]:
    grey: NDArray[np.uint8] = np.rint(x).clip(0, 255).astype(np.uint8)
    return grey


def _turn(crop: NDArray[np.uint8], degrees: float, _: int) -> NDArray[np.uint8]:
    height, width = crop.shape
    more = max(height, width) // 2  # the border goes on, since black corners would be a damage of their own
    wide = Image.fromarray(np.pad(crop, more, mode="edge")).rotate(degrees, Image.Resampling.BICUBIC)
    turned: NDArray[np.uint8] = np.array(wide)[more : more + height, more : more + width].copy()
    return turned


def _light(crop: NDArray[np.uint8], factor: float, _: int) -> NDArray[np.uint8]:
    return _grey(crop * factor)


def _contrast(crop: NDArray[np.uint8], factor: float, _: int) -> NDArray[np.uint8]:
    mean = crop.mean()
    return _grey((crop - mean) * factor + mean)


def _blur(crop: NDArray[np.uint8], sigma: float, _: int) -> NDArray[np.uint8]:
    scaled = sigma * min(crop.shape) / FACE_SIDE

    def smooth(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(x, (0, 0), scaled, borderType=cv2.BORDER_CONSTANT))

    # Means of the pixels that are there, as in training: what lies beyond the border is not made up.
    return _grey(smooth(crop.astype(np.float64)) / smooth(np.ones(crop.shape)))


def _pixels(crop: NDArray[np.uint8], left: float, _: int) -> NDArray[np.uint8]:
    shorter = min(crop.shape)
    if left >= shorter:
        return crop.copy()
    weights = []
    for side in crop.shape:
        fewer = max(1, round(side * left / shorter))
        weights.append(resize_weights(fewer, side) @ resize_weights(side, fewer))
    rows, columns = weights
    return _grey(rows @ crop.astype(np.float64) @ columns.T)


def _noise(crop: NDArray[np.uint8], sigma: float, seed: int) -> NDArray[np.uint8]:
    return _grey(crop + sigma * np.random.default_rng(seed).standard_normal(crop.shape))


def _jpeg(crop: NDArray[np.uint8], quality: float, _: int) -> NDArray[np.uint8]:
    _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def _cover(crop: NDArray[np.uint8], height: float, middle: float) -> NDArray[np.uint8]:
    rows = (np.arange(len(crop)) + 0.5) / len(crop)
    covered = crop.copy()
    covered[abs(rows - middle) < height / 2] = 0
    return covered


_APPLY: Mapping[str, Callable[[NDArray[np.uint8], float, int], NDArray[np.uint8]]] = {
    "turn": _turn,
    "light": _light,
    "contrast": _contrast,
    "blur": _blur,
    "pixels": _pixels,
    "noise": _noise,
    "jpeg": _jpeg,
    "eyes": lambda crop, height, _: _cover(crop, height, EYES),
    "mouth": lambda crop, height, _: _cover(crop, height, MOUTH),
}
