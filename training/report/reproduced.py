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

    Of several seeds it is the one that is best on PublicTest.

    Args:
        runs: The folder of records.

    Raises:
        ValueError: If a record is damaged.
    """
    best: dict[str, Reproduced] = {}
    for found in _evaluated(runs):
        before = best.get(found.name)
        if before is None:
            best[found.name] = found
        else:
            better = max(before, found, key=lambda one: one.public)
            best[found.name] = dataclasses.replace(better, seeds=before.seeds + 1)
    return [best[name] for name in sorted(best)]


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
            test, public = metrics["PrivateTest"], metrics["PublicTest"]["accuracy"]
        yield Reproduced(
            name=name,
            data=data,
            run=folder.name,
            seeds=1,
            schedule=schedule({"recipe": run.config}),
            changes=_changes(name, run),
            size=metrics["size"][0],
            accuracy=test["accuracy"],
            interval=tuple(test["interval"]),
            public=public,
            note=run.record.get("note", ""),
        )


def _changes(name: str, run: Run) -> tuple[str, ...]:
    recipe = Run("", load_config(name).to_dict())
    made = flat(run.config)
    changed = differing_settings([recipe, run])
    return tuple(f"{setting}={json.dumps(made[setting], separators=(',', ':'))}" for setting in changed)


def write_reproduced(runs: Path = RUNS, file: Path = FILE) -> int:
    """Writes what the trade-offs read; how many systems it holds.

    Raises:
        ValueError: If a record is damaged.
    """
    found = reproduced_runs(runs)
    entries = [dataclasses.asdict(one) for one in found]
    atomic_write_text(file, json.dumps(entries, indent=1) + "\n")
    return len(found)
