"""The figures that follow from logits and labels: accuracy with its interval, F1, recall, confusion, calibration."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_f1_score,
)

from fer_demo import calibration
from fer_demo.emotions import LABELS
from fer_demo.stats import wilson

ECE_BINS = 15


def classification_metrics(
    logits: torch.Tensor,
    labels: torch.Tensor,
    temperature: float = 1.0,
    classes: Sequence[str] = LABELS,
) -> dict[str, Any]:
    """Everything reported about one set of pictures.

    Args:
        logits: float (N, C).
        labels: int64 (N,).
        temperature: Divides the logits for ``ece_calibrated`` (Guo et al. 2017, arXiv:1706.04599).
        classes: The names of the C classes.

    Returns:
        ``n``, ``correct``, ``accuracy``, ``interval`` (95 %, Wilson), ``macro_f1``, ``loss`` (mean cross-entropy),
        ``ece`` (expected calibration error, 15 bins), ``ece_calibrated`` (the same after temperature scaling),
        ``reliability`` and ``reliability_calibrated`` (see `reliability`), ``recall`` (class name to value),
        ``confusion`` (rows: true class, columns: predicted). Fractions in [0, 1].
    """
    predicted, count = logits.argmax(dim=1), len(classes)
    correct = int((predicted == labels).sum())
    recall = multiclass_accuracy(predicted, labels, count, average="none")
    return {
        "n": len(labels),
        "correct": correct,
        "accuracy": correct / len(labels),
        "interval": [round(end, 6) for end in wilson(correct / len(labels), len(labels))],
        "macro_f1": round(float(multiclass_f1_score(predicted, labels, count, average="macro")), 5),
        "loss": round(float(F.cross_entropy(logits, labels)), 4),
        "ece": expected_calibration_error(logits, labels),
        "ece_calibrated": expected_calibration_error(logits / temperature, labels),
        "reliability": reliability(logits, labels),
        "reliability_calibrated": reliability(logits / temperature, labels),
        "recall": {name: round(float(value), 5) for name, value in zip(classes, recall, strict=True)},
        "confusion": multiclass_confusion_matrix(predicted, labels, count).tolist(),
    }


def expected_calibration_error(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """ECE of the top answer over 15 equal bins, in [0, 1]."""
    error = multiclass_calibration_error(logits.softmax(1), labels, logits.shape[1], n_bins=ECE_BINS, norm="l1")
    return round(float(error), 4)


def expected_calibration_error_of_draws(logits: torch.Tensor, truth: torch.Tensor) -> float:
    """ECE of the top answer where the truth is a draw: from the label and the annotators' votes, say.

    Args:
        logits: float (N, C).
        truth: float (N, C), class probabilities.

    Returns:
        In [0, 1], over 15 equal bins; for one-hot `truth` the same as `expected_calibration_error`.
    """
    confidence, predicted = logits.softmax(1).max(1)
    right = truth.gather(1, predicted[:, None])[:, 0]
    bins = (confidence * ECE_BINS).long().clamp(max=ECE_BINS - 1)
    gap = torch.zeros(ECE_BINS).index_add_(0, bins, confidence - right)
    return round(float(gap.abs().sum()) / len(logits), 4)


def reliability(logits: torch.Tensor, labels: torch.Tensor) -> list[list[float]]:
    """How often the top answer was right, by how sure it was (Guo et al. 2017, arXiv:1706.04599, figure 1).

    Returns:
        A row ``[count, mean confidence, accuracy]`` for each of the 15 equal bins of the confidence that is not empty.
    """
    confidence, predicted = logits.softmax(1).max(dim=1)
    bins = (confidence * ECE_BINS).long().clamp(max=ECE_BINS - 1)
    rows = []
    for i in bins.unique():
        inside = bins == i
        right = (predicted[inside] == labels[inside]).float().mean()
        rows.append([int(inside.sum()), round(float(confidence[inside].mean()), 4), round(float(right), 4)])
    return rows


def fit_temperature(logits: torch.Tensor, truth: torch.Tensor) -> float:
    """The one number that divides the logits so that their cross-entropy is least.

    Args:
        logits: float (N, C) on pictures that were not trained on.
        truth: int64 (N,), or class probabilities, float (N, C).

    Returns:
        The temperature, between 0.1 and 10; above 1 means that the network is too sure of itself.
    """
    shares = truth if truth.is_floating_point() else F.one_hot(truth, logits.shape[1])
    return calibration.fit_temperature(logits.numpy(), shares.numpy())
