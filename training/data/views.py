"""Faces of which there are several views, such as a picture and its aligned twin."""

from typing import Any

import torch

from fer_demo.vision.preprocess import prepare


def prepare_views(images: torch.Tensor, **config: Any) -> torch.Tensor:
    """`fer_demo.vision.preprocess.prepare` for each view.

    Args:
        images: uint8 (N, V, H, W), V grey views of each face.
        **config: Size, mean and std as for `prepare`.

    Returns:
        float32 (N, V, height, width).
    """
    return torch.cat([prepare(view, **config) for view in images.split(1, dim=1)], dim=1)
