"""``python -m training train``: a run, from its start or from where it stood."""

import argparse
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import UNFINISHED
from training.cli.options import add_classes, add_data, add_minutes, add_recipe, load, with_faces

if TYPE_CHECKING:
    from training.data import Faces
    from training.run.config import TrainConfig


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``train``."""
    parser = subparsers.add_parser(
        "train",
        add_help=False,
        help="train a recipe",
        description="Trains a recipe. A run that was killed, stopped or out of time goes on with --resume at the very "
        f"step at which it stood. Exit code {UNFINISHED}: --minutes were over first.",
    )
    parser.add_argument("-h", "--help", action=_Explain, help="show this help with all settings, and exit")
    add_recipe(parser)
    add_data(parser, photographs=True)
    add_classes(parser, "those of the recipe, or of the run with --resume, or the seven")
    parser.add_argument("--run-dir", type=Path, required=True, help="where checkpoints and logs go")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --run-dir")
    add_minutes(parser, "stop after so long, with the state saved for --resume")
    parser.add_argument(
        "--settings", action=_Explain, help="list every setting with its default and full meaning, and exit"
    )
    parser.add_argument("--no-record", action="store_true", help="keep no record of the run in training/runs/")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Starts or resumes a run.

    Returns:
        0, or `UNFINISHED` if its time was up.
    """
    deadline = time.monotonic() + 60 * args.minutes  # imports and data count too
    from training.run.recipes import change_execution, load_config
    from training.run.run_folder import LAST, check_networks, resume_config

    if args.resume:
        config = change_execution(resume_config(args.run_dir), args.set)
    elif (args.run_dir / LAST).exists():
        raise ValueError(f"{args.run_dir} holds a run already: add --resume, or choose another --run-dir.")
    else:
        config = load_config(args.recipe, args.set)
    config = with_faces(config, args, args.run_dir if args.resume else None)
    check_networks(config)
    _check_own_record(config, args, args.run_dir, args.resume)
    faces = load(args, config, quiet=args.quiet)
    if not args.resume:
        config = replace(config, classes=dict(faces.class_map))
    elif faces.classes != config.labels:
        raise ValueError(
            f"{args.run_dir} was started with the classes {', '.join(config.labels)}, but these data have "
            f"{', '.join(faces.classes)}: leave --classes out, which takes those of the run."
        )
    return train_or_go_on(config, faces, args, args.run_dir, args.resume, deadline)


def train_or_go_on(
    config: "TrainConfig",
    faces: "Faces",
    args: argparse.Namespace,
    run_dir: Path,
    resumed: bool,
    deadline: float,
) -> int:
    """Trains, and says what came of it.

    Args:
        config: The run's settings.
        faces: The data.
        args: With ``no_record`` and ``quiet``.
        run_dir: The run's folder.
        resumed: Whether it goes on from the state there.
        deadline: In `time.monotonic` seconds.

    Returns:
        0, or `UNFINISHED` if its time was up.
    """
    from training.run.distributed import leave
    from training.run.run_folder import LAST
    from training.run.runlog import TimeUp
    from training.run.train import Trainer

    record = _check_own_record(config, args, run_dir, resumed)
    trainer = Trainer(config, faces, run_dir, record_dir=record, quiet=args.quiet)
    if resumed:
        trainer.load(run_dir / LAST)
    try:
        best = trainer.fit(deadline)
        said = f"best on PublicTest: {best['accuracy']:.2%} in epoch {best['epoch']}; weights: "
        said += str(run_dir / "best.safetensors")
        code = 0
    except TimeUp:
        how = f"--resume --run-dir {run_dir}" if hasattr(args, "resume") else "the same command"
        said = f"time is up in epoch {trainer.epoch + 1} of {config.epochs}; {how} goes on"
        code = UNFINISHED
    if trainer.world.main:
        print(said)
    leave()
    return code


def _check_own_record(config: "TrainConfig", args: argparse.Namespace, run_dir: Path, resumed: bool) -> Path | None:
    """The folder of the run's record, in which no other run's is; None for no record."""
    from training.run.runlog import CONFIG, RUNS

    record = None if args.no_record else RUNS / run_dir.resolve().name
    if record is not None and (record / CONFIG).is_file():
        _check_record(record, config, resumed)
    return record


def _check_record(record: Path, config: "TrainConfig", resumed: bool) -> None:
    """Keeps a run from writing over the record of another one."""
    from training.report.compare import differing_settings
    from training.run.runlog import Run, read_run

    old = read_run(record)
    otherwise = "name --run-dir differently, or add --no-record"
    if different := differing_settings([old, Run("new", config.to_dict())]):
        raise ValueError(f"{record} is the record of a run with other settings ({', '.join(different)}): {otherwise}.")
    if not resumed and old.record.get("status") == "finished":
        raise ValueError(f"{record} is the record of a run that is finished: {otherwise}.")


class _Explain(argparse.Action):
    """Prints the help, its settings in a phrase each, or the settings alone in full, and leaves."""

    def __init__(self, option_strings: list[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **kwargs)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from training.run.settings import describe_settings

        brief = self.dest == "help"
        if brief:
            print(parser.format_help() + "\nwhat --set takes (--settings says more):")
        width = min(shutil.get_terminal_size().columns, 120)
        for setting in describe_settings():
            print(setting.text(width, brief=brief))
        parser.exit()
