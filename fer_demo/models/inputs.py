"""What a network says of pictures that it cannot take, or would answer wrongly."""

import warnings
from typing import Any, Protocol

import torch
from torch import fx, nn

HOLDS = (1, 52 / 48)
"""Sides at which trained weights lose at most some 3 points of accuracy, as shares of the one of their training; see
docs/accuracy.md. Already 44 pixels instead of 48 cost up to 8."""

SCALED = (-0.5, 1.5)
"""Pixels outside are not scaled to [0, 1], or were normalised for another network; noise on those that are stays in."""


class Network(Protocol):
    """What is looked at of a `fer_demo.models.base.StagedNet`."""

    in_chans: int
    stem: nn.Module
    stages: nn.Sequential
    feature_info: list[dict[str, Any]]
    trained_size: tuple[int, int] | None
    advised: set[str]
    training: bool


def check_input(net: Network, x: torch.Tensor) -> None:
    """Looks at what a network is given, before PyTorch fails at it or wrong answers are believed.

    Graphs that are being recorded are left alone. Advice is given once for each network.

    Args:
        net: The network.
        x: Its input.

    Raises:
        TypeError: If it is no tensor, or of another type than the weights.
        ValueError: If its shape does not fit.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or isinstance(x, fx.Proxy):
        return
    if not isinstance(x, torch.Tensor):
        raise TypeError(
            f"{type(net).__name__} takes a float tensor, but got {type(x).__name__}: "
            "fer_demo.vision.preprocess.prepare makes one of grey uint8 arrays."
        )
    _check_shape(net, x)
    _check_dtype(net, x)
    if net.trained_size is not None:
        _advise(net, x, net.trained_size)


def _check_shape(net: Network, x: torch.Tensor) -> None:
    shape, channels = tuple(x.shape), net.in_chans
    wanted = f"{type(net).__name__} takes pictures (N, {channels}, height, width), but got {shape}"
    if x.ndim != 4:
        raise ValueError(f"{wanted}: x[None] adds the dimension of the batch.")
    if shape[1] != channels:
        if shape[3] == channels:
            raise ValueError(f"{wanted}: x.permute(0, 3, 1, 2) puts the channels first.")
        if channels == 1 and shape[1] == 3:
            raise ValueError(
                f'{wanted}: make photos grey before their transform, image.convert("L"), or make the network for '
                "colours, in_chans=3."
            )
        raise ValueError(f"{wanted}: make the network with in_chans={shape[1]}.")
    # The last map's pixels are so wide.
    smallest = net.feature_info[len(net.stages) - 1]["reduction"]
    if min(shape[2:]) < smallest:
        raise ValueError(f"{wanted}: they must be at least {smallest} pixels wide and high.")


def _check_dtype(net: Network, x: torch.Tensor) -> None:
    if not x.is_floating_point():
        raise TypeError(
            f"{type(net).__name__} takes float pixels from 0 to 1, but got {x.dtype}: x.float() / 255 scales 8 bits."
        )
    weight = next(net.stem.parameters(), None)  # quantised layers have none
    if weight is not None and weight.dtype != x.dtype and not torch.is_autocast_enabled(x.device.type):
        raise TypeError(
            f"The weights are {weight.dtype}, but the pictures {x.dtype}: convert these by x.to({weight.dtype}), or "
            "use torch.autocast."
        )


def _advise(net: Network, x: torch.Tensor, size: tuple[int, int]) -> None:
    if net.training:
        net.trained_size = None  # from here on the weights may learn other pictures
        return
    shares = [side / own for side, own in zip(x.shape[-2:], size, strict=True)]
    if "size" not in net.advised and not all(HOLDS[0] <= share <= HOLDS[1] for share in shares):
        net.advised.add("size")
        warnings.warn(
            f"Weights that were trained at {size[0]} x {size[1]} pixels answer less well, or wrongly, at "
            f"{x.shape[-2]} x {x.shape[-1]}: resize the pictures, as the transform of "
            "timm.data.resolve_model_data_config does.",
            stacklevel=2,
        )
    if "pixels" not in net.advised:
        _advise_on_pixels(net, x)


def _advise_on_pixels(net: Network, x: torch.Tensor) -> None:
    if x.device.type != "cpu":
        if x.is_cuda and torch.cuda.is_current_stream_capturing():
            return
        net.advised.add("pixels")  # the processor must wait for a GPU's answer, which is worth it once
    if type(x) is not torch.Tensor or x.is_meta or not x.numel():
        return  # without values
    try:
        low, high = (float(value) for value in torch.aminmax(x.detach()))
    except RuntimeError:
        return  # torch.func's tensors have no values of their own
    if low < SCALED[0] or high > SCALED[1]:
        net.advised.add("pixels")
        warnings.warn(
            f"The pixels are from {low:.3g} to {high:.3g}, but these weights were trained with 0 (black) to 1 (white): "
            "divide 8-bit values by 255, and use no other mean and std than those of "
            "timm.data.resolve_model_data_config.",
            stacklevel=2,
        )
