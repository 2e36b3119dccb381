"""Evaluation of a model on PublicTest and PrivateTest, with and without duplicates and test-time augmentation."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike

from fer_demo.emotions import NUM_CLASSES
from fer_demo.runtime.engines import OnnxEngine
from fer_demo.vision.preprocess import data_config
from training.data import Faces
from training.data.audit import duplicates_of_training
from training.eval.conformal import fit_set_threshold, selective_accuracy, set_figures
from training.eval.metrics import classification_metrics, fit_temperature
from training.eval.tta import NO_TTA, predict_logits

TEST_SPLITS = ("PublicTest", "PrivateTest")


# In full float32 on a GPU too: its figures are compared with those that a CPU computes.
@torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
def evaluate(
    model: torch.nn.Module | OnnxEngine, faces: Faces, *, tta: Sequence[str] = (), progress: bool = False
) -> dict[str, Any]:
    """Evaluates on PublicTest and PrivateTest.

    Temperature and threshold of the conformal sets are fitted on PublicTest without test-time augmentation and applied
    to PrivateTest as they are.

    Args:
        model: A timm model, which is put into evaluation mode, or an exported file.
        faces: Data holding all three splits.
        tta: Some of `training.eval.tta.TTA`, to be evaluated besides.
        progress: Show progress bars.

    Returns:
        ``parameters`` (for a timm model), ``size`` (height, width), ``temperature``, ``set_threshold``, ``sets`` (split
        to the figures of `training.eval.conformal.set_figures`, and ``accuracy_at_80``), for each of the two splits the
        figures of `classification_metrics` with a further entry ``without_duplicates`` (the same figures without the
        pictures that also occur in Training), and ``tta``: kind to split to figures for the test-time augmentation
        asked for.
    """
    result: dict[str, Any] = {}
    if isinstance(model, OnnxEngine):
        result["size"] = list(model.info.size)
    else:
        model = model.eval().to(memory_format=torch.channels_last)  # faster for depthwise convolutions
        result["parameters"] = sum(p.numel() for p in model.parameters())
        result["size"] = list(data_config(model)["size"])
    result["temperature"] = 1.0
    copies = duplicates_of_training(faces, TEST_SPLITS)
    parts = {split: (faces.split(split), ~copies[split]) for split in TEST_SPLITS}
    for kind in dict.fromkeys((NO_TTA, *tta)):
        figures = {}
        for split, (part, unique) in parts.items():
            title = split if kind == NO_TTA else f"{split}, {kind}"
            logits = predict_logits(model, part.images, tta=kind, progress=title if progress else "")
            if split == "PublicTest" and kind == NO_TTA:
                result["temperature"] = fit_temperature(logits, part.labels)
                result["set_threshold"] = fit_set_threshold(*_calibrated(logits, part.labels, result["temperature"]))
            if kind == NO_TTA:
                calibrated = _calibrated(logits, part.labels, result["temperature"])
                result.setdefault("sets", {})[split] = {
                    **set_figures(*calibrated, result["set_threshold"]),
                    "accuracy_at_80": selective_accuracy(*calibrated, 0.8),
                }
            figures[split] = classification_metrics(logits, part.labels, result["temperature"])
            figures[split]["without_duplicates"] = classification_metrics(
                logits[unique], part.labels[unique], result["temperature"]
            )
        if kind == NO_TTA:
            result |= figures
        else:
            result.setdefault("tta", {})[kind] = figures
    return result


def _calibrated(logits: torch.Tensor, labels: torch.Tensor, temperature: float) -> tuple[ArrayLike, ArrayLike]:
    """Probabilities and the labels as distributions, float64 (N, 7) both."""
    return (logits.double() / temperature).softmax(1).numpy(), F.one_hot(labels, NUM_CLASSES).numpy()
