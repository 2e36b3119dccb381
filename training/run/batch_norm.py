"""Statistics of batch normalisation for the pictures that a network will be asked about."""

import torch
from torch.optim.swa_utils import update_bn

from fer_demo.vision.preprocess import data_config
from training.data.twins import prepare_twins

ORDER_SEED = 0


def calibrate_batch_norm(
    model: torch.nn.Module,
    images: torch.Tensor,
    *,
    pictures: int,
    size: tuple[int, int] | None = None,
    batch_size: int = 64,
) -> None:
    """Computes a network's running means and variances anew, from pictures as they are.

    During training they follow the last few batches of augmented pictures, and with several processes those of one
    process: they are noisy, and they belong to pictures with holes and turned heads ("precise BN", Wu and Johnson
    2021, arXiv:2105.07576). Weights stay.

    Args:
        model: A timm model, in whichever mode; the mode stays.
        images: uint8 (N, T, H, W), the Training pictures.
        pictures: How many of them, drawn with a fixed seed; all if there are fewer.
        size: Height and width to resize to; the model's own by default.
        batch_size: Pictures whose statistics are averaged at a time.
    """
    config = data_config(model) | ({"size": size} if size else {})
    device = next(model.parameters()).device
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(ORDER_SEED))[:pictures]
    # Full batches alone: each counts as much as another, and a single picture's 1x1 map would have no variance.
    batches = order[: len(order) // batch_size * batch_size or None].split(batch_size)
    update_bn((prepare_twins(images[chosen].to(device), **config) for chosen in batches), model)
