"""From grey face crops to the model's input tensor: the one function that training, evaluation and the app share.

Wrong answers on one's own photos mostly come from preparing them differently from the training pictures; so nothing
else in this project scales pixels or resizes crops.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F


def prepare(
    images: torch.Tensor | np.ndarray | Sequence[np.ndarray],
    *,
    size: tuple[int, int],
    mean: Sequence[float] = (0.0,),
    std: Sequence[float] = (1.0,),
) -> torch.Tensor:
    """Resizes grey pictures and scales their pixels.

    Pictures larger or smaller than `size` are resized with antialiased bilinear interpolation (as Pillow's BILINEAR);
    those that have the size already pass through untouched.

    Args:
        images: A uint8 tensor (N, 1, H, W) on any device, a uint8 array (N, H, W), or a sequence of uint8 arrays
            (H, W) of any sizes; 0 is black, 255 white.
        size: Height and width of the result.
        mean: Subtracted after scaling to [0, 1]; one value.
        std: Divided by after that; one value.

    Returns:
        Contiguous float32 tensor (N, 1, height, width), ``(pixels / 255 - mean) / std``, on the pictures' device.

    Raises:
        TypeError: If the pixels are not uint8.
        ValueError: If a picture is not grey, i.e. has more than one channel.
    """
    if isinstance(images, np.ndarray):
        images = torch.from_numpy(np.ascontiguousarray(images)).unsqueeze(1) if images.ndim == 3 else list(images)
    if isinstance(images, torch.Tensor):
        x = _resize(images, size)
    elif len(images) == 0:
        x = torch.empty(0, 1, *size)
    else:
        x = torch.cat([_resize(_as_tensor(image), size) for image in images])
    return normalize(x / 255, mean, std).contiguous()


def normalize(x: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """``(x - mean) / std`` for float pixels in [0, 1], one grey channel; exact for mean 0 and std 1."""
    return x if mean[0] == 0.0 and std[0] == 1.0 else (x - mean[0]) / std[0]


def _as_tensor(image: np.ndarray) -> torch.Tensor:
    if image.ndim != 2:
        raise ValueError(f"A face crop must be grey, (height, width), but has shape {image.shape}; convert it first.")
    return torch.from_numpy(np.ascontiguousarray(image))[None, None]


def _resize(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if x.dtype != torch.uint8:
        raise TypeError(f"Pictures must be uint8 with values 0 to 255, but are {x.dtype}.")
    if x.ndim != 4 or x.shape[1] != 1:
        raise ValueError(f"Pictures must be grey, (N, 1, height, width), but have shape {tuple(x.shape)}.")
    x = x.float()
    if tuple(x.shape[-2:]) != tuple(size):
        # Rounded back to whole grey levels: the crop that is shown and the crop the network saw are then the same.
        x = F.interpolate(x, size=size, mode="bilinear", antialias=True, align_corners=False).round_().clamp_(0, 255)
    return x


def data_config(model: torch.nn.Module) -> dict:
    """The keyword arguments of `prepare` that belong to a model.

    Args:
        model: A timm model; its ``pretrained_cfg`` states the size its weights were trained at.

    Returns:
        ``size`` (height, width), ``mean`` and ``std`` (one value each).
    """
    cfg = model.pretrained_cfg
    return {"size": tuple(cfg["input_size"][-2:]), "mean": tuple(cfg["mean"])[:1], "std": tuple(cfg["std"])[:1]}
