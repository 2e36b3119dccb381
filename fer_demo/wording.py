"""How an answer is put into words: the one rule for being sure and being unsure."""

from collections.abc import Mapping

from fer_demo.emotions import EMOTIONS

SURE_FROM = 0.5
"""Below this probability the best class is called a guess between two."""

CLEAR_LEAD = 0.1
"""The best class has to lead the second by at least this much."""

_LOOKS = {e.name: e.looks for e in EMOTIONS}


def percent(probability: float) -> str:
    """A probability in [0, 1] as whole percent with a no-break space, e.g. ``"82 %"``."""
    return f"{round(100 * probability)}\N{NO-BREAK SPACE}%"


def ranked(probabilities: Mapping[str, float]) -> list[tuple[str, float]]:
    """Class names and probabilities, most probable first; equal ones keep their order."""
    return sorted(probabilities.items(), key=lambda item: -item[1])


def is_unsure(probabilities: Mapping[str, float]) -> bool:
    """Whether an answer is too close to call.

    Args:
        probabilities: Class name to probability in [0, 1], at least two classes.

    Returns:
        True when the best class has less than `SURE_FROM` or leads the second by less than `CLEAR_LEAD`.
    """
    (_, first), (_, second) = ranked(probabilities)[:2]
    return first < SURE_FROM or first - second < CLEAR_LEAD


def describe(probabilities: Mapping[str, float]) -> str:
    """Words for one face: what it looks like, never what the person is.

    Args:
        probabilities: Class name to probability in [0, 1], for all seven classes.

    Returns:
        ``"looks happy (82 %)"``, or ``"unsure: happy (45 %) or surprise (40 %)"`` when `is_unsure`.
    """
    (first, p1), (second, p2) = ranked(probabilities)[:2]
    if is_unsure(probabilities):
        return f"unsure: {first} ({percent(p1)}) or {second} ({percent(p2)})"
    return f"{_LOOKS[first]} ({percent(p1)})"


def in_words(probabilities: Mapping[str, float]) -> str:
    """All classes, most probable first, for those who cannot see a chart: ``"happy 82 %, neutral 9 %, ..."``."""
    return ", ".join(f"{name} {percent(p)}" for name, p in ranked(probabilities))


def count_faces(n: int) -> str:
    """``"no face"``, ``"1 face"``, ``"2 faces"`` and so on."""
    return "no face" if n == 0 else "1 face" if n == 1 else f"{n} faces"
