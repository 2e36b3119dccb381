"""``python -m training merging``: what fitting the confidence of merged classes anew is worth."""

import argparse

from fer_demo.cli.result_file import result_file
from training.cli.options import write_json


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``merging``."""
    parser = subparsers.add_parser(
        "merging",
        help="calibration of merged classes, from the validation logits that come with checkpoints",
        description="Fits on half of a checkpoint's validation logits and measures on the other half: sums of "
        "probabilities as the network's own temperature gives them, and with a temperature and threshold of their own.",
    )
    parser.add_argument("models", nargs="*", help="checkpoints (default: all bundled ones)")
    parser.add_argument(
        "--merge",
        action="append",
        default=[],
        metavar="NAME=CLASS,...",
        help="as for `fer-demo predict` (default: negative=angry,sad,fear,disgust)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the halves (default: %(default)s)")
    parser.add_argument("--out", type=result_file, help="write the figures here as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints a table, and optionally writes the figures."""
    from fer_demo.checkpoints import bundled_checkpoints
    from fer_demo.merging import parse_merges
    from training.eval.merging import merging_figures, table

    merge = parse_merges(args.merge or ["negative=angry,sad,fear,disgust"])
    figures = {name: merging_figures(name, merge, args.seed) for name in args.models or bundled_checkpoints()}
    print(table(figures))
    write_json(args.out, figures)
