"""``python -m training calibrate``: new statistics of batch normalisation for a checkpoint, or what to fit it on."""

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
    add_data(parser, photographs=True)
    add_classes(parser, "the checkpoint's")
    parser.add_argument(
        "--bn-pictures", type=int, default=8192, metavar="N", help="from so many (default: %(default)s)"
    )
    parser.add_argument(
        "--validation",
        action="store_true",
        help="leave the checkpoint as it is and add validation.npz, its answers to PublicTest, to which confidence is "
        "fitted anew where classes are merged",
    )
    add_threads(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Writes the folder and prints the figure of the single view, and what the conformal sets are worth."""
    from fer_demo.checkpoints import checkpoint_metrics
    from training.cli.evaluate import model_classes
    from training.report.release import calibrate

    prepare_cpu(args.threads)
    if args.validation:
        from training.report.validation import add_validation

        file = add_validation(args.checkpoint, load(args))
        print(f"{file}: {file.stat().st_size:,} bytes")
        return
    out = args.out or args.checkpoint
    side = checkpoint_metrics(str(args.checkpoint)).get("size", [0])[0]
    faces = load(args, classes=model_classes(args.checkpoint), side=side)
    metrics = calibrate(args.checkpoint, out, faces, args.bn_pictures)
    split = "PrivateTest" if "PrivateTest" in metrics else "PublicTest"
    print(f"{out}: {split} {metrics[split]['accuracy']:.4%}, single view")
    sets = metrics["sets"][split]
    print(
        f"From PublicTest: temperature {metrics['temperature']:g}, threshold of the sets {metrics['set_threshold']:g}. "
        f"On {split} {sets['coverage']:.1%} of the sets hold the label; they have {sets['size']:.2f} classes on "
        f"average, {sets['single']:.1%} just one. Accuracy of the most confident 80 %: {sets['accuracy_at_80']:.1%}."
    )
