"""Comparisons: variants of one recipe, several seeds of each, one run after another."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from fer_demo.files import read_json
from training.data import load_faces
from training.data.yaml_text import parse_yaml, read_text
from training.eval.evaluate import TEST_SPLITS, evaluate
from training.run.config import TrainConfig, from_dict
from training.run.full import deviation, train_side_by_side
from training.run.guidance import add_landmarks
from training.run.run_folder import trained_model
from training.run.storage import atomic_write_text

PLANS = Path(__file__).parent.parent / "plans"

COMPARISON = "comparison.json"
"""The figures, rewritten after each run."""

METRICS = "metrics.json"
"""A run's figures on both test splits."""

WITH_LANDMARKS = ", with landmarks"
"""Behind the name of a split: the figures when the network is given the faces' landmarks."""


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
    values = parse_yaml(read_text(path), str(path))
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

    Says which run begins: each may take an hour.

    Args:
        plan: What to compare.
        data: As `training.data.load_faces` takes it.
        out: Holds the runs, ``<plan>-<variant>-seed<k>``, each with its `METRICS`; and `COMPARISON`.
        seeds: Runs of each variant, seeds 0, 1, ...
        deadline: In `time.monotonic` seconds; evaluations come on top.
        options: Further options of ``python -m training train``.

    Returns:
        As `compared`; None if time ran out first: the same call goes on.

    Raises:
        ValueError: If the folder holds runs with other settings.
        RuntimeError: If a run failed.
    """
    for seed in range(seeds):
        for k, (variant, config) in enumerate(plan.variants.items(), 1):
            run, config = out / f"{plan.name}-{variant}-seed{seed}", replace(config, seed=seed)
            if not (run / METRICS).is_file():
                tqdm.write(f"{seed * len(plan.variants) + k} of {seeds * len(plan.variants)}: {run}")
            if not train_side_by_side({run: config}, ["--data", data, *options], deadline):
                return None
            if not (run / METRICS).is_file():
                atomic_write_text(run / METRICS, json.dumps(_evaluated(config, data, run), indent=1) + "\n")
            atomic_write_text(out / COMPARISON, json.dumps(compared(plan, out, seeds), indent=1) + "\n")
    return compared(plan, out, seeds)


def _evaluated(config: TrainConfig, data: str, run: Path) -> dict[str, Any]:
    """The figures of a run's weights, without landmarks, and with those that it was trained with."""
    if config.threads:
        torch.set_num_threads(config.threads)
    model = trained_model(config, run)
    return evaluate(model, add_landmarks(config, model, load_faces(data), run.parent, quiet=True))


def compared(plan: Plan, out: Path, seeds: int) -> dict[str, Any]:
    """The accuracies of the runs that were evaluated.

    Args:
        plan: What is compared.
        out: As for `run_plan`.
        seeds: Likewise.

    Returns:
        Variant to one entry for each test split, and for each with landmarks if its runs take them: ``accuracies``
        (seed to accuracy), ``mean``, ``standard_deviation`` (None for a single seed), and ``gain``: the mean of the
        differences to the first variant on that split without landmarks, seed by seed; ``gain_deviation`` is their
        standard deviation.
    """
    result: dict[str, Any] = {}
    first: dict[str, dict[str, float]] = {}
    for variant in plan.variants:
        found: dict[str, dict[str, float]] = {}
        for seed in range(seeds):
            file = out / f"{plan.name}-{variant}-seed{seed}" / METRICS
            metrics = read_json(file) if file.is_file() else {}
            for split in TEST_SPLITS if metrics else ():
                found.setdefault(split, {})[str(seed)] = metrics[split]["accuracy"]
                if "landmarks" in metrics:
                    given = metrics["landmarks"][split]["accuracy"]
                    found.setdefault(f"{split}{WITH_LANDMARKS}", {})[str(seed)] = given
        first = first or found
        result[variant] = {
            figure: _summary(accuracies, first.get(figure.removesuffix(WITH_LANDMARKS), {}))
            for figure, accuracies in found.items()
        }
    return result


def _summary(accuracies: dict[str, float], first: dict[str, float]) -> dict[str, Any]:
    gains = [accuracy - first[seed] for seed, accuracy in accuracies.items() if seed in first]
    return {
        "accuracies": accuracies,
        "mean": statistics.mean(accuracies.values()),
        "standard_deviation": deviation(accuracies.values()),
        "gain": statistics.mean(gains) if gains else None,
        "gain_deviation": deviation(gains),
    }
