"""What a checkpoint answered to the pictures that its confidence was fitted on, as it comes with the checkpoint."""

import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fer_demo.checkpoints import Checkpoint, renew_manifest
from fer_demo.files import atomic_write
from fer_demo.runtime.checks import ModelError

FILE = "validation.npz"
"""In a checkpoint's folder: ``logits`` as float16 (N, C), ``labels`` as unsigned integers (N,), and ``truth`` as
float16 (N, C) where the truth is no single label."""


@dataclass(frozen=True)
class Validation:
    """Answers to pictures that were not trained on.

    Attributes:
        logits: float64 (N, C), as the model answers: with the mean of the mirror image if it looks at that.
        truth: float64 (N, C): the distribution of each picture's true class; one 1 in each row for labels.
    """

    logits: NDArray[np.float64]
    truth: NDArray[np.float64]


def read_validation(checkpoint: Checkpoint, classes: int) -> Validation | None:
    """The answers that come with a checkpoint; None if there are none.

    Args:
        checkpoint: The checkpoint.
        classes: How many it has.

    Raises:
        ModelError: If the file is damaged, or of a network with another number of classes.
    """
    path = checkpoint.path(FILE)
    if path is None:
        return None
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as held:
            logits = held["logits"].astype(np.float64)
            truth = np.eye(classes)[held["labels"]]
            if "truth" in held:
                shares = held["truth"].astype(np.float64)
                truth = shares / shares.sum(axis=1, keepdims=True)
        if logits.shape != truth.shape or logits.shape[1:] != (classes,) or not np.isfinite([logits, truth]).all():
            raise ValueError(f"logits of shape {logits.shape} for {classes} classes")
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"{path} cannot be used ({reason}); write it again or delete it.") from None
    return Validation(logits, truth)


def write_validation(folder: Path, logits: ArrayLike, labels: ArrayLike, truth: ArrayLike | None = None) -> Path:
    """Writes answers into a checkpoint's folder, and their digest into its manifest.

    Args:
        folder: The checkpoint's.
        logits: Float (N, C), as the model answers.
        labels: Class ids (N,).
        truth: Float (N, C), where the confidence is to be right about a draw from these; None for the labels.

    Returns:
        The file.
    """
    z = np.asarray(logits, np.float16)
    held = {"logits": z, "labels": np.asarray(labels).astype(np.uint8 if z.shape[1] <= 256 else np.uint16)}
    if truth is not None:
        held["truth"] = np.asarray(truth, np.float16)
    file = folder / FILE
    atomic_write(file, lambda f: np.savez_compressed(f, allow_pickle=False, **held))
    renew_manifest(file)
    return file
