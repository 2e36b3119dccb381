"""What the sets of split conformal prediction are worth; `fer_demo.calibration` fits their threshold.

Least ambiguous sets (Sadinle, Lei and Wasserman, JASA 114, 2019; Angelopoulos and Bates 2021, arXiv:2107.07511): a
class is in the set if its probability is at least a threshold, which is fitted on pictures that were not trained on.
If new pictures are drawn as those were, the set holds the true class with the wanted probability, however good the
network is; a bad one only has larger sets. The sets are made in `fer_demo.wording.candidates`.
"""

import numpy as np
from numpy.typing import ArrayLike

from fer_demo.calibration import COVERAGE, DIGITS, checked, fit_set_threshold

__all__ = ["COVERAGE", "DIGITS", "fit_set_threshold", "selective_accuracy", "set_figures"]


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
    p, weights = checked(probabilities, targets)
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
    p, weights = checked(probabilities, targets)
    answered = np.argsort(-p.max(axis=1), kind="stable")[: max(1, round(share * len(p)))]
    return round(float(weights[answered, p.argmax(axis=1)[answered]].mean()), DIGITS)
