"""``python -m training systems``: the table of the compared systems."""

import argparse


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``systems``."""
    parser = subparsers.add_parser("systems", help="print the table of the compared systems")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints the table."""
    from training.report.systems import systems_table

    print(systems_table())
