"""Augmentation as batched tensor work on the pictures' own device: no worker processes, one warp a batch.

Rotation, shift and horizontal flip are the paper's; scale, brightness/contrast and erasing (Zhong et al. 2017,
arXiv:1708.04896) are switches of a recipe.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class AugmentConfig:
    """How far pictures are moved.

    Attributes:
        rotation: Largest rotation either way, degrees.
        shift: Largest shift either way, as a fraction of the side.
        scale: Largest relative change of size either way: 0.2 means 0.8 to 1.2.
        flip: Probability of a horizontal flip.
        contrast: Largest relative change of contrast either way, around the picture's mean.
        brightness: Largest change of brightness either way, in units of the full range.
        erase: Probability that a rectangle is erased.
        erase_area: Smallest and largest erased fraction of the picture's area.
    """

    rotation: float = 10.0
    shift: float = 0.1
    scale: float = 0.1
    flip: float = 0.5
    contrast: float = 0.2
    brightness: float = 0.1
    erase: float = 0.25
    erase_area: tuple[float, float] = (0.02, 0.2)

    def __post_init__(self) -> None:
        for name in ("flip", "erase"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"augment.{name} is a probability from 0 to 1, but is {getattr(self, name)}.")
        if not 0 <= self.scale < 1:
            raise ValueError(f"augment.scale must be from 0 to below 1, but is {self.scale}.")


def augment(images: torch.Tensor, config: AugmentConfig, generator: torch.Generator) -> torch.Tensor:
    """Moves, flips, relights and erases each picture independently.

    Args:
        images: float (N, 1, H, W), pixels in [0, 1].
        config: Strengths.
        generator: The only source of randomness, on the pictures' device: same state, same result.

    Returns:
        A tensor like `images`.
    """
    n, device = len(images), images.device

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.rand(n, device=device, generator=generator) * (high - low) + low

    angle = uniform(-config.rotation, config.rotation) * (math.pi / 180)
    size = uniform(1 - config.scale, 1 + config.scale)
    mirror = torch.where(uniform(0, 1) < config.flip, -1.0, 1.0)
    # affine_grid maps output to input coordinates in [-1, 1], so a shift by a fraction of the side counts double.
    dx, dy = uniform(-config.shift, config.shift) * 2, uniform(-config.shift, config.shift) * 2
    cos, sin = torch.cos(angle) / size, torch.sin(angle) / size
    theta = torch.stack([torch.stack([cos * mirror, -sin, dx], 1), torch.stack([sin * mirror, cos, dy], 1)], 1)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    # Border, not zeros: black corners would be a feature that no photograph has.
    x = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)

    if config.contrast or config.brightness:
        gain = uniform(1 - config.contrast, 1 + config.contrast).view(n, 1, 1, 1)
        bias = uniform(-config.brightness, config.brightness).view(n, 1, 1, 1)
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        x = ((x - mean) * gain + mean + bias).clamp(0, 1)
    return _erase(x, config, uniform) if config.erase else x


def _erase(x: torch.Tensor, config: AugmentConfig, uniform) -> torch.Tensor:
    n, _, h, w = x.shape
    area = uniform(*config.erase_area) * h * w
    ratio = torch.exp(uniform(math.log(0.3), math.log(1 / 0.3)))
    hit = uniform(0, 1) < config.erase
    eh, ew = torch.sqrt(area * ratio).clamp(max=h), torch.sqrt(area / ratio).clamp(max=w)
    top, left = uniform(0, 1) * (h - eh), uniform(0, 1) * (w - ew)
    rows = torch.arange(h, device=x.device) + 0.5
    columns = torch.arange(w, device=x.device) + 0.5
    inside_rows = (rows >= top[:, None]) & (rows < (top + eh)[:, None])
    inside_columns = (columns >= left[:, None]) & (columns < (left + ew)[:, None])
    mask = inside_rows[:, :, None] & inside_columns[:, None, :] & hit[:, None, None]
    fill = uniform(0, 1).view(n, 1, 1, 1)
    return torch.where(mask[:, None], fill, x)
