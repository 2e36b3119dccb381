"""Comparisons: variants of one recipe, several seeds of each, one run after another."""

import itertools
import json
import re
import statistics
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from fer_demo.files import read_json
from fer_demo.vision.sources import one_line
from training.data import Faces
from training.data.classes import map_choice
from training.data.detection import read_faces
from training.data.yaml_text import parse_yaml, read_text
from training.eval.evaluate import TEST_SPLITS, evaluate
from training.report.compare import changed_settings, half_interval
from training.run.config import GROUPS, TrainConfig, from_dict
from training.run.full import deviation, train_side_by_side
from training.run.guidance import add_landmarks
from training.run.run_folder import ALIGNED, LAST, check_networks, trained_model
from training.run.runlog import RUNS
from training.run.state import check_data
from training.run.storage import atomic_write_text, read_back

PLANS = Path(__file__).parent.parent / "plans"

COMPARISON = "comparison.json"
"""The figures, rewritten after each run."""

METRICS = "metrics.json"
"""A run's figures on both test splits."""

WITH_LANDMARKS = ", with landmarks"
"""Behind the name of a split: the figures when the network is given the faces' landmarks."""


_NAME = re.compile(r"\w[\w.+-]*", re.ASCII)


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

    Of ``augment`` and ``corruption`` a variant names what differs alone; any other setting it names is its own, as a
    whole.

    Args:
        plan: A YAML file, or the name of one in ``training/plans/`` without its suffix.

    Raises:
        ValueError: If there is no such plan, it is none, or it compares what cannot be compared.
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
    variants: dict[str, TrainConfig] = {}
    for name, changes in values["variants"].items():
        if not _NAME.fullmatch(str(name)):
            raise ValueError(
                f"{path}: {one_line(repr(name))} cannot name a variant, which becomes part of a folder's name; take "
                "letters, digits, _ and -."
            )
        variants[str(name)] = _variant(values["settings"], changes, f"{path}: {name}")
    for (one, before), (other, now) in itertools.combinations(variants.items(), 2):
        if not changed_settings(before, now):
            raise ValueError(f"{path}: {one} and {other} have the same settings; leave one of them out.")
    return Plan(path.stem, variants)


def _variant(settings: dict[str, Any], changes: dict[str, Any], source: str) -> TrainConfig:
    """A variant's settings, which differ from those of all in what it names and in nothing else."""
    if "seed" in settings or "seed" in changes:
        raise ValueError(f"{source}: seed is none of a plan's settings: --seeds N trains each variant with N of them.")
    values = {**settings, **changes}
    for group in GROUPS:
        if isinstance(settings.get(group), dict) and isinstance(changes.get(group), dict):
            values[group] = settings[group] | changes[group]
    config = from_dict(values, source)
    if len(config.heads) > 1:
        raise ValueError(f"{source}: networks with two heads cannot be compared: set targets to something else.")
    return config


def run_plan(
    plan: Plan,
    data: str,
    out: Path,
    *,
    seeds: int,
    deadline: float,
    processes: int = 1,
    record: bool = False,
) -> dict[str, Any] | None:
    """Trains all variants, seed by seed, so that a comparison that is broken off has compared all with some seeds.

    Says which run begins: each may take an hour.

    Args:
        plan: What to compare.
        data: As `training.data.load_faces` takes it.
        out: Holds the runs, ``<plan>-<variant>-seed<k>``, each with its `METRICS`; and `COMPARISON`.
        seeds: Runs of each variant, seeds 0, 1, ...
        deadline: In `time.monotonic` seconds; evaluations come on top.
        processes: How many runs are trained at once; the next ones begin when all of these have ended.
        record: Keep records of the runs, with their `METRICS`, in `RUNS`.

    Returns:
        As `compared`; None if time ran out first: the same call goes on.

    Raises:
        ValueError: If a variant cannot be trained here, or the folder holds runs with other settings or on other data.
        RuntimeError: If a run failed.
    """
    for config in plan.variants.values():
        check_networks(config)  # all of them before the first has trained for an hour
    runs = [
        (out / f"{plan.name}-{variant}-seed{seed}", replace(config, seed=seed))
        for seed in range(seeds)
        for variant, config in plan.variants.items()
    ]
    for first in range(0, len(runs), processes):
        group = dict(runs[first : first + processes])
        for k, (run, config) in enumerate(group.items(), first + 1):
            if not (run / METRICS).is_file():
                tqdm.write(f"{k} of {len(runs)}: {run}")
            _check_data(run, config, data)
        _find_landmarks(group, data, out)
        if not train_side_by_side(group, ["--data", data, *([] if record else ["--no-record"])], deadline):
            return None
        for run, config in group.items():
            if not (run / METRICS).is_file():
                atomic_write_text(run / METRICS, json.dumps(_evaluated(config, data, run), indent=1) + "\n")
            if record and (RUNS / run.name).is_dir():  # it may have been trained without
                atomic_write_text(RUNS / run.name / METRICS, (run / METRICS).read_text(encoding="utf-8"))
        atomic_write_text(out / COMPARISON, json.dumps(compared(plan, out, seeds), indent=1) + "\n")
    return compared(plan, out, seeds)


