"""DLP-CNN: features that stay close to their neighbours of the same class.

Paper: Li, Deng, Du, "Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in the
Wild", CVPR 2017, doi 10.1109/CVPR.2017.277, section 4 and Table 2.

Printed there: six 3x3 convolutions of 64, 96, 128, 128, 256 and 256 maps with ReLU, 2x2 maximum pooling after the
first, the second and the fourth, a fully connected layer of 2,000 units and the classifier, on aligned faces of
100x100; the locality-preserving loss beside the softmax loss (the trainer's ``locality_weight``). 84.7 % on RAF-DB and
74.9 M parameters are given for it.

Inferred: grey input. The layers as printed make 74.94 M parameters, almost all in the fully connected layer.
"""

from typing import Any, Unpack

import torch
import torch.nn as nn
from timm.models import generate_default_cfgs, register_model

from fer_demo.models.base import StagedNet
from fer_demo.models.layers import ConvAct, HiddenLayer, TensorOptions
from fer_demo.models.pretrained import cfg, create

__all__ = ["LiDLP", "dlp_stages"]


def dlp_stages(conv: type[nn.Module], **options: Any) -> list[nn.Module]:
    """The convolutions behind the first one, in stages: 64 maps at half size, then 96, 128 and 256.

    Args:
        conv: A layer of (in_chs, out_chs, kernel_size, ...).
        **options: Further arguments of it.
    """
    return [
        nn.MaxPool2d(2),
        nn.Sequential(conv(64, 96, 3, **options), nn.MaxPool2d(2)),
        nn.Sequential(conv(96, 128, 3, **options), conv(128, 128, 3, **options), nn.MaxPool2d(2)),
        nn.Sequential(conv(128, 256, 3, **options), conv(256, 256, 3, **options)),
    ]


class LiDLP(StagedNet):
    """Six convolutions and a large hidden layer. Arguments as in `StagedNet`."""

    own_pooling = "hidden"
    paper = "Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in the Wild"

    def __init__(
        self,
        num_classes: int = 7,
        in_chans: int = 1,
        global_pool: str = "hidden",
        hidden: int = 2000,
        hidden_size: int = 12,
        drop_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_classes, in_chans, global_pool, drop_rate)
        dd: TensorOptions = {"device": device, "dtype": dtype}
        self.hidden, self.hidden_size = hidden, hidden_size
        self.assemble(
            ConvAct(in_chans, 64, 3, padding=1, **dd),
            dlp_stages(ConvAct, padding=1, **dd),
            channels=[64, 96, 128, 256],
            reductions=[2, 4, 8, 8],
            **dd,
        )

    def pooling(self, **dd: Unpack[TensorOptions]) -> tuple[nn.Module, int]:
        """The hidden layer."""
        return HiddenLayer(self.num_features, self.hidden_size, self.hidden, **dd), self.hidden


default_cfgs = generate_default_cfgs(
    {
        "fer_li_dlp.paper_raf_single": cfg("fer_li_dlp.paper_raf_single", LiDLP, 12, input_size=(1, 100, 100)),
        "fer_li_dlp.paper_fer2013": cfg("fer_li_dlp.paper_fer2013", LiDLP, 6),
    }
)


@register_model
def fer_li_dlp(pretrained: bool = False, **kwargs: Any) -> LiDLP:
    """Li, Deng and Du 2017: 74.94 M parameters (74.9 M printed), 1x100x100 input."""
    return create(LiDLP, "fer_li_dlp", pretrained, 4, **kwargs)
