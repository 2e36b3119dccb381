"""What each setting is, from the dataclasses that hold them: their fields, their ranges and their docstrings."""

import dataclasses
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from training.run.config import CHOICES, GROUPS, TrainConfig

_KINDS = {int: "whole number", float: "number", bool: "true or false", str: "text", dict: "mapping"}
_SENTENCE_END = re.compile(r"(?<!e\.g)(?<!et al)\.(?=\s[A-Z0-9])")


@dataclass(frozen=True)
class Setting:
    """One thing that ``--set`` takes.

    Attributes:
        name: Such as ``"augment.erase"``.
        kind: What it is, in words, with its range or choices: ``"number, from 0 to 1"``.
        default: As a recipe holds it.
        meaning: What the docstring says, in one line.
    """

    name: str
    kind: str
    default: Any
    meaning: str

    @property
    def phrase(self) -> str:
        """The first sentence of the meaning."""
        return _SENTENCE_END.split(self.meaning)[0].rstrip(".") + "."

    def text(self, width: int, *, brief: bool) -> str:
        """Name, default and kind in a line, and below it what it means.

        Args:
            width: Of the text, in characters.
            brief: The first sentence alone.
        """
        shown = self.default if isinstance(self.default, str) and self.default else json.dumps(self.default)
        meaning = self.phrase if brief else self.meaning
        head = textwrap.fill(f"{self.name}={shown}  ({self.kind})", width, subsequent_indent="    ")
        return head + "\n" + textwrap.fill(meaning, width, initial_indent="    ", subsequent_indent="    ")


def describe_settings() -> Iterator[Setting]:
    """Every setting, as the docstring of its class explains it."""
    defaults = TrainConfig().to_dict()
    groups = [(cls, f"{name}.", defaults.pop(name)) for name, cls in GROUPS.items()]
    for cls, prefix, values in ((TrainConfig, "", defaults), *groups):
        _, _, attributes = (inspect.getdoc(cls) or "").partition("Attributes:\n")
        # A line that is indented once begins an entry; deeper ones go on with it.
        entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", attributes, flags=re.MULTILINE)
        meanings = {name: " ".join(text.split()) for name, text in entries}
        types = {field.name: field.type for field in dataclasses.fields(cls)}
        ranges = vars(inspect.getmodule(cls))["RANGES"]
        for name, value in values.items():
            choices = CHOICES.get(name) if cls is TrainConfig else None
            kind = f"one of {', '.join(choices)}" if choices else _KINDS.get(types[name], "list")
            kind += f", {ranges[name]}" if name in ranges else ""
            yield Setting(f"{prefix}{name}", kind, value, meanings[name])
