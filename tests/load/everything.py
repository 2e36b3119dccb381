"""All of it, as the table of docs/reliability.md."""

import argparse
import os

STEPS = (
    ("clients", []),
    ("clients", ["--requests", "5000"]),
    ("visitors", []),
    ("slow_pictures", []),
    ("faults", []),
    ("mutations", ["--count", "10000"]),
)


def run(args: argparse.Namespace) -> int:
    """Prints the rows one after the other; 1 if a goal was missed."""
    from tests.load.__main__ import build_parser

    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before\n\n| test | measured |\n|---|---|", flush=True)
    failed = 0
    for name, options in STEPS:
        given = build_parser().parse_args([name, *options])
        failed |= given.run(given)
    return failed


def add_parser(subparsers) -> None:
    """Adds the command."""
    subparsers.add_parser("all", help="everything, as one table").set_defaults(run=run)
