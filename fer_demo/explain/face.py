"""Explanations of one face, from its crop and a predictor: what the page, the command line and a report all need."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypedDict

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from fer_demo.explain.attribution import attribute
from fer_demo.explain.channels import channel_importance, channel_map, channel_weights, with_channel
from fer_demo.explain.faithfulness import centre_map, curves, random_map
from fer_demo.models.regions import mirrored
from fer_demo.prediction import FacePrediction
from fer_demo.runtime.batch import CPU_BATCH
from fer_demo.runtime.torch_lock import lock
from fer_demo.vision.close_up import MARGIN, close_up
from fer_demo.vision.preprocess import data_config, prepare


class Explainable(Protocol):
    """What is explained, such as a `fer_demo.Predictor`.

    Attributes:
        temperature: What the logits are divided by.
    """

    temperature: float

    @property
    def mirror(self) -> bool:
        """Whether the mirror image is looked at too."""

    @property
    def model(self) -> torch.nn.Module:
        """The network, in evaluation mode."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names."""

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The outputs of the network that each class is the sum of."""

    @property
    def device(self) -> str | torch.device:
        """Where it runs, as ``torch.device`` takes it."""


@dataclass(frozen=True)
class FaceMap:
    """What counted for a class on one face.

    Attributes:
        values: float32 (H, W), at the crop's size; above 0 for the class, below 0 against it.
        cells: Side of the map as the layer has it, before it was interpolated.
        delta: For Integrated Gradients, by how much the map's sum misses the change of the logit; None otherwise.
    """

    values: NDArray[np.float32]
    cells: int
    delta: float | None = None


class FaceCurves(TypedDict):
    """Deletion and insertion for one map of one face.

    Attributes:
        fraction: float32 (S+1,): share of the pixels that is gone, or there.
        deletion: float32 (S+1,): see `fer_demo.explain.faithfulness.Curves`.
        insertion: Likewise.
        deletion_area: Area under the curve, from 0 to 1.
        insertion_area: Likewise.
    """

    fraction: NDArray[np.float32]
    deletion: NDArray[np.float32]
    insertion: NDArray[np.float32]
    deletion_area: float
    insertion_area: float


def face_map(
    predictor: Explainable,
    crop: NDArray[np.uint8],
    label: str,
    *,
    method: str = "gradcam",
    layer: str | None = None,
    against: str | None = None,
) -> FaceMap:
    """Explains a class on one face.

    Args:
        predictor: Whose network is explained.
        crop: uint8 grey (H, W), as `FacePrediction.crop`.
        label: The class.
        method: A key of `fer_demo.explain.METHODS`.
        layer: A key of `fer_demo.explain.layers`; the last stage by default.
        against: What speaks for `label` rather than for this class.

    Raises:
        ValueError: For an unknown method, layer or class.
    """
    target, other = class_id(predictor, label), None if against is None else class_id(predictor, against)
    found = attribute(
        predictor.model, network_input(predictor, crop), target, method=method, layer=layer, against=other
    )
    delta = None if found.delta is None else float(found.delta[0])
    return FaceMap(found.maps[0].cpu().numpy(), found.raw.shape[-1], delta)


def face_channels(predictor: Explainable, crop: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """The channel weights on one face: gate name to float32 (C,), from 0 to 1; empty for a network without gates."""
    weights = channel_weights(predictor.model, network_input(predictor, crop))
    return {name: values[0].cpu().numpy() for name, values in weights.items()}


def channel_effect(
    predictor: Explainable, crop: NDArray[np.uint8], gate: str, channel: int, values: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """The answer while a channel's weight is held at other values.

    Args:
        predictor: Whose network is changed for the moment.
        crop: uint8 grey (H, W).
        gate: Its name, as in `face_channels`.
        channel: From 0.
        values: Title to the weight to hold.

    Returns:
        Title to class name to probability.
    """
    x, answers = network_input(predictor, crop), {}
    for title, value in values.items():
        with with_channel(predictor.model, gate, channel, value):
            row = answer_rows(predictor, x)[0]
        answers[title] = dict(zip(predictor.labels, row.tolist(), strict=True))
    return answers


def answer_rows(predictor: Explainable, x: torch.Tensor, landmarks: torch.Tensor | None = None) -> torch.Tensor:
    """The answers for prepared crops, as the predictor gives them: with its temperature, and its mirror image.

    Not by `Predictor.classify`: that may run the network in ONNX Runtime, whose channels nobody can hold.

    Args:
        predictor: Whose network answers.
        x: float (N, 1, H, W) as `network_input` gives it.
        landmarks: float (N, 5, 2) in pixels of `x`, for a network that takes them; None lets it predict where eyes,
            brows and mouth lie, as it does in every answer of the predictor.

    Returns:
        float32 (N, number of classes), rows add up to 1; on the CPU.
    """
    views = [(x, landmarks)]
    if predictor.mirror:
        views.append((x.flip(-1), None if landmarks is None else mirrored(landmarks, x.shape[-1])))
    with lock(predictor.model), torch.no_grad():
        logits = torch.stack([torch.cat(list(_logits(predictor.model, *view))) for view in views])
        rows = (logits.mean(0) / predictor.temperature).softmax(1).cpu()
    return torch.stack([rows[:, list(group)].sum(1) for group in predictor.groups], 1)


def _logits(model: torch.nn.Module, x: torch.Tensor, landmarks: torch.Tensor | None) -> Iterator[torch.Tensor]:
    """The logits, some pictures at a time."""
    if landmarks is None:
        yield from (model(part).float() for part in x.split(CPU_BATCH))
    else:
        places = landmarks.to(x.device).split(CPU_BATCH)
        yield from (model(part, own).float() for part, own in zip(x.split(CPU_BATCH), places, strict=True))


def face_channel_importance(
    predictor: Explainable, crop: NDArray[np.uint8], label: str, gate: str
) -> NDArray[np.float32]:
    """By how much a class's logit changes when each channel of a gate is shut, one at a time.

    Args:
        predictor: Whose network is changed for the moment.
        crop: uint8 grey (H, W).
        label: The class.
        gate: Its name, as in `face_channels`.

    Returns:
        float32 (C,): below 0 for a channel that speaks for the class.

    Raises:
        ValueError: For an unknown class or gate.
    """
    found = channel_importance(predictor.model, network_input(predictor, crop), class_id(predictor, label), gate)
    return found[0].cpu().numpy()


def face_channel_map(predictor: Explainable, crop: NDArray[np.uint8], gate: str, channel: int) -> NDArray[np.float32]:
    """Where a channel responds on one face: float32 (h, w), not negative."""
    return channel_map(predictor.model, network_input(predictor, crop), gate, channel)[0].cpu().numpy()


def face_curves(
    predictor: Explainable, crop: NDArray[np.uint8], label: str, found: FaceMap, title: str = "this map"
) -> dict[str, FaceCurves]:
    """Deletion and insertion for a face's map, for chance of the same coarseness, and for a map of the middle.

    Args:
        predictor: Whose network answers.
        crop: uint8 grey (H, W).
        label: Whose probability is followed.
        found: The map.
        title: Its name in the result.

    Returns:
        A map's title to its curves.
    """
    x = network_input(predictor, crop)
    h, w = found.values.shape
    cells = found.cells if found.cells < h else None
    control = "random patches" if cells else "random pixels"
    maps = {
        title: torch.from_numpy(found.values)[None],
        control: random_map(1, h, w, cells),
        "middle of the picture": centre_map(1, h, w),
    }
    result: dict[str, FaceCurves] = {}
    for name, values in maps.items():
        both = curves(predictor.model, x, values, class_id(predictor, label), temperature=predictor.temperature)
        deletion, insertion = (float(area[0]) for area in both.areas())
        result[name] = {
            "fraction": both.fraction.numpy(),
            "deletion": both.deletion[0].numpy(),
            "insertion": both.insertion[0].numpy(),
            "deletion_area": deletion,
            "insertion_area": insertion,
        }
    return result


def on_photo(
    values: NDArray[np.float32],
    image: NDArray[np.uint8],
    face: FacePrediction,
    *,
    margin: float = MARGIN,
    soft: float = 0.0,
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]:
    """A face's map laid back onto the photo it came from, at the photo's own resolution.

    Args:
        values: float (H, W), as `FaceMap.values`.
        image: uint8 RGB (height, width, 3).
        face: The face.
        margin: How much of the photo to show around the crop, as a fraction of the crop's side.
        soft: Over which fraction of the crop's side the map fades out towards the crop's edge, so that the edge does
            not lie on the photo as a line. 0 leaves every value as it is.

    Returns:
        The part of the photo, uint8 (h, w, 3); the map on it, float32 (h, w), 0 outside the crop; and where the crop
        is, bool (h, w).
    """
    size = values.shape[0]
    part, matrix = close_up(image, face, size, margin=margin)
    # Enlarged in crop space first: warping 48 pixels straight up would show OpenCV's bilinear facets.
    fine = cv2.resize(values.astype(np.float32), (8 * size, 8 * size), interpolation=cv2.INTER_CUBIC)
    if soft > 0:
        fine = fine * _fade(8 * size, soft)
    to_fine = 8 * matrix
    # OpenCV counts from the centre of the top left pixel: half a pixel less on both sides.
    to_fine[:, 2] += 0.5 * to_fine[:, :2].sum(axis=1) - 0.5
    place = (part.shape[1], part.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(fine, to_fine, place, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    inside = cv2.warpAffine(np.ones_like(fine), to_fine, place, flags=flags, borderMode=cv2.BORDER_CONSTANT) > 0.5
    return part, np.where(inside, laid, 0).astype(np.float32), inside


def _fade(side: int, soft: float) -> NDArray[np.float32]:
    """1 in the middle, 0 at the edge, smooth between: float32 (side, side)."""
    t = np.clip(np.minimum(np.arange(side) + 0.5, side - 0.5 - np.arange(side)) / (soft * side), 0, 1)
    ramp = t * t * (3 - 2 * t)
    return np.outer(ramp, ramp).astype(np.float32)


def network_input(predictor: Explainable, crop: NDArray[np.uint8]) -> torch.Tensor:
    """A crop as the network takes it: float (1, 1, H, W)."""
    return prepare([crop], **data_config(predictor.model)).to(predictor.device)


def class_id(predictor: Explainable, label: str) -> int | tuple[int, ...]:
    """The number of a class among the network's outputs, or those of the outputs that a merged one is the sum of.

    Raises:
        ValueError: If there is no such class.
    """
    if label not in predictor.labels:
        raise ValueError(f"Unknown expression {label!r}; choose one of {', '.join(predictor.labels)}.")
    group = predictor.groups[predictor.labels.index(label)]
    return group[0] if len(group) == 1 else group
