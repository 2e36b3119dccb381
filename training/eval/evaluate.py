"""Evaluation of a model on PublicTest and PrivateTest, in three views, with and without duplicates."""

from typing import Any

import torch
from torchvision.transforms.functional import ten_crop
from tqdm import tqdm

from fer_demo.vision.preprocess import data_config
from training.data import Faces
from training.data.audit import duplicates_of_training
from training.data.twins import prepare_twins
from training.eval.metrics import classification_metrics, fit_temperature

VIEWS = ("single", "flip", "ten_crop")
"""One view; the mean of a picture and its mirror image; the mean of five crops and their mirror images."""

CROP = 44 / 48
TEST_SPLITS = ("PublicTest", "PrivateTest")


@torch.inference_mode()
def predict_logits(
    model: torch.nn.Module,
    images: torch.Tensor,
    *,
    view: str = "single",
    size: tuple[int, int] | None = None,
    batch_size: int = 0,
    progress: str = "",
) -> torch.Tensor:
    """Runs a model over pictures in float32, as the app does.

    Args:
        model: A timm model in evaluation mode.
        images: uint8 (N, V, H, W), V grey views of each face.
        view: One of `VIEWS`; more than one view averages the logits.
        size: Height and width to resize to; the model's own by default.
        batch_size: Pictures per step, or 0 for the device's own: on a CPU the maps of 64 pictures leave the caches, at
            half the speed for `fer_sedense`, and a GPU is not busy with so few.
        progress: Title of a progress bar; none if empty.

    Returns:
        float32 logits (N, 7) on the CPU.

    Raises:
        ValueError: For an unknown view.
    """
    if view not in VIEWS:
        raise ValueError(f"Unknown view {view!r}; choose one of {', '.join(VIEWS)}.")
    device = next(model.parameters()).device
    config = data_config(model) | ({"size": size} if size else {})
    batch_size = batch_size or (16 if device.type == "cpu" else 256)
    logits = []
    for chunk in tqdm(images.split(batch_size), desc=progress, disable=not progress, leave=False):
        chunk = chunk.to(device)
        if view == "ten_crop":
            crops = ten_crop(chunk, [round(side * CROP) for side in chunk.shape[-2:]])
        else:
            crops = (chunk, chunk.flip(-1)) if view == "flip" else (chunk,)
        logits.append(torch.stack([model(prepare_twins(crop, **config)).float() for crop in crops]).mean(0).cpu())
    return torch.cat(logits)


# In full float32 on a GPU too: its figures are compared with those that a CPU computes.
@torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
def evaluate(
    model: torch.nn.Module, faces: Faces, *, views: tuple[str, ...] = ("single",), progress: bool = False
) -> dict[str, Any]:
    """Evaluates on PublicTest and PrivateTest.

    The temperature is fitted on PublicTest's single view and applied to PrivateTest as it is.

    Args:
        model: A timm model; put into evaluation mode.
        faces: Data holding all three splits.
        views: Some of `VIEWS`; "single" is always evaluated and stands at the top level of the result.
        progress: Show progress bars.

    Returns:
        ``parameters``, ``size`` (height, width), ``temperature``, for each of the two splits the figures of
        `classification_metrics` with a further entry ``without_duplicates`` (the same figures without the pictures
        that also occur in Training), and ``views``: name to split to figures for the other views.
    """
    model = model.eval().to(memory_format=torch.channels_last)  # faster for depthwise convolutions
    result: dict[str, Any] = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "size": list(data_config(model)["size"]),
        "temperature": 1.0,
    }
    copies = duplicates_of_training(faces, TEST_SPLITS)
    parts = {split: (faces.split(split), ~copies[split]) for split in TEST_SPLITS}
    for view in dict.fromkeys(("single", *views)):
        figures = {}
        for split, (part, unique) in parts.items():
            logits = predict_logits(model, part.images, view=view, progress=f"{split}, {view}" if progress else "")
            if split == "PublicTest" and view == "single":
                result["temperature"] = fit_temperature(logits, part.labels)
            figures[split] = classification_metrics(logits, part.labels, result["temperature"])
            figures[split]["without_duplicates"] = classification_metrics(
                logits[unique], part.labels[unique], result["temperature"]
            )
        if view == "single":
            result |= figures
        else:
            result.setdefault("views", {})[view] = figures
    return result
