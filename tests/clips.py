"""Clips for the fake camera of Chromium, made from a sample photo: ``--use-file-for-fake-video-capture=FILE.y4m``."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 480


def moving(photo: NDArray[np.uint8], frames: int = 60) -> list[NDArray[np.uint8]]:
    """A camera that moves and zooms a little around the middle of a photo, and comes back.

    Args:
        photo: uint8 RGB (H, W, 3).
        frames: How many, at 30 a second.

    Returns:
        uint8 RGB (`HEIGHT`, `WIDTH`, 3) each.
    """
    found = []
    height, width = photo.shape[:2]
    for turn in np.linspace(0, 2 * np.pi, frames, endpoint=False):
        zoom = (1.0 + 0.1 * np.sin(turn)) * max(WIDTH / width, HEIGHT / height)
        x, y = width / 2 + 0.03 * width * np.cos(turn), height / 2 + 0.02 * height * np.sin(turn)
        matrix = np.array([[zoom, 0, WIDTH / 2 - zoom * x], [0, zoom, HEIGHT / 2 - zoom * y]])
        found.append(cv2.warpAffine(photo, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE))
    return found


def write(file: Path, frames: Sequence[NDArray[np.uint8]]) -> Path:
    """Writes frames as YUV4MPEG2, which Chromium plays again and again.

    Args:
        file: Where to.
        frames: uint8 RGB, all of one even size.

    Returns:
        The file.
    """
    height, width = frames[0].shape[:2]
    with file.open("wb") as out:
        out.write(f"YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            out.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())
    return file
