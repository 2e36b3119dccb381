"""Which classes a data set has: the seven, those that it names, a choice among them, or those of a map."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_demo.classes import CONTEMPT, check_names
from fer_demo.emotions import LABELS
from fer_demo.vision.sources import one_line
from training.data.faces import BadRows, DataError
from training.data.yaml_text import parse_yaml, read_text

KNOWN = (*LABELS, CONTEMPT.name)
"""Classes with spellings and an order of their own; all others come behind them, by name."""

ALIASES = {
    "angry": ("angry", "anger"),
    "disgust": ("disgust", "disgusted"),
    "fear": ("fear", "fearful", "afraid", "scared"),
    "happy": ("happy", "happiness", "joy"),
    "sad": ("sad", "sadness"),
    "surprise": ("surprise", "surprised"),
    "neutral": ("neutral", "neutrality", "calm"),
    "contempt": ("contempt", "contemptuous"),
}
"""Other words for the same class; they are always taken for it, except where a map says otherwise."""

NEAR = {"smile": "happy", "smiling": "happy", "laughing": "happy", "crying": "sad", "shocked": "surprise"}
"""Words for what a face does, which people collect as classes of their own. They are taken for the expression only
where a list of names has this and not the word itself."""

HELP = (
    "which classes the data have. auto: those that they name. NAMES, such as happy,sad,contempt: these and no others; "
    "pictures of other classes are left out and counted, and smiling counts as happy unless it is listed itself. "
    "MAP.yaml: lines such as 'positive: [happy, smiling]' merge, rename and leave out. Everywhere Happiness and joy "
    "are happy, and so on; numbers mean FER2013's classes 0 to 6 in tables and RAF-DB's 1 to 7 in folders, except "
    "under auto where not all seven occur and in a MAP.yaml that lists numbers: there they are names. Outputs come in "
    "the order angry, disgust, fear, happy, sad, surprise, neutral, contempt, then by name"
)

_SPELLINGS = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
_SHOWN = 20
"""Names that a sentence lists."""


def spelled(name: str) -> str:
    """What two names of one class have in common: the known class that is meant, or the name in lower case."""
    key = " ".join(name.split()).casefold()
    return _SPELLINGS.get(key, key)


def is_known(name: str) -> bool:
    """Whether a name is one of the spellings of a known class, or a number."""
    key = name.strip().casefold()
    return key.isdecimal() or key in _SPELLINGS


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Class names as the outputs of a network come: known ones first, then the others by name."""
    return tuple(sorted(names, key=lambda n: (KNOWN.index(n) if n in KNOWN else len(KNOWN), n.casefold(), n)))


@dataclass(frozen=True)
class Labelling:
    """What the names in one data set mean.

    Attributes:
        names: The classes, in the order of a network's outputs.
        ids: `spelled` name to class id.
        classes: Class name to the names that the data have for it: the setting `classes` of a run. Empty for the seven.
        found: The names in the data.
        meaning: Number to class, where numbers are no names.
        strict: A name of no class is an error; otherwise its pictures are left out.
        noun: What the names are called in a sentence.
    """

    names: tuple[str, ...]
    ids: Mapping[str, int]
    classes: Mapping[str, Sequence[str]]
    found: tuple[str, ...]
    meaning: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    noun: str = "class"

    def id(self, name: str, where: str) -> int | None:
        """The class id of a name as it stands in the data; None for a class that is left out.

        Raises:
            DataError: If it is of no class and that is an error.
        """
        if not name.strip():
            raise DataError(f"{where}: unknown {self.noun} ''; it is empty.")
        found = self.ids.get(spelled(self.meaning.get(name.strip(), name)))
        if found is None and self.strict:
            numbered = [f"{number} {name}" for number, name in self.meaning.items()]
            known = ", ".join(numbered if self.noun == "label" else LABELS)
            raise DataError(
                f"{where}: unknown {self.noun} {one_line(name.strip(), 40)!r}; expected one of {known}. The data name "
                f"{_listed(self.found)}: add --classes auto to take them as they are."
            )
        return found


@dataclass(frozen=True)
class Choice:
    """What ``--classes`` asks for; see `HELP`.

    Attributes:
        kind: ``"seven"``, ``"auto"``, ``"names"`` or ``"map"``.
        wanted: For a list or a map: class name to the names that mean it.
    """

    kind: str = "seven"
    wanted: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The classes of a list or a map, in the order of a network's outputs."""
        return in_order(self.wanted) if self.wanted else LABELS

    def settle(
        self,
        found: Iterable[str],
        source: object,
        numbers: Mapping[str, str] | None = None,
        noun: str = "class",
    ) -> Labelling:
        """Decides what the names in a data set mean.

        Args:
            found: All names there, as they stand in the data.
            source: Named in errors.
            numbers: What numbers mean in this layout; none if they mean nothing.
            noun: See `Labelling`.

        Raises:
            DataError: If the names cannot be class names, or there are fewer than two.
        """
        stated = tuple(dict.fromkeys(name.strip() for name in found if name.strip()))
        meaning = numbers if numbers and self._known_numbers(stated, numbers) else {}
        if self.kind == "seven":
            ids = {name: i for i, name in enumerate(LABELS)}
            return Labelling(LABELS, ids, {}, tuple(sorted(stated)), meaning, strict=True, noun=noun)
        wanted = self.wanted
        if self.kind == "auto":
            own: dict[str, str] = {}
            for name in sorted(meaning.get(name, name) for name in stated):
                own.setdefault(spelled(name), name)
            wanted = {(name := key if key in KNOWN else typed): (name,) for key, typed in own.items()}
        names = _checked(wanted, source)
        ids = {spelled(spelling): names.index(name) for name in names for spelling in wanted[name]}
        seven = self.kind == "auto" and names == LABELS
        classes = {} if seven else {name: list(wanted[name]) for name in names}
        return Labelling(names, ids, classes, tuple(sorted(stated)), meaning, noun=noun)

    def _known_numbers(self, stated: Sequence[str], numbers: Mapping[str, str]) -> bool:
        numbered = {name for name in stated if name in numbers or name.isdecimal()}
        if self.kind == "auto":
            return numbered == set(numbers)
        return not any(name.isdecimal() for names in self.wanted.values() for name in names)


