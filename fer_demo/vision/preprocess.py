"""From grey face crops to the model's input: the one definition that training, evaluation and the app share.

Wrong answers on one's own photos mostly come from preparing them differently from the training pictures; so nothing
else in this project scales pixels or resizes crops. NumPy arrays need no PyTorch; tensors stay on their device. Both
give the very same pixels, on any processor.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from fer_demo.runtime.model_info import Preprocessing, input_preprocessing

if TYPE_CHECKING:
    import torch
    from typing_extensions import TypeIs

Pixels = TypeVar("Pixels", "torch.Tensor", NDArray[Any])
"""A tensor or an array, whichever came in."""


def prepare(
    images: "torch.Tensor | NDArray[np.uint8] | Sequence[NDArray[np.uint8]]",
    *,
    size: tuple[int, int],
    mean: float = 0.0,
    std: float = 1.0,
) -> "torch.Tensor":
    """Resizes grey pictures and scales their pixels.

    Pictures larger or smaller than `size` are resized with antialiased bilinear interpolation (as Pillow's BILINEAR);
    those that have the size already pass through untouched.

    Args:
        images: A uint8 tensor (N, 1, H, W) on any device, a uint8 array (N, H, W), or a sequence of uint8 arrays
            (H, W) of any sizes; 0 is black, 255 white.
        size: Height and width of the result.
        mean: Subtracted after scaling to [0, 1].
        std: Divided by after that.

    Returns:
        Contiguous float32 tensor (N, 1, height, width), ``(pixels / 255 - mean) / std``, on the pictures' device.

    Raises:
        TypeError: If the pixels are not uint8.
        ValueError: If a picture is not grey, i.e. has more than one channel.
    """
    import torch

    if not isinstance(images, torch.Tensor):
        return torch.from_numpy(prepare_array(images, size=size, mean=mean, std=std))
    _check(images.dtype == torch.uint8, images.dtype, images.ndim == 4 and images.shape[1] == 1, images.shape)
    x = images
    if tuple(x.shape[-2:]) != tuple(size):
        # MPS has no float64; the pictures are small.
        place = "cpu" if x.device.type == "mps" else x.device
        rows, columns = (torch.from_numpy(w).to(place) for w in _weights_for(x.shape, size))
        x = _resize(x.to(place, torch.float64), rows, columns).to(images.device, torch.float32)
    return normalize(x.float() / 255, mean, std).contiguous()


def prepare_array(
    images: "torch.Tensor | NDArray[np.uint8] | Sequence[NDArray[np.uint8]]",
    *,
    size: tuple[int, int],
    mean: float = 0.0,
    std: float = 1.0,
) -> NDArray[np.float32]:
    """`prepare` without PyTorch.

    Args:
        images: As for `prepare`; a tensor must be on the CPU.
        size: As for `prepare`.
        mean: As for `prepare`.
        std: As for `prepare`.

    Returns:
        C-contiguous float32 array (N, 1, height, width).

    Raises:
        TypeError: As for `prepare`.
        ValueError: As for `prepare`.
    """
    if _is_tensor(images):
        array = np.asarray(images)
        _check(array.dtype == np.uint8, array.dtype, array.ndim == 4 and array.shape[1] == 1, array.shape)
        images = array[:, 0]
    if isinstance(images, np.ndarray) and images.ndim == 3:
        x = _resized(images, size)
    elif len(images) == 0:
        x = np.empty((0, *size), np.uint8)
    else:
        x = np.concatenate([_resized(_one(image), size) for image in images])
    return normalize(x[:, None].astype(np.float32) / np.float32(255), mean, std)


def normalize(x: Pixels, mean: float, std: float) -> Pixels:
    """``(x - mean) / std`` for float pixels in [0, 1]; exact for mean 0 and std 1."""
    return x if mean == 0.0 and std == 1.0 else (x - mean) / std


def _is_tensor(images: object) -> "TypeIs[torch.Tensor]":
    return hasattr(images, "detach")  # without importing PyTorch, which need not be there


def _one(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.ndim != 2:
        raise ValueError(f"A face crop must be grey, (height, width), but has shape {image.shape}; convert it first.")
    return image[None]


def _check(is_uint8: bool, dtype: Any, is_grey: bool, shape: Sequence[int]) -> None:
    if not is_uint8:
        raise TypeError(f"Pictures must be uint8 with values 0 to 255, but are {dtype}.")
    if not is_grey:
        raise ValueError(f"Pictures must be grey, (N, 1, height, width), but have shape {tuple(shape)}.")


def _resized(images: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    _check(images.dtype == np.uint8, images.dtype, True, images.shape)
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return _resize(images.astype(np.float64), *_weights_for(images.shape, size)).astype(np.uint8)


def _resize(x: Pixels, rows: Pixels, columns: Pixels) -> Pixels:
    """Weighted means of rows and columns of arrays or tensors (..., H, W); whole grey levels in float64."""
    # Rounded to whole grey levels: the crop that is shown and the crop the network saw are then the same. Weights are
    # multiples of 2**-20, so that all sums are exact in float64 and no processor rounds a tie another way.
    resized: Pixels = (rows @ x @ columns).round()
    return resized


def _weights_for(shape: Sequence[int], size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return resize_weights(shape[-2], size[0]), resize_weights(shape[-1], size[1]).T.copy()


@lru_cache(maxsize=64)
def resize_weights(old: int, new: int) -> NDArray[np.float64]:
    """How pictures are resized along one side: antialiased and bilinear.

    Args:
        old: Pixels before.
        new: Pixels after.

    Returns:
        float64 (new, old): each new pixel's weights of the old ones, a triangle as wide as the reduction; sums are 1.
        Shared between calls: do not change it.
    """
    scale = old / new
    support = max(scale, 1.0)
    centres = (np.arange(new) + 0.5) * scale
    weights: NDArray[np.float64] = np.maximum(0.0, 1.0 - np.abs(np.arange(old) + 0.5 - centres[:, None]) / support)
    weights = np.round(weights / weights.sum(axis=1, keepdims=True) * 2**20)
    largest = weights.argmax(axis=1)
    weights[np.arange(new), largest] += 2**20 - weights.sum(axis=1)
    return weights / 2**20


def data_config(model: "torch.nn.Module") -> Preprocessing:
    """The keyword arguments of `prepare` that belong to a timm model."""
    return input_preprocessing(cast("dict[str, Any]", model.pretrained_cfg))
