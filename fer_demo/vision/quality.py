"""What a face's crop is worth before a network reads it: its size, sharpness and light, and how the head is turned."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_demo.vision.align import TEMPLATE, crop_matrix, similarity

SIDE = 48
"""Crops of other sizes are brought to this one before their pixels are measured, so that the limits hold for all."""

BLUR_TAPS = 9
"""Width of the box by which `_sharpness` blurs; Crété-Roffet et al. take 9."""

NOSE_DEPTH = 0.45
"""How far the nose's tip lies before the eyes, as a fraction of their distance: some 28 of 63 mm."""

FLAGS: dict[str, str] = {
    "blank": "nothing to be seen",
    "too_small": "too small",
    "cut_off": "cut off by the picture's edge",
    "too_dark": "too dark",
    "too_bright": "too bright",
    "low_contrast": "too little contrast",
    "noisy": "noisy",
    "blurred": "blurred",
    "turned_away": "turned away",
    "odd_landmarks": "eyes and mouth oddly placed",
}
"""What may be wrong with a crop, and the words for it; the gravest first."""


BLANK = 3.0
"""Below this contrast there is nothing on the crop."""

BELOW: dict[str, tuple[str, float, float]] = {
    "too_small": ("face_size", 32.0, 18.0),
    "cut_off": ("inside", 0.75, 0.5),
    "too_dark": ("light", 40.0, 20.0),
    "low_contrast": ("contrast", 15.0, 9.0),
    "blurred": ("sharpness", 0.52, 0.43),
}
"""Flag to its measure, the value below which it is raised, and the one below which the crop is unreadable."""

ABOVE: dict[str, tuple[str, float, float]] = {
    "too_bright": ("light", 200.0, 235.0),
    "noisy": ("noise", 0.175, 0.3),
    "turned_away": ("yaw", 35.0, math.inf),
    "odd_landmarks": ("landmark_error", 0.25, math.inf),
}
"""The same for values above; of the yaw its amount counts."""

ROBUST: dict[str, float] = {
    "too_small": 10.0,
    "too_dark": 8.0,
    "low_contrast": 3.0,
    "blurred": 0.18,
    "too_bright": 247.0,
    "noisy": 0.75,
}
"""From where on a crop is unreadable for networks that learned damaged pictures; where nothing is said, as for others.

On 300 faces of PublicTest the nano for photographs is right about 64 % at a blur of sigma 2, where the one that never
saw blur guesses, and its confidence is right; at sigma 4, eight pixels and noise of sigma 50 it falls to one half.
"""


@dataclass(frozen=True)
class CropQuality:
    """The measures of a face's crop, rounded so that they survive being written down.

    Attributes:
        inside: Share of the crop that lies inside the picture, 0 to 1; the rest repeats the picture's border. 1 for a
            crop that was given as it is.
        eye_distance: Between the eyes, in pixels of the original picture; None without landmarks.
        face_size: Side of the square that the crop shows, in pixels of the original picture; None where that is not
            known. Below 48 the crop was enlarged.
        sharpness: 0 to 1, by the blur effect of Crété-Roffet et al. (SPIE 6492, 2007): how much of the differences
            between neighbours goes when the crop is blurred. It does not change with contrast, and noise counts as
            sharp. 0 for a crop of one grey level.
        noise: Standard deviation of the noise, estimated as Immerkær does it (Computer Vision and Image Understanding
            64(2), 1996), as a fraction of the contrast, 0 or more.
        light: Mean grey level, 0 to 255.
        contrast: Standard deviation of the grey levels, 0 to 127.5.
        yaw: How far the head is turned to the side, in degrees from -90 to 90; above 0 to the right of the picture.
            A rough one, from where the nose lies between the eyes; None without landmarks.
        landmark_error: Root mean square distance of the landmarks from a mean face's that was laid onto them by a
            similarity, as a fraction of the distance between that face's eyes; None without landmarks.
        robust: Whether the network that reads it learned damaged pictures, so that the limits of `ROBUST` hold.
    """

    inside: float
    eye_distance: float | None
    face_size: float | None
    sharpness: float
    noise: float
    light: float
    contrast: float
    yaw: float | None
    landmark_error: float | None
    robust: bool = False

    @property
    def flags(self) -> tuple[str, ...]:
        """What is wrong, keys of `FLAGS`: first what makes the crop unreadable, then the gravest."""
        found = list(self._found())
        order = sorted(found, key=lambda item: (not item[1], tuple(FLAGS).index(item[0])))
        return tuple(name for name, _ in order)

    @property
    def readable(self) -> bool:
        """Whether a network can tell anything from the crop."""
        return not any(fatal for _, fatal in self._found())

    def _found(self) -> Iterator[tuple[str, bool]]:
        """The flags, and whether each makes the crop unreadable."""
        if self.contrast < BLANK:  # nothing else can be said of it
            yield "blank", True
            return
        below, above = limits(self.robust)
        for name, (measure, flag, fatal) in below.items():
            value = getattr(self, measure)
            if value is not None and value < flag:
                yield name, value < fatal
        for name, (measure, flag, fatal) in above.items():
            value = getattr(self, measure)
            if value is not None and abs(value) > flag:
                yield name, abs(value) > fatal

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "CropQuality":
        """Reads what `dataclasses.asdict` gave; `flags` and `readable` follow from it.

        Raises:
            KeyError: If a measure is missing.
            TypeError: If one is no number, or missing where there must be one.
            ValueError: Likewise, or if one is not finite.
        """
        given: dict[str, Any] = {}
        for f in fields(cls):
            if f.name == "robust":
                given["robust"] = bool(data.get("robust", False))
                continue
            value = data[f.name]
            if value is None and f.name not in _OPTIONAL:
                raise ValueError(f"{f.name} of {value}")
            given[f.name] = None if value is None else float(value)
            if value is not None and not math.isfinite(given[f.name]):
                raise ValueError(f"{f.name} of {value}")
        return cls(**given)


