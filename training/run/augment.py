"""Augmentation as batched tensor work on the pictures' own device: no worker processes, one warp a batch.

Rotation, shift and horizontal flip are the paper's; scale, brightness/contrast and erasing (Zhong et al. 2017,
arXiv:1708.04896) are switches of a recipe.
"""

import math
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F

from fer_demo.models.regions import MIRRORED
from fer_demo.vision.sources import one_line
from training.run.ranges import Range, check_ranges

RANGES = {
    "rotation": Range(0, 180),
    "shift": Range(0, 1),
    "scale": Range(0, 1, below=True),
    "flip": Range(0, 1),
    "contrast": Range(0, 1),
    "brightness": Range(0, 1),
    "erase": Range(0, 1),
}
"""Of the settings below that are one number."""


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
        check_ranges(self, RANGES, "augment.")
        area = self.erase_area
        pair = isinstance(area, tuple) and len(area) == 2 and all(type(v) in (int, float) for v in area)
        if not pair or not 0 <= area[0] <= area[1] <= 1:
            raise ValueError(
                f"augment.erase_area must be two rising fractions of the area, such as [0.02, 0.2]; got "
                f"{one_line(repr(area))}."
            )


RANDOM_NUMBERS = 13
"""That a picture's augmentation takes."""


@dataclass(frozen=True)
class Draws:
    """What is done to each picture of a batch: float tensors (N,), free of any size in pixels.

    So the same draws move a picture alike at every resolution, and a part of the draws moves that part of the batch.
    """

    angle: torch.Tensor
    size: torch.Tensor
    mirror: torch.Tensor
    dx: torch.Tensor
    dy: torch.Tensor
    gain: torch.Tensor
    bias: torch.Tensor
    erase: torch.Tensor
    area: torch.Tensor
    ratio: torch.Tensor
    top: torch.Tensor
    left: torch.Tensor
    fill: torch.Tensor

    def __getitem__(self, index: slice) -> "Draws":
        return Draws(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


def draw(n: int, config: AugmentConfig, generator: torch.Generator) -> Draws:
    """Draws what happens to `n` pictures.

    Args:
        n: Pictures.
        config: Strengths.
        generator: The only source of randomness: same state, same result. Its device is that of the result.
    """
    return interpret(torch.rand(RANDOM_NUMBERS, n, device=generator.device, generator=generator), config)


def interpret(r: torch.Tensor, config: AugmentConfig) -> Draws:
    """What random numbers mean.

    Args:
        r: float (`RANDOM_NUMBERS`, N), uniform in [0, 1).
        config: Strengths.
    """

    def between(i: int, low: float, high: float) -> torch.Tensor:
        return r[i] * (high - low) + low

    return Draws(
        angle=between(0, -config.rotation, config.rotation) * (math.pi / 180),
        size=between(1, 1 - config.scale, 1 + config.scale),
        mirror=torch.where(r[2] < config.flip, -1.0, 1.0),
        dx=between(3, -config.shift, config.shift),
        dy=between(4, -config.shift, config.shift),
        gain=between(5, 1 - config.contrast, 1 + config.contrast),
        bias=between(6, -config.brightness, config.brightness),
        erase=r[7] < config.erase,
        area=between(8, *config.erase_area),
        ratio=torch.exp(between(9, math.log(0.3), math.log(1 / 0.3))),
        top=r[10],
        left=r[11],
        fill=r[12],
    )


def augment(images: torch.Tensor, draws: Draws) -> torch.Tensor:
    """Moves, flips, relights and erases each picture independently.

    Args:
        images: float (N, 1, H, W), pixels in [0, 1].
        draws: From `draw`, for N pictures, on the same device.

    Returns:
        A tensor like `images`.
    """
    cos, sin = torch.cos(draws.angle) / draws.size, torch.sin(draws.angle) / draws.size
    # affine_grid maps output to input coordinates in [-1, 1], so a shift by a fraction of the side counts double.
    first = torch.stack([cos * draws.mirror, -sin, 2 * draws.dx], 1)
    second = torch.stack([sin * draws.mirror, cos, 2 * draws.dy], 1)
    grid = F.affine_grid(torch.stack([first, second], 1), list(images.shape), align_corners=False)
    # Border, not zeros: black corners would be a feature that no photograph has.
    x = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = ((x - mean) * draws.gain.view(-1, 1, 1, 1) + mean + draws.bias.view(-1, 1, 1, 1)).clamp(0, 1)
    return torch.where(_erased(draws, *x.shape[-2:])[:, None], draws.fill.view(-1, 1, 1, 1), x)


def move_landmarks(landmarks: torch.Tensor, draws: Draws) -> torch.Tensor:
    """Where the landmarks of pictures lie after `augment`.

    Args:
        landmarks: float (N, 5, 2), x and y as fractions of the picture's width and height; NaN stays NaN.
        draws: Those of the pictures, on the same device.

    Returns:
        A tensor like `landmarks`, in the detector's order again where a picture was mirrored; what was moved out of
        the picture lies outside.
    """
    cos, sin = torch.cos(draws.angle) / draws.size, torch.sin(draws.angle) / draws.size
    # The inverse of the matrix in augment, which leads from the result to the picture.
    inverse = torch.stack([cos * draws.mirror, sin * draws.mirror, -sin, cos], 1).view(-1, 2, 2)
    inverse = inverse / (cos.square() + sin.square())[:, None, None]
    shift = torch.stack([draws.dx, draws.dy], 1)
    centred = 2 * (landmarks - shift[:, None]) - 1
    moved = (torch.einsum("nij,npj->npi", inverse, centred) + 1) / 2
    return torch.where((draws.mirror < 0)[:, None, None], moved[:, list(MIRRORED)], moved)


def _erased(draws: Draws, h: int, w: int) -> torch.Tensor:
    """bool (N, H, W): the pixels inside the erased rectangles."""
    rows = (torch.arange(h, device=draws.area.device) + 0.5) / h
    columns = (torch.arange(w, device=draws.area.device) + 0.5) / w
    eh, ew = torch.sqrt(draws.area * draws.ratio).clamp(max=1), torch.sqrt(draws.area / draws.ratio).clamp(max=1)
    top, left = draws.top * (1 - eh), draws.left * (1 - ew)
    inside_rows = (rows >= top[:, None]) & (rows < (top + eh)[:, None])
    inside_columns = (columns >= left[:, None]) & (columns < (left + ew)[:, None])
    return inside_rows[:, :, None] & inside_columns[:, None, :] & draws.erase[:, None, None]
