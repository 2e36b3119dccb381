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

from collections.abc import Sequence
from typing import Any

import torch
from timm.models import generate_default_cfgs, register_model

from fer_demo.models.base import StagedNet
from fer_demo.models.dense_block import Stage
from fer_demo.models.layers import ConvNormAct, TensorOptions
from fer_demo.models.pretrained import cfg, create

__all__ = ["SEDense"]

SE_CHOICES = ("concat", "replace", "none")


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
        growth_rate: New channels per block, one number or one per stage; their SE output adds as many again.
        bottleneck: Channels of the 1x1 bottleneck, one number or one per stage, or 0 for none.
        se_ratio: Hidden width of SE as a fraction of its channels.
        se: ``"concat"`` adds the SE output to the new features, as the paper does; ``"replace"`` lets it take their
            place, as SE networks do (Hu et al. 2018, arXiv:1709.01507); ``"none"`` leaves SE out.
        skip: Concatenate a block's input; False for no skip connection.
        separable: Depthwise separable 3x3 convolutions; False for plain ones.
        groups: Groups of the 1x1 convolutions in the transitions and behind the depthwise convolutions.
        drop_rate: Dropout before the classifier.

    Raises:
        ValueError: For an unknown `se`, or widths for another number of stages than there are.
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
        growth_rate: int | Sequence[int] = 32,
        bottleneck: int | Sequence[int] = 128,
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
        dd: TensorOptions = {"device": device, "dtype": dtype}
        growth = _per_stage("growth_rate", growth_rate, len(depths))
        narrow = _per_stage("bottleneck", bottleneck, len(depths))
        options = {
            "se_ratio": se_ratio,
            "se": se,
            "skip": skip,
            "separable": separable,
            "groups": groups,
        }
        chs = stem_width
        stages = []
        for i, depth in enumerate(depths):
            widths = {"growth_rate": growth[i], "bottleneck": narrow[i]}
            stages.append(Stage(chs, depth, transition=i > 0, **widths, **options, **dd))
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


def _per_stage(name: str, width: int | Sequence[int], stages: int) -> tuple[int, ...]:
    widths = (width,) * stages if isinstance(width, int) else tuple(width)
    if len(widths) != stages:
        raise ValueError(f"{name} gives {len(widths)} widths for {stages} stages; give one number, or one per stage.")
    return widths


# A tag names the recipe and the data, and never moves to other weights; the one marked with * is its architecture's
# default. A tag's input size is the one its weights were trained at; the networks are fully convolutional and take
# others.
default_cfgs = generate_default_cfgs(
    {
        "fer_sedense.restart_fer2013*": cfg(
            "fer_sedense.restart_fer2013", SEDense, 6, temperature=0.8676, set_threshold=0.0847
        ),
        "fer_sedense.photos_fer2013": cfg(
            "fer_sedense.photos_fer2013",
            SEDense,
            6,
            temperature=1.159,
            set_threshold=0.0911,
            mirror=True,
            robust=True,
        ),
        "fer_sedense_s2.tune_fer2013*": cfg(
            "fer_sedense_s2.tune_fer2013", SEDense, 3, temperature=0.9261, set_threshold=0.084
        ),
        "fer_sedense_s2.paper_raf_single": cfg("fer_sedense_s2.paper_raf_single", SEDense, 6, input_size=(1, 100, 100)),
        "fer_sedense_nano.wide_fer2013*": cfg(
            "fer_sedense_nano.wide_fer2013", SEDense, 3, temperature=0.9033, set_threshold=0.0827
        ),
        "fer_sedense_nano.photos_fer2013": cfg(
            "fer_sedense_nano.photos_fer2013",
            SEDense,
            3,
            temperature=1.1805,
            set_threshold=0.0875,
            mirror=True,
            robust=True,
        ),
        "fer_sedense_gc.paper_fer2013": cfg(
            "fer_sedense_gc.paper_fer2013",
            SEDense,
            6,
            paper_name="Efficient CNNs with Channel Attention and Group Convolution for Facial Expression Recognition",
        ),
    }
)

S2: dict[str, Any] = {"stem_kernel": 3, "stem_stride": 2}

NANO: dict[str, Any] = {
    "stem_width": 16,
    "depths": (2, 3, 3, 3),
    "growth_rate": (16, 16, 32, 64),
    "bottleneck": (16, 48, 96, 192),
    "se_ratio": 1 / 8,
}
"""Besides `S2`."""


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
    """A small member of the family, ours: 314,167 parameters, 7.8 M multiply-accumulates at 48x48.

    Widths grow as the maps shrink, where parameters cost little arithmetic. Widths that are the same throughout (growth
    16, bottleneck 32, three blocks a stage) make 80,997 parameters for as many multiply-accumulates and as much time.
    """
    return create(SEDense, "fer_sedense_nano", pretrained, 4, **(S2 | NANO | kwargs))


@register_model
def fer_sedense_gc(pretrained: bool = False, **kwargs: Any) -> SEDense:
    """The authors' sequel with group convolution (Journal of KIISE 46(12), 2019, doi 10.5626/JOK.2019.46.12.1241).

    Printed in its abstract: group convolution, depthwise separable convolution, concatenating skip connections, channel
    attention; 0.39 M parameters and 70.32 % on FER2013 (0.41 M and 85.23 % on RAF-single). Inferred: two groups in the
    transitions and behind the depthwise convolutions, which make 390,955 parameters of `fer_sedense`.
    """
    return create(SEDense, "fer_sedense_gc", pretrained, 4, **({"groups": 2} | kwargs))
