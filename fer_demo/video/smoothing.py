"""A person's probabilities over time, without the flicker from frame to frame."""

import math

import numpy as np
from numpy.typing import NDArray

HALF_LIFE = 0.3
"""Seconds after which an answer counts half."""


class Smoother:
    """An exponential filter of first order over the probabilities of several persons.

    ``smoothed = before * 2^(-elapsed / half_life) + now * (1 - 2^(-elapsed / half_life))``: what is between two answers
    is taken to be the later one, so that the result does not depend on how many frames a second has, nor on whether
    they come evenly. A mean of probabilities stays one, and no single sure frame outweighs many. The first answer, and
    the first after a pause of more than `FORGET` half-lives, counts alone.

    Args:
        half_life: Seconds; 0 passes answers through.

    Raises:
        ValueError: If it is below 0 or not finite.
    """

    FORGET = 5.0

    def __init__(self, half_life: float = HALF_LIFE) -> None:
        if not (math.isfinite(half_life) and half_life >= 0):
            raise ValueError(f"The half-life must be 0 seconds or more, but is {half_life}.")
        self.half_life = half_life
        self._known: dict[int, tuple[float, NDArray[np.float32]]] = {}

    def add(self, person: int, time: float, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Takes one answer.

        Args:
            person: Whose it is.
            time: Seconds; later than the last one's.
            probabilities: float32 (C,), adding up to 1.

        Returns:
            float32 (C,), likewise.
        """
        before = self._known.get(person)
        smoothed = probabilities
        if before is not None and self.half_life > 0:
            elapsed = max(0.0, time - before[0]) / self.half_life
            if elapsed < self.FORGET:
                kept = np.float32(0.5**elapsed)
                smoothed = kept * before[1] + (1 - kept) * probabilities
        self.put(person, time, smoothed)
        return smoothed

    def last(self, person: int) -> NDArray[np.float32] | None:
        """What was smoothed last for a person; None for a new one."""
        known = self._known.get(person)
        return None if known is None else known[1]

    def put(self, person: int, time: float, smoothed: NDArray[np.float32]) -> None:
        """Takes over a state, as an earlier run left it."""
        self._known[person] = time, smoothed

    def forget(self, persons: set[int]) -> None:
        """Drops everybody but these."""
        self._known = {person: state for person, state in self._known.items() if person in persons}
