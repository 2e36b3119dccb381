"""The procedure of measuring, for runners in Python; ``timing.mjs`` is the same for JavaScript.

It stands by itself, since a peer's environment holds nothing of this project.
"""

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

SIDE = 48
WARM_UP = 256
REPEATS = 3


def read_faces(path: str) -> np.ndarray:
    """The faces of a raw file: uint8 (N, 48, 48), 0 black."""
    return np.fromfile(path, np.uint8).reshape(-1, SIDE, SIDE)


def measure(classify: Callable[[np.ndarray], np.ndarray], faces: np.ndarray, batch_sizes: Sequence[int]) -> dict:
    """Finds the fastest batch size on the first `WARM_UP` faces, then runs all faces `REPEATS` times.

    Args:
        classify: From uint8 (n, 48, 48) to scores (n, 7), with the resizing and scaling that belong to it.
        faces: uint8 (N, 48, 48).
        batch_sizes: Sizes to choose from.

    Returns:
        ``predicted`` (N indices of the largest score), ``batch_size`` and ``cpu_seconds``: of each repeat, user and
        system time of all threads of this process.
    """
    warm_up, seconds = faces[:WARM_UP], {}
    for size in batch_sizes:
        _run(classify, warm_up, size)
        seconds[size] = _run(classify, warm_up, size)[1]
    best = min(seconds, key=seconds.__getitem__)
    runs = [_run(classify, faces, best) for _ in range(REPEATS)]
    return {"predicted": runs[0][0], "batch_size": best, "cpu_seconds": [spent for _, spent in runs]}


def _run(classify: Callable[[np.ndarray], np.ndarray], faces: np.ndarray, size: int) -> tuple[list[int], float]:
    predicted: list[int] = []
    start = time.process_time()
    for first in range(0, len(faces), size):
        predicted += np.asarray(classify(faces[first : first + size])).argmax(1).tolist()
    return predicted, time.process_time() - start


def arguments() -> tuple[str, str]:
    """The file of the faces and the peer's folder."""
    if len(sys.argv) < 3:
        sys.exit(f"use: {sys.argv[0]} FACES FOLDER")
    return sys.argv[1], sys.argv[2]
