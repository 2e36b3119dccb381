"""A map in words: on which parts of the face it lies, and what the answer is without them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_demo.explain.face import FaceMap
from fer_demo.explain.faithfulness import BLUR_SIGMA, odd_kernel
from fer_demo.prediction import FacePrediction
from fer_demo.vision.align import TEMPLATE, crop_matrix
from fer_demo.wording import percent

REGIONS = ("eyes", "brows", "nose", "mouth", "cheeks", "forehead", "chin", "surroundings")
"""Every pixel of a crop belongs to one of them; the surroundings are hair, ears and background."""

_IN_WORDS = {"surroundings": "surroundings of the face"}

MOST = 0.5
"""The strongest regions are as few as hold this share of what speaks for the class, but at most `NAMED`."""

NAMED = 2

NOTICEABLE = 0.05
"""A change of a probability by less than this is called none."""


EDGE_SIGMA = 1.0
"""Of the soft edge around what is taken away, in pixels of the crop."""


class Readable(Protocol):
    """Who answers, such as a `fer_demo.Predictor`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names in the order of the answers."""

    def classify(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Probabilities float32 (N, 7) for uint8 grey crops (H, W)."""


@dataclass(frozen=True)
class RegionReport:
    """Where a map lies, and what the answer is without that.

    Attributes:
        label: The class explained.
        shares: Region to its share of what speaks for the class, 0 to 1; they add up to 1, or are all 0 if nothing
            does.
        areas: Region to its share of the crop's pixels, 0 to 1; they add up to 1.
        alone: Region to the probability of `label` while this region alone is blurred.
        strongest: The regions with the largest shares, the largest first; empty if nothing speaks for the class.
        before: Probability of `label`.
        after: The same while all of `strongest` are blurred.
        against: Share of the map, by absolute values, that speaks against the class, 0 to 1.
    """

    label: str
    shares: dict[str, float]
    areas: dict[str, float]
    alone: dict[str, float]
    strongest: tuple[str, ...]
    before: float
    after: float
    against: float

    @property
    def mostly_against(self) -> bool:
        """Whether more of the map speaks against the class than for it."""
        return self.against > 0.5

    @property
    def sentence(self) -> str:
        """What was measured, as a sentence that needs no other."""
        name = f"'{self.label}'"
        if not self.strongest:
            return f"Nothing in this map speaks for {name} ({percent(self.before)})."
        places = " and ".join(_IN_WORDS.get(region, region) for region in self.strongest)
        them = "it" if self.strongest in (("nose",), ("mouth",), ("forehead",), ("chin",)) else "them"
        looked = f"It looked mostly at the {places}"
        if self.mostly_against:
            looked = f"Most of this map speaks against {name}; the rest lies mostly on the {places}"
        change = self.after - self.before
        if abs(change) >= NOTICEABLE:
            verb = "falls" if change < 0 else "even rises"
            return f"{looked}: without {them} {name} {verb} from {percent(self.before)} to {percent(self.after)}."
        if self.before < NOTICEABLE:
            return f"{looked}: with or without {them} {name} is unlikely ({percent(self.before)})."
        return f"{looked}, but without {them} {name} hardly changes ({percent(self.before)} to {percent(self.after)})."


def crop_landmarks(face: FacePrediction, size: int) -> NDArray[np.float64]:
    """Where a face's landmarks lie in its crop.

    Args:
        face: The face.
        size: Side of the crop in pixels.

    Returns:
        float64 (5, 2), x and y in pixels from the crop's upper left corner; those of FER2013's average face where the
        face has none.
    """
    if face.landmarks is None:
        return np.asarray(TEMPLATE * size)
    matrix = crop_matrix(face.box, face.landmarks, size)
    return np.asarray(face.landmarks.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2])