def _find_landmarks(group: dict[Path, TrainConfig], data: str, out: Path) -> None:
    """Finds the landmarks before runs that need them begin at once, so that not each of them looks for them."""
    need = [config for run, config in group.items() if config.landmarks != "none" and not (run / METRICS).is_file()]
    if len(need) > 1:
        from training.data.landmarks import landmarks_file, with_landmarks  # needs OpenCV and a face detector

        faces = _faces(need[0], data)
        if faces.landmarks is None:
            with_landmarks(faces, landmarks_file(out, faces), quiet=False)


def _check_data(run: Path, config: TrainConfig, data: str) -> None:
    """Keeps runs on one data set from being compared with runs on another.

    Raises:
        ValueError: If the run was trained on other data than these, as far as its folder tells.
    """
    before = _accuracies(run / METRICS)[1] if (run / METRICS).is_file() else None
    if before is None and not (run / LAST).is_file():
        return
    fingerprint = _faces(config, data).fingerprint()
    if before not in (None, fingerprint):
        raise ValueError(f"{run} was trained on other data: give the same --data as before, or another --out.")
    if before is None:
        check_data(run / LAST, fingerprint)


def _faces(config: TrainConfig, data: str) -> Faces:
    """The data of a run with these settings."""
    return _read(data, json.dumps(config.classes), config.faces, config.no_face, config.sizes[-1][1])


@lru_cache(maxsize=1)
def _read(data: str, classes: str, faces: str, no_face: str, side: int) -> Faces:
    named = json.loads(classes)
    choice = map_choice(named, "classes") if named else None
    return read_faces(data, choice=choice, faces=faces, no_face=no_face, side=side)


def _evaluated(config: TrainConfig, data: str, run: Path) -> dict[str, Any]:
    """The figures of a run's weights at the size that they were chosen at.

    Without landmarks, and with those that the run was trained with; and ``data``, the fingerprint of what it saw.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    model, side = trained_model(config, run), config.sizes[-1][1]
    channels = model.pretrained_cfg["input_size"][0]
    model.pretrained_cfg = model.default_cfg = {**model.pretrained_cfg, "input_size": (channels, side, side)}
    faces = _faces(config, data)
    fingerprint = faces.fingerprint()
    if config.aligned:
        from training.data.aligned import with_aligned  # needs OpenCV and a face detector

        faces = with_aligned(faces, run / ALIGNED)
    return {**evaluate(model, add_landmarks(config, model, faces, run.parent, quiet=True)), "data": fingerprint}


def _accuracies(file: Path) -> tuple[dict[str, float], str | None]:
    """A run's accuracies, those with landmarks too, and the fingerprint of its data if it says so.

    Raises:
        ValueError: If the file is damaged.
    """
    with read_back(file, "delete it: the run is then evaluated again"):
        metrics = read_json(file)
        found = {split: metrics[split]["accuracy"] for split in TEST_SPLITS if split in metrics}
        given = metrics.get("landmarks", {})
        found |= {f"{split}{WITH_LANDMARKS}": given[split]["accuracy"] for split in TEST_SPLITS if split in given}
        if "PublicTest" not in found or not all(type(v) in (int, float) and 0 <= v <= 1 for v in found.values()):
            raise ValueError("it does not hold a run's accuracies")
        return found, metrics.get("data")


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
        standard deviation, and ``gain_interval`` the 95 % interval of the mean (low, high), None for a single seed.

    Raises:
        ValueError: If a run's `METRICS` are damaged.
    """
    result: dict[str, Any] = {}
    first: dict[str, dict[str, float]] | None = None
    for variant in plan.variants:
        found: dict[str, dict[str, float]] = {}
        for seed in range(seeds):
            file = out / f"{plan.name}-{variant}-seed{seed}" / METRICS
            accuracies = _accuracies(file)[0] if file.is_file() else {}
            for figure in (f"{split}{suffix}" for split in TEST_SPLITS for suffix in ("", WITH_LANDMARKS)):
                if figure in accuracies:
                    found.setdefault(figure, {})[str(seed)] = accuracies[figure]
        first = found if first is None else first  # even if nothing of it is there: no other takes its place
        result[variant] = {
            figure: _summary(by_seed, first.get(figure.removesuffix(WITH_LANDMARKS), {}))
            for figure, by_seed in found.items()
        }
    return result


def _summary(accuracies: dict[str, float], first: dict[str, float]) -> dict[str, Any]:
    gains = [accuracy - first[seed] for seed, accuracy in accuracies.items() if seed in first]
    gain = statistics.mean(gains) if gains else None
    half = half_interval(gains) if len(gains) > 1 else None
    return {
        "accuracies": accuracies,
        "mean": statistics.mean(accuracies.values()),
        "standard_deviation": deviation(accuracies.values()),
        "gain": gain,
        "gain_deviation": deviation(gains),
        "gain_interval": (gain - half, gain + half) if gain is not None and half is not None else None,
    }
