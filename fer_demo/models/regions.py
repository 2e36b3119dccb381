"""Where eyes, brows and mouth lie: soft maps drawn from a face's five landmarks."""

import torch

REGIONS = ("right eye and brow", "left eye and brow", "mouth")
"""The maps, in this order. "Right" is the person's own right, which is on the left of the picture."""

LANDMARKS = 5
"""Of a face, as `fer_demo.vision.detector.DetectedFace.landmarks` has them: right eye, left eye, nose tip, right mouth
corner, left mouth corner."""

MIRRORED = (1, 0, 2, 4, 3)
"""The landmark that each of the five becomes in a mirror: a right eye is then a left one."""


def region_maps(
    landmarks: torch.Tensor,
    height: int,
    width: int,
    lift: float = 0.2,
    eye_spread: tuple[float, float] = (0.3, 0.25),
    mouth_spread: tuple[float, float] = (0.4, 0.25),
) -> torch.Tensor:
    """Gaussian maps of the regions, turned and scaled with the face.

    A face's size is the distance of its eyes, or that of their middle from the mouth's where that is larger: the first
    shrinks as a head is turned, the second as it nods; in FER2013's pictures both are the same on average.

    Args:
        landmarks: float (N, 5, 2), x and y as fractions of the picture's width and height, 0 at the left and upper
            border.
        height: Of the maps.
        width: Of the maps.
        lift: By how much an eye's map lies above the eye, so that it holds the brow, as a share of the face's size.
        eye_spread: Standard deviation along the line of the eyes and across it, likewise.
        mouth_spread: The mouth's.

    Returns:
        float (N, 3, height, width), 1 at a region's centre; NaN where a landmark is.
    """
    scale = torch.tensor([width, height], dtype=landmarks.dtype, device=landmarks.device)
    points = landmarks * scale
    right_eye, left_eye = points[:, 0], points[:, 1]
    eyes, mouth = (right_eye + left_eye) / 2, (points[:, 3] + points[:, 4]) / 2
    tall = torch.linalg.vector_norm(eyes - mouth, dim=1, keepdim=True).clamp(min=1e-6)
    size = torch.maximum(torch.linalg.vector_norm(left_eye - right_eye, dim=1, keepdim=True), tall)
    up = (eyes - mouth) / tall
    centres = torch.stack([right_eye + lift * size * up, left_eye + lift * size * up, mouth], 1)
    rows = (torch.arange(height, device=landmarks.device) + 0.5).to(landmarks.dtype)
    columns = (torch.arange(width, device=landmarks.device) + 0.5).to(landmarks.dtype)
    dx = columns[None, None, None, :] - centres[:, :, 0, None, None]
    dy = rows[None, None, :, None] - centres[:, :, 1, None, None]
    up_x, up_y = up[:, 0, None, None, None], up[:, 1, None, None, None]
    across, along = dx * up_x + dy * up_y, dy * up_x - dx * up_y
    shares = [
        [eye_spread[0], eye_spread[1]],
        [eye_spread[0], eye_spread[1]],
        [mouth_spread[0], mouth_spread[1]],
    ]
    spreads = torch.tensor(shares, dtype=landmarks.dtype, device=landmarks.device)[None] * size[:, :, None]
    far = (along / spreads[:, :, 0, None, None]).square() + (across / spreads[:, :, 1, None, None]).square()
    return torch.exp(-0.5 * far)


def known_faces(landmarks: torch.Tensor) -> torch.Tensor:
    """bool (N,): the faces all of whose landmarks are known, from landmarks (N, 5, 2) that are NaN elsewhere."""
    return torch.isfinite(landmarks.flatten(1)).all(1)


def mirrored(landmarks: torch.Tensor, width: float) -> torch.Tensor:
    """The landmarks of a picture's mirror image.

    Args:
        landmarks: float (N, 5, 2), x and y from the picture's left and upper border.
        width: Of the picture, in the same unit.

    Returns:
        A tensor like `landmarks`, in the detector's order again.
    """
    x = width - landmarks[..., 0]
    return torch.stack([x, landmarks[..., 1]], -1)[:, list(MIRRORED)]
