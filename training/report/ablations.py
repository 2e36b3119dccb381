"""What each ingredient brings, from run records: a variant's accuracy on PublicTest minus that of the whole."""

import math
import re
import statistics
from collections.abc import Sequence
from typing import Any

import timm

from fer_demo.tradeoffs import network_costs
from training.report.compare import flat, half_interval
from training.run.config import EXECUTION
from training.run.runlog import Run

GROUPS = {
    "arch": "Ingredients of the block",
    "ablation": "Ingredients of the training",
    "attention": "Attention to eyes and mouth",
}
"""The first part of a record's name to the title of its group."""

WHOLE = ("base", "full", "baseline")
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
    "guided": "guided by landmarks",
    "learnt": "the same layers with maps of their own",
    "shuffled": "guided by another face's landmarks",
    "cbam": "CBAM",
    "coord": "coordinate attention",
}
"""Known variants in words; others keep their own name."""


Seeds = dict[int, Run]
"""The runs of one variant by their seed; a single run that is not named after its seed counts as seed 0."""

_SEED = re.compile(r"(?P<variant>.+)-seed(?P<seed>\d+)")


def ablations(runs: Sequence[Run], group: str) -> dict[str, Any] | None:
    """A group's variants against its whole.

    Args:
        runs: All records; those of one variant with several seeds end in ``-seed<k>``.
        group: A key of `GROUPS`.

    Returns:
        ``whole``, the record of the whole, of its first seed; ``accuracy``, its own, the mean over seeds; ``seeds``,
        how many it has; ``epochs``, for how many it was trained; ``parts``, a dict a finished variant: ``title``;
        ``run``, of its first seed; ``seeds``, how many it shares with the whole; ``difference`` (of the accuracies,
        from -1 to 1, the mean over these seeds); ``interval`` (95 %; over seeds that of Student's t for the mean of the
        paired differences, for one seed that for accuracies of two separate sets of `n` pictures; these are the same
        pictures, so that it is rather too wide); ``parameters`` (by how many it has more or fewer); ``n``. None if the
        whole or every variant is missing.
    """
    done = {run.name: run for run in runs if run.record.get("status") == "finished" and "public" in run.record}
    members = _by_variant(done, group)
    whole = next((members[name] for name in WHOLE if name in members), None)
    whole = whole or _same_without_options(done, members)
    parts = [_part(name, found, whole) for name, found in members.items() if found is not whole] if whole else []
    parts = [part for part in parts if part]
    if not whole or not parts:
        return None
    first = whole[min(whole)]
    return {
        "whole": first,
        "accuracy": statistics.mean(_accuracy(run) for run in whole.values()),
        "seeds": len(whole),
        "epochs": first.config.get("epochs", 0),
        "parts": parts,
    }


def _by_variant(done: dict[str, Run], group: str) -> dict[str, Seeds]:
    found: dict[str, Seeds] = {}
    for name, run in done.items():
        if name.startswith(f"{group}-"):
            variant = name.removeprefix(f"{group}-")
            match = _SEED.fullmatch(variant)
            found.setdefault(match["variant"] if match else variant, {})[int(match["seed"]) if match else 0] = run
    return found


def _same_without_options(done: dict[str, Run], members: dict[str, Seeds]) -> Seeds | None:
    """A run with the settings of a variant, but none of its network's options."""
    for variant in (run for seeds in members.values() for run in seeds.values()):
        if variant.config.get("model_args"):
            for run in done.values():
                if not run.config.get("model_args") and _settings(run) == _settings(variant):
                    return {0: run}
    return None


def _settings(run: Run) -> dict[str, Any]:
    return {k: v for k, v in flat({**run.config, "model_args": {}}).items() if k not in EXECUTION}


def _part(name: str, variant: Seeds, whole: Seeds) -> dict[str, Any] | None:
    """A variant beside the whole; None if they share no seed."""
    seeds = sorted(variant.keys() & whole.keys())
    if not seeds:
        return None
    run, beside = variant[seeds[0]], whole[seeds[0]]
    gains = [_accuracy(variant[seed]) - _accuracy(whole[seed]) for seed in seeds]
    difference = statistics.mean(gains)
    half = half_interval(gains) if len(gains) > 1 else _half_of_one(run, beside)
    return {
        "title": TITLES.get(name.replace("-", "_"), name.replace("_", " ").replace("-", " ")),
        "run": run.name,
        "seeds": len(seeds),
        "difference": difference,
        "interval": (difference - half, difference + half),
        "parameters": _parameters(run) - _parameters(beside),
        "n": run.record["public"]["n"],
    }


def _half_of_one(run: Run, whole: Run) -> float:
    figures = run.record["public"], whole.record["public"]
    return 1.96 * math.sqrt(sum(p["accuracy"] * (1 - p["accuracy"]) / p["n"] for p in figures))


def _accuracy(run: Run) -> float:
    return float(run.record["public"]["accuracy"])


def _parameters(run: Run) -> int:
    options = tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in run.config.get("model_args", {}).items())
    model = run.config["model"].partition(".")[0]
    return network_costs(model, 48, options).parameters if timm.is_model(model) else 0
