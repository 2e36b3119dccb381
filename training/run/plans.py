"""Comparisons: variants of one recipe, several seeds of each, one run after another."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training.run.config import TrainConfig, from_dict
from training.run.full import train_side_by_side
from training.run.recipes import read_yaml
from training.run.runlog import read_run
from training.run.storage import atomic_write_text

PLANS = Path(__file__).parent.parent / "plans"

COMPARISON = "comparison.json"
"""The figures, rewritten after each run."""

FIGURES = {"public": "PublicTest", "public_landmarks": "PublicTest, with landmarks"}
"""The figures in a run's record that are compared, and their names."""


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Attributes:
        name: Of the plan.
        variants: Name to settings; the first is what the others are compared with.
    """

    name: str
    variants: dict[str, TrainConfig]


def load_plan(plan: str | Path) -> Plan:
    """Reads a plan: ``settings`` for all, and ``variants``, name to the settings that differ.

    Args:
        plan: A YAML file, or the name of one in ``training/plans/`` without its suffix.

    Raises:
        ValueError: If there is no such plan, or it is none.
    """
    path = Path(plan) if Path(plan).suffix in {".yaml", ".yml"} else PLANS / f"{plan}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PLANS.glob("*.yaml")))
        raise ValueError(f"There is no plan {path}; the bundled ones are {known}.")
    values = read_yaml(path)
    shaped = isinstance(values, dict) and set(values) == {"settings", "variants"}
    if not shaped or not all(isinstance(v, dict) for v in (*values.values(), *values["variants"].values())):
        raise ValueError(f"{path} must hold settings: and variants:, name to the settings that differ.")
    if not values["variants"]:
        raise ValueError(f"{path} names no variants; the first is what the others are compared with.")
    settings = values["settings"]
    variants = {
        str(name): from_dict({**settings, **changes}, f"{path}: {name}") for name, changes in values["variants"].items()
    }
    return Plan(path.stem, variants)


def run_plan(
    plan: Plan, data: str, out: Path, *, seeds: int, deadline: float, options: Sequence[str] = ()
) -> dict[str, Any] | None:
    """Trains all variants, seed by seed, so that a comparison that is broken off has compared all with some seeds.

    Args:
        plan: What to compare.
        data: As `training.data.load_faces` takes it.
        out: Holds the runs, ``<plan>-<variant>-seed<k>``, and `COMPARISON`.
        seeds: Runs of each variant, seeds 0, 1, ...
        deadline: In `time.monotonic` seconds.
        options: Further options of ``python -m training train``.

    Returns:
        As `compared`; None if time ran out first: the same call goes on.

    Raises:
        ValueError: If the folder holds runs with other settings.
        RuntimeError: If a run failed.
    """
    for seed in range(seeds):
        for variant, config in plan.variants.items():
            run = out / f"{plan.name}-{variant}-seed{seed}"
            if not train_side_by_side({run: replace(config, seed=seed)}, ["--data", data, *options], deadline):
                return None
            atomic_write_text(out / COMPARISON, json.dumps(compared(plan, out, seeds), indent=1) + "\n")
    return compared(plan, out, seeds)


def compared(plan: Plan, out: Path, seeds: int) -> dict[str, Any]:
    """The accuracies of the runs that are finished.

    Args:
        plan: What is compared.
        out: As for `run_plan`.
        seeds: Likewise.

    Returns:
        Variant to one entry for each of `FIGURES` that its runs have: ``accuracies`` (seed to accuracy), ``mean``,
        ``standard_deviation`` (None for a single seed) and ``gain``: the mean of the differences to the first variant's
        accuracy without landmarks, seed by seed, and ``gain_deviation``, their standard deviation.
    """
    result: dict[str, Any] = {}
    first: dict[str, float] = {}
    for variant in plan.variants:
        found: dict[str, dict[str, float]] = {}
        for seed in range(seeds):
            run = out / f"{plan.name}-{variant}-seed{seed}"
            record = read_run(run).record if (run / "record.json").is_file() else {}
            for figure in FIGURES:
                if record.get("status") == "finished" and figure in record:
                    found.setdefault(figure, {})[str(seed)] = record[figure]["accuracy"]
        first = first or found.get("public", {})
        result[variant] = {figure: _summary(accuracies, first) for figure, accuracies in found.items()}
    return result


def _summary(accuracies: dict[str, float], first: dict[str, float]) -> dict[str, Any]:
    gains = [accuracy - first[seed] for seed, accuracy in accuracies.items() if seed in first]
    return {
        "accuracies": accuracies,
        "mean": statistics.mean(accuracies.values()),
        "standard_deviation": _deviation(list(accuracies.values())),
        "gain": statistics.mean(gains) if gains else None,
        "gain_deviation": _deviation(gains),
    }


def _deviation(values: list[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None
