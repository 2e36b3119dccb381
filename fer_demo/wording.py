"""How an answer is put into words: which classes may be meant, and what is said of one, two or more of them."""

from collections.abc import Mapping, Sequence

from fer_demo.classes import looks
from fer_demo.emotions import EMOTIONS

SURE_FROM = 0.5
"""Below this probability the best class is called a guess between two, where a model has no threshold."""

CLEAR_LEAD = 0.1
"""The best class has to lead the second by at least this much, likewise."""

ADJECTIVES = {e.name: e.looks.removeprefix("looks ") for e in EMOTIONS}
"""Class name of the seven to the word that a sentence about a face uses: "surprise" is "surprised"."""


def adjective(name: str) -> str:
    """The word for any model's class: that of `ADJECTIVES`, or the name in quotation marks, “smiling”."""
    return ADJECTIVES.get(name) or looks(name).removeprefix("looks ")


def percent(probability: float) -> str:
    """A probability in [0, 1] as whole percent with a no-break space, e.g. ``"82 %"``."""
    return f"{round(100 * probability)}\N{NO-BREAK SPACE}%"


def ranked(probabilities: Mapping[str, float]) -> list[tuple[str, float]]:
    """Class names and probabilities, most probable first; equal ones keep their order."""
    return sorted(probabilities.items(), key=lambda item: -item[1])


def candidates(probabilities: Mapping[str, float], threshold: float | None = None) -> tuple[str, ...]:
    """The classes that an answer may mean: a conformal set, if the model has a threshold.

    Least ambiguous sets (Sadinle et al. 2019; Angelopoulos and Bates 2021, arXiv:2107.07511): all classes of at least
    the threshold, and the most probable one in any case.

    Args:
        probabilities: Class name to calibrated probability in [0, 1], at least two classes.
        threshold: In [0, 1], as `fer_demo.runtime.model_info.set_threshold` gives it. None, for a model that has none,
            makes it the first two classes if the best one has less than `SURE_FROM` or leads the second by less than
            `CLEAR_LEAD`, or else the first alone.

    Returns:
        One class name or more, the most probable first.
    """
    order = ranked(probabilities)
    if threshold is not None:
        return (order[0][0], *(name for name, p in order[1:] if p >= threshold))
    names = order[0][0], order[1][0]
    return names[:1] if is_clear(probabilities) else names


def describe(probabilities: Mapping[str, float], names: Sequence[str] = (), unreadable: str | None = None) -> str:
    """Words for one face: what it looks like, never what the person is.

    Args:
        probabilities: Class name to probability in [0, 1], for all classes of the model.
        names: The `candidates`; none are those of a model without a threshold.
        unreadable: Why the crop cannot be read, such as ``"too small"``; None if it can.

    Returns:
        ``"can't tell: too small"`` for what cannot be read; ``"looks happy (82 %)"`` for one candidate, and with more
        ``"looks happy (72 %), maybe neutral"`` where the best is clear (see `is_clear`). Otherwise ``"unsure: happy
        (45 %) or surprised (40 %)"`` for two, and ``"can't tell: could be sad, neutral or angry"`` for more, of which
        the first three are named.
    """
    if unreadable:
        return f"can't tell: {unreadable}"
    best, *others = (names or candidates(probabilities))[:3]
    if not others or is_clear(probabilities):
        maybe = f", maybe {' or '.join(map(adjective, others))}" if others else ""
        return f"looks {adjective(best)} ({percent(probabilities[best])}){maybe}"
    if len(others) == 1:
        both = (f"{adjective(name)} ({percent(probabilities[name])})" for name in (best, *others))
        return "unsure: " + " or ".join(both)
    return f"can't tell: could be {adjective(best)}, {adjective(others[0])} or {adjective(others[1])}"


def is_clear(probabilities: Mapping[str, float]) -> bool:
    """Whether the best class has at least `SURE_FROM` and leads the second by at least `CLEAR_LEAD`.

    Args:
        probabilities: Class name to probability in [0, 1], at least two classes.
    """
    (_, first), (_, second) = ranked(probabilities)[:2]
    return first >= SURE_FROM and first - second >= CLEAR_LEAD


def in_words(probabilities: Mapping[str, float]) -> str:
    """All classes, most probable first, for those who cannot see a chart: ``"happy 82 %, neutral 9 %, ..."``."""
    return ", ".join(f"{name} {percent(p)}" for name, p in ranked(probabilities))


def counted(n: int, what: str) -> str:
    """``"1 photo"``, ``"2 photos"``, ``"1,000 photos"``; `what` is the word for one."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def count_faces(n: int) -> str:
    """``"no face"``, ``"1 face"``, ``"2 faces"`` and so on."""
    return "no face" if n == 0 else "1 face" if n == 1 else f"{n} faces"
