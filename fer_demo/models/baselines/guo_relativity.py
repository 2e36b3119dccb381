"""Relativity learning: distances between faces, trained by an exponential triplet loss.

Paper: Guo, Tao, Yu, Xiong, Li, Tao, "Deep Neural Networks with Relativity Learning for Facial Expression Recognition",
ICME Workshops 2016, doi 10.1109/ICMEW.2016.7574736.

Printed in its abstract: pictures are mapped into a Euclidean space in which distance measures the likeness of
expressions; an exponential triplet-based loss gives difficult examples more weight (the trainer's ``triplet_weight``);
71.33 % on FER2013 are given for it, with 2.6 M parameters.

Inferred, as its layer table was not at hand: three stages of a 5x5 convolution, pooling and normalisation with 64, 64
and 128 maps, and the space itself, 512 units on the 6x6 maps. They make 2.67 M parameters.
"""

from typing import Any, Unpack

import torch
import torch.nn as nn
from timm.models import generate_default_cfgs, register_model

from fer_demo.models.base import StagedNet
from fer_demo.models.layers import ConvNormAct, HiddenLayer, TensorOptions
from fer_demo.models.pretrained import cfg, create

__all__ = ["GuoRelativity"]


class GuoRelativity(StagedNet):
    """Three convolutions and an embedding, which is the classifier's input. Arguments as in `StagedNet`."""

    own_pooling = "hidden"
    paper = "Deep Neural Networks with Relativity Learning for Facial Expression Recognition"

    def __init__(
        self,
        num_classes: int = 7,
        in_chans: int = 1,
        global_pool: str = "hidden",
        widths: tuple[int, int, int] = (64, 64, 128),
        embedding: int = 512,
        drop_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_classes, in_chans, global_pool, drop_rate)
        dd: TensorOptions = {"device": device, "dtype": dtype}
        self.embedding = embedding
        first, second, third = widths
        self.assemble(
            ConvNormAct(in_chans, first, 5, **dd),
            [
                nn.MaxPool2d(2),
                nn.Sequential(ConvNormAct(first, second, 5, **dd), nn.MaxPool2d(2)),
                nn.Sequential(ConvNormAct(second, third, 5, **dd), nn.MaxPool2d(2)),
            ],
            channels=list(widths),
            reductions=[2, 4, 8],
            **dd,
        )

    def pooling(self, **dd: Unpack[TensorOptions]) -> tuple[nn.Module, int]:
        """The embedding."""
        return HiddenLayer(self.num_features, 6, self.embedding, **dd), self.embedding


default_cfgs = generate_default_cfgs(
    {"fer_guo_relativity.paper_fer2013": cfg("fer_guo_relativity.paper_fer2013", GuoRelativity, 6)}
)


@register_model
def fer_guo_relativity(pretrained: bool = False, **kwargs: Any) -> GuoRelativity:
    """Guo et al. 2016: 2.67 M parameters (2.6 M printed), 1x48x48 input."""
    return create(GuoRelativity, "fer_guo_relativity", pretrained, 3, **kwargs)
