"""Conditions on faces, such as ``happy>0.8 and faces>=2``; a small language of their own, nothing is evaluated."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fer_demo.classes import separator
from fer_demo.emotions import LABELS

__all__ = ["SelectError", "condition"]

Condition = Callable[[Mapping[str, Any]], bool]
"""Whether a row of `fer_demo.batch.tables.rows` is chosen."""

NUMBERS = ("confidence", "score", "face", "faces", "x", "y", "width", "height")
TEXTS = ("label", "status", "file")
LISTS = ("candidates", "flags")
"""Names that are no classes; those of the model are numbers too."""

TRUTHS = ("unsure", "readable")

_WORD = r"[^\W\d][\w-]*"
_TOKEN = re.compile(
    rf"""\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<word>{_WORD})|(?P<sign>==|!=|<=|>=|<|>|=|\(|\))"""
    r"""|"(?P<double>[^"]*)"|'(?P<single>[^']*)')"""
)
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
}
DEEPEST = 50
"""Brackets, and `not`, inside each other."""


SHOWN = 12
"""Classes that a sentence about a condition names."""


class SelectError(ValueError):
    """A condition makes no sense; the message is one sentence."""


def condition(text: str, labels: Sequence[str] = LABELS) -> Condition:
    """Reads a condition.

    Args:
        text: Comparisons (``<``, ``<=``, ``>``, ``>=``, ``==``, ``!=``) of a name with a number or a word, joined by
            ``and``, ``or``, ``not`` and brackets. Numbers are the probability of each class (0 to 1), `confidence`,
            `score`, `face`, `faces` (how many the picture has), `x`, `y`, `width` and `height`; words `label`,
            `status` and `file`; `flags` and `candidates` hold a word or not, ``flags==blurred``; `unsure` and
            `readable` stand alone. A class whose name has spaces or other signs stands in quotation marks:
            ``"not smiling">0.8``.
        labels: The classes of the model.

    Returns:
        A function from a row to whether it is chosen. What the row does not have fits no comparison but ``!=``.

    Raises:
        SelectError: If it cannot be read.
    """
    return _Parser(text, labels).whole()


class _Parser:
    def __init__(self, text: str, labels: Sequence[str]) -> None:
        self.labels, self.separator = labels, separator(labels)
        self.text, self.tokens, self.depth = text, list[tuple[str, str]](), 0
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if not found:
                raise self.wrong(f"{text[place:].strip()[:1]!r} has no meaning here")
            kind = str(found.lastgroup)
            self.tokens.append(("text" if kind in ("double", "single") else kind, found[kind]))
            place = found.end()
        self.tokens.append(("end", "the end"))

    def wrong(self, why: str) -> SelectError:
        shown = self.text if len(self.text) <= 80 else self.text[:79] + "…"
        return SelectError(f"The condition {shown!r} cannot be read: {why}; write it as in happy>0.8 and faces>=2.")

    def take(self, *values: str) -> str | None:
        kind, value = self.tokens[0]
        if kind in ("word", "sign") and value in values:
            self.tokens.pop(0)
            return value
        return None

    def whole(self) -> Condition:
        found = self.either()
        if self.tokens[0][0] != "end":
            raise self.wrong(f"{self.tokens[0][1]!r} stands where and, or or the end should be")
        return found

    def either(self) -> Condition:
        parts = [self.both()]
        while self.take("or"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def both(self) -> Condition:
        parts = [self.single()]
        while self.take("and"):
            parts.append(self.single())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def single(self) -> Condition:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.wrong("it is nested too deeply")
        try:
            if self.take("not"):
                inner = self.single()
                return lambda row: not inner(row)
            if self.take("("):
                inside = self.either()
                if not self.take(")"):
                    raise self.wrong("a bracket is not closed")
                return inside
            return self.comparison()
        finally:
            self.depth -= 1

    def comparison(self) -> Condition:
        kind, name = self.tokens.pop(0)
        quoted = kind == "text" and name in self.labels
        if not quoted and (kind != "word" or name in ("and", "or", "not")):
            raise self.wrong(f"{name!r} stands where a name should be")
        if name in TRUTHS:
            return lambda row: bool(row.get(name))
        numbers = (*self.labels, *NUMBERS)
        if name not in (*numbers, *TEXTS, *LISTS):
            known = ", ".join((*map(_written, self.labels[:SHOWN]), *TEXTS[:1], "confidence", "faces", *LISTS, *TRUTHS))
            raise self.wrong(f"there is no {name!r}, but for instance {known}")
        sign = self.take(*_SIGNS)
        if sign is None:
            raise self.wrong(f"after {name} a sign such as > or == is missing")
        kind, value = self.tokens.pop(0)
        if name in numbers:
            return self.number(name, sign, kind, value)
        if kind not in ("word", "text"):
            raise self.wrong(f"{name} is compared with a word, which {value!r} is not")
        if sign not in ("==", "=", "!="):
            raise self.wrong(f"{name} is a word, which is compared by == or != only")
        if name == "label" and value not in self.labels:
            more = ", …" if len(self.labels) > SHOWN else ""
            raise self.wrong(f"there is no label {value!r}, but {', '.join(map(_written, self.labels[:SHOWN]))}{more}")
        if name in LISTS:
            between = self.separator if name == "candidates" else " "
            return lambda row: (value in (row.get(name) or "").split(between)) == (sign != "!=")
        return lambda row: (row.get(name) == value) == (sign != "!=")

    def number(self, name: str, sign: str, kind: str, value: str) -> Condition:
        if kind != "number":
            raise self.wrong(f"{name} is compared with a number, which {value!r} is not")
        compare, limit = _SIGNS[sign], float(value)
        return lambda row: row.get(name) is not None and compare(row[name], limit)


def _written(label: str) -> str:
    """A class as a condition has it."""
    return label if re.fullmatch(_WORD, label) else f'"{label}"'
