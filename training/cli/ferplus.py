"""``python -m training ferplus``: FER+ as a benchmark of its own."""

import argparse

from fer_demo.cli.result_file import result_file
from training.cli.options import add_data, add_threads, load, prepare_cpu, write_json


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``ferplus``."""
    parser = subparsers.add_parser(
        "ferplus",
        help="accuracy against the votes of FER+'s annotators",
        description="Answers against FER+'s votes on PublicTest and PrivateTest: seven classes for every checkpoint, "
        "and eight for those that kept the head of the votes.",
    )
    parser.add_argument("models", nargs="*", help="bundled checkpoints (default: all)")
    add_data(parser)
    add_threads(parser)
    parser.add_argument("--out", type=result_file, help="write the figures here as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints a table, and optionally writes the figures."""
    from fer_demo.checkpoints import bundled_checkpoints
    from training.eval.ferplus import checkpoint_figures, table

    prepare_cpu(args.threads)
    faces = load(args)
    figures = {name: checkpoint_figures(name, faces, progress=True) for name in args.models or bundled_checkpoints()}
    print(table(figures))
    write_json(args.out, figures)
