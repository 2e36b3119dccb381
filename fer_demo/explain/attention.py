"""What a network with attention to eyes, brows and mouth attends to on one face, and what landmarks change.

`fer_demo.models.landmark_attention` has the network. Its answer in the product is the one without landmarks: then it
predicts for itself where the regions lie. Landmarks that are given instead, or given wrongly on purpose, show what the
answer hangs on.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fer_demo.explain.face import Explainable, answer_rows, network_input
from fer_demo.explain.regions import crop_landmarks
from fer_demo.models.attention import RegionAttention
from fer_demo.prediction import FacePrediction
from fer_demo.runtime.torch_lock import lock
from fer_demo.wording import percent, ranked


@dataclass(frozen=True, eq=False)
class RegionLook:
    """What the network attends to on one face.

    Attributes:
        maps: Of each stage with attention, from the first on: float32 (3, H, W), from 0 to 1, in the order of
            `fer_demo.models.regions.REGIONS`, as the stage used them; of the picture itself, not of its mirror image.
        gates: Likewise: float32 (H, W), from 0 to 2. Above 1 the network looks harder, below 1 it looks away.
        drawn: Whether the maps were drawn from landmarks; else the network predicted them.
        probabilities: Class name to probability in [0, 1], with the predictor's temperature, merged classes and mirror
            image.
    """

    maps: tuple[NDArray[np.float32], ...]
    gates: tuple[NDArray[np.float32], ...]
    drawn: bool
    probabilities: dict[str, float]


def attends(model: torch.nn.Module) -> bool:
    """Whether a network has maps of regions: its own, or also drawn from landmarks, as its ``takes_landmarks`` says."""
    return any(isinstance(module, RegionAttention) for module in model.modules())


def look(
    predictor: Explainable, crop: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]] | None = None
) -> RegionLook:
    """What a network attends to on one face, and what it answers then.

    Args:
        predictor: Whose network is asked.
        crop: uint8 grey (H, W), as `FacePrediction.crop`.
        landmarks: Float (5, 2), x and y in pixels of the crop from its upper left corner, as `found_landmarks` gives
            them; None lets the network predict the maps, as for every answer of the product.

    Raises:
        ValueError: For a network without maps of regions; or if landmarks have another shape, are not finite, or are
            given to a network that takes none.
    """
    modules = [module for module in predictor.model.modules() if isinstance(module, RegionAttention)]
    if not modules:
        raise ValueError("This network has no maps of eyes, brows and mouth; choose one such as fer_sedense_lm.")
    x = network_input(predictor, crop)
    places = None if landmarks is None else _places(landmarks, crop, x)
    found: dict[torch.nn.Module, tuple[torch.Tensor, torch.Tensor]] = {}

    def record(module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        # The picture comes first, and its mirror image, where the predictor looks at that too, after it.
        if module not in found and isinstance(module, RegionAttention):
            found[module] = module.look(*inputs)

    with lock(predictor.model), torch.no_grad():
        handles = [module.register_forward_pre_hook(record) for module in modules]
        try:
            row = answer_rows(predictor, x, places)[0]
        finally:
            for handle in handles:
                handle.remove()
    maps, gates = zip(*(found[module] for module in modules), strict=True)
    return RegionLook(
        tuple(one[0].float().cpu().numpy() for one in maps),
        tuple(one[0, 0].float().cpu().numpy() for one in gates),
        places is not None,
        dict(zip(predictor.labels, row.tolist(), strict=True)),
    )


def _places(landmarks: NDArray[np.floating[Any]], crop: NDArray[np.uint8], x: torch.Tensor) -> torch.Tensor:
    """Landmarks in pixels of the crop as float32 (1, 5, 2) in pixels of the network's input."""
    points = np.asarray(landmarks, np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise ValueError(f"Landmarks must be five finite points (5, 2), but have shape {points.shape}.")
    points = points * (x.shape[-1] / crop.shape[1], x.shape[-2] / crop.shape[0])
    return torch.from_numpy(points.astype(np.float32))[None].to(x.device)


def found_landmarks(face: FacePrediction) -> NDArray[np.float64] | None:
    """Where the detector's landmarks lie in a face's crop: float64 (5, 2) in its pixels; None where none are known."""
    if face.landmarks is None or not np.isfinite(face.landmarks).all():
        return None
    return crop_landmarks(face, face.required_crop().shape[0])


def moved_landmarks(
    landmarks: NDArray[np.floating[Any]], right: float = 0.0, down: float = 0.0, turn: float = 0.0
) -> NDArray[np.float64]:
    """Landmarks put in a wrong place.

    Args:
        landmarks: Float (5, 2), as `found_landmarks` gives them.
        right: How far to the right of the picture, as a share of the distance of the eyes; below 0 is to the left.
        down: How far down, likewise.
        turn: Degrees, clockwise as the viewer sees it, around the middle of the five.

    Returns:
        float64 (5, 2).
    """
    points = np.asarray(landmarks, np.float64)
    middle, unit = points.mean(0), float(np.hypot(*(points[1] - points[0])))
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    turned = (points - middle) @ np.array([[c, s], [-s, c]])
    return np.asarray(turned + middle + np.multiply((right, down), unit))


def where_marked(right: float = 0.0, down: float = 0.0, turn: float = 0.0) -> str:
    """What `moved_landmarks` does, in words: ``"marked 30 % too far right and as if turned by 10° clockwise"``."""
    sides = [(right, "right", "left"), (down, "down", "up")]
    words = [f"{percent(abs(by))} too far {one if by > 0 else other}" for by, one, other in sides if by]
    if turn:
        words.append(f"as if turned by {abs(turn):g}° {'clockwise' if turn > 0 else 'counter-clockwise'}")
    if not words:
        return "marked where the detector found them"
    return "marked " + (words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}")


def compare(without: dict[str, float], given: dict[str, float], marked: str) -> str:
    """What landmarks change, as a sentence that needs no other.

    Args:
        without: Class name to probability, of the answer without landmarks.
        given: Of the answer with them.
        marked: How they are marked, as `where_marked` says it.
    """
    (before, p), (after, q) = ranked(without)[0], ranked(given)[0]
    start = f"With the eyes and mouth {marked}, the answer"
    if before != after:
        return f"{start} is {after} ({percent(q)}) instead of {before} ({percent(p)})."
    same = percent(given[before]) == percent(p)
    return f"{start} stays {before} ({percent(q)}{'' if same else f' instead of {percent(p)}'})."
