"""A light residual network, chosen by Occam's razor.

Paper: Vielzeuf, Kervadec, Pateux, Lechervy, Jurie, "An Occam's Razor View on Learning Audiovisual Emotion Recognition
with Small Training Sets", ICMI 2018, arXiv:1808.02668, the model for single frames.

Printed there: as few parameters as possible, 2 M in the frame model, which is a small residual network after ResNet-18;
it is trained on AffectNet, and 80.0 % on RAF-DB are given for it.

Inferred: the widths. ResNet-18's eight blocks with 64, 96, 128 and 160 maps make 1.93 M parameters.
"""

from typing import Any

from timm.models import generate_default_cfgs, register_model

from fer_demo.models.baselines.residual import ResidualNet
from fer_demo.models.pretrained import cfg, create

__all__ = ["VielzeufOccam"]


class VielzeufOccam(ResidualNet):
    """A narrow ResNet-18 with a stem of stride 2. Arguments as in `ResidualNet`."""

    paper = "An Occam's Razor View on Learning Audiovisual Emotion Recognition with Small Training Sets"


default_cfgs = generate_default_cfgs(
    {
        "fer_vielzeuf_occam.paper_raf_single": cfg(
            "fer_vielzeuf_occam.paper_raf_single", VielzeufOccam, 7, input_size=(1, 100, 100)
        ),
        "fer_vielzeuf_occam.paper_fer2013": cfg("fer_vielzeuf_occam.paper_fer2013", VielzeufOccam, 3),
    }
)


@register_model
def fer_vielzeuf_occam(pretrained: bool = False, **kwargs: Any) -> VielzeufOccam:
    """Vielzeuf et al. 2018: 1.93 M parameters (2 M printed), 1x100x100 input."""
    options = {"widths": (64, 96, 128, 160), "depths": (2, 2, 2, 2), "stem_stride": 2}
    return create(VielzeufOccam, "fer_vielzeuf_occam", pretrained, 4, **(options | kwargs))
