"""mini-Xception: the small network that most of today's demos use.

Paper: Arriaga, Valdenegro-Toro, Ploeger, "Real-time Convolutional Neural Networks for Emotion and Gender
Classification", arXiv:1710.07557, section III.

Printed there: two 3x3 convolutions of 8 maps, four residual modules of depthwise separable convolutions with batch
normalisation, no fully connected layer but a convolution to the seven classes and global average pooling; some 60,000
parameters and 66 % on FER2013.

From the authors' public model file, 58,423 numbers for a grey picture of 64x64: module widths of 16, 32, 64 and 128, a
1x1 shortcut of stride 2, 3x3 maximum pooling of stride 2, a last convolution of 3x3 with bias; 56,951 of the numbers
are trained, the rest are the running statistics of batch normalisation.
"""

from typing import Any, Unpack

import torch
import torch.nn as nn
from timm.models import generate_default_cfgs, register_model

from fer_demo.models.base import StagedNet
from fer_demo.models.layers import TensorOptions
from fer_demo.models.pretrained import cfg, create

__all__ = ["MiniXception"]


class Stem(nn.Module):
    """Two unpadded 3x3 convolutions."""

    def __init__(self, in_chs: int, width: int, **dd: Unpack[TensorOptions]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_chs, width, 3, bias=False, **dd)
        self.bn = nn.BatchNorm2d(width, **dd)
        self.conv2 = nn.Conv2d(width, width, 3, bias=False, **dd)
        self.bn2 = nn.BatchNorm2d(width, **dd)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.bn(self.conv(x)))
        return self.act(self.bn2(self.conv2(x)))


class SeparableConvNorm(nn.Sequential):
    """Depthwise and pointwise convolution, batch normalisation."""

    def __init__(self, in_chs: int, out_chs: int, **dd: Unpack[TensorOptions]) -> None:
        super().__init__(
            nn.Conv2d(in_chs, in_chs, 3, padding=1, groups=in_chs, bias=False, **dd),
            nn.Conv2d(in_chs, out_chs, 1, bias=False, **dd),
            nn.BatchNorm2d(out_chs, **dd),
        )


class XceptionModule(nn.Module):
    """Two separable convolutions and a pooling beside a strided shortcut (Chollet 2017, arXiv:1610.02357)."""

    def __init__(self, in_chs: int, out_chs: int, **dd: Unpack[TensorOptions]) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(nn.Conv2d(in_chs, out_chs, 1, 2, bias=False, **dd), nn.BatchNorm2d(out_chs, **dd))
        self.conv1 = SeparableConvNorm(in_chs, out_chs, **dd)
        self.act = nn.ReLU()
        self.conv2 = SeparableConvNorm(out_chs, out_chs, **dd)
        self.pool = nn.MaxPool2d(3, 2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pool(self.conv2(self.act(self.conv1(x)))) + self.shortcut(x)


class MiniXception(StagedNet):
    """mini-Xception. Arguments as in `StagedNet`; the classifier is a convolution, pooled afterwards."""

    paper = "Real-time Convolutional Neural Networks for Emotion and Gender Classification"

    def __init__(
        self,
        num_classes: int = 7,
        in_chans: int = 1,
        global_pool: str = "avg",
        stem_width: int = 8,
        widths: tuple[int, ...] = (16, 32, 64, 128),
        drop_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_classes, in_chans, global_pool, drop_rate)
        dd: TensorOptions = {"device": device, "dtype": dtype}
        stages, chs = [], stem_width
        for width in widths:
            stages.append(XceptionModule(chs, width, **dd))
            chs = width
        self.assemble(
            Stem(in_chans, stem_width, **dd),
            stages,
            channels=list(widths),
            reductions=[2 ** (i + 1) for i in range(len(widths))],
            **dd,
        )

    def _new_classifier(self, **dd: Unpack[TensorOptions]) -> nn.Module:
        if not self.num_classes or not self.pool_type:
            return super()._new_classifier(**dd)
        return nn.Conv2d(self.num_features, self.num_classes, 3, padding=1, **dd)

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Classifies each cell of a map from ``forward_features`` and pools; with ``pre_logits`` only pools."""
        x = self.head_drop(x)
        return self.global_pool(x if pre_logits else self.classifier(x))


default_cfgs = generate_default_cfgs(
    {
        "fer_mini_xception.paper_fer2013": cfg("fer_mini_xception.paper_fer2013", MiniXception, 3),
    }
)


@register_model
def fer_mini_xception(pretrained: bool = False, **kwargs: Any) -> MiniXception:
    """Arriaga et al. 2017: 56,951 parameters (58,423 numbers in the authors' file), 1x48x48 input."""
    return create(MiniXception, "fer_mini_xception", pretrained, 4, **kwargs)
