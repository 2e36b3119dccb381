"""``python -m training train``: a run, from its start or from where it stood."""

import argparse
import json
import shutil
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import UNFINISHED
from training.cli.options import add_classes, add_data, add_minutes, add_recipe, load

if TYPE_CHECKING:
    from training.run.config import TrainConfig


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``train``."""
    parser = subparsers.add_parser(
        "train",
        help="train a recipe",
        description="Trains a recipe. A run that was killed, stopped or out of time goes on with --resume at the very "
        f"step at which it stood. Exit code {UNFINISHED}: --minutes were over first.",
    )
    add_recipe(parser)
    add_data(parser)
    add_classes(parser, "those of the recipe, or of the run with --resume, or the seven")
    parser.add_argument("--run-dir", type=Path, required=True, help="where checkpoints and logs go")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --run-dir")
    add_minutes(parser, "stop after so long, with the state saved for --resume")
    parser.add_argument(
        "--settings", action=_Settings, help="list every setting with its default and meaning, and exit"
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
    from training.run.distributed import leave
    from training.run.recipes import change_execution, load_config
    from training.run.run_folder import LAST, resume_config
    from training.run.runlog import CONFIG, RUNS, TimeUp
    from training.run.train import Trainer

    if args.resume:
        config = change_execution(resume_config(args.run_dir), args.set)
    elif (args.run_dir / LAST).exists():
        raise ValueError(f"{args.run_dir} holds a run already: add --resume, or choose another --run-dir.")
    else:
        config = load_config(args.recipe, args.set)
    faces = load(args, config.classes)
    if args.resume and faces.classes != config.labels:
        raise ValueError(
            f"{args.run_dir} was started with the classes {', '.join(config.labels)}, but these data have "
            f"{', '.join(faces.classes)}: leave --classes out, which takes those of the run."
        )
    if not args.resume:
        config = replace(config, classes=dict(faces.class_map))
    record = None if args.no_record else RUNS / args.run_dir.resolve().name
    if record is not None and (record / CONFIG).is_file():
        _check_record(record, config, args.resume)
    trainer = Trainer(config, faces, args.run_dir, record_dir=record, quiet=args.quiet)
    if args.resume:
        trainer.load(args.run_dir / LAST)
    try:
        best = trainer.fit(deadline)
        said = f"best on PublicTest: {best['accuracy']:.2%} in epoch {best['epoch']}; weights: "
        said += str(args.run_dir / "best.safetensors")
        code = 0
    except TimeUp:
        said = f"time is up in epoch {trainer.epoch + 1} of {config.epochs}; --resume --run-dir {args.run_dir} goes on"
        code = UNFINISHED
    if trainer.world.main:
        print(said)
    leave()
    return code


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


class _Settings(argparse.Action):
    """Prints the settings and leaves, as --help does."""

    def __init__(self, option_strings: list[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **kwargs)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from training.run.recipes import describe_settings

        width = min(shutil.get_terminal_size().columns, 120)
        for name, default, meaning in describe_settings():
            shown = default if isinstance(default, str) and default else json.dumps(default)
            print(f"{name}={shown}")
            print(textwrap.fill(meaning, width, initial_indent="    ", subsequent_indent="    "))
        parser.exit()
