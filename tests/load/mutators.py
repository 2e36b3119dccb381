"""Seeded damage to bytes, texts and plain values: the same random state gives the same damage."""

import copy
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

Rng = random.Random

ODD_NUMBERS = ("nan", "NaN", "inf", "-Infinity", "Infinity", "1e999", "-1", "0", "-0.0", "256", "1e308", "0.5")
ODD_WORDS = ("", "x", "true", "null", "[]", "{}", "0x10", "1_000", "٣", "²", "9" * 30, "9" * 5000, "[0, 48]", "\x00")
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 7, 256, 2**31, 2**63, -(2**63), 10**30, 10**9, 0.5, 1e308, -1e308),
    *(float("nan"), float("inf"), float("-inf"), "", "x", "nan", "1e999", "é\x00", "\ud83d", "a" * 3000, "48"),
    *([], {}, [[]], {"": None}, [None], [float("nan")], ["x"], [0] * 500, [10**6, 10**6], {"a": {"b": 1}}),
)


def damaged_bytes(rng: Rng, content: bytes, others: Sequence[bytes]) -> bytes:
    """Bytes with one to four damages: flipped, deleted, inserted, repeated, cut off, spliced, or extreme numbers.

    Args:
        rng: Decides.
        content: What is damaged.
        others: Contents of the same kind, for splices.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        content = rng.choice(_BYTES)(rng, content, others)
    return content


def damaged_text(rng: Rng, text: str, others: Sequence[str]) -> bytes:
    """A text with one to three damages to numbers, words or lines, and sometimes in an encoding that is not UTF-8.

    Args:
        rng: Decides.
        text: What is damaged.
        others: Texts of the same kind, for splices.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        text = rng.choice(_TEXTS)(rng, text, others)
    encoding = rng.choice(("utf-8",) * 12 + ("utf-8-sig", "utf-16", "latin-1", "utf-32"))
    content = text.encode(encoding, "replace")
    return damaged_bytes(rng, content, [o.encode() for o in others]) if rng.random() < 0.1 else content


def damaged_value(rng: Rng, value: Any) -> Any:
    """A value as JSON has it with one to three damages: another type, a number out of range, a key gone or renamed."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(value))
        if not places or rng.random() < 0.02:
            return rng.choice(ODD_VALUES)
        holder, key = rng.choice(places)
        what = rng.random()
        if what < 0.7:
            holder[key] = copy.deepcopy(rng.choice(ODD_VALUES))
        elif what < 0.85:
            del holder[key]
        elif isinstance(holder, dict):
            holder[rng.choice(("x", "", f"{key}s", "é\x00"))] = holder.pop(key)
        else:
            holder.insert(rng.randrange(len(holder) + 1), holder[key])
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    """All (holder, key) pairs, whose number is kept small by looking into the first items of long lists only."""
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value[:8])) if _is_list(value) else []
    return [(value, key) for key, _ in items] + [place for _, inner in items for place in _places(inner)]


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _place(rng: Rng, content: Sequence[Any]) -> int:
    """Somewhere; half of the time near the start, where formats keep sizes and counts."""
    end = min(len(content), 256) if rng.random() < 0.5 else len(content)
    return rng.randrange(end + 1)


def _length(rng: Rng) -> int:
    return rng.choice((1, 2, 4, 8, 50, 500, 5000))


def _flip(rng: Rng, content: bytes, _: Sequence[bytes]) -> bytes:
    made = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8, 64)) if made else 0):
        made[min(_place(rng, made), len(made) - 1)] ^= 1 << rng.randrange(8)
    return bytes(made)


def _delete(rng: Rng, content: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(rng, content)
    return content[:at] + content[at + _length(rng) :]


def _insert(rng: Rng, content: bytes, _: Sequence[bytes]) -> bytes:
    at, length = _place(rng, content), _length(rng)
    added = rng.choice((rng.randbytes(length), b"\0" * length, b"\xff" * length, content[at : at + length]))
    return content[:at] + added + content[at:]


def _overwrite(rng: Rng, content: bytes, _: Sequence[bytes]) -> bytes:
    at, length = _place(rng, content), _length(rng)
    return content[:at] + rng.choice((rng.randbytes(length), b"\0" * length)) + content[at + length :]


def _extreme(rng: Rng, content: bytes, _: Sequence[bytes]) -> bytes:
    width = rng.choice((1, 2, 4, 8))
    largest = (1 << 8 * width) - 1
    number = rng.choice((0, 1, largest, largest >> 1, (largest >> 1) + 1, largest - 1, 1 << 4 * width))
    at = _place(rng, content)
    return content[:at] + number.to_bytes(width, rng.choice(("little", "big"))) + content[at + width :]


def _cut(rng: Rng, content: bytes, _: Sequence[bytes]) -> bytes:
    return content[: _place(rng, content)]


def _splice(rng: Rng, content: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others) if others else b""
    return content[: _place(rng, content)] + other[_place(rng, other) :]


def _number(rng: Rng, text: str, _: Sequence[str]) -> str:
    return _replaced(rng, text, r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", ODD_NUMBERS + ODD_WORDS)


def _word(rng: Rng, text: str, _: Sequence[str]) -> str:
    return _replaced(rng, text, r"[A-Za-z_]\w*", ODD_WORDS + ODD_NUMBERS)


def _sign(rng: Rng, text: str, _: Sequence[str]) -> str:
    signs = ("", '"', "'", "[", "]", "{", "}", ":", ",", "&a", "*a", "!x", "- ", "\t", "%")
    return _replaced(rng, text, r"[^\w\s]", signs)


def _replaced(rng: Rng, text: str, pattern: str, by: Sequence[str]) -> str:
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    match = rng.choice(found)
    return text[: match.start()] + rng.choice(by) + text[match.end() :]


def _line(rng: Rng, text: str, others: Sequence[str]) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at = rng.randrange(len(lines))
    another = (rng.choice(others).splitlines(keepends=True) or [""]) if others else lines
    done = rng.randrange(5)
    if done == 0:
        del lines[at]
    elif done == 1:
        lines.insert(rng.randrange(len(lines) + 1), lines[at])
    elif done == 2:
        lines[at] = rng.choice(another)
    elif done == 3:
        lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
    else:
        lines = lines[: at + 1] + another[rng.randrange(len(another)) :]
    return "".join(lines)


def _nested(rng: Rng, text: str, _: Sequence[str]) -> str:
    at, depth = rng.randrange(len(text) + 1), rng.choice((10, 3_000))
    return text[:at] + rng.choice(("[", "{", '{"a":', "- ")) * depth + text[at:]


def _long(rng: Rng, text: str, _: Sequence[str]) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice("x9 \n,") * rng.choice((100, 20_000)) + text[at:]


def _control(rng: Rng, text: str, _: Sequence[str]) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(("\x00", "\r", "\t", "\x1b", "\u2028", "\ufeff", "ä", "=", '"', "\x85")) + text[at:]


_BYTES: tuple[Callable[[Rng, bytes, Sequence[bytes]], bytes], ...] = (
    *(_flip, _flip, _delete, _insert, _overwrite, _extreme, _extreme, _cut, _splice),
)
_TEXTS: tuple[Callable[[Rng, str, Sequence[str]], str], ...] = (
    *(_number, _number, _number, _word, _word, _sign, _line, _line, _nested, _long, _control),
)
