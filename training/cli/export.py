"""``python -m training export``: from a run to a checkpoint folder."""

import argparse
from pathlib import Path

from training.cli.options import add_data, add_threads, add_tta, load, prepare_cpu, tta_kinds


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``export``."""
    parser = subparsers.add_parser("export", help="turn a run into a checkpoint folder with metrics and model card")
    parser.add_argument("run_dir", type=Path, help="the --run-dir of a run")
    parser.add_argument("--out", type=Path, required=True, help="folder, named <architecture>.<tag>")
    add_data(parser)
    add_tta(parser, "all")
    add_threads(parser)
    parser.add_argument(
        "--bn-pictures",
        type=int,
        default=0,
        metavar="N",
        help="statistics of batch normalisation from N Training pictures as they are, if the run has not done so",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Writes the folder and prints the figure of the single view."""
    from training.report.release import export

    prepare_cpu(args.threads)
    metrics = export(args.run_dir, args.out, load(args), tta_kinds(args.tta), bn_pictures=args.bn_pictures)
    print(f"{args.out}: PrivateTest {metrics['PrivateTest']['accuracy']:.4%}, single view")
