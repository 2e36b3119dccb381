"""From data to a published checkpoint in one command: teachers, students that learn from them, the best one exported.

Every stage is a run of its own in a folder of its own. Called again, whatever is finished is passed over and whatever
was interrupted goes on, so that the work fits into any number of sittings.
"""

import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.data import Faces, load_faces
from training.eval.evaluate import evaluate
from training.report.compare import differing_settings
from training.report.release import export
from training.run.config import TrainConfig, load_config
from training.run.devices import pick_device
from training.run.plan import Plan, run_arguments
from training.run.run_folder import BEST, LAST, build_model, resume_config
from training.run.runlog import LOG, Run
from training.run.storage import atomic_write_text

RESULTS = "results.json"
PLAN = "plan.json"
FIGURES = "figures.json"
SHARES = {"teacher": 0.4, "student": 0.88}
"""By which part of the time each generation has to be done; what is left evaluates and exports."""


def finished(run_dir: Path, epochs: int) -> bool:
    """Whether a run has all its epochs."""
    log = run_dir / LOG
    return log.is_file() and (run_dir / BEST).is_file() and len(log.read_text().splitlines()) == epochs + 1


def check_begun(run_dir: Path, arguments: Sequence[str]) -> None:
    """Makes sure that a run that goes on is the one asked for.

    Args:
        run_dir: Its folder; a new one is in order.
        arguments: As in `run_side_by_side`.

    Raises:
        ValueError: If it was begun with other settings.
    """
    if not (run_dir / LAST).is_file():
        return
    recipe, _, *overrides = arguments
    wanted = Run("wanted", load_config(recipe, overrides).to_dict())
    different = differing_settings([Run("begun", resume_config(run_dir).to_dict()), wanted])
    if different:
        raise ValueError(
            f"{run_dir} was begun with other settings ({', '.join(different)}); name another --out, or give the same."
        )


