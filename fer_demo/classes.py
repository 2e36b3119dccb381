"""The classes of a model: the seven of `fer_demo.emotions`, or those that somebody has trained for themselves."""

import colorsys
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fer_demo.emotions import EMOTIONS, LABELS, Emotion
from fer_demo.vision.sources import one_line

MAX_CLASSES = 1000
MAX_NAME = 40
"""Characters of a class name: it stands on buttons, in charts and in the columns of tables."""

RESERVED = frozenset(
    {
        *("file", "member", "face", "faces", "person", "frame", "time", "x", "y", "width", "height", "score"),
        *("label", "confidence", "unsure", "candidates", "readable", "flags", "status", "error", "notes", "quality"),
        *("no face", "no_face", "can't tell", "could not be read", "found", "unreadable", "error"),
        *("and", "or", "not", "in", "true", "false", "none", "nan", "inf"),
    }
)
"""What no class may be called: columns of our tables beside those of the classes, and words of ``--where``."""

RAW = "raw_"
"""Before a class in the columns of a video's tables: the probability of one frame alone."""

CONTEMPT = Emotion("contempt", "looks contemptuous", "#F0E442", "😏")
"""The eighth class of FER+ and AffectNet."""

_KNOWN = {emotion.name: emotion for emotion in (*EMOTIONS, CONTEMPT)}
_NAME = re.compile(r"[^\W_][\w '&+().-]*")
# Okabe and Ito (2008), then Paul Tol's "muted": both made for colour-blind eyes.
_PALETTE = (
    *("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"),
    *("#88CCEE", "#CC6677", "#44AA99", "#DDCC77", "#AA4499", "#999933", "#117733", "#882255", "#332288"),
)
_GOLDEN = 0.618034
"""Part of a turn between the hues of further colours, which keeps any number of them apart."""


@dataclass(frozen=True)
class Classes:
    """The classes of one model, in the order of its outputs; made by `class_set`.

    Attributes:
        emotions: Their names, words, colours and symbols.
    """

    emotions: tuple[Emotion, ...]

    def __len__(self) -> int:
        return len(self.emotions)

    def __iter__(self) -> Iterator[Emotion]:
        return iter(self.emotions)

    def __getitem__(self, name: str) -> Emotion:
        """One of them by its name."""
        return self._by_name[name]

    @functools.cached_property
    def _by_name(self) -> dict[str, Emotion]:
        return {emotion.name: emotion for emotion in self.emotions}

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in the order of the outputs."""
        return tuple(self._by_name)

    @property
    def colors(self) -> dict[str, str]:
        """Class name to hex colour."""
        return {emotion.name: emotion.color for emotion in self.emotions}


@functools.lru_cache(maxsize=64)
def _class_set(names: tuple[str, ...]) -> Classes:
    used = {_KNOWN[name].color for name in names if name in _KNOWN}
    colors = _colors(used)
    return Classes(tuple(_KNOWN.get(name) or _own(name, next(colors)) for name in names))


def class_set(names: Iterable[str]) -> Classes:
    """The classes of these names: known ones look as everywhere, others get words, a colour and a sign of their own.

    Args:
        names: In the order of a model's outputs, e.g. the keys of `fer_demo.prediction.FacePrediction.probabilities`.

    Raises:
        ValueError: If they are no class names; see `check_names`.
    """
    return _class_set(check_names(names))


def column_order(names: Iterable[str]) -> tuple[str, ...]:
    """Class names in the order in which tables and pictures show them.

    Args:
        names: In the order of a model's outputs.

    Returns:
        The same; but `fer_demo.emotions.LABELS` for these seven in any order, so that tables fit each other.
    """
    names = tuple(names)
    return LABELS if set(names) == set(LABELS) else names


def separator(names: Iterable[str]) -> str:
    """What stands between several classes in one cell: a space, or ``"; "`` where a name has a space itself."""
    return "; " if any(" " in name for name in names) else " "


def check_names(names: Iterable[str]) -> tuple[str, ...]:
    """Returns class names that tables, folders and conditions can carry.

    Raises:
        ValueError: If there are fewer than two or more than `MAX_CLASSES`, two differ in nothing but capitals, or one
            is empty, longer than `MAX_NAME` characters, reserved, or has a character that is no letter, digit, space
            or one of ``_'&+().-``.
    """
    names = tuple(names)
    if not 2 <= len(names) <= MAX_CLASSES:
        raise ValueError(f"A model needs 2 to {MAX_CLASSES} classes, but here are {len(names)}.")
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > MAX_NAME or name != name.strip():
            raise ValueError(
                f"{one_line(str(name), 60)!r} cannot be a class name; take up to {MAX_NAME} letters, digits, spaces or "
                "_'&+().- and begin with a letter or digit."
            )
        if name.casefold() in RESERVED or name.casefold().startswith(RAW):
            raise ValueError(
                f"No class can be called {name!r}, which has a meaning of its own here; take another name."
            )
        if name.casefold() in seen:
            raise ValueError(f"There are two classes called {name!r}; give each a name of its own.")
        seen.add(name.casefold())
    return names


def looks(name: str) -> str:
    """How a sentence about a face puts a class of any model: "looks happy", or "looks “smiling”"."""
    return _KNOWN[name].looks if name in _KNOWN else f"looks “{name}”"


def _own(name: str, color: str) -> Emotion:
    first = name[0].upper()
    symbol = chr(ord("Ⓐ") + ord(first) - ord("A")) if "A" <= first <= "Z" else "●"
    return Emotion(name, looks(name), color, symbol)


def _colors(used: set[str]) -> Iterator[str]:
    """Colours that are not used yet, without end."""
    yield from (color for color in _PALETTE if color not in used)
    hue, turn = 0.05, 0
    while True:
        lightness = (0.45, 0.62, 0.32)[turn % 3]
        red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness, 0.6))
        yield f"#{red:02X}{green:02X}{blue:02X}"
        hue, turn = (hue + _GOLDEN) % 1, turn + 1
