"""A light residual network, chosen by Occam's razor.

Paper: Vielzeuf, Kervadec, Pateux, Lechervy, Jurie, "An Occam's Razor View on Learning Audiovisual Emotion Recognition
with Small Training Sets", ICMI 2018, arXiv:1808.02668, the model for single frames.

Printed there: as few parameters as possible, 2 M in the frame model, which is a small residual network after ResNet-18;
it is trained on AffectNet, and 80.0 % on RAF-DB are given for it.

Inferred: the widths. ResNet-18's eight blocks with 64, 96, 128 and 160 maps make 1.93 M parameters.
"""

from typing import Any

import torch
from timm.models import generate_default_cfgs, register_model

from fer_demo.models.base import ConvNormAct, StagedNet, cfg, create, residual_stages

__all__ = ["VielzeufOccam"]


class VielzeufOccam(StagedNet):
    """A narrow ResNet-18. Arguments as in `StagedNet`; the stem has stride 2."""

    paper = "An Occam's Razor View on Learning Audiovisual Emotion Recognition with Small Training Sets"

    def __init__(
        self,
        num_classes: int = 7,
        in_chans: int = 1,
        global_pool: str = "avg",
        widths: tuple[int, ...] = (64, 96, 128, 160),
        depths: tuple[int, ...] = (2, 2, 2, 2),
        drop_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_classes, in_chans, global_pool, drop_rate)
        dd = {"device": device, "dtype": dtype}
        self.assemble(
            ConvNormAct(in_chans, widths[0], 3, 2, **dd),
            residual_stages(widths, depths, widths[0], **dd),
            channels=list(widths),
            reductions=[2 ** (i + 1) for i in range(len(widths))],
            **dd,
        )


default_cfgs = generate_default_cfgs(
    {
        "fer_vielzeuf_occam.raf_single": cfg(
            "fer_vielzeuf_occam.raf_single", VielzeufOccam, 7, input_size=(1, 100, 100)
        ),
        "fer_vielzeuf_occam.fer2013": cfg("fer_vielzeuf_occam.fer2013", VielzeufOccam, 3),
    }
)


@register_model
def fer_vielzeuf_occam(pretrained: bool = False, **kwargs: Any) -> VielzeufOccam:
    """Vielzeuf et al. 2018: 1.93 M parameters (2 M printed), 1x100x100 input."""
    return create(VielzeufOccam, "fer_vielzeuf_occam", pretrained, 4, **kwargs)