def parse_choice(text: str | None) -> Choice:
    """What an option ``--classes`` says.

    Args:
        text: ``"auto"``, names with commas between them, the path of a YAML file, or None for the seven.

    Raises:
        DataError: If it is none of these.
    """
    if text is None:
        return Choice()
    if text.strip().casefold() == "auto":
        return Choice("auto")
    if Path(text).suffix.lower() in {".yaml", ".yml"}:
        if not Path(text).is_file():
            raise DataError(f"--classes: there is no file {one_line(text)}; give auto, names with commas, or a file.")
        try:
            return map_choice(parse_yaml(read_text(Path(text)), text), text)
        except DataError:
            raise
        except ValueError as error:
            raise DataError(str(error)) from None
    typed = [name.strip() for name in text.split(",") if name.strip()]
    wanted = {key if key in KNOWN else name: [name] for key, name in ((spelled(name), name) for name in typed)}
    if len(wanted) < len(typed):
        raise DataError(f"--classes {one_line(text)}: two of these names are one class; name each once.")
    for near, name in NEAR.items():
        if name in wanted and not any(spelled(other) == near for other in wanted):
            wanted[name].append(near)
    _checked(wanted, "--classes")
    return Choice("names", wanted)


def map_choice(value: Any, source: str) -> Choice:
    """A map from classes to the names that mean them.

    Args:
        value: As YAML gives it: class name to a name, a list of names, or nothing for the class's own name.
        source: Named in errors.

    Raises:
        DataError: If it is no such map, or one name stands for two classes.
    """
    if not isinstance(value, dict) or not value:
        raise DataError(f"{source} must hold lines like 'positive: [happy, smiling]'.")
    wanted: dict[str, list[str]] = {}
    owner: dict[str, str] = {}
    for name, names in value.items():
        listed = names if isinstance(names, list | tuple) else [name if names is None else names]
        if not isinstance(name, str | int) or isinstance(name, bool) or not all(type(n) in (str, int) for n in listed):
            raise DataError(
                f"{source}: {one_line(repr(name))} must stand for names, as in 'positive: [happy, smiling]'; put words "
                "such as yes, no and on into quotes."
            )
        shown = str(name).strip()
        shown = shown.casefold() if shown.casefold() in KNOWN else shown
        wanted[shown] = [str(n).strip() for n in listed]
        for key in map(spelled, wanted[shown]):
            if owner.setdefault(key, shown) != shown:
                raise DataError(f"{source}: {one_line(key)!r} belongs to {owner[key]} and to {shown}; keep one.")
    _checked(wanted, source)
    return Choice("map", wanted)


def label_rows(
    names: Sequence[str],
    wheres: Sequence[str],
    labelling: Labelling,
    bad: BadRows,
) -> list[int | None]:
    """The class id of each row, None for rows that are left out; these are counted and named in `BadRows.notes`.

    Args:
        names: As they stand in the data.
        wheres: What each row is called in a sentence.
        labelling: From `Choice.settle`.
        bad: What to do with rows of no class.
    """
    left_out: Counter[str] = Counter()
    ids: list[int | None] = []
    for name, where in zip(names, wheres, strict=True):
        ids.append(None)
        with bad.row():
            ids[-1] = labelling.id(name, where)
            if ids[-1] is None:
                left_out[labelling.meaning.get(name.strip(), name.strip())] += 1
    if left_out:
        of = ", ".join(f"{one_line(name)} {count:,}" for name, count in left_out.most_common(_SHOWN))
        total = sum(left_out.values())
        bad.notes.append(f"left out {total:,} picture{'s' if total > 1 else ''} of other classes: {of}")
    if labelling.classes:
        bad.notes.append(f"classes: {', '.join(_described(n, s) for n, s in labelling.classes.items())}")
    return ids


def _described(name: str, spellings: Sequence[str]) -> str:
    others = [s for s in spellings if s.casefold() != name.casefold() and s not in NEAR]
    return f"{name} ({' + '.join(spellings)})" if others else name


def _checked(wanted: Mapping[str, Sequence[str]], source: object) -> tuple[str, ...]:
    try:
        return check_names(in_order(wanted))
    except ValueError as error:
        hint = "" if len(wanted) < 2 else " A map can give it another name: --classes MAP.yaml."
        raise DataError(f"{source}: {error}{hint}") from None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return one_line(", ".join(one_line(name, 40) for name in names[:_SHOWN]), 200) + more
