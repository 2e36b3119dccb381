"""``fer-demo COMMAND`` or ``python -m fer_demo COMMAND``: the command line."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# Modules of fer_demo.cli. Each has add_parser(subparsers), which sets the default `run`: a function from the parsed
# arguments to the exit code. What a command needs is imported inside it.
COMMANDS = ("predict", "batch", "video", "explain", "benchmark", "export")

SCRIPT = "fer-demo"
"""What pip installs the command as."""


def build_parser() -> argparse.ArgumentParser:
    """The parser with all subcommands."""
    script = Path(sys.argv[0]).stem if sys.argv else ""
    prog = script if script == SCRIPT else "python -m fer_demo"
    parser = argparse.ArgumentParser(prog=prog, description="Reads facial expressions in photos and videos.")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"fer_demo.cli.{name}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: The arguments after the program's name; None takes them from the command line.

    Returns:
        0 if all went well, 1 if something failed or the output cannot be written, 2 for a wrong use (where argparse
        itself exits with it), 130 if Ctrl-C stopped it, 141 if whoever read its output had enough of it.
    """
    args = build_parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()  # a pipe that was closed shows here, and not when the interpreter ends
        return code
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # As `head` leaves it. What is still to be written would fail again when the interpreter ends.
        drop_output()
        return 141
    except OSError as error:  # e.g. a full disk behind standard output; what commands write themselves they deal with
        drop_output()
        print(f"error: the output cannot be written ({error.strerror or error})", file=sys.stderr)
        return 1


def drop_output() -> None:
    """Lets what is still to be written to standard output go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
