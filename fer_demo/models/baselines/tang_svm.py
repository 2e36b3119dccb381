"""The winner of FER2013: a CNN under a linear SVM.

Paper: Tang, "Deep Learning using Linear Support Vector Machines", ICML 2013 Workshop on Challenges in Representation
Learning, arXiv:1306.0239, sections 2.4 and 3.1.

Printed there: two stages of convolution and pooling, a fully connected layer of 3,072 units before the classifier, all
hidden layers of rectified linear units; a one-vs-all linear SVM on top, trained by the squared hinge loss (the
trainer's ``loss: l2_svm``); random mirroring, translation, rotation and scaling; 71.2 % on the private test set,
where several models were averaged.

Inferred: kernels of 5x5 without padding, 32 and 48 maps and 2x2 maximum pooling. They lead to 9x9 maps, and with the
3,072 units to 12.01 M parameters, where 12.0 M are given for it.
"""

from typing import Any, Unpack

import torch
import torch.nn as nn
from timm.models import generate_default_cfgs, register_model

from fer_demo.models.base import StagedNet
from fer_demo.models.layers import ConvAct, HiddenLayer, TensorOptions
from fer_demo.models.pretrained import cfg, create

__all__ = ["TangSVM"]


class TangSVM(StagedNet):
    """Two convolutions, one hidden layer. Arguments, input and output as in `StagedNet`; the outputs are margins."""

    own_pooling = "hidden"
    paper = "Deep Learning using Linear Support Vector Machines"

    def __init__(
        self,
        num_classes: int = 7,
        in_chans: int = 1,
        global_pool: str = "hidden",
        widths: tuple[int, int] = (32, 48),
        hidden: int = 3072,
        drop_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_classes, in_chans, global_pool, drop_rate)
        dd: TensorOptions = {"device": device, "dtype": dtype}
        self.hidden = hidden
        first, second = widths
        self.assemble(
            ConvAct(in_chans, first, 5, padding=0, **dd),
            [nn.MaxPool2d(2), ConvAct(first, second, 5, padding=0, **dd), nn.MaxPool2d(2)],
            channels=[first, second, second],
            reductions=[2, 2, 4],
            **dd,
        )

    def pooling(self, **dd: Unpack[TensorOptions]) -> tuple[nn.Module, int]:
        """The hidden layer."""
        return HiddenLayer(self.num_features, 9, self.hidden, **dd), self.hidden


default_cfgs = generate_default_cfgs({"fer_tang_svm.paper_fer2013": cfg("fer_tang_svm.paper_fer2013", TangSVM, 9)})


@register_model
def fer_tang_svm(pretrained: bool = False, **kwargs: Any) -> TangSVM:
    """Tang 2013: 12.01 M parameters (12.0 M printed), 1x48x48 input."""
    return create(TangSVM, "fer_tang_svm", pretrained, 3, **kwargs)
