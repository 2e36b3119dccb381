"""Ranges of settings, so that a run that cannot work is refused before it begins."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fer_demo.runtime.model_info import MAX_INPUT_SIDE
from fer_demo.vision.sources import one_line

JITTER_STEP = 4
"""Pixels from one side of a batch to the next larger one, so that a network meets few shapes."""


@dataclass(frozen=True)
class Range:
    """Finite numbers that a setting may be.

    Attributes:
        low: The smallest.
        high: The largest, or infinity for no bound.
        above: Whether `low` itself is too small.
        below: Whether `high` itself is too large.
    """

    low: float
    high: float = math.inf
    above: bool = False
    below: bool = False

    def __contains__(self, value: float) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        large_enough = value > self.low if self.above else value >= self.low
        small_enough = value < self.high if self.below else value <= self.high
        return _finite(value) and large_enough and small_enough

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"{'above' if self.above else 'at least'} {self.low:,}"
        return f"from {'above ' * self.above}{self.low:,} to {'below ' * self.below}{self.high:,}"


def _finite(value: float) -> bool:
    return isinstance(value, int) or math.isfinite(value)  # whole numbers may be larger than any float


def check_ranges(settings: Any, ranges: Mapping[str, Range], prefix: str = "") -> None:
    """Makes sure that each setting is in its range.

    Args:
        settings: An object with the attributes that `ranges` names.
        ranges: Attribute to its range.
        prefix: Stands before the attribute's name in the error.

    Raises:
        ValueError: If one is outside, infinite or not a number.
    """
    for name, allowed in ranges.items():
        value = getattr(settings, name)
        if value not in allowed:
            words = allowed if not isinstance(value, float) or math.isfinite(value) else "a finite number"
            raise ValueError(f"{prefix}{name} must be {words}; got {one_line(repr(value), 60)}.")


def check_jitter(jitter: Any, side: int, shown: str) -> None:
    """Makes sure that the sides of batches can be drawn.

    Args:
        jitter: The setting ``size_jitter``.
        side: At which weights are evaluated, pixels.
        shown: `jitter` as the error shows it.

    Raises:
        ValueError: If it is neither empty nor two sides around `side`.
    """
    if jitter == ():
        return
    sides = isinstance(jitter, tuple) and len(jitter) == 2 and all(type(v) is int for v in jitter)
    if not sides or not 1 <= jitter[0] <= side <= jitter[1] <= MAX_INPUT_SIDE:
        raise ValueError(
            f"size_jitter must be the lowest and the highest side around the last of sizes, {side}, up to "
            f"{MAX_INPUT_SIDE}, or []; got {shown}."
        )
