"""Whether a map tells the truth: what happens to the answer when the pixels go that it calls important."""

from collections.abc import Callable
from dataclasses import dataclass

import captum.metrics
import torch
import torch.nn as nn
import torch.nn.functional as F
from torchvision.transforms.functional import gaussian_blur

from fer_demo.explain.attribution import Target, score_function
from fer_demo.runtime.batch import CPU_BATCH
from fer_demo.runtime.torch_lock import lock

STEPS = 24
BLUR_KERNEL, BLUR_SIGMA = 23, 8.0
"""What "gone" means: blurred until only light and shade are left. A black patch would be a thing of its own."""


@dataclass(frozen=True)
class Curves:
    """Deletion and insertion (Petsiuk et al. 2018, arXiv:1806.07421).

    Attributes:
        fraction: float32 (S+1,): share of the pixels that is gone, or there, 0 to 1.
        deletion: float32 (N, S+1): probability of the class while the most important pixels go first.
        insertion: float32 (N, S+1): the same while they come back first.
    """

    fraction: torch.Tensor
    deletion: torch.Tensor
    insertion: torch.Tensor

    def areas(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Areas under both curves, float32 (N,) each, from 0 to 1: a truthful map has a small and a large one."""
        return torch.trapezoid(self.deletion, self.fraction), torch.trapezoid(self.insertion, self.fraction)


def curves(
    model: nn.Module,
    x: torch.Tensor,
    maps: torch.Tensor,
    target: Target,
    *,
    steps: int = STEPS,
    temperature: float = 1.0,
    batch_size: int = CPU_BATCH,
) -> Curves:
    """Deletes and inserts pixels in the order of a map.

    Args:
        model: A timm model in evaluation mode.
        x: float (N, 1, H, W).
        maps: float (N, H, W), larger is more important.
        target: The class.
        steps: Pixels go in this many equal parts.
        temperature: Divides the logits.
        batch_size: Pictures at once.

    Raises:
        ValueError: If maps and pictures differ in number or size.
    """
    n, _, h, w = x.shape
    if maps.shape != (n, h, w):
        raise ValueError(f"Maps must have shape {(n, h, w)}, but have {tuple(maps.shape)}.")
    # Rank 0 is the most important pixel.
    rank = maps.reshape(n, -1).argsort(dim=1, descending=True, stable=True).argsort(dim=1).view(n, 1, h, w)
    counts = torch.linspace(0, h * w, steps + 1).round().long()
    blurred = gaussian_blur(x, odd_kernel(min(h, w)), BLUR_SIGMA)
    ids = (
        torch.tensor([target]).expand(n, -1)
        if isinstance(target, tuple)
        else torch.as_tensor(target).expand(n)[:, None]
    )
    results = []
    for first, second in ((blurred, x), (x, blurred)):  # the one that shows where pixels have changed, and the rest
        with lock(model), torch.no_grad():
            stages = torch.stack([torch.where(rank < count, first, second) for count in counts], 1)
            parts = stages.view(-1, 1, h, w).split(batch_size)
            probabilities = torch.cat([(model(part).float() / temperature).softmax(1) for part in parts])
        all_classes = probabilities.view(n, steps + 1, -1)
        results.append(all_classes.gather(2, ids[:, None].expand(n, steps + 1, ids.shape[1])).sum(2))
    return Curves(counts.float() / (h * w), *results)


def odd_kernel(side: int) -> int:
    """The side of the kernel that takes detail away from pictures of so many pixels a side: `BLUR_KERNEL`, or less."""
    return max(3, min(BLUR_KERNEL, 2 * ((side - 1) // 2) - 1))


def random_map(n: int, height: int, width: int, cells: int | None = None, seed: int = 0) -> torch.Tensor:
    """A map that knows nothing: float32 (n, height, width).

    Args:
        n: Maps.
        height: In pixels.
        width: In pixels.
        cells: Draw this many values along each side and interpolate, as Grad-CAM interpolates its layer's cells; by
            default every pixel has its own. A coarse map takes the picture away in patches, a fine one as noise that
            unsettles the network wherever it falls; so a map must be compared with chance of its own coarseness.
        seed: Of the draw.
    """
    size = (height, width) if cells is None else (cells, cells)
    values = torch.rand(n, 1, *size, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(values, size=(height, width), mode="bicubic", align_corners=False)[:, 0]


def centre_map(n: int, height: int, width: int) -> torch.Tensor:
    """A map that knows only that faces are in the middle: a Gaussian, float32 (n, height, width)."""
    y, x = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)[None]
    return torch.exp(-(x**2 + y**2) / 0.5).expand(n, height, width)


def infidelity(
    model: nn.Module, x: torch.Tensor, maps: torch.Tensor, target: int, *, sigma: float = 0.1, samples: int = 32
) -> torch.Tensor:
    """How badly a map predicts what noise does to the class's logit (Yeh et al. 2019, arXiv:1901.09392); 0 is best.

    The map's scale is fitted first, so that methods of different scale can be compared.

    Args:
        model: A timm model in evaluation mode.
        x: float (N, 1, H, W).
        maps: float (N, H, W).
        target: Class id.
        sigma: Standard deviation of the noise, pixels in [0, 1].
        samples: Draws for each picture.

    Returns:
        float32 (N,).
    """

    def perturb(inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        noise = torch.randn_like(inputs) * sigma
        return noise, inputs - noise

    with lock(model), torch.no_grad():
        found: torch.Tensor = captum.metrics.infidelity(
            score_function(model, target), perturb, x, maps[:, None], n_perturb_samples=samples, normalize=True
        )
    return found.float()


def sensitivity(
    explain: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, *, radius: float = 0.02, samples: int = 8
) -> torch.Tensor:
    """By how much a map changes, at most, under noise that no eye sees (Yeh et al. 2019); 0 is best, 1 is everything.

    Args:
        explain: From pictures (M, 1, H, W) to maps (M, H, W).
        x: float (N, 1, H, W).
        radius: Largest change of a pixel, pixels in [0, 1].
        samples: Draws for each picture.

    Returns:
        float32 (N,).
    """
    found: torch.Tensor = captum.metrics.sensitivity_max(
        lambda pictures: explain(pictures[0] if isinstance(pictures, tuple) else pictures)[:, None],
        x,
        perturb_radius=radius,
        n_perturb_samples=samples,
        max_examples_per_batch=len(x),
    )
    return found.float()
