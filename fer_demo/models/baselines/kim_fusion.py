"""A face as it was found and the same face aligned, looked at by one network and answered together.

Paper: Kim, Dong, Roh, Kim, Lee, "Fusing Aligned and Non-Aligned Face Information for Automatic Affect Recognition in
the Wild: A Deep Learning Approach", CVPR Workshops 2016, doi 10.1109/CVPRW.2016.187.

Printed in its abstract: alignment can fail, so aligned and non-aligned faces are both used and their answers fused;
further networks learn the mapping from non-aligned to aligned states. 71.86 % on FER2013 and 1.7 M parameters are
given for it.

Inferred: the layers, after the same group's networks for the EmotiW challenge (Kim, Roh, Dong, Lee 2016, "Hierarchical
committee of deep convolutional neural networks", doi 10.1007/s12193-015-0209-0): convolutions of 5x5, 4x4 and 5x5 with
32, 32 and 64 maps, a maximum and two average poolings of 3x3 with stride 2, 1,024 hidden units: 1.71 M parameters, as
printed. One set of weights sees both pictures, and the mean of its two logits is the answer. The mapping networks are
left out; a face that cannot be aligned stands in its own place.
"""

from typing import Any, Unpack

import torch
import torch.nn as nn
from timm.models import generate_default_cfgs, register_model

from fer_demo.models.base import StagedNet
from fer_demo.models.layers import ConvAct, HiddenLayer, TensorOptions
from fer_demo.models.pretrained import cfg, create

__all__ = ["KimFusion"]


class KimFusion(StagedNet):
    """Three convolutions, one hidden layer, and the mean over a face's twins.

    Input: float (N, T * in_chans, H, W): one picture of a face, or T twins one behind the other (the trainer's
    ``aligned`` gives the picture and its aligned twin). Arguments and output as in `StagedNet`.
    """

    takes_twins = True
    own_pooling = "hidden"
    paper = (
        "Fusing Aligned and Non-Aligned Face Information for Automatic Affect Recognition in the Wild: "
        "A Deep Learning Approach"
    )

    def __init__(
        self,
        num_classes: int = 7,
        in_chans: int = 1,
        global_pool: str = "hidden",
        widths: tuple[int, int, int] = (32, 32, 64),
        hidden: int = 1024,
        drop_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_classes, in_chans, global_pool, drop_rate)
        dd: TensorOptions = {"device": device, "dtype": dtype}
        self.hidden = hidden
        first, second, third = widths
        self.assemble(
            ConvAct(in_chans, first, 5, padding=2, **dd),
            [
                nn.MaxPool2d(3, 2, padding=1),
                nn.Sequential(ConvAct(first, second, 4, padding=1, **dd), nn.AvgPool2d(3, 2)),
                nn.Sequential(ConvAct(second, third, 5, padding=2, **dd), nn.AvgPool2d(3, 2)),
            ],
            channels=list(widths),
            reductions=[2, 4, 8],
            **dd,
        )

    def pooling(self, **dd: Unpack[TensorOptions]) -> tuple[nn.Module, int]:
        """The hidden layer."""
        return HiddenLayer(self.num_features, 5, self.hidden, **dd), self.hidden

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pictures = x.reshape(-1, self.in_chans, x.shape[-2], x.shape[-1])
        answers = self.forward_head(self.forward_features(pictures))
        return answers.unflatten(0, (x.shape[0], -1)).mean(1)


default_cfgs = generate_default_cfgs(
    {"fer_kim_fusion.paper_fer2013": cfg("fer_kim_fusion.paper_fer2013", KimFusion, 5)}
)


@register_model
def fer_kim_fusion(pretrained: bool = False, **kwargs: Any) -> KimFusion:
    """Kim et al. 2016: 1.71 M parameters (1.7 M printed), input 1x48x48 or several twins of it."""
    return create(KimFusion, "fer_kim_fusion", pretrained, 3, **kwargs)
