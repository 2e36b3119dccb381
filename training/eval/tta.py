"""Test-time augmentation: a network's answer as the mean over several versions of a picture."""

from collections.abc import Callable

import torch
from torchvision.transforms.functional import ten_crop
from tqdm import tqdm

from fer_demo.runtime.batch import batch_size as pictures_at_once
from fer_demo.runtime.engines import OnnxEngine
from fer_demo.vision.preprocess import data_config, prepare_array
from training.data.twins import prepare_twins

NO_TTA = "none"
"""The picture alone, as the app looks at it."""

TTA = ("flip", "ten_crop")
"""The mean of a picture and its mirror image; the mean of five crops and their mirror images."""

TTA_TITLES = {NO_TTA: "single view", "flip": "mean with the mirror image", "ten_crop": "ten-crop"}

VERSIONS = {NO_TTA: 1, "flip": 2, "ten_crop": 10}
"""How many versions of a picture each kind looks at."""

CROP = 44 / 48
"""A crop's side among ten, as a share of the picture's."""


def versions(images: torch.Tensor, tta: str = NO_TTA) -> tuple[torch.Tensor, ...]:
    """What a network is asked about in place of some pictures.

    Args:
        images: uint8 (N, T, H, W).
        tta: `NO_TTA` or one of `TTA`.

    Raises:
        ValueError: For an unknown kind.
    """
    if tta == NO_TTA:
        return (images,)
    if tta == "flip":
        return images, images.flip(-1)
    if tta == "ten_crop":
        return ten_crop(images, [round(side * CROP) for side in images.shape[-2:]])
    raise ValueError(f"Unknown test-time augmentation {tta!r}; choose one of {', '.join((NO_TTA, *TTA))}.")


@torch.inference_mode()
def predict_logits(
    model: torch.nn.Module | OnnxEngine,
    images: torch.Tensor,
    *,
    tta: str = NO_TTA,
    size: tuple[int, int] | None = None,
    batch_size: int = 0,
    progress: str = "",
    looked: Callable[[int], object] | None = None,
    landmarks: torch.Tensor | None = None,
) -> torch.Tensor:
    """Runs a model over pictures in float32, as the app does.

    Args:
        model: A timm model in evaluation mode, or an exported file.
        images: uint8 (N, T, H, W), T grey pictures of each face; an exported file takes one.
        tta: `NO_TTA` or one of `TTA`, which averages the logits.
        size: Height and width to resize to; the model's own by default, and always for an exported file.
        batch_size: Pictures per step, or 0 for the device's own (`fer_demo.runtime.batch`).
        progress: Title of a progress bar; none if empty.
        looked: Told after each step how many pictures the network has looked at in it, all versions counted.
        landmarks: float (N, 5, 2) in pixels of the pictures, for a timm model that takes them, without augmentation.

    Returns:
        float32 logits (N, 7) on the CPU.

    Raises:
        ValueError: For an unknown `tta`, or landmarks with augmentation or an exported file.
    """
    if landmarks is not None and (tta != NO_TTA or isinstance(model, OnnxEngine)):
        raise ValueError("Landmarks are for pictures as they are and for a timm model: leave landmarks out.")
    answer, device = _ready(model, size)
    logits = []
    at_once = batch_size or pictures_at_once(device.type)
    chunks = images.split(at_once)
    places = [()] * len(chunks) if landmarks is None else [(part.to(device),) for part in landmarks.split(at_once)]
    for chunk, place in zip(tqdm(chunks, desc=progress, disable=not progress, leave=False), places, strict=True):
        asked = versions(chunk.to(device), tta)
        logits.append(torch.stack([answer(version, *place) for version in asked]).mean(0).cpu())
        if looked:
            looked(len(chunk) * len(asked))
    return torch.cat(logits)


def _ready(
    model: torch.nn.Module | OnnxEngine, size: tuple[int, int] | None
) -> tuple[Callable[..., torch.Tensor], torch.device]:
    """A function from uint8 pictures, and perhaps landmarks in them, to float32 logits, and the device for both."""
    if isinstance(model, OnnxEngine):
        preprocessing = model.info.preprocessing
        return lambda x: torch.from_numpy(model.logits(prepare_array(x, **preprocessing))), torch.device("cpu")
    config = data_config(model) | ({"size": size} if size else {})

    def answer(x: torch.Tensor, *landmarks: torch.Tensor) -> torch.Tensor:
        height, width = config["size"]
        stretch = torch.tensor([width / x.shape[-1], height / x.shape[-2]], device=x.device)
        return model(prepare_twins(x, **config), *(points * stretch for points in landmarks)).float()

    return answer, next(model.parameters()).device
