"""Several classes of a model taken for one: their probabilities are added, and the confidence is fitted anew."""

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_demo.calibration import fit_set_threshold, fit_temperature, sum_groups
from fer_demo.checkpoints import Checkpoint, resolve
from fer_demo.classes import check_names
from fer_demo.runtime.checks import ModelError
from fer_demo.runtime.engines import softmax
from fer_demo.validation import FILE, read_validation
from fer_demo.vision.sources import one_line

Merge = Mapping[str, Sequence[str]]
"""Name of a merged class to the classes of the model that it stands for."""


@dataclass(frozen=True)
class Merging:
    """What a model answers for once classes are merged.

    Attributes:
        names: The classes, a merged one where the first of its own stood.
        groups: The outputs of the network that each of them is the sum of.
        temperature: Fitted for them; None where the checkpoint has nothing to fit it on.
        set_threshold: Likewise.
    """

    names: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]
    temperature: float | None = None
    set_threshold: float | None = None


def parse_merges(texts: Sequence[str]) -> dict[str, tuple[str, ...]] | None:
    """Reads the values of ``--merge``.

    Args:
        texts: Such as ``"negative=angry,sad,fear,disgust"``, one a merged class.

    Returns:
        As `fer_demo.Predictor` takes it; None for nothing.

    Raises:
        ModelError: If one cannot be read, or two have the same name.
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, sign, members = text.partition("=")
        parts = tuple(part.strip() for part in members.split(","))
        if not sign or not name.strip() or not all(parts):
            raise ModelError(
                f"{one_line(text)!r} merges nothing; write a name and classes, as in negative=angry,sad,fear,disgust."
            )
        if name.strip() in found:
            raise ModelError(f"Two merged classes are called {name.strip()!r}; give each a name of its own.")
        found[name.strip()] = parts
    return found or None


def merge_classes(labels: Sequence[str], merge: Merge) -> Merging:
    """The classes that are left, without anything fitted.

    Args:
        labels: Class names in the order of the network's outputs.
        merge: What is merged.

    Raises:
        ModelError: If a class is unknown or in two groups, a name is taken or cannot be one, or fewer than two classes
            are left.
    """
    group_of: dict[str, str] = {}
    for name, members in merge.items():
        if isinstance(members, str) or not members:
            raise ModelError(f"The merged class {name!r} needs a list of classes; choose some of {', '.join(labels)}.")
        for member in members:
            if member not in labels:
                known = one_line(", ".join(labels), 400)
                raise ModelError(f"There is no class {one_line(str(member))!r} to merge; choose some of {known}.")
            if member in group_of:
                raise ModelError(f"The class {member!r} is merged twice, but can be in one group only; name it once.")
            group_of[member] = name
    if taken := [name for name in merge if name in labels and name not in group_of]:
        raise ModelError(f"A merged class cannot be called {taken[0]!r} beside the class of that name; rename it.")
    groups: dict[str, list[int]] = {}
    for i, label in enumerate(labels):
        groups.setdefault(group_of.get(label, label), []).append(i)
    if len(groups) < 2:
        raise ModelError(f"Nothing is left to tell apart when all classes are {next(iter(groups))!r}; merge fewer.")
    try:
        names = check_names(groups)
    except ValueError as error:
        raise ModelError(str(error)) from None
    return Merging(names, tuple(map(tuple, groups.values())))


def fit(model: Any, classes: int, groups: tuple[tuple[int, ...], ...]) -> tuple[float, float] | None:
    """Temperature and threshold of the sets for merged classes, fitted on a checkpoint's own validation logits.

    Args:
        model: As for `fer_demo.Predictor`.
        classes: How many the network has.
        groups: As in `Merging`.

    Returns:
        None for a model without such logits: one that was given as an object or an ONNX file, or a folder without
        `fer_demo.validation.FILE`.

    Raises:
        ModelError: If the checkpoint is damaged.
    """
    if not (model is None or isinstance(model, (str, os.PathLike))) or Path(model or "").suffix == ".onnx":
        return None
    checkpoint = resolve(model)
    path = checkpoint.path(FILE)
    if path is None:
        return None
    state = path.stat()
    return _fitted(checkpoint, classes, groups, (state.st_size, state.st_mtime_ns))


@functools.lru_cache(maxsize=64)
def _fitted(
    checkpoint: Checkpoint, classes: int, groups: tuple[tuple[int, ...], ...], state: tuple[int, int]
) -> tuple[float, float] | None:
    """`fit` for the content that a file had at a time."""
    held = read_validation(checkpoint, classes)
    return None if held is None else fit_both(held.logits, held.truth, groups)


def fit_both(
    logits: NDArray[np.float64],
    truth: NDArray[np.float64],
    groups: tuple[tuple[int, ...], ...],
) -> tuple[float, float]:
    """Temperature, then threshold of the sets, for merged classes.

    Args:
        logits: float64 (N, C) of the network.
        truth: float64 (N, C), as for `fer_demo.calibration.fit_temperature`.
        groups: As in `Merging`.
    """
    temperature = fit_temperature(logits, truth, groups)
    return temperature, fit_set_threshold(sums(logits, temperature, groups), sum_groups(truth, groups))


def sums(logits: NDArray[np.float64], temperature: float, groups: tuple[tuple[int, ...], ...]) -> NDArray[np.float64]:
    """Probabilities of merged classes: float64 (N, number of groups), rows add up to 1."""
    return sum_groups(softmax(np.asarray(logits, np.float64) / temperature), groups)
