"""The few layers that several networks are made of."""

from typing import TypedDict, Unpack

import torch
import torch.nn as nn


class TensorOptions(TypedDict, total=False):
    """Where a layer's parameters are made and of what type."""

    device: torch.device | str | None
    dtype: torch.dtype | None


class ConvNormAct(nn.Module):
    """Bias-free convolution, batch normalisation, ReLU."""

    def __init__(
        self,
        in_chs: int,
        out_chs: int,
        kernel_size: int = 1,
        stride: int = 1,
        groups: int = 1,
        **dd: Unpack[TensorOptions],
    ) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.conv = nn.Conv2d(in_chs, out_chs, kernel_size, stride, padding, groups=groups, bias=False, **dd)
        self.bn = nn.BatchNorm2d(out_chs, **dd)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.bn(self.conv(x)))


class ConvAct(nn.Module):
    """Convolution with bias and ReLU, as networks had it before batch normalisation."""

    def __init__(self, in_chs: int, out_chs: int, kernel_size: int, padding: int, **dd: Unpack[TensorOptions]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_chs, out_chs, kernel_size, padding=padding, **dd)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.conv(x))


class ResidualBlock(nn.Module):
    """ResNet's basic block: two 3x3 convolutions beside a shortcut (He et al. 2016, arXiv:1512.03385)."""

    def __init__(self, in_chs: int, out_chs: int, stride: int = 1, **dd: Unpack[TensorOptions]) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(in_chs, out_chs, 3, stride, **dd)
        self.conv2 = nn.Conv2d(out_chs, out_chs, 3, padding=1, bias=False, **dd)
        self.bn2 = nn.BatchNorm2d(out_chs, **dd)
        same = stride == 1 and in_chs == out_chs
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(in_chs, out_chs, 1, stride, bias=False, **dd), nn.BatchNorm2d(out_chs, **dd))
        )
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.bn2(self.conv2(self.conv1(x))) + self.shortcut(x))


class HiddenLayer(nn.Sequential):
    """Flattens a map of a fixed size and passes it through a fully connected layer with ReLU.

    A map of another size, from a picture of another size, is brought to the fixed one by adaptive average pooling.

    Args:
        in_chs: Channels of the map.
        size: Its height and width.
        out_features: Units of the layer.
        norm: Batch normalisation before the ReLU, and then no bias.
    """

    def __init__(
        self, in_chs: int, size: int, out_features: int, norm: bool = False, **dd: Unpack[TensorOptions]
    ) -> None:
        layers: list[nn.Module] = [
            nn.AdaptiveAvgPool2d(size),
            nn.Flatten(1),
            nn.Linear(in_chs * size * size, out_features, bias=not norm, **dd),
        ]
        if norm:
            layers.append(nn.BatchNorm1d(out_features, **dd))
        super().__init__(*layers, nn.ReLU())
