"""Cut faces out of a picture the way FER2013 shows them: grey, level, and filling the square in the same way."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

__all__ = [
    "TEMPLATE",
    "align_face",
    "check_box",
    "crop_matrix",
    "needed_part",
    "similarity",
    "square_crop",
    "warp",
    "whole_picture",
]

# Where the landmarks lie in FER2013's own pictures, so that our crops look like those that the network learned from.
# Measured on 3,000 random Training images: enlarged four times, framed with 96 grey pixels, and given to FaceDetector,
# which found 2,824 faces; the median of each landmark, made symmetric. In pixels of a 48 x 48 picture. FER2013 is
# loose: a landmark's spread (1.48 times the median absolute deviation) is 2.1 to 3.6 pixels, faces are 0.73 to 1.33
# times as large as this (5th and 95th percentile), and their roll has a standard deviation of 12 degrees.
TEMPLATE = np.array([[15.3, 18.8], [32.7, 18.8], [24.0, 28.7], [16.7, 36.2], [31.3, 36.2]]) / 48
"""Right eye, left eye, nose tip, right and left mouth corner as fractions of the crop's side; float64 (5, 2)."""

# FER2013's pictures are sharp, and a network minds if its crops are not: half a pixel's shift of FER2013's own pictures
# with bilinear interpolation costs about a point of accuracy. docs/accuracy.md has the figures.
CROP_INTERPOLATION = cv2.INTER_CUBIC

# A crop is drawn at a multiple of its size and averaged down, see warp; what is reduced by twice as much or more is
# averaged by a whole factor before. Crops of 884 faces differ by 0.06 grey levels in the mean, and by 0.63 at most,
# from those that are drawn at up to eight times their size, which takes twice the time.
FINENESS = 2.0

MAX_FRAME = 64  # pixels of the border that are repeated around a picture before it is averaged


def align_face(image: np.ndarray, landmarks: np.ndarray, size: int = 48, margin: float = 0.0) -> np.ndarray:
    """Cuts a face out, levelled and scaled so that its landmarks lie where they lie in FER2013's pictures.

    Args:
        image: uint8 RGB (H, W, 3) or grey (H, W).
        landmarks: Float (5, 2), x and y in pixels: the person's right eye, left eye, nose tip, right and left mouth
            corner, as `DetectedFace.landmarks`.
        size: Side of the result in pixels.
        margin: Extra picture on each side, as a fraction of the crop; 0 is FER2013's own framing.

    Returns:
        uint8 grey (size, size). What lies outside the picture repeats its border.

    Raises:
        ValueError: If the landmarks have another shape, are not finite or all lie in one point.
    """
    inner = TEMPLATE / (1 + 2 * margin) + margin / (1 + 2 * margin)
    return _gray_crop(image, similarity(landmarks, inner * size), size)


def square_crop(image: np.ndarray, box: Sequence[float], size: int = 48) -> np.ndarray:
    """Cuts the square around a box: same centre, side = the box's longer side.

    Args:
        image: uint8 RGB (H, W, 3) or grey (H, W).
        box: x, y, width, height in pixels of the picture; may reach over its border.
        size: Side of the result in pixels.

    Returns:
        uint8 grey (size, size). What lies outside the picture repeats its border.

    Raises:
        ValueError: If the box is empty, not finite, more than a hundred times as large as the picture, or lies
            outside it altogether.
    """
    check_box(box, image.shape[1], image.shape[0])
    return _gray_crop(image, crop_matrix(box, None, size), size)


def check_box(box: Sequence[float], width: int, height: int) -> None:
    """Refuses a box that is none, or none in a picture of `width` x `height` pixels.

    Raises:
        ValueError: As for `square_crop`.
    """
    if len(box) != 4:
        raise ValueError(f"A box must be x, y, width, height, but is {tuple(box)}.")
    x, y, w, h = map(float, box)
    if not (all(map(math.isfinite, (x, y, w, h))) and w > 0 and h > 0):
        raise ValueError(f"A box must be x, y, width, height with positive width and height, but is {tuple(box)}.")
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise ValueError(f"The box {tuple(box)} lies outside the picture of {width} x {height} pixels.")
    if max(w, h) > 100 * max(width, height):
        raise ValueError(f"The box {tuple(box)} is far larger than the picture of {width} x {height} pixels.")


def crop_matrix(box: Sequence[float], landmarks: np.ndarray | None, size: int = 48) -> np.ndarray:
    """The transform by which a face's crop was cut out.

    Args:
        box: x, y, width, height in pixels of the picture; used where there are no landmarks.
        landmarks: Float (5, 2) as for `align_face`, or None for a crop of `square_crop`.
        size: Side of the crop in pixels.

    Returns:
        float64 (2, 3), from picture to crop, as `warp` takes it.
    """
    if landmarks is not None:
        return similarity(landmarks, TEMPLATE * size)
    x, y, w, h = map(float, box)
    side = max(w, h)
    scale = size / side
    left, top = x + (w - side) / 2, y + (h - side) / 2
    return np.array([[scale, 0, -scale * left], [0, scale, -scale * top]])


