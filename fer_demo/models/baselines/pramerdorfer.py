"""Three modern networks of 2016 brought to FER2013: VGG, ResNet and Inception.

Paper: Pramerdorfer, Kampel, "Facial Expression Recognition using Convolutional Neural Networks: State of the Art",
arXiv:1612.02903, section IV.

Printed there: VGG of depth 10 with 1.8 M parameters and 72.7 %, ResNet of depth 33 with 5.3 M and 72.4 %, Inception of
depth 16 with 1.2 M and 71.6 %, all with batch normalisation and ReLU after each convolution. The VGG is like VGG-B with
one block fewer: four blocks of two 3x3 convolutions and maximum pooling, each followed by dropout, then one hidden
layer of 1,024 units. All are trained for 300 epochs from random weights by SGD with momentum 0.9, learning rate 0.1 and
weight decay 1e-4, with mirroring and random crops.

Inferred from the printed depths and parameter counts: the VGG's widths of 32, 64, 128 and 128 (1.77 M); the ResNet as
ResNet-34 of half the width behind a 3x3 stem of stride 1 (5.33 M; its longest way has 34 layers, 33 without the stem);
the Inception network as a 3x3 stem and seven GoogLeNet modules (Szegedy et al. 2015, arXiv:1409.4842) of the widths
below (1.21 M).
"""

from typing import Any, Unpack

import torch
import torch.nn as nn
from timm.models import generate_default_cfgs, register_model

from fer_demo.models.base import StagedNet
from fer_demo.models.baselines.residual import ResidualNet
from fer_demo.models.layers import ConvNormAct, HiddenLayer, TensorOptions
from fer_demo.models.pretrained import cfg, create

__all__ = ["PramerdorferInception", "PramerdorferResNet", "PramerdorferVGG"]

TITLE = "Facial Expression Recognition using Convolutional Neural Networks: State of the Art"


class PramerdorferVGG(StagedNet):
    """VGG of depth 10. Arguments as in `StagedNet`; ``drop_rate`` also holds after each block."""

    own_pooling = "hidden"
    paper = TITLE

    def __init__(
        self,
        num_classes: int = 7,
        in_chans: int = 1,
        global_pool: str = "hidden",
        widths: tuple[int, ...] = (32, 64, 128, 128),
        hidden: int = 1024,
        drop_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_classes, in_chans, global_pool, drop_rate)
        dd: TensorOptions = {"device": device, "dtype": dtype}
        self.hidden = hidden
        stages, chs = [], widths[0]
        for i, width in enumerate(widths):
            convs = (
                [ConvNormAct(chs, width, 3, **dd)]
                if i == 0
                else [
                    ConvNormAct(chs, width, 3, **dd),
                    ConvNormAct(width, width, 3, **dd),
                ]
            )
            stages.append(nn.Sequential(*convs, nn.MaxPool2d(2), nn.Dropout(drop_rate)))
            chs = width
        self.assemble(
            ConvNormAct(in_chans, widths[0], 3, **dd),
            stages,
            channels=list(widths),
            reductions=[2 ** (i + 1) for i in range(len(widths))],
            **dd,
        )

    def pooling(self, **dd: Unpack[TensorOptions]) -> tuple[nn.Module, int]:
        """The hidden layer."""
        return HiddenLayer(self.num_features, 3, self.hidden, norm=True, **dd), self.hidden


class PramerdorferResNet(ResidualNet):
    """ResNet of depth 33. Arguments as in `ResidualNet`."""

    paper = TITLE


class InceptionModule(nn.Module):
    """GoogLeNet's module: 1x1, 3x3 and 5x5 convolutions and a pooled path beside one another.

    Args:
        in_chs: Channels of the input.
        out_chs: Channels of the output, of which a quarter are 1x1, a half 3x3, an eighth 5x5 and an eighth pooled.
    """

    def __init__(self, in_chs: int, out_chs: int, **dd: Unpack[TensorOptions]) -> None:
        super().__init__()
        eighth = out_chs // 8
        self.conv1 = ConvNormAct(in_chs, 2 * eighth, **dd)
        self.conv3 = nn.Sequential(ConvNormAct(in_chs, 3 * eighth, **dd), ConvNormAct(3 * eighth, 4 * eighth, 3, **dd))
        self.conv5 = nn.Sequential(ConvNormAct(in_chs, eighth // 2, **dd), ConvNormAct(eighth // 2, eighth, 5, **dd))
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), ConvNormAct(in_chs, eighth, **dd))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.conv1(x), self.conv3(x), self.conv5(x), self.pool(x)], dim=1)


class PramerdorferInception(StagedNet):
    """Inception network of depth 16: stem, seven modules, classifier. Arguments as in `StagedNet`."""

    paper = TITLE

    def __init__(
        self,
        num_classes: int = 7,
        in_chans: int = 1,
        global_pool: str = "avg",
        stem_width: int = 64,
        widths: tuple[tuple[int, ...], ...] = ((128, 192), (192, 256, 256), (320, 384)),
        drop_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_classes, in_chans, global_pool, drop_rate)
        dd: TensorOptions = {"device": device, "dtype": dtype}
        stages, chs = [], stem_width
        for row in widths:
            modules: list[nn.Module] = [nn.MaxPool2d(3, 2, padding=1)]
            for width in row:
                modules.append(InceptionModule(chs, width, **dd))
                chs = width
            stages.append(nn.Sequential(*modules))
        self.assemble(
            ConvNormAct(in_chans, stem_width, 3, **dd),
            stages,
            channels=[row[-1] for row in widths],
            reductions=[2 ** (i + 1) for i in range(len(widths))],
            **dd,
        )


default_cfgs = generate_default_cfgs(
    {
        "fer_pramerdorfer_vgg.paper_fer2013": cfg(
            "fer_pramerdorfer_vgg.paper_fer2013", PramerdorferVGG, 3, temperature=1.7081, set_threshold=0.1116
        ),
        "fer_pramerdorfer_resnet.paper_fer2013": cfg("fer_pramerdorfer_resnet.paper_fer2013", PramerdorferResNet, 6),
        "fer_pramerdorfer_inception.paper_fer2013": cfg(
            "fer_pramerdorfer_inception.paper_fer2013", PramerdorferInception, 6
        ),
    }
)


@register_model
def fer_pramerdorfer_vgg(pretrained: bool = False, **kwargs: Any) -> PramerdorferVGG:
    """Pramerdorfer and Kampel 2016, VGG: 1.77 M parameters (1.8 M printed), 1x48x48 input."""
    return create(PramerdorferVGG, "fer_pramerdorfer_vgg", pretrained, 4, **kwargs)


@register_model
def fer_pramerdorfer_resnet(pretrained: bool = False, **kwargs: Any) -> PramerdorferResNet:
    """Pramerdorfer and Kampel 2016, ResNet: 5.32 M parameters (5.3 M printed), 1x48x48 input."""
    options = {"widths": (32, 64, 128, 256), "depths": (3, 4, 6, 3)}
    return create(PramerdorferResNet, "fer_pramerdorfer_resnet", pretrained, 4, **(options | kwargs))


@register_model
def fer_pramerdorfer_inception(pretrained: bool = False, **kwargs: Any) -> PramerdorferInception:
    """Pramerdorfer and Kampel 2016, Inception: 1.21 M parameters (1.2 M printed), 1x48x48 input."""
    return create(PramerdorferInception, "fer_pramerdorfer_inception", pretrained, 3, **kwargs)
