"""``python -m training end-to-end``: from photo to answer, on faces in scenes."""

import argparse
from pathlib import Path

from fer_demo.cli.result_file import result_file
from training.cli.options import add_data, add_threads, load, write_json

SPLIT = "PrivateTest"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``end-to-end``."""
    parser = subparsers.add_parser(
        "end-to-end", help="compare answers for faces found in scenes with those for the same faces' clean crops"
    )
    parser.add_argument("models", nargs="*", help="what fer_demo.Predictor takes (default: every bundled checkpoint)")
    add_data(parser)
    parser.add_argument(
        "--split", default=SPLIT, choices=("PublicTest", "PrivateTest"), help="faces (default: %(default)s)"
    )
    parser.add_argument(
        "--faces", type=int, default=1000, metavar="N", help="how many for each size (default: %(default)s)"
    )
    parser.add_argument(
        "--sizes", type=_sizes, help="sides of a face's square in the scene, in pixels (default: 30,48,64,96,150,300)"
    )
    parser.add_argument(
        "--cut", type=float, default=0.0, metavar="PART", help="put this part of each face beyond the scene's edge"
    )
    parser.add_argument("--seed", type=int, default=0, help="which faces and scenes (default: %(default)s)")
    add_threads(parser)
    parser.add_argument("--out", type=result_file, help="write the figures here, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints the table, and optionally writes the figures."""
    from fer_demo import Predictor
    from fer_demo.checkpoints import bundled_checkpoints
    from training.eval.end_to_end import SIZES, end_to_end, table

    names = args.models or bundled_checkpoints()
    predictors = {Path(name).name: Predictor(name, threads=args.threads or None) for name in names}
    faces = load(args).split(args.split)
    sizes = args.sizes or SIZES
    result = end_to_end(predictors, faces, count=args.faces, sizes=sizes, cut=args.cut, seed=args.seed, progress=True)
    print(table(result))
    write_json(args.out, {"split": args.split} | result)


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of pixels such as 48,96") from None
