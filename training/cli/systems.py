"""``python -m training systems``: the table of the compared systems."""

import argparse


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``systems``."""
    parser = subparsers.add_parser("systems", help="print the table of the compared systems")
    parser.add_argument(
        "--write",
        action="store_true",
        help="tell the trade-offs of runs whose weights are not bundled",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints the table, and writes what the trade-offs read."""
    from training.report.reproduced import write_reproduced
    from training.report.systems import systems_table

    if args.write:
        write_reproduced()
    print(systems_table())
