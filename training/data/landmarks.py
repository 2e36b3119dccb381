"""The faces' landmarks, found once with the product's own detector."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from tqdm import tqdm

from fer_demo.models.regions import LANDMARKS
from training.data.faces import DataError, Faces
from training.run.storage import atomic_write, read_back

if TYPE_CHECKING:
    from fer_demo.vision.detector import FaceDetector

FRAME = 96
"""Grey pixels around an enlarged picture: the detector misses faces that fill the whole frame."""

ENLARGED = 192


def find_landmarks(detector: "FaceDetector", picture: np.ndarray) -> np.ndarray | None:
    """The landmarks of a picture's largest face.

    Args:
        detector: Finds them.
        picture: uint8 grey (H, H).

    Returns:
        float (5, 2), x and y in pixels of the picture, in the detector's order; None where no face is found.
    """
    import cv2

    large = cv2.resize(picture, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
    framed = cv2.copyMakeBorder(large, FRAME, FRAME, FRAME, FRAME, cv2.BORDER_CONSTANT, value=110)
    found = detector.detect(cv2.cvtColor(framed, cv2.COLOR_GRAY2RGB), turned=False)
    return (found[0].landmarks - FRAME) * (picture.shape[0] / ENLARGED) if found else None


def found_once(
    faces: Faces,
    cache: str | Path | None,
    name: str,
    find: Callable[["FaceDetector", np.ndarray], np.ndarray],
    like: np.ndarray,
    what: str,
    quiet: bool,
) -> np.ndarray:
    """What is found in each picture, read from a file if an earlier run has kept it there.

    Args:
        faces: Square grey pictures, uint8 (N, T, H, H); the first of each face's twins is looked at.
        cache: An .npz file: read if it exists, else written. None keeps nothing.
        name: Of the array in it.
        find: From detector and picture to an array of one shape and type for all pictures.
        like: An array of that shape and type.
        what: The plural of what is found, for messages.
        quiet: No progress bar.

    Returns:
        The arrays, one behind the other.

    Raises:
        DataError: If the file belongs to other pictures or another detector, or the pictures are not square.
        ValueError: If the file is damaged.
    """
    height, width = faces.images.shape[-2:]
    if height != width:
        raise DataError(f"{what.capitalize()} need square pictures, but these are {width} x {height}.")
    cache = Path(cache) if cache else None
    pictures = faces.images[:, 0].numpy()
    of = pictures_digest(faces)
    if cache is None or not cache.is_file():
        from fer_demo.vision.detector import FaceDetector  # what is kept can be read without OpenCV

        detector = FaceDetector()
        found = np.stack([find(detector, p) for p in tqdm(pictures, what, unit="img", disable=quiet, leave=False)])
        if cache is not None:
            cache.parent.mkdir(parents=True, exist_ok=True)
            kept_with = {name: found, "of": of, "by": detector_digest() or ""}
            atomic_write(cache, lambda f: np.savez(f, **kept_with))
        return found
    with read_back(cache, f"delete it: the {what} are then found again"), np.load(cache) as kept:
        found, kept_of = kept[name], str(kept["of"])
        kept_by = str(kept["by"]) if "by" in kept else ""  # older files do not say
        if found.shape != (len(pictures), *like.shape) or found.dtype != like.dtype:
            raise ValueError(f"it holds {found.dtype} {found.shape}")
    if kept_of != of:
        raise DataError(f"{cache} holds the {what} of other pictures; delete it.")
    if kept_by and detector_digest() not in (None, kept_by):
        raise DataError(f"{cache} holds the {what} that another face detector has found; delete it, or use that one.")
    return found


def kept_for(cache: str | Path, faces: Faces) -> Path | None:
    """A file of `found_once` if it is there and belongs to these pictures; None otherwise.

    Args:
        cache: The file.
        faces: The pictures that something is wanted of.

    Raises:
        ValueError: If the file is damaged.
    """
    cache = Path(cache)
    if not cache.is_file():
        return None
    with read_back(cache, "delete it: what it keeps is then found again"), np.load(cache) as kept:
        return cache if str(kept["of"]) == pictures_digest(faces) else None


def landmarks_file(folder: str | Path, faces: Faces) -> Path:
    """Where a folder of runs keeps the landmarks of these pictures, so that runs beside each other share them."""
    return Path(folder) / f"landmarks-{pictures_digest(faces)[:16]}.npz"


def detector_digest() -> str | None:
    """A hash of the face detector's weights; None where there is none."""
    try:
        from fer_demo.vision.detector import FaceDetectorError, find_model
    except ImportError:  # what is kept can be read without OpenCV
        return None
    try:
        return hashlib.sha256(Path(find_model(None)).read_bytes()).hexdigest()
    except FaceDetectorError:
        return None


def pictures_digest(faces: Faces) -> str:
    """A hash of the pictures alone, whatever their labels and splits."""
    return hashlib.sha256(faces.images.contiguous().numpy().tobytes()).hexdigest()


def with_landmarks(faces: Faces, cache: str | Path | None = None, quiet: bool = True) -> Faces:
    """Adds each face's landmarks.

    Args:
        faces: Square grey pictures, uint8 (N, 1, H, H).
        cache: As for `found_once`.
        quiet: No progress bar.

    Returns:
        The same faces with `Faces.landmarks`; NaN where no face is found.

    Raises:
        DataError: If the cache belongs to other pictures or the pictures are not square.
        ValueError: If the cache is damaged.
    """
    nowhere = np.full((LANDMARKS, 2), np.nan, np.float32)

    def find(detector: "FaceDetector", picture: np.ndarray) -> np.ndarray:
        found = find_landmarks(detector, picture)
        return nowhere if found is None else found.astype(np.float32)

    found = found_once(faces, cache, "landmarks", find, nowhere, "landmarks", quiet)
    return dataclasses.replace(faces, landmarks=torch.from_numpy(found))


def shuffled(faces: Faces, seed: int = 0) -> Faces:
    """The same faces, but each with the landmarks of another of its split: the control of what landmarks bring.

    As many faces of each split have landmarks as before.

    Args:
        faces: Faces with landmarks.
        seed: Decides whose.

    Raises:
        DataError: If there are no landmarks.
    """
    if faces.landmarks is None:
        raise DataError("There are no landmarks to be shuffled: find them first, see with_landmarks.")
    landmarks, random = faces.landmarks.clone(), np.random.default_rng(seed)
    for split in sorted(set(faces.splits.tolist())):
        rows = random.permutation(np.flatnonzero(faces.splits == split))
        # Each takes those of the next in a random ring, so that nobody keeps its own.
        landmarks[torch.from_numpy(rows)] = faces.landmarks[torch.from_numpy(np.roll(rows, 1))]
    return dataclasses.replace(faces, landmarks=landmarks)
