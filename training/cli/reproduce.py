"""``python -m training reproduce``: every published figure, computed again."""

import argparse

from training.cli.options import add_data, add_threads, load, prepare_cpu


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``reproduce``."""
    parser = subparsers.add_parser("reproduce", help="compute every published figure again and compare")
    parser.add_argument("names", nargs="*", help="bundled checkpoints (default: all)")
    add_data(parser)
    add_threads(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints the README's table; fails if a figure differs from the one published."""
    from training.eval.reproduce import reproduce, results_table, table_hint

    prepare_cpu(args.threads)
    figures, problems = reproduce(load(args, quiet=args.quiet), args.names or None, quiet=args.quiet)
    print(results_table(figures))
    if problems:
        raise ValueError("not reproduced: " + "; ".join(problems))
    print("every figure is the one published")
    if not args.names and (hint := table_hint(figures)):
        print(hint)
