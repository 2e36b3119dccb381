"""What a network looks at on average, and where it is most wrong: over labelled faces."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from fer_demo.explain import attribute
from fer_demo.runtime.batch import CPU_BATCH
from fer_demo.runtime.torch_lock import lock
from fer_demo.vision.preprocess import data_config, prepare
from training.data import Faces


@dataclass(frozen=True)
class Mistake:
    """A face on which the network was wrong.

    Attributes:
        crop: uint8 grey (H, W).
        label: The data set's.
        answer: The network's.
        confidence: Its probability for `answer`.
    """

    crop: np.ndarray
    label: str
    answer: str
    confidence: float


@dataclass(frozen=True)
class ClassAverages:
    """Average maps and faces of each class, and the most confident mistakes.

    Attributes:
        mean_maps: Class name to float32 (H, W): the mean Grad-CAM of faces labelled so, each map first divided by its
            strongest value, so that every face counts alike.
        mean_faces: Class name to uint8 (H, W): the mean of the same faces.
        counts: Class name to how many faces these are.
        mistakes: The most confident ones first.
    """

    mean_maps: dict[str, np.ndarray]
    mean_faces: dict[str, np.ndarray]
    counts: dict[str, int]
    mistakes: list[Mistake]


def class_averages(
    model: torch.nn.Module,
    faces: Faces,
    *,
    per_class: int = 30,
    mistakes: int = 12,
    temperature: float = 1.0,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> ClassAverages:
    """Draws faces of each class and explains the class on each.

    Args:
        model: A timm model in evaluation mode.
        faces: Labelled faces.
        per_class: How many of each class, or all where there are fewer.
        mistakes: How many to keep.
        temperature: Divides the logits.
        seed: Of the draw.
        progress: Called with the fraction done; what it raises stops the work.
    """
    generator = torch.Generator().manual_seed(seed)
    config = data_config(model)
    picks = {}
    for i, label in enumerate(faces.classes):
        index = (faces.labels == i).nonzero()[:, 0]
        picks[label] = index[torch.randperm(len(index), generator=generator)[:per_class]]
    total, done = sum(map(len, picks.values())), 0
    maps, means, wrong = {}, {}, []
    for i, (label, index) in enumerate(picks.items()):
        if not len(index):
            continue
        parts = []
        for chunk in index.split(CPU_BATCH):
            x = prepare(faces.images[chunk], **config)
            found = attribute(model, x, i).maps
            parts.append(found / found.abs().amax((1, 2), keepdim=True).clamp(min=1e-12))
            with lock(model), torch.no_grad():
                probabilities = (model(x).float() / temperature).softmax(1)
            for row, where in zip(probabilities, chunk.tolist(), strict=True):
                if (answer := int(row.argmax())) != i:
                    crop = faces.images[where, 0].numpy()
                    wrong.append(Mistake(crop, label, faces.classes[answer], float(row[answer])))
            done += len(chunk)
            if progress:
                progress(done / total)
        maps[label] = torch.cat(parts).mean(0).numpy()
        means[label] = faces.images[index, 0].float().mean(0).round().to(torch.uint8).numpy()
    wrong.sort(key=lambda mistake: -mistake.confidence)
    return ClassAverages(maps, means, {name: len(index) for name, index in picks.items()}, wrong[:mistakes])
