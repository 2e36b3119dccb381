"""Confidence that can be believed: a temperature and the threshold of conformal sets, fitted on held-out logits.

The temperature divides the logits (Guo et al. 2017, arXiv:1706.04599). The threshold is that of split conformal
prediction with least ambiguous sets (Sadinle, Lei and Wasserman, JASA 114, 2019; Angelopoulos and Bates 2021,
arXiv:2107.07511): a class is in the set if its probability is at least the threshold. If new pictures are drawn as
those were, the set holds the true class with the wanted probability, however good the network is; a bad one only has
larger sets. The sets are made in `fer_demo.wording.candidates`.

Both are fitted for merged classes too, whose probabilities are sums; the temperature then still divides the logits of
the network's own classes.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fer_demo.runtime.checks import check_set_threshold

COVERAGE = 0.9
"""What share of the sets should hold the true class."""

DIGITS = 4
"""After the point, to which a threshold is rounded down, so that it covers no less."""

_GRID = 41
_GOLDEN = (math.sqrt(5) - 1) / 2

Real = TypeVar("Real", bound=np.floating[Any])

Groups = Sequence[Sequence[int]]
"""The outputs that each class is the sum of; every output is in one of them."""


def fit_temperature(logits: ArrayLike, truth: ArrayLike, groups: Groups | None = None) -> float:
    """The one number that divides the logits so that the cross-entropy is least.

    Args:
        logits: Float (N, C), of pictures that were not trained on.
        truth: Float (N, C): the distribution of each picture's true class; rows add up to 1.
        groups: The merged classes, of which `truth` is summed up likewise; None for the network's own.

    Returns:
        The temperature, between 0.1 and 10, rounded to `DIGITS` digits; above 1 means that the network is too sure of
        itself.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    z, weights = checked(logits, truth)
    parts = [[i] for i in range(z.shape[1])] if groups is None else groups
    shares = sum_groups(weights, parts)

    def loss(exponent: float) -> float:
        scaled = z / 10**exponent
        scaled -= scaled.max(axis=1, keepdims=True)
        e = np.exp(scaled)
        # A class that is impossible in double precision still has a finite loss.
        p = sum_groups(e, parts) / e.sum(axis=1, keepdims=True)
        return -float((shares * np.log(np.maximum(p, 1e-300))).sum(axis=1).mean())

    # Of sums of classes the loss may have more than one minimum: a grid first.
    grid = np.linspace(-1, 1, _GRID)
    best = int(np.argmin([loss(x) for x in grid]))
    low, high = float(grid[max(0, best - 1)]), float(grid[min(_GRID - 1, best + 1)])
    while high - low > 1e-6:
        first, second = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (low, second) if loss(first) <= loss(second) else (first, high)
    return round(float(10 ** ((low + high) / 2)), DIGITS)


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
    p, weights = checked(probabilities, targets)
    if not 0 < coverage < 1:
        raise ValueError(f"The coverage must be between 0 and 1, but is {coverage:g}.")
    order = np.argsort(-p, axis=None, kind="stable")
    covered = np.cumsum(weights.ravel()[order])
    enough = covered >= coverage * (len(p) + 1) - 1e-6  # sums of shares are not exact
    if not enough.any():
        return 0.0
    value = float(p.ravel()[order][np.argmax(enough)])
    return check_set_threshold(math.floor(value * 10**DIGITS) / 10**DIGITS)


def sum_groups(values: NDArray[Real], groups: Groups) -> NDArray[Real]:
    """Sums of columns: float (N, C) to (N, number of groups)."""
    sums: NDArray[Real] = np.stack([values[:, list(group)].sum(axis=1) for group in groups], axis=1)
    return sums


def checked(probabilities: ArrayLike, targets: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns both as arrays that fit each other.

    Args:
        probabilities: Float (N, C), or logits.
        targets: Float (N, C), as for `fit_set_threshold`.

    Raises:
        ValueError: If they do not.
    """
    p, weights = np.asarray(probabilities, np.float64), np.asarray(targets, np.float64)
    if p.ndim != 2 or p.shape != weights.shape or not len(p):
        raise ValueError(
            f"Probabilities and targets must both be (N, C) with N of 1 or more, but are {p.shape} and {weights.shape}."
        )
    if not (np.isfinite(p).all() and (weights >= 0).all() and np.allclose(weights.sum(axis=1), 1, atol=1e-3)):
        raise ValueError("Each row of targets must be shares of 0 or more that add up to 1; leave out rows without.")
    return p, weights
