"""Options that several commands share, and what they stand for."""

import argparse
import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import FACES, NO_FACE
from training.cli.processes import first_here

if TYPE_CHECKING:
    from training.data import BadRows, Faces
    from training.run.config import TrainConfig

TTA_CHOICES = ("none", "flip", "ten_crop", "all")


def add_data(parser: argparse.ArgumentParser, *, photographs: bool = False) -> None:
    """Adds where the data are, and what to do with rows that cannot be used.

    Args:
        parser: Gets the options.
        photographs: Whether the data may be photographs in which faces have to be found, for commands that take data
            of all kinds.
    """
    add_data_path(parser)
    add_skip_bad(parser)
    if photographs:
        add_faces(parser)


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


def add_faces(parser: argparse.ArgumentParser) -> None:
    """Adds what the pictures of the data are; absent options are None, so that a run's own settings can stand."""
    parser.add_argument(
        "--faces",
        choices=FACES,
        dest="face_crops",  # some commands count faces
        help="detect: find the largest face of each photograph and cut it out as predicting does; as-is: each picture "
        "is one face (default)",
    )
    parser.add_argument(
        "--no-face", choices=NO_FACE, help="leave out photographs without a face, or take them whole (default: skip)"
    )


def with_faces(config: "TrainConfig", args: argparse.Namespace, begun: Path | None = None) -> "TrainConfig":
    """A run's settings with what the options say of its pictures.

    Args:
        config: The settings.
        args: With the options of `add_faces`.
        begun: The run's folder, if it goes on.

    Raises:
        ValueError: If a run that goes on was begun otherwise.
    """
    import dataclasses

    given = {"faces": args.face_crops, "no_face": args.no_face}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        before = getattr(config, name)
        if begun and value != before:
            option = f"--{name.replace('_', '-')}"
            raise ValueError(f"{begun} was begun with {option} {before}: leave {option} out, or start another run.")
    return dataclasses.replace(config, **given)


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
        help="override settings of the recipe; `train --help` lists them",
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


def load(
    args: argparse.Namespace,
    config: "TrainConfig | None" = None,
    *,
    classes: Mapping[str, Any] | None = None,
    side: int = 0,
    bad: "BadRows | None" = None,
    quiet: bool = False,
) -> "Faces":
    """Reads the data, and says what was left out and chosen, and which classes have hardly any pictures.

    Args:
        args: With ``data``, and perhaps what `add_data` and `add_classes` add besides.
        config: The settings of a run, which say what its pictures and classes are where the options do not.
        classes: The setting of that name, where there is no run.
        side: Of faces that have to be found, in pixels; 0 is the run's, or else FER2013's.
        bad: Collects what was left out; afterwards it can be looked at.
        quiet: No progress bar.
    """
    from training.data import BadRows
    from training.data.classes import map_choice, parse_choice
    from training.data.detection import SIDE, read_faces

    asked, classes = getattr(args, "classes", None), config.classes if config else classes
    bad = BadRows() if bad is None else bad
    bad.skip = getattr(args, "skip_bad", False)
    faces = read_faces(
        data_path(args),
        bad=bad,
        choice=map_choice(classes, "classes") if classes and asked is None else parse_choice(asked),
        faces=getattr(args, "face_crops", None) or (config.faces if config else FACES[0]),
        no_face=getattr(args, "no_face", None) or (config.no_face if config else NO_FACE[0]),
        side=side or (config.sizes[-1][1] if config else SIDE),
        quiet=quiet or not first_here(),
    )
    report_data(faces, bad)
    return faces


def report_data(faces: "Faces", bad: "BadRows") -> None:
    """Says once what was left out and chosen, and which classes have hardly any pictures."""
    from training.data.audit import thin_classes

    if not first_here():
        return
    for sentence in bad.report():
        print(sentence, file=sys.stderr)
    for sentence in thin_classes(faces):
        print(f"warning: {sentence}", file=sys.stderr)


def plus_minus(deviation: float | None) -> str:
    """A standard deviation behind the figure that it belongs to; empty for none."""
    return "" if deviation is None else f" ± {deviation:.2%}"


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
