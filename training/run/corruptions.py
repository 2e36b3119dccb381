"""What cameras, messengers and hands do to a face, as batched tensor work: blur, few pixels, compression, noise, light.

The kinds follow ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261); covered eyes or mouth are added. Every
linear one is a product with a matrix for rows and columns, so that each picture of a batch gets a strength of its own.
"""

import math
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

from fer_demo.vision.preprocess import resize_weights
from training.run.ranges import Range, check_ranges

KINDS = ("light", "contrast", "blur", "pixels", "noise", "jpeg", "cover")
"""In the order in which they are applied, which is that of a picture's life."""

# ITU-T T.81, table K.1: quantisation of luminance at quality 50.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


RANDOM_NUMBERS = 14
"""That a picture's damages take, besides its grain."""

RANGES = (
    dict.fromkeys(("share", "second", "light", "contrast", "cover"), Range(0, 1))
    | {"blur": Range(0, 48), "noise": Range(0, 255)}
    | {"pixels": Range(4, 48), "jpeg": Range(1, 70)}
)
"""Of the settings below."""


@dataclass(frozen=True)
class CorruptionConfig:
    """How often and how badly pictures are damaged.

    Attributes:
        share: Probability that a picture is damaged at all.
        second: Probability that a damaged one gets a second kind.
        light: Darkest factor; the brightest is 2 minus it.
        contrast: Smallest factor.
        blur: Largest standard deviation of a Gaussian blur, in pixels of a 48-pixel face.
        pixels: Fewest pixels a face is left with.
        noise: Largest standard deviation of Gaussian noise, in grey levels of 255.
        jpeg: Lowest JPEG quality.
        cover: Largest height of a bar over eyes or mouth, as a fraction of the picture.
    """

    share: float = 0.0
    second: float = 0.3
    light: float = 0.25
    contrast: float = 0.25
    blur: float = 2.2
    pixels: float = 14.0
    noise: float = 28.0
    jpeg: float = 8.0
    cover: float = 0.3

    def __post_init__(self) -> None:
        check_ranges(self, RANGES, "corruption.")


