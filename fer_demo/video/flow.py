"""Where the points of a face go from one frame to the next: optical flow, as OpenCV computes it."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

POINTS = 24
"""Points to follow on a face."""

LEAST = 8
"""With fewer that agree, a face is not followed."""

WINDOW, LEVELS = (15, 15), 2
STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 12, 0.03)
BACK = 1.0
"""Pixels: a point that is followed there and back again must come home as near as this."""

CUT_DIFFERENCE, CUT_LIKENESS = 18.0, 0.7
"""A cut: small copies of two frames differ by so many grey levels in the mean, and correlate by less than this."""


def points_on(gray: NDArray[np.uint8], box: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """Corners inside a face that can be followed.

    Args:
        gray: uint8 (H, W).
        box: x, y, width and height in its pixels.

    Returns:
        float32 (N, 2), x and y; N may be 0.
    """
    x, y, w, h = box
    # The inner part: what lies at the box's corners is background.
    left, top = max(0, int(x + 0.12 * w)), max(0, int(y + 0.12 * h))
    right, bottom = int(x + 0.88 * w), int(y + 0.92 * h)
    part = gray[top:bottom, left:right]
    if min(part.shape, default=0) < 6:
        return np.empty((0, 2), np.float32)
    apart = max(2.0, min(part.shape) / 10)
    found = cv2.goodFeaturesToTrack(part, POINTS, 0.01, apart, blockSize=5)
    if found is None:
        return np.empty((0, 2), np.float32)
    return np.asarray(found.reshape(-1, 2) + np.array((left, top)), np.float32)


def follow(
    before: NDArray[np.uint8], now: NDArray[np.uint8], groups: list[NDArray[np.float32]]
) -> list[tuple[NDArray[np.float64], NDArray[np.float32]] | None]:
    """Follows the points of several faces.

    Args:
        before: uint8 (H, W), the frame on which the points lie.
        now: The next one, of the same size.
        groups: float32 (N, 2) of each face.

    Returns:
        For each face the similarity (2, 3) by which it moved and the points that went along, or None if too few did.
    """
    if before.shape != now.shape or not any(len(group) for group in groups):
        return [None] * len(groups)
    start = np.concatenate(groups)[:, None]
    there, seen = _flow(before, now, start)
    back, returned = _flow(now, before, there)
    close = np.linalg.norm((back - start)[:, 0], axis=1) < BACK
    good = (seen[:, 0] > 0) & (returned[:, 0] > 0) & close
    result: list[tuple[NDArray[np.float64], NDArray[np.float32]] | None] = []
    first = 0
    for group in groups:
        part = slice(first, first + len(group))
        first += len(group)
        result.append(_moved(group[good[part]], there[part][good[part], 0]))
    return result


def _flow(
    before: NDArray[np.uint8], now: NDArray[np.uint8], start: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    guess = np.empty_like(start)  # written over
    there, seen, _ = cv2.calcOpticalFlowPyrLK(before, now, start, guess, winSize=WINDOW, maxLevel=LEVELS, criteria=STOP)
    return np.asarray(there, np.float32), np.asarray(seen, np.uint8)


def _moved(
    before: NDArray[np.float32], now: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float32]] | None:
    if len(before) < LEAST:
        return None
    matrix, agreeing = cv2.estimateAffinePartial2D(before, now, ransacReprojThreshold=1.5, maxIters=100)
    if matrix is None or int(agreeing.sum()) < LEAST:
        return None
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    if not 0.8 < scale < 1.25:  # no head comes nearer so fast
        return None
    return np.asarray(matrix, np.float64), np.asarray(now[agreeing[:, 0] > 0], np.float32)


def is_cut(before: NDArray[np.uint8], now: NDArray[np.uint8]) -> bool:
    """Whether another shot begins between two small grey copies, uint8 of one shape."""
    a, b = before.astype(np.float32), now.astype(np.float32)
    if np.abs(a - b).mean() < CUT_DIFFERENCE:
        return False
    a, b = a - a.mean(), b - b.mean()
    return bool((a * b).sum() < CUT_LIKENESS * math.sqrt(float((a * a).sum() * (b * b).sum())) + 1e-6)