_OPTIONAL = ("eye_distance", "face_size", "yaw", "landmark_error")


Limits = dict[str, tuple[str, float, float]]


def limits(robust: bool) -> tuple[Limits, Limits]:
    """`BELOW` and `ABOVE` for a network.

    Args:
        robust: Whether it learned damaged pictures.
    """
    if not robust:
        return BELOW, ABOVE
    below, above = (
        {name: (measure, flag, ROBUST.get(name, fatal)) for name, (measure, flag, fatal) in table.items()}
        for table in (BELOW, ABOVE)
    )
    return below, above


def crop_quality(
    crop: NDArray[np.uint8],
    *,
    box: tuple[float, ...] | None = None,
    landmarks: NDArray[np.float32] | None = None,
    picture: tuple[int, int] | None = None,
    robust: bool = False,
) -> CropQuality:
    """Measures a crop.

    Args:
        crop: uint8 grey (H, W): what the network sees.
        box: The face's x, y, width, height in pixels of the picture; None for a crop that was given as it is.
        landmarks: Float (5, 2) as for `fer_demo.vision.align.align_face`, if the crop was cut out by them.
        picture: Height and width of the picture, by which `CropQuality.inside` is measured. None for a picture that is
            one face as a whole: what fills it up to a square is no part of the face that is missing.
        robust: Whether the network that will read it learned damaged pictures.

    Returns:
        The measures; those that need what was not given are None.

    Raises:
        ValueError: If the crop is not grey uint8.
    """
    if crop.dtype != np.uint8 or crop.ndim != 2 or not crop.size:
        raise ValueError(f"A crop must be uint8 (height, width), but is {crop.dtype} {crop.shape}.")
    pixels = crop if crop.shape == (SIDE, SIDE) else cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    gray = pixels.astype(np.float32)
    inside, size = 1.0, None
    if box is not None:
        matrix = crop_matrix(box, landmarks, SIDE)
        size = SIDE / math.hypot(matrix[0, 0], matrix[1, 0])
        inside = 1.0 if picture is None else _inside(matrix, picture)
    light, contrast = (float(v[0, 0]) for v in cv2.meanStdDev(gray))
    eyes, yaw, error = (None, None, None) if landmarks is None else _pose(np.asarray(landmarks, np.float64))
    return CropQuality(
        inside=round(inside, 3),
        eye_distance=None if eyes is None else round(eyes, 1),
        face_size=None if size is None else round(size, 1),
        sharpness=round(_sharpness(gray), 3),
        noise=round(_noise(gray) / max(contrast, 0.1), 3),
        light=round(light, 1),
        contrast=round(contrast, 1),
        yaw=None if yaw is None else round(yaw, 1),
        landmark_error=None if error is None else round(error, 3),
        robust=robust,
    )


def _sharpness(gray: NDArray[np.float32]) -> float:
    """The less sharp of both directions, since motion blurs one of them alone."""
    kept = []
    for axis, taps in ((0, (1, BLUR_TAPS)), (1, (BLUR_TAPS, 1))):
        blurred = cv2.blur(gray, taps, borderType=cv2.BORDER_REFLECT)
        before, after = np.abs(np.diff(gray, axis=axis)), np.abs(np.diff(blurred, axis=axis))
        total = float(before.sum())
        kept.append(float(np.maximum(0, before - after).sum()) / total if total > 0 else 0.0)
    return min(kept)


def _noise(gray: NDArray[np.float32]) -> float:
    """What is left of a picture by a mask that no plane and no edge along the rows or columns passes."""
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    left = cv2.filter2D(gray, cv2.CV_32F, mask)[1:-1, 1:-1]
    return math.sqrt(math.pi / 2) / 6 * float(np.abs(left).mean())


def _inside(matrix: NDArray[np.float64], picture: tuple[int, int]) -> float:
    """The share of a crop that lies inside its picture (height, width)."""
    height, width = picture
    corners = np.array([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]], np.float64)
    square = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    common, _ = cv2.intersectConvexConvex(square.astype(np.float32), frame)
    area = SIDE**2 / abs(float(np.linalg.det(matrix[:, :2])))
    return min(1.0, max(0.0, float(common) / area))


def _pose(landmarks: NDArray[np.float64]) -> tuple[float, float, float]:
    """Eye distance in pixels, yaw in degrees, and the distance from a mean face."""
    level = similarity(landmarks, TEMPLATE)
    points = landmarks @ level[:, :2].T + level[:, 2]
    right, left, nose, *mouth = points
    # A nose before the eyes' plane moves sideways by its depth times the sine of the yaw, while the eyes come nearer to
    # each other by its cosine. What the middle is follows the line from the eyes to the mouth, for a head that leans.
    eyes, lips = (right + left) / 2, (mouth[0] + mouth[1]) / 2
    down = lips - eyes
    along = np.clip(np.dot(nose - eyes, down) / max(np.dot(down, down), 1e-9), 0, 1)
    offset = nose[0] - (eyes + along * down)[0]
    apart = max(float(left[0] - right[0]), 1e-3)
    yaw = math.degrees(math.atan(offset / apart / NOSE_DEPTH))
    error = float(np.sqrt(((points - TEMPLATE) ** 2).sum(axis=1).mean())) / float(TEMPLATE[1, 0] - TEMPLATE[0, 0])
    return float(np.linalg.norm(landmarks[1] - landmarks[0])), yaw, error