def run_side_by_side(commands: dict[Path, list[str]], common: Sequence[str], epochs: int, deadline: float) -> bool:
    """Trains several runs at once, each in its own process: a network this small does not fill a GPU.

    Args:
        commands: Run folder to the arguments of ``python -m training train`` that start it.
        common: Further arguments, for starting and resuming alike.
        epochs: Of each.
        deadline: In `time.monotonic` seconds; runs that are not done by then are stopped and can go on later.

    Returns:
        Whether all are done.

    Raises:
        RuntimeError: If a run failed.
    """
    processes = {}
    for run_dir, arguments in commands.items():
        check_begun(run_dir, arguments)
        if finished(run_dir, epochs):
            continue
        run_dir.mkdir(parents=True, exist_ok=True)
        start = ["--resume"] if (run_dir / LAST).is_file() else arguments
        with open(run_dir / "output.txt", "a") as output:
            processes[run_dir] = subprocess.Popen(
                [sys.executable, "-m", "training", "train", *start, *common, "--run-dir", str(run_dir)],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
    try:
        while any(p.poll() is None for p in processes.values()) and time.monotonic() < deadline:
            time.sleep(0.5)
    finally:
        for process in processes.values():
            if process.poll() is None:
                process.terminate()  # not an interrupt, which processes started in the background ignore
        for process in processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
    late = [d for d in processes if not finished(d, epochs)]
    failed = [d for d in late if processes[d].returncode not in (0, -signal.SIGTERM, -signal.SIGKILL)]
    if failed:
        last_words = (failed[0] / "output.txt").read_text().strip().splitlines()[-1:]
        raise RuntimeError(f"{failed[0]} failed: {' '.join(last_words)}")
    return not late


def full(
    data: str,
    out: Path,
    *,
    recipe: str = "fer_sedense.gpu_fer2013",
    seeds: int = 3,
    minutes: float = 1e6,
    overrides: Sequence[str] = (),
    record: bool = True,
    views: tuple[str, ...] = ("flip", "ten_crop"),
    fit: bool = False,
) -> dict[str, Any] | None:
    """Trains teachers, then as many students of all of them, and exports the student that is best on PublicTest.

    Args:
        data: As `training.data.load_faces` takes it.
        out: Holds the runs, ``results.json`` and the checkpoint folder.
        recipe: For both generations.
        seeds: Runs in each generation, seeds 0, 1, ...
        minutes: Stop after about this long.
        overrides: Settings on top of the recipe.
        record: Keep a record of each run in ``training/runs/``.
        views: For the exported checkpoint.
        fit: Shorten both generations so that all is done within `minutes`, by what is measured first; a generation
            that is late all the same is taken as it stands.

    Returns:
        The results, or None if time ran out first: call it again to go on.

    Raises:
        ValueError: If `minutes` are too few to fit anything, or the folder holds runs with other settings.
        RuntimeError: If a run failed, or measuring did.
    """
    begun = time.monotonic()
    deadline = begun + 60 * minutes
    config = load_config(recipe, list(overrides))

    def trained(generation: str, teachers: Sequence[str]) -> list[Path] | None:
        """The folders of a generation's runs, or None if time ran out first."""
        settings = [*overrides, *([f"teachers=[{', '.join(teachers)}]"] if teachers else [])]
        end = begun + 60 * minutes * SHARES[generation] if fit else deadline
        plan = Plan(out / PLAN, generation, recipe, settings, seeds) if fit else None
        if plan:
            settings += plan.settings(data, end)
        runs = {
            out / f"{config.model}-{generation}{seed}": run_arguments(recipe, settings, seed) for seed in range(seeds)
        }
        if plan and plan.closed:
            return list(runs)
        common = ["--data", data, "--quiet", *([] if record else ["--no-record"])]
        done = run_side_by_side(runs, common, load_config(recipe, settings).epochs, end)
        late = plan and not done and time.monotonic() >= end  # not one that was killed before
        if late and all((run / file).is_file() for run in runs for file in (BEST, LAST)):
            plan.close()  # what fitted by measure and was late all the same has good weights nearly always
            done = True
        return list(runs) if done else None

    teachers = trained("teacher", [])
    students = trained("student", [f"{config.model}@{run / BEST}" for run in teachers]) if teachers else None
    if not students:
        return None
    faces = load_faces(data)
    results: dict[str, Any] = {}
    for generation, folders in (("teachers", teachers), ("students", students)):
        figures = []
        for run in folders:
            if time.monotonic() > deadline and not fit:
                return None
            figures.append(_figures(config, run, faces))
        results[generation] = {"runs": figures} | {
            split: {
                "mean": statistics.mean(f[split] for f in figures),
                "standard_deviation": statistics.stdev(f[split] for f in figures) if len(figures) > 1 else None,
            }
            for split in ("PublicTest", "PrivateTest")
        }
    best = max(
        students, key=lambda run: next(f for f in results["students"]["runs"] if f["run"] == run.name)["PublicTest"]
    )
    results["exported"] = best.name
    # First: a machine that is lent for a while may take the rest of the work with it.
    atomic_write_text(out / RESULTS, json.dumps(results, indent=1) + "\n")
    export(best, out / config.model, faces, views, seeds=results["students"])
    return results


def _figures(config: TrainConfig, run: Path, faces: Faces) -> dict[str, Any]:
    """The single-view accuracies of a run, kept in its folder."""
    file = run / FIGURES
    if file.is_file() and file.stat().st_mtime > (run / BEST).stat().st_mtime:
        return json.loads(file.read_text(encoding="utf-8"))
    model = build_model(config, checkpoint_path=str(run / BEST)).to(pick_device(config.device))
    metrics = evaluate(model, faces)
    figures = {"run": run.name} | {split: metrics[split]["accuracy"] for split in ("PublicTest", "PrivateTest")}
    atomic_write_text(file, json.dumps(figures) + "\n")
    return figures
