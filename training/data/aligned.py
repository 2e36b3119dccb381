"""Every picture beside its aligned twin, for systems that look at both (Kim et al. 2016)."""

import dataclasses
import hashlib
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from fer_demo.vision.detector import FaceDetector, align_face
from training.data.faces import DataError, Faces
from training.run.storage import atomic_write, read_back

FRAME = 96
"""Grey pixels around an enlarged picture: the detector misses faces that fill the whole frame."""

ENLARGED = 192


def align_picture(detector: FaceDetector, picture: np.ndarray) -> np.ndarray:
    """The picture's face, levelled and brought to the template's place.

    Args:
        detector: Finds the landmarks.
        picture: uint8 grey (H, W).

    Returns:
        uint8 grey (H, H); the picture itself where no face is found in it.
    """
    side = picture.shape[0]
    large = cv2.resize(picture, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
    framed = cv2.copyMakeBorder(large, FRAME, FRAME, FRAME, FRAME, cv2.BORDER_CONSTANT, value=110)
    found = detector.detect(cv2.cvtColor(framed, cv2.COLOR_GRAY2RGB), turned=False)
    if not found:
        return picture
    # Cut from the picture, not from its frame: what lies outside then repeats the picture's border.
    landmarks = (found[0].landmarks - FRAME) * (side / ENLARGED)
    return align_face(picture, landmarks, side)


def with_aligned(faces: Faces, cache: str | Path | None = None, quiet: bool = True) -> Faces:
    """Adds to each picture its aligned twin.

    Args:
        faces: Square grey pictures, uint8 (N, 1, H, H).
        cache: An .npz file that keeps the twins, since finding them takes minutes: read if it exists, else written.
        quiet: No progress bar.

    Returns:
        The same faces, their pictures (N, 2, H, H): as they were, and aligned.

    Raises:
        DataError: If the cache belongs to other pictures or the pictures are not square.
    """
    height, width = faces.images.shape[-2:]
    if height != width:
        raise DataError(f"Aligned twins need square pictures, but these are {width} x {height}.")
    cache = Path(cache) if cache else None
    fingerprint = hashlib.sha256(faces.images.contiguous().numpy().tobytes()).hexdigest()
    if cache is not None and cache.is_file():
        with read_back(cache, "delete it: the twins are then found again"), np.load(cache) as kept:
            twins, of = kept["twins"], str(kept["of"])
            if twins.shape != faces.images[:, 0].shape or twins.dtype != np.uint8:
                raise ValueError(f"it holds {twins.dtype} {twins.shape}")
        if of != fingerprint:
            raise DataError(f"{cache} holds the aligned twins of other pictures; delete it.")
    else:
        detector = FaceDetector()
        pictures = tqdm(faces.images[:, 0].numpy(), desc="aligning", unit="img", disable=quiet, leave=False)
        twins = np.stack([align_picture(detector, picture) for picture in pictures])
        if cache is not None:
            atomic_write(cache, lambda f: np.savez(f, twins=twins, of=fingerprint))
    return dataclasses.replace(faces, images=torch.cat([faces.images, torch.from_numpy(twins)[:, None]], 1))