@dataclass(frozen=True)
class CorruptionDraws:
    """What is done to each picture of a batch: float tensors (N,), where nothing else is said.

    Attributes:
        applied: bool (N, kinds), columns as `KINDS`.
        light: Factor.
        contrast: Factor around the picture's mean.
        blur: Standard deviation, in pixels of a 48-pixel face.
        pixels: How many pixels of 48 are left.
        noise: Standard deviation, from 0 to 1.
        grain: (N, 1, side, side), standard normal.
        jpeg: Quality.
        top: Where the bar over eyes or mouth begins, as a fraction of the picture.
        height: Of the bar, likewise.
        fill: Its grey, from 0 to 1.
    """

    applied: torch.Tensor
    light: torch.Tensor
    contrast: torch.Tensor
    blur: torch.Tensor
    pixels: torch.Tensor
    noise: torch.Tensor
    grain: torch.Tensor
    jpeg: torch.Tensor
    top: torch.Tensor
    height: torch.Tensor
    fill: torch.Tensor

    def __getitem__(self, index: slice) -> "CorruptionDraws":
        return CorruptionDraws(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


def draw_corruptions(n: int, side: int, config: CorruptionConfig, generator: torch.Generator) -> CorruptionDraws:
    """Draws what happens to `n` pictures.

    Args:
        n: Pictures.
        side: Their side in pixels, for the noise.
        config: Strengths.
        generator: The only source of randomness; its device is that of the result.
    """
    device = generator.device
    r = torch.rand(RANDOM_NUMBERS, n, device=device, generator=generator)
    return interpret(r, torch.randn(n, 1, side, side, device=device, generator=generator), config)


def interpret(r: torch.Tensor, grain: torch.Tensor, config: CorruptionConfig) -> CorruptionDraws:
    """What random numbers mean.

    Args:
        r: float (`RANDOM_NUMBERS`, N), uniform in [0, 1).
        grain: float (N, 1, side, side), standard normal.
        config: Strengths.
    """
    kinds = len(KINDS)
    first = (r[0] * kinds).long().clamp(max=kinds - 1)
    other = (first + 1 + (r[1] * (kinds - 1)).long().clamp(max=kinds - 2)) % kinds
    damaged, twice = r[2] < config.share, r[3] < config.second
    one_hot = F.one_hot(first, kinds).bool() | (F.one_hot(other, kinds).bool() & twice[:, None])

    def between(i: int, low: float, high: float) -> torch.Tensor:
        return r[i] * (high - low) + low

    mouth = r[11] < 0.5
    return CorruptionDraws(
        applied=one_hot & damaged[:, None],
        light=between(4, config.light, 2 - config.light),
        contrast=between(5, config.contrast, 1.0),
        blur=between(6, 0.3, max(0.3, config.blur)),
        pixels=between(7, config.pixels, 48.0),
        noise=between(8, 0.0, config.noise) / 255,
        grain=grain,
        jpeg=between(9, config.jpeg, 70.0),
        top=torch.where(mouth, 0.64, 0.27) + (r[10] - 0.5) * 0.12,
        height=between(12, min(0.12, config.cover), config.cover),
        fill=r[13],
    )


def corrupt(x: torch.Tensor, draws: CorruptionDraws) -> torch.Tensor:
    """Damages each picture by its own draws.

    Args:
        x: float (N, 1, H, W), square, pixels in [0, 1].
        draws: From `draw_corruptions`, for N pictures of that side, on the same device.

    Returns:
        A tensor like `x`, pixels in [0, 1]; pictures that nothing applies to are untouched.
    """
    for i, kind in enumerate(KINDS):
        if x.is_cuda:  # asking which pictures are chosen would let the GPU wait for the answer
            x = torch.where(_column(draws.applied[:, i]), _APPLY[kind](x, draws).clamp(0, 1), x)
            continue
        chosen = draws.applied[:, i].nonzero().flatten()
        if len(chosen):
            x = x.index_copy(0, chosen, _APPLY[kind](x[chosen], draws[chosen]).clamp(0, 1))
    return x


def _column(values: torch.Tensor) -> torch.Tensor:
    return values.view(-1, 1, 1, 1)


def _light(x: torch.Tensor, d: CorruptionDraws) -> torch.Tensor:
    return x * _column(d.light)


def _contrast(x: torch.Tensor, d: CorruptionDraws) -> torch.Tensor:
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return (x - mean) * _column(d.contrast) + mean


def _blur(x: torch.Tensor, d: CorruptionDraws) -> torch.Tensor:
    side = x.shape[-1]
    steps = torch.arange(side, device=x.device, dtype=x.dtype)
    sigma = (d.blur * side / 48).view(-1, 1, 1)
    weights = torch.exp(-((steps[:, None] - steps) ** 2)[None] / (2 * sigma**2))
    weights = (weights / weights.sum(2, keepdim=True))[:, None]
    return weights @ x @ weights.mT


def _pixels(x: torch.Tensor, d: CorruptionDraws) -> torch.Tensor:
    side = x.shape[-1]
    fewer = (d.pixels * side / 48).round().long().clamp(1, side)
    weights = _reductions(side, x.device)[fewer][:, None]
    return weights @ x @ weights.mT


@lru_cache(maxsize=8)
def _reductions(side: int, device: torch.device) -> torch.Tensor:
    """float32 (side + 1, side, side): for each number of pixels, reducing to it and enlarging again, as one matrix."""
    both = [resize_weights(fewer, side) @ resize_weights(side, fewer) for fewer in range(1, side + 1)]
    return torch.from_numpy(np.stack([both[0], *both])).float().to(device)


def _noise(x: torch.Tensor, d: CorruptionDraws) -> torch.Tensor:
    return x + _column(d.noise) * d.grain


@lru_cache(maxsize=8)
def _luminance(device: torch.device) -> torch.Tensor:
    return torch.tensor(_LUMINANCE, device=device, dtype=torch.float32)


def _jpeg(x: torch.Tensor, d: CorruptionDraws) -> torch.Tensor:
    """Quantised 8 x 8 cosine transforms: what JPEG loses; entropy coding loses nothing."""
    n, side = len(x), x.shape[-1]
    more = -side % 8
    blocks = F.pad(x, (0, more, 0, more), mode="replicate") * 255 - 128
    count = (side + more) // 8
    blocks = blocks.view(n, count, 8, count, 8).transpose(2, 3)
    k = torch.arange(8, device=x.device, dtype=x.dtype)
    dct = torch.cos((2 * k + 1) * k[:, None] * (math.pi / 16)) * torch.where(k[:, None] == 0, math.sqrt(1 / 8), 0.5)
    factor = torch.where(d.jpeg < 50, 5000 / d.jpeg, 200 - 2 * d.jpeg).view(-1, 1, 1)
    table = torch.floor((_luminance(x.device) * factor + 50) / 100).clamp(1, 255)
    table = table[:, None, None]
    blocks = dct.T @ ((dct @ blocks @ dct.T / table).round() * table) @ dct
    return (blocks.transpose(2, 3).reshape(n, 1, side + more, side + more)[..., :side, :side] + 128).round() / 255


def _cover(x: torch.Tensor, d: CorruptionDraws) -> torch.Tensor:
    rows = (torch.arange(x.shape[-2], device=x.device, dtype=x.dtype) + 0.5) / x.shape[-2]
    inside = (rows >= d.top[:, None]) & (rows < (d.top + d.height)[:, None])
    return torch.where(inside[:, None, :, None], _column(d.fill), x)


_APPLY = {
    "light": _light, "contrast": _contrast, "blur": _blur, "pixels": _pixels, "noise": _noise, "jpeg": _jpeg,
    "cover": _cover,
}  # fmt: skip
