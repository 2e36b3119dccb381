"""``python -m training photos``: accuracy on a folder of photographs, from photo to answer."""

import argparse
import os

from fer_demo.cli.result_file import result_file
from training.cli.options import write_json


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``photos``."""
    parser = subparsers.add_parser("photos", help="accuracy on labelled photographs, detector and crop included")
    parser.add_argument("models", nargs="*", help="as fer_demo.Predictor takes them (default: all bundled checkpoints)")
    add_photos(parser)
    parser.add_argument("--out", type=result_file, help="write the figures here as JSON")
    parser.set_defaults(run=run)


def add_photos(parser: argparse.ArgumentParser) -> None:
    """Adds where the photographs are."""
    parser.add_argument(
        "--photos",
        default=os.environ.get("FER_WILD_DIR"),
        metavar="DIR",
        help="folder with labels.csv (image,label) and images/ (default: $FER_WILD_DIR)",
    )


def run(args: argparse.Namespace) -> None:
    """Prints a table, and optionally writes the figures."""
    from fer_demo import Predictor
    from fer_demo.checkpoints import bundled_checkpoints
    from training.eval.photos import photo_metrics, read_photos, table

    if not args.photos:
        raise ValueError("No photographs: give --photos DIR or set FER_WILD_DIR to a folder with labels.csv.")
    photos = read_photos(args.photos)
    figures = {}
    for name in args.models or bundled_checkpoints():
        figures[name] = photo_metrics(Predictor(name), photos, progress=name)
    print(table(figures))
    write_json(args.out, figures)
