"""``python -m training calibrate``: new statistics of batch normalisation for a checkpoint."""

import argparse
from pathlib import Path

from training.cli.options import add_classes, add_data, add_threads, load, prepare_cpu


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``calibrate``."""
    parser = subparsers.add_parser(
        "calibrate", help="give a checkpoint statistics of batch normalisation from pictures as they are"
    )
    parser.add_argument("checkpoint", type=Path, help="a folder that export wrote")
    parser.add_argument("--out", type=Path, help="the new folder (default: the same)")
    add_data(parser)
    add_classes(parser, "the checkpoint's")
    parser.add_argument(
        "--bn-pictures", type=int, default=8192, metavar="N", help="from so many (default: %(default)s)"
    )
    add_threads(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Writes the folder and prints the figure of the single view, and what the conformal sets are worth."""
    from training.cli.evaluate import model_classes
    from training.report.release import calibrate

    prepare_cpu(args.threads)
    out = args.out or args.checkpoint
    metrics = calibrate(args.checkpoint, out, load(args, model_classes(args.checkpoint)), args.bn_pictures)
    split = "PrivateTest" if "PrivateTest" in metrics else "PublicTest"
    print(f"{out}: {split} {metrics[split]['accuracy']:.4%}, single view")
    sets = metrics["sets"][split]
    print(
        f"From PublicTest: temperature {metrics['temperature']:g}, threshold of the sets {metrics['set_threshold']:g}. "
        f"On {split} {sets['coverage']:.1%} of the sets hold the label; they have {sets['size']:.2f} classes on "
        f"average, {sets['single']:.1%} just one. Accuracy of the most confident 80 %: {sets['accuracy_at_80']:.1%}."
    )
