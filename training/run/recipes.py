"""Recipes: YAML files of settings, and single settings given on the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.data.yaml_text import parse_yaml, read_text
from training.run.config import EXECUTION, TrainConfig, from_dict, shown

RECIPES = Path(__file__).parent.parent / "recipes"


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
        values, source = parse_yaml(read_text(path), str(path)) or {}, str(path)
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
        target[leaf] = parse_yaml(text, repr(override))
    return values
