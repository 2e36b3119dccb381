"""``python -m training COMMAND``: the trainer's command line; ``--help`` lists the commands."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from fer_demo.__main__ import drop_output
from training.cli.processes import say_error

# Modules of training.cli. Each has add_parser(subparsers), which sets the default `run`: a function from the parsed
# arguments to the exit code, or to None for 0. What a command needs is imported inside it.
COMMANDS = (
    "train",
    "full",
    "recipe",
    "raf_single",
    "compare",
    "profile",
    "learning_curve",
    "evaluate",
    "reproduce",
    "end_to_end",
    "systems",
    "landmark_quality",
    "region_mass",
    "faithfulness",
    "class_averages",
    "ferplus",
    "photos",
    "robustness",
    "benchmark",
    "audit",
    "export",
    "calibrate",
    "merging",
)


def build_parser() -> argparse.ArgumentParser:
    """The parser with all subcommands."""
    parser = argparse.ArgumentParser(prog="python -m training", description="Train and evaluate on FER2013.")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"training.cli.{name}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: The arguments after the program's name; None takes them from the command line.

    Returns:
        0 if all went well, 2 for bad input, which one sentence explains, 130 if somebody stopped it, 141 if whoever
        read its output had enough of it, or what else the command's help says.
    """
    try:
        args = build_parser().parse_args(argv)
        code = args.run(args) or 0
        sys.stdout.flush()  # a pipe that was closed shows here, and not when the interpreter ends
        return code
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # as `head` leaves it
        drop_output()
        return 141
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        say_error(f"{place}{error.strerror or error or type(error).__name__}")
        return 2
    except (ValueError, RuntimeError, ArithmeticError) as error:
        say_error(str(error or type(error).__name__))
        return 2


if __name__ == "__main__":
    sys.exit(main())
