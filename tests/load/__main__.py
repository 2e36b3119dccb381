"""``python -m tests.load COMMAND``; nothing outside this machine is asked, and every command ends by itself."""

import argparse
import importlib
import sys
from collections.abc import Sequence

# Modules of tests.load. Each has add_parser(subparsers), which sets the default `run`: a function from the parsed
# arguments to the exit code.
COMMANDS = (
    "mutations",
    "clients",
    "visitors",
    "pages",
    "folder",
    "live",
    "slow_pictures",
    "faults",
    "batch",
    "everything",
)


def build_parser() -> argparse.ArgumentParser:
    """The parser with all subcommands."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="Load and damaged input.")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"tests.load.{name}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; its exit code."""
    args = build_parser().parse_args(argv)
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
