"""Every picture beside its aligned twin, for systems that look at both (Kim et al. 2016)."""

import dataclasses
from pathlib import Path

import numpy as np
import torch

from fer_demo.vision.detector import FaceDetector, align_face
from training.data.faces import Faces
from training.data.landmarks import find_landmarks, found_once


def align_picture(detector: FaceDetector, picture: np.ndarray) -> np.ndarray:
    """The picture's face, levelled and brought to the template's place.

    Args:
        detector: Finds the landmarks.
        picture: uint8 grey (H, W).

    Returns:
        uint8 grey (H, H); the picture itself where no face is found in it.
    """
    landmarks = find_landmarks(detector, picture)
    # Cut from the picture, not from the frame that the detector saw: what lies outside then repeats its border.
    return picture if landmarks is None else align_face(picture, landmarks, picture.shape[0])


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
    twins = found_once(faces, cache, "twins", align_picture, faces.images[0, 0].numpy(), "aligned twins", quiet)
    return dataclasses.replace(faces, images=torch.cat([faces.images, torch.from_numpy(twins)[:, None]], 1))
