"""What is looked at before a run is exported, or before days of training for an export."""

import dataclasses
import re
from pathlib import Path

import timm

import fer_demo  # noqa: F401  (registers the models)
from fer_demo.checkpoints import WEIGHTS_FILE, bundled_checkpoints
from fer_demo.vision.sources import one_line
from training.run.config import TrainConfig
from training.run.provenance import releases
from training.run.run_folder import is_named_network

MAX_CHECKPOINT_NAME = 100
"""Characters: it stands in tables and on pages."""


def checkpoint_name(name: str, model: str) -> str:
    """The name of a checkpoint, ``<architecture>.<tag>``.

    Args:
        name: That, or the tag alone.
        model: The network of its run.

    Raises:
        ValueError: If it is no such name, or names another network.
    """
    architecture = model.partition(".")[0]
    full = name if "." in name else f"{architecture}.{name}"
    stem = full.partition(".")[0]
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*\.[A-Za-z0-9][\w.-]*", full, re.ASCII) or len(full) > MAX_CHECKPOINT_NAME:
        raise ValueError(
            f"{one_line(name)!r} cannot be a checkpoint's name; take letters, digits, _ and -, as in "
            f"{architecture}.my_data."
        )
    if stem != architecture and timm.is_model(stem):
        raise ValueError(f"{full} names the network {stem}, but the run has {architecture}: give another --name.")
    return full


def exportable(config: TrainConfig, name: str, votes_share: float | None, source: str | Path) -> TrainConfig:
    """The settings with which a checkpoint is written, without options that its network's name says.

    Args:
        config: The run's settings.
        name: The checkpoint's.
        votes_share: As for `export`.
        source: Named in the errors: the run, or its recipe before it is trained.

    Raises:
        ValueError: If there are two heads and no share or the other way round, or the name is that of a network with
            other options.
    """
    if (votes_share is None) == (len(config.heads) > 1):
        missing = "has two heads: give" if votes_share is None else "has one head: leave out"
        raise ValueError(f"{source} {missing} the share of the votes (--votes-share).")
    if config.model_args and is_named_network(config):
        config = dataclasses.replace(config, model_args={})
    if config.model_args and timm.is_model(name.partition(".")[0]):
        raise ValueError(
            f"{name} names a network without the options {config.model_args}: give another --name, such as "
            f"{name.replace('.', '-variant.')}, and load it as local-dir:FOLDER."
        )
    return config


def check_replaceable(out: Path) -> None:
    """Keeps a checkpoint from taking the place of something else.

    Raises:
        ValueError: If there is a file, or a folder that holds anything but a checkpoint.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / WEIGHTS_FILE).is_file()):
        raise ValueError(f"{out} holds something else than a checkpoint, which stays: name a new folder.")


def check_new(name: str, run: str) -> None:
    """Keeps a published name from moving to other weights.

    Args:
        name: A checkpoint's, ``<architecture>.<tag>``.
        run: The name of the run that it comes from.

    Raises:
        ValueError: If weights of another run were released under that name, or are bundled.
    """
    known = next((r for r in releases() if r.name == name), None)
    if known and known.run != run:
        raise ValueError(
            f"{name} was released on {known.released} from the run {known.run}, and a published name never moves; give "
            "these weights a tag of their own."
        )
    if known is None and name in bundled_checkpoints():
        raise ValueError(f"{name} is the name of bundled weights; give these a tag of their own.")
