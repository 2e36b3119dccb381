"""How an answer is put into words: which classes may be meant, and what is said of one, two or more of them."""

from collections.abc import Mapping, Sequence

from fer_demo.emotions import EMOTIONS

SURE_FROM = 0.5
"""Below this probability the best class is called a guess between two, where a model has no threshold."""

CLEAR_LEAD = 0.1
"""The best class has to lead the second by at least this much, likewise."""

_LOOKS = {e.name: e.looks for e in EMOTIONS}
ADJECTIVES = {name: looks.removeprefix("looks ") for name, looks in _LOOKS.items()}
"""Class name to the word that a sentence about a face uses: "surprise" is "surprised"."""


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
    (first, p1), (second, p2) = order[:2]
    return (first, second) if p1 < SURE_FROM or p1 - p2 < CLEAR_LEAD else (first,)


def describe(probabilities: Mapping[str, float], names: Sequence[str] = (), unreadable: str | None = None) -> str:
    """Words for one face: what it looks like, never what the person is.

    Args:
        probabilities: Class name to probability in [0, 1], for all seven classes.
        names: The `candidates`; none are those of a model without a threshold.
        unreadable: Why the crop cannot be read, such as ``"too small"``; None if it can.

    Returns:
        ``"can't tell: too small"`` for what cannot be read; ``"looks happy (82 %)"`` for one candidate, ``"unsure:
        happy (45 %) or surprised (40 %)"`` for two, and ``"can't tell: could be sad, neutral or angry"`` for more.
    """
    if unreadable:
        return f"can't tell: {unreadable}"
    names = names or candidates(probabilities)
    if len(names) == 1:
        return f"{_LOOKS[names[0]]} ({percent(probabilities[names[0]])})"
    if len(names) == 2:
        return "unsure: " + " or ".join(f"{ADJECTIVES[name]} ({percent(probabilities[name])})" for name in names)
    *others, last = (ADJECTIVES[name] for name in names)
    return f"can't tell: could be {', '.join(others)} or {last}"


def in_words(probabilities: Mapping[str, float]) -> str:
    """All classes, most probable first, for those who cannot see a chart: ``"happy 82 %, neutral 9 %, ..."``."""
    return ", ".join(f"{name} {percent(p)}" for name, p in ranked(probabilities))


def count_faces(n: int) -> str:
    """``"no face"``, ``"1 face"``, ``"2 faces"`` and so on."""
    return "no face" if n == 0 else "1 face" if n == 1 else f"{n} faces"
