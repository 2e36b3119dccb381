"""What each channel weight is on average for each expression, so that one face can be compared with it."""

from typing import Any

import torch

from fer_demo.explain import channel_weights
from fer_demo.runtime.batch import CPU_BATCH
from fer_demo.vision.preprocess import data_config
from training.data import Faces
from training.data.twins import prepare_twins


def channel_means(model: torch.nn.Module, faces: Faces, batch_size: int = CPU_BATCH) -> dict[str, Any]:
    """Averages the channel weights over the pictures of each class.

    Args:
        model: A timm model in evaluation mode.
        faces: Labelled faces; PublicTest for what is shipped.
        batch_size: Pictures at once.

    Returns:
        ``n`` (pictures of each class) and ``means``: gate name to class name to a list of C means, three decimals.
        Empty ``means`` for a network without gates.
    """
    sums: dict[str, torch.Tensor] = {}
    classes = faces.classes
    counts = torch.bincount(faces.labels, minlength=len(classes))
    for images, labels in zip(faces.images.split(batch_size), faces.labels.split(batch_size), strict=True):
        for name, weights in channel_weights(model, prepare_twins(images, **data_config(model))).items():
            total = sums.setdefault(name, torch.zeros(len(classes), weights.shape[1]))
            total.index_add_(0, labels, weights)
    means = {
        name: {
            label: [round(v, 3) for v in (total[i] / counts[i].clamp(min=1)).tolist()]
            for i, label in enumerate(faces.classes)
        }
        for name, total in sums.items()
    }
    return {"n": dict(zip(classes, counts.tolist(), strict=True)), "means": means}
