"""Which runs reproduced a system without their weights being bundled, as the trade-offs show them."""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

from fer_demo.checkpoints import bundled_checkpoints
from fer_demo.files import read_json
from fer_demo.tradeoffs.published import data_sets, systems
from fer_demo.tradeoffs.reproduced import FILE, Reproduced
from training.report.compare import differing_settings, flat
from training.report.schedule import schedule
from training.run.recipes import load_config
from training.run.runlog import RUNS, Run, read_run
from training.run.storage import atomic_write_text, read_back

METRICS = "metrics.json"
"""The figures on both test sets in a run's record, as ``python -m training evaluate --out`` writes them."""

_RUN = re.compile(r"(?P<name>[a-z0-9_]+\.[a-z0-9_]+)-seed\d+")


def reproduced_runs(runs: Path = RUNS) -> list[Reproduced]:
    """The finished runs with figures whose weights are not bundled, one for each recipe.

    Of several it is the one that is best on PublicTest; its seeds are the runs that differ from it in nothing else.

    Args:
        runs: The folder of records.

    Raises:
        ValueError: If a record is damaged.
    """
    found: dict[str, list[Reproduced]] = {}
    for one in _evaluated(runs):
        found.setdefault(one.name, []).append(one)
    chosen = []
    for name in sorted(found):
        best = max(found[name], key=lambda one: one.public)
        seeds = sum(_but_the_seed(one) == _but_the_seed(best) for one in found[name])
        chosen.append(dataclasses.replace(best, seeds=seeds))
    return chosen


def _but_the_seed(one: Reproduced) -> set[str]:
    return {change for change in one.changes if not change.startswith("seed=")}


def _evaluated(runs: Path) -> Iterator[Reproduced]:
    known, bundled = {system.model for system in systems()}, set(bundled_checkpoints())
    for folder in sorted(path.parent for path in runs.glob(f"*/{METRICS}")):
        match = _RUN.fullmatch(folder.name)
        name = match["name"] if match else ""
        data = next((key for key in data_sets() if name.endswith(f"_{key}")), None)
        if data is None or name in bundled or name.partition(".")[0] not in known:
            continue
        run = read_run(folder)
        if run.record.get("status") != "finished":
            continue
        with read_back(folder / METRICS, "restore it from the repository"):
            metrics = read_json(folder / METRICS)
            accuracy, public = metrics["PrivateTest"]["accuracy"], metrics["PublicTest"]["accuracy"]
            (low, high), size = metrics["PrivateTest"]["interval"], int(metrics["size"][0])
            if not (0 <= low <= accuracy <= high <= 1 and 0 <= public <= 1):
                raise ValueError("these are no accuracies with their interval")
        yield Reproduced(
            name=name,
            data=data,
            run=folder.name,
            seeds=1,
            schedule=schedule({"recipe": run.config}),
            changes=_changes(name, run),
            size=size,
            accuracy=accuracy,
            interval=(low, high),
            public=public,
            note=run.record.get("note", ""),
        )


def _changes(name: str, run: Run) -> tuple[str, ...]:
    recipe = Run("", load_config(name).to_dict())
    made = flat(run.config)
    # What the recipe names and the run does not can only be left out with its whole group.
    changed = [
        setting if setting in made else setting.partition(".")[0] for setting in differing_settings([recipe, run])
    ]
    whole = {setting for setting in changed if setting not in made}
    named = dict.fromkeys(setting for setting in changed if setting.partition(".")[0] not in whole or setting in whole)
    values = {setting: made[setting] if setting in made else run.config.get(setting, {}) for setting in named}
    return tuple(f"{setting}={json.dumps(value, separators=(',', ':'))}" for setting, value in values.items())


def write_reproduced(runs: Path = RUNS, file: Path = FILE) -> int:
    """Writes what the trade-offs read; how many systems it holds.

    Raises:
        ValueError: If a record is damaged.
    """
    found = reproduced_runs(runs)
    entries = [dataclasses.asdict(one) for one in found]
    atomic_write_text(file, json.dumps(entries, indent=1) + "\n")
    return len(found)
