"""FER+'s own figures: accuracy against the majority of its annotators, and distance to their distribution."""

from typing import Any

import torch

from fer_demo.stats import wilson
from training.data.ferplus import majority


def majority_accuracy(logits: torch.Tensor, votes: torch.Tensor) -> dict[str, Any]:
    """Accuracy against the class that more than half of the votes name; pictures without one are left out.

    Args:
        logits: float (N, 8), columns as `training.data.ferplus.CLASSES`.
        votes: float (N, 10), counts.

    Returns:
        ``n``, ``correct``, ``accuracy`` and ``interval`` (95 %, Wilson).
    """
    truth = majority(votes)
    used = truth >= 0
    n, correct = int(used.sum()), int((logits.argmax(1) == truth)[used].sum())
    return {
        "n": n,
        "correct": correct,
        "accuracy": correct / max(n, 1),
        "interval": [round(end, 6) for end in wilson(correct / max(n, 1), max(n, 1))],
    }
