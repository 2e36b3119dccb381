"""``python -m fer_demo COMMAND``: the command line."""

import argparse
import importlib
import sys
from collections.abc import Sequence

# Modules of fer_demo.cli. Each has add_parser(subparsers), which sets the default `run`: a function from the parsed
# arguments to the exit code. What a command needs is imported inside it.
COMMANDS = ("predict", "explain", "export")


def build_parser() -> argparse.ArgumentParser:
    """The parser with all subcommands."""
    parser = argparse.ArgumentParser(prog="python -m fer_demo", description="Reads facial expressions in photos.")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"fer_demo.cli.{name}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: The arguments after the program's name; None takes them from the command line.

    Returns:
        0 if all went well, 1 if something failed, 2 for a wrong use (where argparse itself exits with it).
    """
    args = build_parser().parse_args(argv)
    try:
        return args.run(args)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
