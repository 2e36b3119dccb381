"""Recipes: YAML files of settings, and single settings given on the command line."""

import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from fer_demo.vision.sources import one_line
from training.run.config import EXECUTION, GROUPS, TrainConfig, from_dict, shown

RECIPES = Path(__file__).parent.parent / "recipes"

DEEPEST = 20
"""Levels of brackets or of indentation that a recipe may have."""


def load_config(recipe: str | Path | None, overrides: Sequence[str] = ()) -> TrainConfig:
    """Reads a recipe and applies overrides.

    Args:
        recipe: A YAML file, the name of one in ``training/recipes/`` without its suffix, or None for the defaults.
        overrides: ``"lr=0.05"``, ``"augment.erase=0"``; values are YAML.

    Raises:
        ValueError: If the recipe is missing or a setting is wrong.
    """
    values: dict[str, Any] = {}
    source = "settings"
    if recipe is not None:
        path = Path(recipe) if Path(recipe).suffix in {".yaml", ".yml"} else RECIPES / f"{recipe}.yaml"
        if not path.is_file():
            known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.yaml")))
            raise ValueError(f"There is no recipe {path}; the bundled ones are {known}.")
        values, source = read_yaml(path) or {}, str(path)
        if not isinstance(values, dict):
            raise ValueError(f"{path} must hold lines like 'lr: 0.1', but holds {shown(values)}.")
    return from_dict(_overridden(values, overrides), source)


def change_execution(config: TrainConfig, overrides: Sequence[str]) -> TrainConfig:
    """The settings of a run that goes on: where and how it computes may change, what it computes may not.

    Args:
        config: Its settings so far.
        overrides: As for `load_config`.

    Raises:
        ValueError: If another setting than those of `EXECUTION` is named, or a value is wrong.
    """
    if not {override.partition("=")[0].strip() for override in overrides} <= set(EXECUTION):
        raise ValueError(f"Only {', '.join(EXECUTION)} can be changed on --resume, as in --set threads=2.")
    return from_dict(_overridden(config.to_dict(), overrides))


def _overridden(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Values with overrides applied to them."""
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise ValueError(f"An override reads name=value, but {override!r} has no '='.")
        target = values
        *parents, leaf = key.strip().split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise ValueError(f"{parent} in {override!r} is no group of settings; write {parent}={text}.")
        target[leaf] = _yaml(text, repr(override))
    return values


def read_yaml(path: Path) -> Any:
    """What a YAML file holds; it may have no aliases, no deep nesting and no key twice.

    Raises:
        ValueError: If it is no such file.
    """
    return _yaml(_text(path), str(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no UTF-8 text; save it anew in that encoding.") from None


class _Loader(yaml.SafeLoader):
    """YAML without aliases, deep nesting and keys that stand twice.

    A few lines of aliases can become gigabytes, and the time for nested brackets grows with the square of their depth.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases such as *name are not taken")
        return super().compose_node(parent, index)

    def fetch_flow_collection_start(self, token: Any) -> None:
        if self.flow_level >= DEEPEST:
            raise yaml.YAMLError("it is nested too deeply")
        super().fetch_flow_collection_start(token)

    def add_indent(self, column: int) -> bool:
        if len(self.indents) >= DEEPEST:
            raise yaml.YAMLError("it is nested too deeply")
        return super().add_indent(column)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if isinstance(key.value, str)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise yaml.YAMLError(f"{one_line(twice)!r} stands there twice")
        return super().construct_mapping(node, deep)


def _yaml(text: str, source: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506  (a SafeLoader)
    except (yaml.YAMLError, ValueError) as error:  # the second for dates and numbers that are none
        reason = one_line(" ".join(str(getattr(error, "problem", None) or error).split()))
        raise ValueError(f"{source} is not valid YAML ({reason}); check brackets and quotes.") from None


def describe_settings() -> Iterator[tuple[str, Any, str]]:
    """Every setting, as the docstring of its class explains it.

    Yields:
        Its name, such as ``"augment.erase"``; its default as a recipe holds it; what it means.
    """
    defaults = TrainConfig().to_dict()
    groups = [(cls, f"{name}.", defaults.pop(name)) for name, cls in GROUPS.items()]
    for cls, prefix, values in ((TrainConfig, "", defaults), *groups):
        _, _, attributes = inspect.getdoc(cls).partition("Attributes:\n")
        # A line that is indented once begins an entry; deeper ones go on with it.
        entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", attributes, flags=re.MULTILINE)
        meanings = {name: " ".join(text.split()) for name, text in entries}
        for name, value in values.items():
            yield f"{prefix}{name}", value, meanings[name]
