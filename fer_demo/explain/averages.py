"""Average faces and maps of each expression, as they come with a checkpoint."""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_demo.checkpoints import UnknownModelError, renew_manifest, resolve
from fer_demo.files import atomic_write
from fer_demo.runtime.model_info import ModelError

FILE = "class_averages.npz"
"""In a checkpoint's folder."""


@dataclass(frozen=True)
class Averages:
    """What a network looked at on average, for each expression.

    Attributes:
        source: Which faces these are, such as ``"FER2013 Training"``.
        counts: Class name to how many faces.
        faces: Class name to uint8 (H, W): the mean of the faces.
        maps: Class name to float32 (H, W): the mean of their Grad-CAM maps, each first divided by its strongest value.
    """

    source: str
    counts: dict[str, int]
    faces: dict[str, NDArray[np.uint8]]
    maps: dict[str, NDArray[np.float32]]


def read_averages(model: str) -> Averages | None:
    """The averages that come with a checkpoint.

    Args:
        model: As `fer_demo.checkpoints.resolve` takes it, or the name of a model that is no checkpoint.

    Returns:
        None if there are none.

    Raises:
        ModelError: If the checkpoint is damaged.
    """
    try:
        path = resolve(model).path(FILE)
    except UnknownModelError:
        return None
    if path is None:
        return None
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as held:
            labels = [str(label) for label in held["labels"]]
            maps = held["maps"].astype(np.float32) * (held["scales"].astype(np.float32)[:, None, None] / 127)
            counts = dict(zip(labels, map(int, held["counts"]), strict=True))
            faces = dict(zip(labels, held["faces"].astype(np.uint8), strict=True))
            return Averages(str(held["source"]), counts, faces, dict(zip(labels, maps, strict=True)))
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(f"{path} cannot be read ({error}); write it again or delete it.") from None


def write_averages(
    folder: Path,
    source: str,
    counts: Mapping[str, int],
    faces: Mapping[str, NDArray[np.uint8]],
    maps: Mapping[str, NDArray[np.floating]],
) -> Path:
    """Writes averages into a checkpoint's folder, and their digest into its manifest.

    Args:
        folder: The checkpoint's.
        source: As in `Averages`, like all others.
        counts: How many faces.
        faces: The mean faces; their classes are those that are written.
        maps: The mean maps; kept in 255 steps each.

    Returns:
        The file.
    """
    labels = list(faces)
    stack = np.stack([np.asarray(maps[label], np.float32) for label in labels])
    scales = np.maximum(np.abs(stack).max((1, 2)), 1e-12).astype(np.float32)
    held = {
        "source": np.array(source),
        "labels": np.array(labels),
        "counts": np.array([counts[label] for label in labels]),
        "faces": np.stack([faces[label] for label in labels]),
        "maps": np.round(stack / scales[:, None, None] * 127).astype(np.int8),
        "scales": scales,
    }
    file = folder / FILE
    atomic_write(file, lambda f: np.savez_compressed(f, allow_pickle=False, **held))
    renew_manifest(file)
    return file
