"""SE-Dense: a 0.48 M-parameter CNN for facial expression recognition.

Paper: Lee, Yoon, Ko, Jo, "Efficient CNNs with Feature Concatenation and Depthwise Separable Convolution for Facial
Expression Recognition", KIISE 2019, pp. 754-756 (in Korean).

This is a reconstruction. The paper prints the block (depthwise separable convolution, its features concatenated with
the block's input and, in addition, with their squeeze-and-excitation output), four stages of three blocks, halving
transitions and about 0.48 M parameters; it prints neither stem width, growth rate, bottleneck nor SE ratio. Three
facts pin those down: the parameter count; the first author's public web demo, which takes Grad-CAM at a layer called
``concatenate_24`` (two concatenations in each of twelve blocks); and that layer's 364 channels. Stem 32, growth 32, a
1x1 bottleneck of 4 x growth and SE ratio 1/16 give exactly 364 channels and 480,763 parameters.

The block's ingredients are options of the class, so that each can be taken away: see `SEDense`.
"""

from typing import Any

import torch
import torch.nn as nn
from timm.layers import SEModule
from timm.models import generate_default_cfgs, register_model

from fer_demo.models.base import StagedNet, cfg, create
from fer_demo.models.layers import ConvNormAct

__all__ = ["SEDense"]

SE_CHOICES = ("concat", "replace", "none")


class SeparableConvNormAct(nn.Module):
    """Depthwise 3x3 convolution, pointwise 1x1 convolution, batch normalisation, ReLU."""

    def __init__(self, in_chs: int, out_chs: int, groups: int = 1, **dd: Any) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(in_chs, in_chs, 3, padding=1, groups=in_chs, bias=False, **dd)
        self.conv_pw = nn.Conv2d(in_chs, out_chs, 1, groups=groups, bias=False, **dd)
        self.bn = nn.BatchNorm2d(out_chs, **dd)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.bn(self.conv_pw(self.conv_dw(x))))


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
        **dd: Any,
    ) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(in_chs, bottleneck, **dd) if bottleneck else nn.Identity()
        width = bottleneck or in_chs
        if separable:
            self.conv2 = SeparableConvNormAct(width, growth_rate, groups, **dd)
        else:
            self.conv2 = ConvNormAct(width, growth_rate, 3, **dd)
        if se == "none":
            self.se = nn.Identity()
        else:
            # rd_divisor=1: timm's default of 8 would round the hidden width of 2 up and change the parameter count.
            self.se = SEModule(growth_rate, rd_ratio=se_ratio, rd_divisor=1, **dd)
            self.se.act.inplace = False  # Captum's module-backward methods break on in-place activations
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
    before it then copies; ``adaptive_avg_pool2d`` keeps the format. On even sizes both compute the same values.
    """

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, w = x.shape[-2], x.shape[-1]
        if self.training and h % 2 == 0 and w % 2 == 0:
            return nn.functional.adaptive_avg_pool2d(x, (h // 2, w // 2))
        return nn.functional.avg_pool2d(x, 2)


class Transition(nn.Module):
    """2x2 average pooling and a 1x1 convolution with batch normalisation and ReLU: halves channels and size.

    The paper convolves first. Average pooling commutes with a bias-free 1x1 convolution, so this order is the same
    function at a quarter of the arithmetic.
    """

    def __init__(self, in_chs: int, out_chs: int, groups: int = 1, **dd: Any) -> None:
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


class SEDense(StagedNet):
    """The SE-Dense network, and what is left of it when an ingredient is taken away.

    Input: float tensor (N, in_chans, H, W), pixels scaled to [0, 1]; H and W at least ``8 * stem_stride``.
    Output: logits (N, num_classes).

    Args:
        num_classes: Outputs of the classifier; 0 gives pooled features.
        in_chans: Input channels; the paper's network is grayscale.
        global_pool: Pooling before the classifier; ``""`` with ``num_classes=0`` gives the unpooled map.
        stem_width: Channels after the stem.
        stem_kernel: 1 for the paper's FER2013 stem, 3 for its RAF-single stem.
        stem_stride: 1 or 2, likewise.
        depths: Dense blocks in each stage.
        growth_rate: New channels per block; their SE output adds as many again.
        bottleneck: Channels of the 1x1 bottleneck, or 0 for none.
        se_ratio: Hidden width of SE as a fraction of its channels.
        se: ``"concat"`` adds the SE output to the new features, as the paper does; ``"replace"`` lets it take their
            place, as SE networks do (Hu et al. 2018, arXiv:1709.01507); ``"none"`` leaves SE out.
        skip: Concatenate a block's input; False for no skip connection.
        separable: Depthwise separable 3x3 convolutions; False for plain ones.
        groups: Groups of the 1x1 convolutions in the transitions and behind the depthwise convolutions.
        drop_rate: Dropout before the classifier.

    Raises:
        ValueError: For an unknown `se`.
    """

    paper = (
        "Efficient CNNs with Feature Concatenation and Depthwise Separable Convolution "
        "for Facial Expression Recognition"
    )

    def __init__(
        self,
        num_classes: int = 7,
        in_chans: int = 1,
        global_pool: str = "avg",
        stem_width: int = 32,
        stem_kernel: int = 1,
        stem_stride: int = 1,
        depths: tuple[int, ...] = (3, 3, 3, 3),
        growth_rate: int = 32,
        bottleneck: int = 128,
        se_ratio: float = 1 / 16,
        se: str = "concat",
        skip: bool = True,
        separable: bool = True,
        groups: int = 1,
        drop_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_classes, in_chans, global_pool, drop_rate)
        if se not in SE_CHOICES:
            raise ValueError(f"se must be one of {', '.join(SE_CHOICES)}; got {se!r}.")
        dd = {"device": device, "dtype": dtype}
        options = {
            "growth_rate": growth_rate,
            "bottleneck": bottleneck,
            "se_ratio": se_ratio,
            "se": se,
            "skip": skip,
            "separable": separable,
            "groups": groups,
        }
        chs = stem_width
        stages = []
        for i, depth in enumerate(depths):
            stages.append(Stage(chs, depth, transition=i > 0, **options, **dd))
            chs = stages[-1].out_chs
        self.assemble(
            ConvNormAct(in_chans, stem_width, stem_kernel, stem_stride, **dd),
            stages,
            channels=[stage.out_chs for stage in stages],
            reductions=[stem_stride * 2**i for i in range(len(stages))],
            **dd,
        )

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Parameter groups for timm's layer-wise learning-rate decay."""
        if coarse:
            return super().group_matcher(coarse)
        blocks = [(r"^stages\.(\d+)\.transition", (0,)), (r"^stages\.(\d+)\.blocks\.(\d+)", None)]
        return {"stem": r"^stem", "blocks": blocks}


