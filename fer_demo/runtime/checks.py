"""What a network must state and answer to be used: one sentence about whatever does not fit. Needs no PyTorch."""

import math
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from fer_demo.classes import check_names
from fer_demo.emotions import LABELS
from fer_demo.vision.sources import one_line


class ModelError(ValueError):
    """A model cannot be used; the message is one sentence that a user can act on."""


class Preprocessing(TypedDict):
    """How a network wants its pictures: the keyword arguments of `fer_demo.vision.preprocess.prepare`.

    Attributes:
        size: Height and width in pixels.
        mean: Subtracted from pixels that were scaled to [0, 1].
        std: Divided by after that.
    """

    size: tuple[int, int]
    mean: float
    std: float


MAX_INPUT_SIDE = 1024
"""The largest picture that a network may ask for, in pixels a side: a damaged number must not take all memory."""


def check_preprocessing(size: tuple[int, ...], mean: float, std: float) -> None:
    """Makes sure that pictures can be prepared so.

    Raises:
        ValueError: If a value is of another kind, out of range or not finite.
    """
    fits = len(size) == 2 and all(type(side) is int and 0 < side <= MAX_INPUT_SIDE for side in size)
    numbers = all(isinstance(v, int | float) and math.isfinite(v) for v in (mean, std))
    if not (fits and numbers and std > 0):
        raise ValueError(f"size {size}, mean {mean}, std {std}")


def finite(logits: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Returns logits that are numbers.

    Args:
        logits: float (N, C).
        name: The model's.

    Raises:
        ModelError: If one is infinite or no number: no answer can be made of that.
    """
    if not np.isfinite(logits).all():
        raise ModelError(
            f"The model {name} answered with numbers that are not finite, so its weights are damaged or were never "
            "trained to an end; take another copy of it."
        )
    return logits


def check_temperature(temperature: float) -> float:
    """Returns a temperature that can be divided by.

    Raises:
        ModelError: If it is not greater than 0 or not finite.
    """
    if not 0 < temperature < math.inf:
        raise ModelError(f"The temperature must be greater than 0, but is {temperature:g}.")
    return float(temperature)


def check_set_threshold(threshold: float) -> float:
    """Returns a threshold that a probability can be compared with.

    Raises:
        ModelError: If it is not in [0, 1].
    """
    if not 0 <= threshold <= 1:
        raise ModelError(f"The set_threshold must be from 0 to 1, but is {threshold:g}.")
    return float(threshold)


def check_labels(stated: object, count: int, name: str) -> tuple[str, ...]:
    """Returns the class names of a network, in the order of its outputs.

    Args:
        stated: Its ``label_names``; None where there are none, which is the seven of `fer_demo.emotions.LABELS`.
        count: How many outputs it has.
        name: The model's.

    Raises:
        ModelError: If the names do not fit the outputs, or are none that tables can carry.
    """
    names = LABELS if stated is None else tuple(stated) if isinstance(stated, list | tuple) else (stated,)
    if len(names) != count:
        have = "no label_names say" if stated is None else f"its label_names are {len(names)}, which does not say"
        raise ModelError(
            f"The model {name} answers for {count} classes, but {have} what they are; add label_names to its "
            f"config.json or pretrained_cfg, {count} names in the order of the outputs."
        )
    try:
        return check_names(names)  # type: ignore[arg-type]
    except ValueError as error:
        raise ModelError(f"The label_names of the model {name} cannot be used: {error}") from None


def reason(error: Exception) -> str:
    """What an error says, as a sentence can hold it in parentheses."""
    said = f"{'no ' if isinstance(error, KeyError) else ''}{error}".removesuffix(".")
    return one_line(" ".join(said.split()), 200)
