"""SE-Dense's building blocks; see `fer_demo.models.sedense` for the paper and `SEDense` for their options."""

from typing import Any, Unpack

import torch
import torch.nn as nn
from timm.layers import SEModule

from fer_demo.models.layers import ConvNormAct, TensorOptions


class SeparableConvNormAct(nn.Module):
    """Depthwise 3x3 convolution, pointwise 1x1 convolution, batch normalisation, ReLU.

    A GPU trains it as the one dense convolution that both make: nothing stands between them, and tensor cores compute
    eight times the arithmetic sooner than they read and write the map between the two.
    """

    def __init__(self, in_chs: int, out_chs: int, groups: int = 1, **dd: Unpack[TensorOptions]) -> None:
        super().__init__()
        self.groups = groups
        self.conv_dw = nn.Conv2d(in_chs, in_chs, 3, padding=1, groups=in_chs, bias=False, **dd)
        self.conv_pw = nn.Conv2d(in_chs, out_chs, 1, groups=groups, bias=False, **dd)
        self.bn = nn.BatchNorm2d(out_chs, **dd)
        self.act = nn.ReLU()
        self.on_gpu = self.conv_pw.weight.is_cuda

    def _apply(self, fn: Any, recurse: bool = True) -> "SeparableConvNormAct":
        # Noted when the weights move: torch.fx cannot follow a choice by what a tensor is.
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.on_gpu = self.conv_pw.weight.is_cuda
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and self.on_gpu:
            x = nn.functional.conv2d(x, self.dense_weight(), padding=1, groups=self.groups)
        else:
            x = self.conv_pw(self.conv_dw(x))
        return self.act(self.bn(x))

    def dense_weight(self) -> torch.Tensor:
        """The kernel of the dense convolution that computes the same: (out_chs, in_chs / groups, 3, 3)."""
        pointwise, depthwise = self.conv_pw.weight, self.conv_dw.weight
        spatial = depthwise.view(self.groups, 1, pointwise.shape[1], 3, 3)
        return (pointwise.view(self.groups, -1, pointwise.shape[1], 1, 1) * spatial).flatten(0, 1)


class DenseBlock(nn.Module):
    """``x -> concat(x, f, SE(f))``, where f are the new features: ``2 * growth_rate`` channels more than x has.

    ``se.gate`` outputs the channel weights, shape (N, growth_rate, 1, 1), each in (0, 1). The options are those of
    `SEDense`. ``out_chs`` is the number of channels the block answers with.
    """

    def __init__(
        self,
        in_chs: int,
        growth_rate: int,
        bottleneck: int,
        se_ratio: float,
        se: str = "concat",
        skip: bool = True,
        separable: bool = True,
        groups: int = 1,
        **dd: Unpack[TensorOptions],
    ) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(in_chs, bottleneck, **dd) if bottleneck else nn.Identity()
        width = bottleneck or in_chs
        self.conv2: nn.Module
        if separable:
            self.conv2 = SeparableConvNormAct(width, growth_rate, groups, **dd)
        else:
            self.conv2 = ConvNormAct(width, growth_rate, 3, **dd)
        self.se: nn.Module = nn.Identity()
        if se != "none":
            # rd_divisor=1: timm's default of 8 would round the hidden width of 2 up and change the parameter count.
            gate = SEModule(growth_rate, rd_ratio=se_ratio, rd_divisor=1, **dd)
            gate.act.inplace = False  # Captum's module-backward methods break on in-place activations
            self.se = gate
        self.both = se == "concat"
        self.skip = skip
        self.out_chs = (in_chs if skip else 0) + growth_rate * (2 if self.both else 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        f = self.conv2(self.conv1(x))
        gated = self.se(f)
        if self.both:
            return torch.cat([x, f, gated] if self.skip else [f, gated], dim=1)
        return torch.cat([x, gated], dim=1) if self.skip else gated


class HalvingPool(nn.AvgPool2d):
    """2x2 average pooling whose backward pass is fast on a CPU.

    PyTorch's ``avg_pool2d`` gives its gradient in another memory format than its channels-last input, and whatever lies
    before it then copies; ``adaptive_avg_pool2d`` keeps the format. Without the last row or column of an odd size both
    compute the same values.
    """

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            h, w = x.shape[-2] // 2, x.shape[-1] // 2
            return nn.functional.adaptive_avg_pool2d(x[..., : 2 * h, : 2 * w], (h, w))
        return nn.functional.avg_pool2d(x, 2)


class Transition(nn.Module):
    """2x2 average pooling and a 1x1 convolution with batch normalisation and ReLU: halves channels and size.

    The paper convolves first. Average pooling commutes with a bias-free 1x1 convolution, so this order is the same
    function at a quarter of the arithmetic.
    """

    def __init__(self, in_chs: int, out_chs: int, groups: int = 1, **dd: Unpack[TensorOptions]) -> None:
        super().__init__()
        self.pool = HalvingPool()
        self.conv = ConvNormAct(in_chs, out_chs, groups=groups, **dd)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(self.pool(x))


class Stage(nn.Module):
    """An optional transition, then dense blocks; the options are those of `DenseBlock`."""

    def __init__(self, in_chs: int, depth: int, transition: bool, **options: Any) -> None:
        super().__init__()
        chs = in_chs // 2 if transition else in_chs
        dd = {k: options[k] for k in ("device", "dtype")}
        self.transition = Transition(in_chs, chs, options["groups"], **dd) if transition else nn.Identity()
        self.blocks = nn.Sequential()
        for i in range(depth):
            block = DenseBlock(chs, **options)
            self.blocks.add_module(str(i), block)
            chs = block.out_chs
        self.out_chs = chs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(self.transition(x))
