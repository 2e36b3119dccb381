"""Faces that come with twins: a picture, and behind it the same face aligned (`training.data.aligned`)."""

from typing import Any

import torch

from fer_demo.vision.preprocess import prepare


def prepare_twins(images: torch.Tensor, **config: Any) -> torch.Tensor:
    """`fer_demo.vision.preprocess.prepare` for each face's pictures.

    Args:
        images: uint8 (N, T, H, W), T grey pictures of each face; most have one alone.
        **config: Size, mean and std as for `prepare`.

    Returns:
        float32 (N, T, height, width).
    """
    return torch.cat([prepare(twin, **config) for twin in images.split(1, dim=1)], dim=1)
