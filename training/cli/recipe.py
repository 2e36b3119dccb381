"""``python -m training recipe``: from raw data to a recipe's checkpoint, its teachers included."""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from training import UNFINISHED
from training.cli.options import add_data_path, add_minutes, data_path, load, prepare_cpu


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``recipe``."""
    parser = subparsers.add_parser(
        "recipe",
        help="from raw data to a recipe's checkpoint, teachers and initial weights included",
        description="Trains all that a recipe starts from and learns from, each by its own recipe, then the recipe "
        f"itself, and exports it. Days on a CPU. Exit code {UNFINISHED}: --minutes were over first, and the same "
        "command goes on.",
    )
    parser.add_argument("recipe", help="its name, such as fer_sedense.restart_fer2013")
    add_data_path(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs and the checkpoint")
    parser.add_argument("--seed", type=int, default=0, help="of the last run (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads of a run")
    parser.add_argument(
        "--name", metavar="NAME", help="the checkpoint's (default: the recipe's with my_ before its tag)"
    )
    parser.add_argument(
        "--votes-share",
        type=float,
        metavar="S",
        help="of a network with two heads: how much the votes count (default: as in the published checkpoint)",
    )
    parser.add_argument("--plan", action="store_true", help="print what would be trained, in which order, and stop")
    add_minutes(parser, "stop training after so long; evaluation and export come on top")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Trains and exports, or goes on with it.

    Returns:
        0, or `UNFINISHED` if its time was up.
    """
    deadline = time.monotonic() + 60 * args.minutes
    from fer_demo.checkpoints import bundled_checkpoints, checkpoint_metrics
    from training.report.release import export
    from training.report.release_checks import check_new, check_replaceable, checkpoint_name, exportable
    from training.run.chain import chain
    from training.run.full import train_side_by_side
    from training.run.run_folder import LAST
    from training.run.state import check_data

    runs = chain(args.recipe, args.out, args.seed)
    for k, (folder, config) in enumerate(runs.items(), 1):
        print(f"{k} of {len(runs)}: {folder.name}, {config.epochs} epochs", flush=True)
    if args.plan:
        return 0
    last, config = list(runs.items())[-1]
    network, _, tag = args.recipe.partition(".")
    name = checkpoint_name(args.name or f"{network}.my_{tag}", config.model)
    published = checkpoint_metrics(args.recipe)["training"] if args.recipe in bundled_checkpoints() else {}
    point = dict(published.get("operating_point", {}))
    if args.votes_share is not None:
        if not 0 <= args.votes_share <= 1:
            raise ValueError(f"--votes-share must be from 0 to 1, but is {args.votes_share:g}.")
        point["votes_share"] = args.votes_share
    # Before days of training:
    check_new(name, "")
    check_replaceable(args.out / name)
    exportable(config, name, point.get("votes_share"), args.recipe)
    prepare_cpu(args.threads)
    faces = load(args, config)
    for folder in runs:
        check_data(folder / LAST, faces.fingerprint())
    for folder, settings in runs.items():
        one = replace(settings, threads=args.threads) if args.threads else settings
        if not train_side_by_side({folder: one}, ["--data", data_path(args), "--no-record"], deadline):
            print(f"time is up in {folder.name}; the same command goes on with {args.out}")
            return UNFINISHED
    metrics = export(last, args.out / name, faces, name=name, **point)
    test = metrics.get("PrivateTest", metrics["PublicTest"])
    print(f"{args.out / name}: {test['accuracy']:.2%}, single view")
    return 0
