"""Runs side by side: a row each, and the settings in which they differ."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from training.run.config import EXECUTION, TrainConfig
from training.run.runlog import Run

STATUS = {
    "finished": "finished",
    "running": "not finished",  # a record cannot know whether its process still lives
    "stopped": "stopped by hand",
    "paused": "paused",
    "failed": "failed",
}


def flat(config: dict[str, Any]) -> dict[str, Any]:
    """A recipe with ``augment.rotation`` for the entries of its inner dict; defaults for what an old one lacks."""
    defaults = TrainConfig().to_dict()
    result = {}
    for name, value in {**defaults, **config}.items():
        if isinstance(value, dict):
            result |= {f"{name}.{inner}": v for inner, v in {**defaults.get(name, {}), **value}.items()}
        else:
            result[name] = value
    return result


def differing_settings(runs: Sequence[Run]) -> dict[str, list[str]]:
    """The settings that are not the same in all runs, as text, a value a run; those of `EXECUTION` are left out."""
    configs = [flat(run.config) for run in runs]
    rows = {}
    for name in dict.fromkeys(name for config in configs for name in config):
        # A model's options need not be named in every run: what is not named has the model's own default.
        values = [config.get(name, "default") for config in configs]
        if name not in EXECUTION and any(value != values[0] for value in values):
            rows[name] = [sizes_text(c) if name == "sizes" else _text(v) for c, v in zip(configs, values, strict=True)]
    return rows


def changed_settings(before: TrainConfig, now: TrainConfig) -> str:
    """The names of the settings that decide what a run computes and are not the same; empty if all are."""
    return ", ".join(differing_settings([Run("", before.to_dict()), Run("", now.to_dict())]))


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_text(v) for v in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def sizes_text(config: dict[str, Any]) -> str:
    """Progressive resizing in a few signs: ``"24, from epoch 7: 32"``."""
    sizes = config.get("sizes", TrainConfig().to_dict()["sizes"])
    return ", ".join(f"{side}" if start == 0 else f"from epoch {start + 1}: {side}" for start, side in sizes)


def overview(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """A row a run: what it was, how far it got, and its best PublicTest accuracy."""
    rows = []
    for run in runs:
        history = [row for row in run.history if "public_accuracy" in row]
        best = run.record.get("best", {})
        reached = best.get("accuracy", -1) >= 0
        rows.append(
            {
                "run": run.name,
                "status": STATUS.get(run.record.get("status"), "unknown"),
                "model": run.config.get("model", ""),
                "epochs": f"{run.epochs} of {run.config.get('epochs', '?')}",
                "pixels": sizes_text(run.config),
                "PublicTest": best["accuracy"] if reached else None,
                "in epoch": best["epoch"] if reached else None,
                "minutes": round(sum(row.get("seconds", 0) for row in history) / 60, 1),
                "machine": run.record.get("machine", {}).get("device", ""),
            }
        )
    return rows


def half_interval(differences: Sequence[float]) -> float:
    """Half the 95 % interval of the mean of two or more differences (Student's t)."""
    from scipy.stats import t  # takes a second to load

    return float(t.ppf(0.975, len(differences) - 1)) * statistics.stdev(differences) / math.sqrt(len(differences))
