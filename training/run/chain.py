"""From raw data to a recipe's checkpoint: the runs that its initial weights and teachers come from, trained first."""

import re
from dataclasses import replace
from pathlib import Path

from fer_demo.checkpoints import DEFAULT_TAGS
from fer_demo.vision.sources import one_line
from training.run.config import TrainConfig
from training.run.recipes import RECIPES, load_config
from training.run.run_folder import BEST, read_config
from training.run.runlog import CONFIG, RUNS

_NAME = re.compile(r"[\w.-]+", re.ASCII)

_RUN = re.compile(r"(?P<name>.+\..+)-seed(?P<seed>\d+)")


def chain(recipe: str, out: Path, seed: int = 0) -> dict[Path, TrainConfig]:
    """The runs that lead to a recipe's weights, in an order in which each finds what it learns from.

    A recipe names its initial weights and teachers as a checkpoint (``fer_sedense_s2.tune_fer2013``) or as a run's file
    (``fer_pramerdorfer_vgg@runs/fer_pramerdorfer_vgg.teacher_fer2013-seed1/best.safetensors``). Either way the recipe
    behind it is the file of that name, or where there is none the record of its run.

    Args:
        recipe: A name in ``training/recipes``, or of a record in ``training/runs`` without its ``-seed0``.
        out: Holds the runs, ``<name>-seed<k>``.
        seed: Of the last run; the others have those that the recipe names, or 0.

    Returns:
        Run folder to settings, in which initial weights and teachers are those of the runs before; `recipe` is last.

    Raises:
        ValueError: If a recipe is missing or no name, or leads back to itself.
    """
    if not _NAME.fullmatch(recipe) or Path(recipe).suffix in {".yaml", ".yml"}:
        raise ValueError(
            f"{one_line(repr(recipe))} is not the name of a recipe, such as fer_sedense.restart_fer2013: give that, "
            "without folder and suffix."
        )
    found: dict[Path, TrainConfig] = {}
    _add(recipe, seed, out, found, ())
    return found


def _add(name: str, seed: int, out: Path, found: dict[Path, TrainConfig], above: tuple[str, ...]) -> Path:
    """Adds a run behind all that it needs; its folder."""
    folder = out / f"{name}-seed{seed}"
    if folder in found:
        return folder
    if folder.name in above:
        raise ValueError(f"{name} learns from itself: {' <- '.join([*above, folder.name])}.")
    config = _recipe(name)

    def trained_here(spec: str) -> str:
        return str(_add(*_behind(spec), out, found, (*above, folder.name)) / BEST)

    start = trained_here(config.init_from) if config.init_from else config.init_from
    teachers = tuple(f"{_architecture(spec)}@{trained_here(spec)}" for spec in config.teachers)
    found[folder] = replace(config, seed=seed, init_from=start, teachers=teachers)
    return folder


def _behind(spec: str) -> tuple[str, int]:
    """The recipe and seed of the weights that a recipe names."""
    _, at, file = spec.partition("@")
    path = Path(file if at else spec)
    if path.name != BEST:
        return f"{spec}.{DEFAULT_TAGS[spec]}" if spec in DEFAULT_TAGS else spec, 0
    if match := _RUN.fullmatch(path.parent.name):
        return match["name"], int(match["seed"])
    raise ValueError(f"{spec} is not the {BEST} of a run named <recipe>-seed<k>, so that its recipe is not known.")


def _architecture(spec: str) -> str:
    return spec.partition("@")[0].partition(".")[0]


def _recipe(name: str) -> TrainConfig:
    record = RUNS / f"{name}-seed0" / CONFIG
    if not (RECIPES / f"{name}.yaml").is_file() and record.is_file():
        return read_config(record)
    return load_config(name)
