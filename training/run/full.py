"""Teachers, students that learn from all of them, and the best student exported.

Each is a run of its own, in a folder of its own, and goes on from where it stood when it is started again.
"""

import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from training import UNFINISHED
from training.data import Faces
from training.eval.evaluate import TEST_SPLITS, evaluate
from training.report.compare import changed_settings
from training.report.release import export
from training.run.config import TrainConfig
from training.run.run_folder import BEST, LAST, run_config, trained_model
from training.run.runlog import LOG, read_run
from training.run.storage import atomic_write_text

RESULTS = "results.json"
GRACE = 60
"""Seconds after the deadline for a step or an evaluation to end. What still runs then is killed, and goes on from the
last state that it saved."""


def full(
    config: TrainConfig,
    name: str,
    data: str,
    out: Path,
    *,
    faces: Faces,
    seeds: int,
    deadline: float,
    options: Sequence[str] = (),
) -> dict[str, Any] | None:
    """Trains teachers, then as many students of all of them, and exports the student that is best on PublicTest.

    Args:
        config: For teachers and students alike.
        name: The checkpoint's, ``<architecture>.<tag>``.
        data: As `training.data.load_faces` takes it.
        faces: What is read from there, with the classes of `config`.
        out: Holds the runs, ``results.json`` and the checkpoint folder.
        seeds: Runs in each generation, seeds 0, 1, ...
        deadline: In `time.monotonic` seconds; what trains then is stopped. Evaluation and export come on top.
        options: Further options of ``python -m training train``.

    Returns:
        ``teachers`` and ``students``, each with ``runs``, the accuracies of every run on both test splits, and for
        each split ``mean`` and ``standard_deviation`` (None for a single seed); ``exported``, the name of a run. None
        if time ran out first: the same call goes on.

    Raises:
        ValueError: If the folder holds runs with other settings.
        RuntimeError: If a run failed.
    """
    generations = {}
    for kind in ("teacher", "student"):
        runs = {out / f"{config.model}-{kind}{seed}": replace(config, seed=seed) for seed in range(seeds)}
        if not train_side_by_side(runs, ["--data", data, *options], deadline):
            return None
        generations[f"{kind}s"] = runs
        config = replace(config, teachers=tuple(f"{config.model}@{run / BEST}" for run in runs))
    results: dict[str, Any] = {name: _figures(runs, faces) for name, runs in generations.items()}
    results["exported"] = max(results["students"]["runs"], key=lambda run: run["PublicTest"])["run"]
    # First: a machine that is lent for a while may take the rest of the work with it.
    atomic_write_text(out / RESULTS, json.dumps(results, indent=1) + "\n")
    export(out / results["exported"], out / name, faces, name=name, seeds=results["students"])
    return results


def train_side_by_side(runs: Mapping[Path, TrainConfig], options: Sequence[str], deadline: float) -> bool:
    """Trains several runs at once, each in its own process: a network this small does not fill a GPU.

    Args:
        runs: Folder to settings.
        options: Of ``python -m training train``.
        deadline: In `time.monotonic` seconds.

    Returns:
        Whether all have come to their end; if not, they can go on.

    Raises:
        ValueError: If a folder holds a run with other settings.
        RuntimeError: If a run failed; the others have gone on until their end or the deadline.
    """
    begun = {run for run in runs if (run / LAST).is_file()}
    for run, config in runs.items():
        # A finished run may have lost its state.
        there = run in begun or (run / LOG).is_file()
        if there and (names := changed_settings(run_config(run), config)):
            raise ValueError(f"{run} was begun with other settings ({names}): name another --out, or give the same.")
    processes = {}
    for run, config in runs.items():
        if not _finished(run, config) and (left := deadline - time.monotonic()) > 0:
            recipe = run / "recipe.yaml"
            atomic_write_text(recipe, json.dumps(config.to_dict(), indent=1) + "\n")  # JSON is YAML
            command = [sys.executable, "-m", "training", "train", *(["--resume"] if run in begun else [recipe])]
            command += ["--run-dir", run, "--minutes", left / 60, "--quiet", *options]
            with open(run / "output.txt", "a") as output:
                processes[run] = subprocess.Popen(list(map(str, command)), stdout=output, stderr=subprocess.STDOUT)
    try:
        for process in processes.values():
            process.wait(None if math.isinf(deadline) else max(0, deadline + GRACE - time.monotonic()))
    except subprocess.TimeoutExpired:
        pass
    finally:
        killed = [run for run, process in processes.items() if process.poll() is None]
        for run in killed:
            processes[run].kill()
            processes[run].wait()
    for run, process in processes.items():
        if run not in killed and process.returncode not in (0, UNFINISHED):
            last_words = (run / "output.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"{run} failed: {' '.join(last_words)}")
    return all(_finished(run, config) for run, config in runs.items())


def _finished(run: Path, config: TrainConfig) -> bool:
    return (run / LOG).is_file() and read_run(run).epochs == config.epochs


def _figures(runs: Mapping[Path, TrainConfig], faces: Faces) -> dict[str, Any]:
    """The accuracies on both test splits: of each run, their mean and their standard deviation."""
    found = []
    for run, config in runs.items():
        model = trained_model(config, run)
        metrics = evaluate(model, faces)
        found.append(
            {"run": run.name} | {split: metrics[split]["accuracy"] for split in TEST_SPLITS if split in metrics}
        )
    figures: dict[str, Any] = {"runs": found}
    for split in TEST_SPLITS:
        if split not in found[0]:
            continue
        values = [run[split] for run in found]
        figures[split] = {"mean": statistics.mean(values), "standard_deviation": deviation(values)}
    return figures


def deviation(values: Collection[float]) -> float | None:
    """The standard deviation over seeds; None for fewer than two."""
    return statistics.stdev(values) if len(values) > 1 else None
