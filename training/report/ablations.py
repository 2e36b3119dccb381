"""What each ingredient brings, from run records: a variant's accuracy on PublicTest minus that of the whole."""

import math
from collections.abc import Sequence
from typing import Any

import timm

from fer_demo.tradeoffs import network_costs
from training.report.compare import flat
from training.run.config import EXECUTION
from training.run.runlog import Run

GROUPS = {"arch": "Ingredients of the block", "ablation": "Ingredients of the training"}
"""The first part of a record's name to the title of its group."""

WHOLE = ("base", "full")
"""How the record of the whole is called within its group."""

TITLES = {
    "no_se": "without squeeze-and-excitation",
    "se_replace": "SE output instead of the features, not beside them",
    "no_skip": "without skip connection",
    "plain_conv": "plain instead of depthwise separable convolution",
    "no_bottleneck": "without the 1×1 bottleneck",
    "no_erase": "without random erasing",
    "no_smoothing": "without label smoothing",
    "cutmix": "with CutMix",
    "distill_self": "distilled from itself",
    "ema": "with averaged weights",
    "votes": "with FER+ votes as targets",
    "seed1": "the same with another seed",
}
"""Known variants in words; others keep their own name."""


def ablations(runs: Sequence[Run], group: str) -> dict[str, Any] | None:
    """A group's variants against its whole.

    Args:
        runs: All records.
        group: A key of `GROUPS`.

    Returns:
        ``whole``, the record of the whole; ``accuracy``, its own; ``epochs``, for how many it was trained; ``parts``,
        a dict a finished variant: ``title``,
        ``run``, ``difference`` (of the accuracies, from -1 to 1), ``interval`` (95 %, for accuracies of two separate
        sets of `n` pictures; these are the same pictures, so that it is rather too wide), ``parameters`` (by how many
        it has more or fewer), ``n``. None if the whole or every variant is missing.
    """
    done = {run.name: run for run in runs if run.record.get("status") == "finished" and "public" in run.record}
    members = {name: run for name, run in done.items() if name.startswith(f"{group}-")}
    whole = next((members[f"{group}-{name}"] for name in WHOLE if f"{group}-{name}" in members), None)
    whole = whole or _same_without_options(done, members)
    parts = [_part(run, whole) for run in members.values() if run is not whole] if whole else []
    if not parts:
        return None
    accuracy, epochs = whole.record["public"]["accuracy"], whole.config.get("epochs", 0)
    return {"whole": whole, "accuracy": accuracy, "epochs": epochs, "parts": parts}


def _same_without_options(done: dict[str, Run], members: dict[str, Run]) -> Run | None:
    """A run with the settings of a variant, but none of its network's options."""
    for variant in members.values():
        if variant.config.get("model_args"):
            for run in done.values():
                if not run.config.get("model_args") and _settings(run) == _settings(variant):
                    return run
    return None


def _settings(run: Run) -> dict[str, Any]:
    return {k: v for k, v in flat({**run.config, "model_args": {}}).items() if k not in EXECUTION}


def _part(run: Run, whole: Run) -> dict[str, Any]:
    a, b = run.record["public"], whole.record["public"]
    difference = a["accuracy"] - b["accuracy"]
    half = 1.96 * math.sqrt(sum(p["accuracy"] * (1 - p["accuracy"]) / p["n"] for p in (a, b)))
    _, _, name = run.name.partition("-")
    return {
        "title": TITLES.get(name.replace("-", "_"), name.replace("_", " ").replace("-", " ")),
        "run": run.name,
        "difference": difference,
        "interval": (difference - half, difference + half),
        "parameters": _parameters(run) - _parameters(whole),
        "n": a["n"],
    }


def _parameters(run: Run) -> int:
    options = tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in run.config.get("model_args", {}).items())
    model = run.config["model"].partition(".")[0]
    return network_costs(model, 48, options).parameters if timm.is_model(model) else 0