def whole_picture(image: np.ndarray, size: int = 48) -> np.ndarray:
    """The picture as one crop, for pictures that already are a face; a picture of `size` passes through untouched.

    Args:
        image: uint8 RGB (H, W, 3) or grey (H, W).
        size: Side of the result in pixels.

    Returns:
        uint8 grey (size, size); a picture that is not square is filled up by repeating its border.
    """
    return square_crop(image, (0, 0, image.shape[1], image.shape[0]), size)


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation, scaling and shift that takes points nearest to others, in the least-squares sense.

    Umeyama's solution without reflection (IEEE TPAMI 13(4), 1991); in the plane it is linear regression of complex
    numbers. OpenCV's ``estimateAffinePartial2D`` picks a subset of the points instead of fitting all.

    Args:
        source: Points (N, 2), N at least 2.
        target: Where they should go, (N, 2).

    Returns:
        float64 (2, 3) matrix; target is about ``matrix[:, :2] @ source + matrix[:, 2]``.

    Raises:
        ValueError: If the shapes differ, a value is not finite, or all source points lie in one point.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2:
        raise ValueError(f"Landmarks must have shape {target.shape}, but have {source.shape}.")
    p, q = source @ (1, 1j), target @ (1, 1j)
    centred = p - p.mean()
    spread = np.vdot(centred, centred).real
    if not (np.isfinite(source).all() and spread > 1e-9):
        raise ValueError("Landmarks must be finite and must not all lie in one point.")
    a = np.vdot(centred, q - q.mean()) / spread
    b = q.mean() - a * p.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def warp(
    image: np.ndarray,
    matrix: np.ndarray,
    size: int,
    interpolation: int = cv2.INTER_LINEAR,
    *,
    fineness: float = FINENESS,
) -> np.ndarray:
    """Maps a picture onto a square by a similarity transform, without aliasing.

    Args:
        image: uint8 (H, W) or (H, W, 3).
        matrix: (2, 3), from picture to result; coordinates count from the outer corner of the top left pixel, so that
            scaling a picture scales its coordinates.
        size: Side of the result in pixels.
        interpolation: ``cv2.INTER_LINEAR``, or ``cv2.INTER_CUBIC`` as for face crops.
        fineness: At how many times the size of the result a strong reduction is drawn before it is averaged down; 1
            draws each pixel of the result once, which is enough to find a face but leaves its details too sharp.

    Returns:
        uint8 (size, size) or (size, size, 3). What lies outside the picture repeats its border.
    """
    return _drawn(image, matrix, size, interpolation, fineness, gray=False)


def _gray_crop(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """`warp` of a picture's grey levels, with `CROP_INTERPOLATION`."""
    return _drawn(image, matrix, size, CROP_INTERPOLATION, FINENESS, gray=True)


def _drawn(
    image: np.ndarray, matrix: np.ndarray, size: int, interpolation: int, fineness: float, *, gray: bool
) -> np.ndarray:
    """`warp`; with `gray`, of the picture's grey levels."""
    # Interpolation reads a place's neighbours alone; a strong reduction would skip other pixels and turn hair and skin
    # into noise. So the picture is averaged by a whole factor, which is fast, and what is left of the reduction is
    # drawn at a whole multiple of its size, where nothing is skipped, and averaged down.
    reduction = 1 / math.hypot(matrix[0, 0], matrix[1, 0])
    factor = max(1, int(reduction / fineness + 1e-6))
    # The interpolation reads two pixels more, of the averaged picture.
    margin = 2 * factor / (reduction * size) if factor > 1 else 0.0
    # Cut first: turning a whole photo grey takes longer than all the rest, and each of its faces would do so again.
    image, matrix = needed_part(image, matrix, size, margin)
    if gray and image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if factor > 1:
        image, matrix = _averaged(image, matrix, factor)
    multiple = 1 if fineness <= 1 else max(1, math.ceil(reduction / factor - 1e-6))
    m = matrix * multiple
    # OpenCV counts from the centre of the top left pixel: half a pixel less on both sides.
    m[:, 2] += 0.5 * (m[0, 0] + m[0, 1]) - 0.5, 0.5 * (m[1, 0] + m[1, 1]) - 0.5
    full = cv2.warpAffine(image, m, (size * multiple,) * 2, flags=interpolation, borderMode=cv2.BORDER_REPLICATE)
    return full if multiple == 1 else cv2.resize(full, (size, size), interpolation=cv2.INTER_AREA)


def _averaged(image: np.ndarray, matrix: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture reduced by a whole factor, and the warp from there."""
    # With its border around it, so that what repeats outside is the border itself and not the mean of what is near it.
    frame = min(factor, MAX_FRAME)
    rows, columns = (-(side + 2 * frame) % factor for side in image.shape[:2])
    image = cv2.copyMakeBorder(image, frame, frame + rows, frame, frame + columns, cv2.BORDER_REPLICATE)
    small = image.shape[1] // factor, image.shape[0] // factor
    image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    shift = matrix[:, 2] - matrix[:, :2] @ (frame, frame)
    return image, np.column_stack([matrix[:, :2] * factor, shift])


def needed_part(image: np.ndarray, matrix: np.ndarray, size: int, margin: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The part of a picture that a warp reads, and the warp from there; OpenCV warps no side over 32,766 pixels.

    Args:
        image: uint8 (H, W) or (H, W, 3).
        matrix: As for `warp`.
        size: Side of the result in pixels.
        margin: Extra picture on each side, as a fraction of the result.
    """
    low, high = -margin * size, (1 + margin) * size
    corners = np.array([[low, low], [high, low], [low, high], [high, high]], np.float64)
    reached = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    limits = np.array([image.shape[1], image.shape[0]])
    # Two pixels more for the interpolation, cubic too; at least the border's pixel, which is repeated.
    start = np.clip(np.floor(reached.min(axis=0)) - 2, 0, limits - 1).astype(int)
    stop = np.maximum(np.clip(np.ceil(reached.max(axis=0)) + 2, 0, limits).astype(int), start + 1)
    part = image[start[1] : stop[1], start[0] : stop[0]]
    return part, np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ start])
