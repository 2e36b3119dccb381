"""Split conformal prediction: the threshold from which a class is in an answer's set, and what such sets are worth.

Least ambiguous sets (Sadinle, Lei and Wasserman, JASA 114, 2019; Angelopoulos and Bates 2021, arXiv:2107.07511): a
class is in the set if its probability is at least a threshold, which is fitted on pictures that were not trained on.
If new pictures are drawn as those were, the set holds the true class with the wanted probability, however good the
network is; a bad one only has larger sets. The sets are made in `fer_demo.wording.candidates`.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fer_demo.runtime.model_info import check_set_threshold

COVERAGE = 0.9
"""What share of the sets should hold the true class."""

DIGITS = 4
"""After the point, to which a threshold is rounded down, so that it covers no less."""


def fit_set_threshold(probabilities: ArrayLike, targets: ArrayLike, coverage: float = COVERAGE) -> float:
    """The largest threshold with which the sets hold the true class often enough.

    With labels it is the ceil(coverage * (N + 1))-th largest probability of a true class; the one in N + 1 stands for
    the picture that is still to come. With annotators' votes the truth is a draw from each row of `targets`, so that
    the classes count by their share.

    Args:
        probabilities: Float (N, C), calibrated, in [0, 1], of pictures that were not trained on.
        targets: Float (N, C), 0 or more: the distribution of each picture's true class. Rows add up to 1: one 1 for a
            label, several shares for votes.
        coverage: Between 0 and 1, both exclusive.

    Returns:
        In [0, 1], rounded down to `DIGITS` digits; 0 if there are too few pictures for so high a coverage.

    Raises:
        ValueError: If the arguments do not fit each other, or `coverage` or a row is no share.
    """
    p, weights = _checked(probabilities, targets)
    if not 0 < coverage < 1:
        raise ValueError(f"The coverage must be between 0 and 1, but is {coverage:g}.")
    order = np.argsort(-p, axis=None, kind="stable")
    covered = np.cumsum(weights.ravel()[order])
    enough = covered >= coverage * (len(p) + 1) - 1e-6  # sums of shares are not exact
    if not enough.any():
        return 0.0
    value = float(p.ravel()[order][np.argmax(enough)])
    return check_set_threshold(math.floor(value * 10**DIGITS) / 10**DIGITS)


def set_figures(probabilities: ArrayLike, targets: ArrayLike, threshold: float) -> dict[str, float]:
    """How often the sets hold the true class, and how many classes they hold.

    Args:
        probabilities: As for `fit_set_threshold`.
        targets: As there, of other pictures than the threshold was fitted on.
        threshold: In [0, 1].

    Returns:
        ``coverage`` and ``single`` (the share of sets that hold one class) in [0, 1], and ``size``, the mean number of
        classes; all rounded to `DIGITS` digits.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    p, weights = _checked(probabilities, targets)
    inside = p >= threshold
    inside[np.arange(len(p)), p.argmax(axis=1)] = True  # an answer always has one candidate
    size = inside.sum(axis=1)
    figures = {"coverage": (weights * inside).sum(axis=1).mean(), "size": size.mean(), "single": (size == 1).mean()}
    return {name: round(float(value), DIGITS) for name, value in figures.items()}


def selective_accuracy(probabilities: ArrayLike, targets: ArrayLike, share: float = 0.8) -> float:
    """The accuracy over the answers of the highest confidence (Geifman and El-Yaniv 2017, arXiv:1705.08500).

    Args:
        probabilities: As for `fit_set_threshold`.
        targets: As there.
        share: What share of the pictures is answered, above 0 and at most 1.

    Returns:
        In [0, 1], rounded to `DIGITS` digits.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    p, weights = _checked(probabilities, targets)
    answered = np.argsort(-p.max(axis=1), kind="stable")[: max(1, round(share * len(p)))]
    return round(float(weights[answered, p.argmax(axis=1)[answered]].mean()), DIGITS)


def _checked(probabilities: ArrayLike, targets: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    p, weights = np.asarray(probabilities, np.float64), np.asarray(targets, np.float64)
    if p.ndim != 2 or p.shape != weights.shape or not len(p):
        raise ValueError(
            f"Probabilities and targets must both be (N, C) with N of 1 or more, but are {p.shape} and {weights.shape}."
        )
    if not (np.isfinite(p).all() and (weights >= 0).all() and np.allclose(weights.sum(axis=1), 1, atol=1e-3)):
        raise ValueError("Each row of targets must be shares of 0 or more that add up to 1; leave out rows without.")
    return p, weights
