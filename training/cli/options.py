"""Options that several commands share, and what they stand for."""

import argparse
import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.data import Faces

TTA_CHOICES = ("none", "flip", "ten_crop", "all")


def add_data(parser: argparse.ArgumentParser) -> None:
    """Adds where the data are, and what to do with rows that cannot be used."""
    add_data_path(parser)
    add_skip_bad(parser)


def add_data_path(parser: argparse.ArgumentParser) -> None:
    """Adds where the data are."""
    parser.add_argument(
        "--data",
        default=os.environ.get("FER2013_DIR"),
        help="fer2013.csv, or the folder that holds it or train/ and test/ (default: $FER2013_DIR)",
    )


def add_classes(parser: argparse.ArgumentParser, default: str = "the seven") -> None:
    """Adds which classes the data have.

    Args:
        parser: Gets the option.
        default: What is taken without it.
    """
    from training.data.classes import HELP

    parser.add_argument("--classes", metavar="auto|NAMES|MAP.yaml", help=f"{HELP} (default: {default})")


def add_skip_bad(parser: argparse.ArgumentParser) -> None:
    """Adds what to do with rows that cannot be used."""
    parser.add_argument("--skip-bad", action="store_true", help="leave out rows that cannot be used, and count them")


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Adds a recipe and what is changed in it."""
    parser.add_argument("recipe", nargs="?", help="a YAML file or the name of one in training/recipes/")
    add_set(parser)


def add_set(parser: argparse.ArgumentParser) -> None:
    """Adds overrides of a recipe's settings."""
    parser.add_argument(
        "--set",
        nargs="*",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="override settings of the recipe; `train --settings` lists them",
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Adds the number of CPU threads."""
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: PyTorch's choice)")


def add_minutes(parser: argparse.ArgumentParser, text: str) -> None:
    """Adds a limit of time, infinite by default."""
    parser.add_argument("--minutes", type=_positive, default=math.inf, metavar="M", help=text)


def add_tta(parser: argparse.ArgumentParser, default: str) -> None:
    """Adds the test-time augmentation to evaluate besides the pictures as they are."""
    parser.add_argument(
        "--tta",
        default=default,
        choices=TTA_CHOICES,
        help="test-time augmentation to evaluate besides (default: %(default)s)",
    )


def tta_kinds(choice: str) -> tuple[str, ...]:
    """The kinds of `training.eval.tta.TTA` that a choice means."""
    from training.eval.tta import TTA

    return {"none": (), "all": TTA}.get(choice, (choice,))


def data_path(args: argparse.Namespace) -> str:
    """Where the data are.

    Raises:
        ValueError: If nobody has said so.
    """
    if not args.data:
        raise ValueError("No data: give --data PATH or set FER2013_DIR to the path of fer2013.csv or its folder.")
    return args.data


def load(args: argparse.Namespace, classes: Mapping[str, Any] | None = None) -> "Faces":
    """Reads the data, and says what was left out and chosen, and which classes have hardly any pictures.

    Args:
        args: With ``data``, and perhaps ``skip_bad`` and ``classes``.
        classes: The setting of that name of a run, for commands without ``--classes`` or where it is not given.
    """
    from training.data import BadRows, load_faces
    from training.data.audit import thin_classes
    from training.data.classes import map_choice, parse_choice

    asked = getattr(args, "classes", None)
    choice = map_choice(classes, "classes") if classes and asked is None else parse_choice(asked)

    bad = BadRows(skip=getattr(args, "skip_bad", False))
    faces = load_faces(data_path(args), bad=bad, choice=choice)
    for sentence in bad.report():
        print(sentence, file=sys.stderr)
    for sentence in thin_classes(faces):
        print(f"warning: {sentence}", file=sys.stderr)
    return faces


def prepare_cpu(threads: int = 0) -> None:
    """Makes a CPU fast for evaluation.

    Args:
        threads: For PyTorch, or 0 for its own choice.
    """
    import torch

    from training.run.devices import keep_freed_memory

    keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)


def write_json(file: Path | None, value: Any, indent: int = 1) -> None:
    """Writes a result to the file that was asked for, if one was."""
    if file:
        from training.run.storage import atomic_write_text

        atomic_write_text(file, json.dumps(value, indent=indent) + "\n")


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value
