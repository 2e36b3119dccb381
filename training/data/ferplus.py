"""FER+ as a benchmark of its own: eight classes, as its authors clean the votes of their ten annotators.

Paper: Barsoum, Zhang, Canton Ferrer, Zhang, "Training Deep Networks for Facial Expression Recognition with
Crowd-Sourced Label Distribution", ICMI 2016, arXiv:1608.01041; the cleaning is that of the authors' published code.
"""

import torch

FERPLUS_COLUMNS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
"""FER+'s columns; NF is "not a face"."""

CLASSES = FERPLUS_COLUMNS[:8]
"""The eight classes; behind them stand "unknown" and "NF", not a face."""

OUR_ORDER = (4, 5, 6, 1, 3, 2, 0)
"""For each of our seven classes its column among these; contempt, unknown and NF have no class."""


def without_single_votes(votes: torch.Tensor) -> torch.Tensor:
    """Votes without those that one annotator alone gave to a class, which the authors take for slips.

    Args:
        votes: float (N, 10), counts.
    """
    return torch.where(votes > 1, votes, 0)


def distribution(votes: torch.Tensor) -> torch.Tensor:
    """What the annotators saw, as probabilities.

    Args:
        votes: float (N, 10), counts; columns as `FERPLUS_COLUMNS`.

    Returns:
        float (N, 8): rows that add up to 1, or 0 for pictures that are left out, since no class has two votes or
        "unknown" or "not a face" has the most.
    """
    kept = without_single_votes(votes)
    eight = kept[:, : len(CLASSES)]
    usable = (kept.argmax(1) < len(CLASSES)) & (kept.sum(1) > 0)
    return eight / eight.sum(1, keepdim=True).clamp(min=1) * usable[:, None]


def majority(votes: torch.Tensor) -> torch.Tensor:
    """The class that more than half of the votes name.

    Args:
        votes: float (N, 10), counts.

    Returns:
        int64 (N,): ids in the order of `CLASSES`, or -1 for pictures that are left out, since no class, or "unknown" or
        "not a face", has more than half.
    """
    kept = without_single_votes(votes)
    most, winner = kept.max(1)
    return torch.where((most > 0.5 * kept.sum(1)) & (winner < len(CLASSES)), winner, -1)