def region_masks(landmarks: NDArray[np.floating], size: int) -> dict[str, NDArray[np.bool_]]:
    """Which pixels of a crop belong to which part of the face; rough, as five points tell no more.

    Args:
        landmarks: Float (5, 2) in pixels of the crop: right eye, left eye, nose tip, right and left mouth corner.
        size: Side of the crop in pixels.

    Returns:
        Each of `REGIONS` to bool (size, size); every pixel is in exactly one.

    Raises:
        ValueError: If the landmarks have another shape, are not finite, or the eyes lie in one point.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise ValueError(f"Landmarks must be five finite points (5, 2), but have shape {points.shape}.")
    centre, across = points[:2].mean(0), points[1] - points[0]
    unit = float(np.hypot(*across))
    if unit < 1e-6:
        raise ValueError("The eyes must not lie in one point; leave the landmarks out.")
    along = across / unit
    down = np.array([-along[1], along[0]])
    rows, columns = np.indices((size, size)) + 0.5
    x = ((columns - centre[0]) * along[0] + (rows - centre[1]) * along[1]) / unit  # in distances between the eyes,
    y = ((columns - centre[0]) * down[0] + (rows - centre[1]) * down[1]) / unit  # from the middle between them
    own = (points - centre) @ np.stack([along, down], 1) / unit
    nose, corners = own[2], own[3:]
    mouth, half_mouth = corners.mean(0), max(0.15, float(np.ptp(corners[:, 0])) / 2)

    def ellipse(at: Sequence[float] | NDArray[np.float64], width: float, height: float) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = ((x - at[0]) / width) ** 2 + ((y - at[1]) / height) ** 2 <= 1
        return inside

    bridge = np.clip(y / max(nose[1], 0.2), 0, 1)  # 0 between the eyes, 1 at the tip
    wanted = {
        "eyes": ellipse(own[0], 0.32, 0.19) | ellipse(own[1], 0.32, 0.19),
        "brows": ellipse(own[0] - (0, 0.36), 0.42, 0.2) | ellipse(own[1] - (0, 0.36), 0.42, 0.2),
        "mouth": ellipse(mouth, half_mouth + 0.16, 0.26),
        "nose": (np.abs(x - nose[0] * bridge) <= 0.12 + 0.18 * bridge) & (y >= 0) & (y <= nose[1] + 0.16),
    }
    oval = ellipse((mouth[0] / 2, 0.35), 1.02, 1.35)
    wanted["forehead"] = oval & (y < 0)
    wanted["chin"] = oval & (y > mouth[1] + 0.2)
    wanted["cheeks"] = oval
    masks, free = {}, np.ones((size, size), bool)
    for name, mask in wanted.items():
        masks[name] = mask & free
        free &= ~mask
    return {name: masks.get(name, free) for name in REGIONS}


def region_shares(values: NDArray[np.floating], masks: Mapping[str, NDArray[np.bool_]]) -> dict[str, float]:
    """Each region's share of what is above 0 in a map.

    Args:
        values: float (H, W), as `FaceMap.values`.
        masks: As `region_masks` gives them, for the same size.

    Returns:
        Region to share, 0 to 1; they add up to 1, or are all 0 if nothing is above 0.
    """
    positive = np.clip(values.astype(np.float64), 0, None)
    total = float(positive.sum())
    return {name: float(positive[mask].sum()) / total if total > 0 else 0.0 for name, mask in masks.items()}


def strongest(shares: Mapping[str, float]) -> tuple[str, ...]:
    """As few regions as hold `MOST` of a map, at most `NAMED`; the largest first, none if all are 0."""
    order = [name for name in sorted(shares, key=lambda name: -shares[name]) if shares[name] > 0]
    for count in range(1, NAMED):
        if sum(shares[name] for name in order[:count]) >= MOST:
            return tuple(order[:count])
    return tuple(order[:NAMED])


def without(crop: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A crop of which a part is gone: blurred until light and shade are left, as in `fer_demo.explain.faithfulness`.

    Args:
        crop: uint8 grey (H, W).
        mask: bool (H, W), where it goes. Its edge is soft: a hard one would be something to see.

    Returns:
        uint8 grey (H, W).
    """
    kernel = odd_kernel(min(crop.shape))
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), EDGE_SIGMA)
    blurred = cv2.GaussianBlur(crop.astype(np.float32), (kernel, kernel), BLUR_SIGMA)
    mixed: NDArray[np.float32] = crop * (1 - soft) + blurred * soft
    return np.round(mixed).clip(0, 255).astype(np.uint8)


def look_at_regions(predictor: Readable, face: FacePrediction, label: str, found: FaceMap) -> RegionReport:
    """Measures where a map lies and what the answer is without its strongest regions.

    Args:
        predictor: Who answers, a `fer_demo.Predictor`.
        face: The face, with its crop.
        label: The class.
        found: The map of that class.

    Returns:
        The report.

    Raises:
        ValueError: For an unknown class, or a face without a crop.
    """
    crop = face.required_crop()
    if label not in predictor.labels:
        raise ValueError(f"Unknown expression {label!r}; choose one of {', '.join(predictor.labels)}.")
    size = found.values.shape[0]
    masks = region_masks(crop_landmarks(face, size), size)
    shares = region_shares(found.values, masks)
    named = strongest(shares)
    gone = [*([mask] for mask in masks.values()), [masks[name] for name in named]]
    crops = [crop, *(without(crop, np.any([np.zeros((size, size), bool), *parts], axis=0)) for parts in gone)]
    rows = predictor.classify(crops)[:, predictor.labels.index(label)].tolist()
    size_of_all = float(np.abs(found.values).sum())
    return RegionReport(
        label,
        shares,
        {name: float(mask.mean()) for name, mask in masks.items()},
        dict(zip(masks, rows[1:-1], strict=True)),
        named,
        rows[0],
        rows[-1],
        float(-np.clip(found.values, None, 0).sum()) / size_of_all if size_of_all > 0 else 0.0,
    )