# A tag's input size is the one its weights were trained at; the networks are fully convolutional and take others.
default_cfgs = generate_default_cfgs(
    {
        "fer_sedense.fer2013": cfg("fer_sedense.fer2013", SEDense, 6),
        "fer_sedense_s2.raf_single": cfg("fer_sedense_s2.raf_single", SEDense, 6, input_size=(1, 100, 100)),
        "fer_sedense_s2.fer2013": cfg("fer_sedense_s2.fer2013", SEDense, 3),
        "fer_sedense_nano.fer2013": cfg("fer_sedense_nano.fer2013", SEDense, 3),
        "fer_sedense_gc.fer2013": cfg(
            "fer_sedense_gc.fer2013",
            SEDense,
            6,
            paper_name="Efficient CNNs with Channel Attention and Group Convolution for Facial Expression Recognition",
        ),
    }
)

S2 = {"stem_kernel": 3, "stem_stride": 2}


@register_model
def fer_sedense(pretrained: bool = False, **kwargs: Any) -> SEDense:
    """SE-Dense with the paper's FER2013 stem: 1x1 convolution, stride 1; 480,763 parameters, 1x48x48 input."""
    return create(SEDense, "fer_sedense", pretrained, 4, **kwargs)


@register_model
def fer_sedense_s2(pretrained: bool = False, **kwargs: Any) -> SEDense:
    """SE-Dense with the paper's RAF-single stem: 3x3 convolution, stride 2; 481,019 parameters, 1x100x100 input.

    It takes 48x48 too, at a quarter of ``fer_sedense``'s arithmetic.
    """
    return create(SEDense, "fer_sedense_s2", pretrained, 4, **(S2 | kwargs))


@register_model
def fer_sedense_nano(pretrained: bool = False, **kwargs: Any) -> SEDense:
    """A small member of the family, ours: 80,997 parameters, 7.7 M multiply-accumulates at 48x48."""
    options = {"stem_width": 16, "growth_rate": 16, "bottleneck": 32, "se_ratio": 1 / 8}
    return create(SEDense, "fer_sedense_nano", pretrained, 4, **(S2 | options | kwargs))


@register_model
def fer_sedense_gc(pretrained: bool = False, **kwargs: Any) -> SEDense:
    """The authors' sequel with group convolution (Journal of KIISE 46(12), 2019, doi 10.5626/JOK.2019.46.12.1241).

    Printed in its abstract: group convolution, depthwise separable convolution, concatenating skip connections, channel
    attention; 0.39 M parameters and 70.32 % on FER2013 (0.41 M and 85.23 % on RAF-single). Inferred: two groups in the
    transitions and behind the depthwise convolutions, which make 390,955 parameters of `fer_sedense`.
    """
    return create(SEDense, "fer_sedense_gc", pretrained, 4, **({"groups": 2} | kwargs))
