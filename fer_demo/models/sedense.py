"""SE-Dense: a 0.48 M-parameter CNN for facial expression recognition.

Paper: Lee, Yoon, Ko, Jo, "Efficient CNNs with Feature Concatenation and Depthwise Separable Convolution for Facial
Expression Recognition", KIISE 2019, pp. 754-756 (in Korean).

This is a reconstruction. The paper prints the block (depthwise separable convolution, its features concatenated with
the block's input and, in addition, with their squeeze-and-excitation output), four stages of three blocks, halving
transitions and about 0.48 M parameters; it prints neither stem width, growth rate, bottleneck nor SE ratio. Three
facts pin those down: the parameter count; the first author's public web demo, which takes Grad-CAM at a layer called
``concatenate_24`` (two concatenations in each of twelve blocks); and that layer's 364 channels. Stem 32, growth 32, a
1x1 bottleneck of 4 x growth and SE ratio 1/16 give exactly 364 channels and 480,763 parameters.
"""

from typing import Any

import torch
import torch.nn as nn
from timm.layers import SEModule, create_classifier
from timm.models import build_model_with_cfg, checkpoint_seq, generate_default_cfgs, register_model
from timm.models._features import feature_take_indices

from fer_demo.emotions import LABELS
from fer_demo.weights import weights_file

__all__ = ["SEDense"]


class ConvNormAct(nn.Module):
    """Bias-free convolution, batch normalisation, ReLU."""

    def __init__(self, in_chs: int, out_chs: int, kernel_size: int = 1, stride: int = 1, **dd: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_chs, out_chs, kernel_size, stride, padding=kernel_size // 2, bias=False, **dd)
        self.bn = nn.BatchNorm2d(out_chs, **dd)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.bn(self.conv(x)))


class SeparableConvNormAct(nn.Module):
    """Depthwise 3x3 convolution, pointwise 1x1 convolution, batch normalisation, ReLU."""

    def __init__(self, in_chs: int, out_chs: int, **dd: Any) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(in_chs, in_chs, 3, padding=1, groups=in_chs, bias=False, **dd)
        self.conv_pw = nn.Conv2d(in_chs, out_chs, 1, bias=False, **dd)
        self.bn = nn.BatchNorm2d(out_chs, **dd)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.bn(self.conv_pw(self.conv_dw(x))))


class DenseBlock(nn.Module):
    """``x -> concat(x, f, SE(f))``, where f are the new features: ``2 * growth_rate`` channels more than x has.

    ``se.gate`` outputs the channel weights, shape (N, growth_rate, 1, 1), each in (0, 1).
    """

    def __init__(self, in_chs: int, growth_rate: int, bottleneck: int, se_ratio: float, **dd: Any) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(in_chs, bottleneck, **dd)
        self.conv2 = SeparableConvNormAct(bottleneck, growth_rate, **dd)
        # rd_divisor=1: timm's default of 8 would round the hidden width of 2 up and change the parameter count.
        self.se = SEModule(growth_rate, rd_ratio=se_ratio, rd_divisor=1, **dd)
        self.se.act.inplace = False  # Captum's module-backward methods break on in-place activations

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        f = self.conv2(self.conv1(x))
        return torch.cat([x, f, self.se(f)], dim=1)


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

    def __init__(self, in_chs: int, out_chs: int, **dd: Any) -> None:
        super().__init__()
        self.pool = HalvingPool()
        self.conv = ConvNormAct(in_chs, out_chs, **dd)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(self.pool(x))


class Stage(nn.Module):
    """An optional transition, then dense blocks."""

    def __init__(
        self, in_chs: int, depth: int, growth_rate: int, bottleneck: int, se_ratio: float, transition: bool, **dd: Any
    ) -> None:
        super().__init__()
        chs = in_chs // 2 if transition else in_chs
        self.transition = Transition(in_chs, chs, **dd) if transition else nn.Identity()
        self.blocks = nn.Sequential()
        for i in range(depth):
            self.blocks.add_module(str(i), DenseBlock(chs, growth_rate, bottleneck, se_ratio, **dd))
            chs += 2 * growth_rate
        self.out_chs = chs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(self.transition(x))


class SEDense(nn.Module):
    """The SE-Dense network.

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
        bottleneck: Channels of the 1x1 bottleneck.
        se_ratio: Hidden width of SE as a fraction of its channels.
        drop_rate: Dropout before the classifier.
    """

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
        drop_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        dd = {"device": device, "dtype": dtype}
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.drop_rate = drop_rate
        self.grad_checkpointing = False
        self.feature_info: list[dict] = []

        self.stem = ConvNormAct(in_chans, stem_width, stem_kernel, stem_stride, **dd)
        chs, reduction = stem_width, stem_stride
        self.stages = nn.Sequential()
        for i, depth in enumerate(depths):
            stage = Stage(chs, depth, growth_rate, bottleneck, se_ratio, transition=i > 0, **dd)
            self.stages.add_module(str(i), stage)
            chs, reduction = stage.out_chs, reduction * (2 if i > 0 else 1)
            self.feature_info.append({"num_chs": chs, "reduction": reduction, "module": f"stages.{i}"})

        self.num_features = self.head_hidden_size = chs
        self.global_pool, self.classifier = create_classifier(chs, num_classes, pool_type=global_pool, **dd)
        self.head_drop = nn.Dropout(drop_rate)
        self.init_weights()

    @torch.jit.ignore
    def init_weights(self) -> None:
        """He initialisation for convolutions, identity for batch normalisation, zero bias for the classifier."""
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.ones_(m.weight)
                nn.init.zeros_(m.bias)
            elif isinstance(m, nn.Linear):
                nn.init.zeros_(m.bias)

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Parameter groups for timm's layer-wise learning-rate decay."""
        if coarse:
            return {"stem": r"^stem", "blocks": r"^stages\.(\d+)"}
        blocks = [(r"^stages\.(\d+)\.transition", (0,)), (r"^stages\.(\d+)\.blocks\.(\d+)", None)]
        return {"stem": r"^stem", "blocks": blocks}

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Trades compute for memory during training: activations inside a stage are recomputed."""
        self.grad_checkpointing = enable

    @torch.jit.ignore
    def get_classifier(self) -> nn.Module:
        """The final fully connected layer."""
        return self.classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replaces the classifier by a new one, freshly initialised.

        Args:
            num_classes: Outputs of the new classifier; 0 for none.
            global_pool: New pooling, or None to keep today's.
        """
        self.num_classes = num_classes
        pool_type = self.global_pool.pool_type if global_pool is None else global_pool
        weight = self.stem.conv.weight
        self.global_pool, self.classifier = create_classifier(
            self.num_features, num_classes, pool_type=pool_type, device=weight.device, dtype=weight.dtype
        )

    def forward_intermediates(
        self,
        x: torch.Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[torch.Tensor] | tuple[torch.Tensor, list[torch.Tensor]]:
        """The stages' feature maps.

        Args:
            x: Input (N, in_chans, H, W).
            indices: Which stages: the last n if an int, these if a list, all if None.
            norm: Unused; every map is already normalised.
            stop_early: Do not run the stages after the last one asked for.
            output_fmt: Only ``"NCHW"``.
            intermediates_only: Return only the maps.

        Returns:
            The final map and the list of maps, or the list alone.

        Raises:
            ValueError: For another output format.
        """
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt must be 'NCHW' for SEDense, got {output_fmt!r}.")
        take, last = feature_take_indices(len(self.stages), indices)
        intermediates = []
        x = self._start(x)
        stages = self.stages if torch.jit.is_scripting() or not stop_early else self.stages[: last + 1]
        for i, stage in enumerate(stages):
            x = stage(x)
            if i in take:
                intermediates.append(x)
        return intermediates if intermediates_only else (x, intermediates)

    def prune_intermediate_layers(
        self, indices: int | list[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Removes the stages that the given intermediates do not need, and by default the classifier."""
        take, last = feature_take_indices(len(self.stages), indices)
        self.stages = self.stages[: last + 1]
        if prune_head:
            self.reset_classifier(0, "")
        return take

    def _start(self, x: torch.Tensor) -> torch.Tensor:
        # A picture of one channel has the same strides in both memory formats, and PyTorch then answers channels-first:
        # the whole first stage, the dearest one, would be computed and concatenated in the slower format.
        # An exported graph has no memory format; there it would only turn the final flattening into a gather.
        if not torch.jit.is_scripting():
            if torch.compiler.is_exporting():
                return self.stem(x)
        return self.stem(x).contiguous(memory_format=torch.channels_last)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """The unpooled map after the last stage, (N, num_features, h, w)."""
        x = self._start(x)
        if self.grad_checkpointing and not torch.jit.is_scripting():
            return checkpoint_seq(self.stages, x)
        return self.stages(x)

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Pools and classifies a map from ``forward_features``; with ``pre_logits`` stops before the classifier."""
        x = self.head_drop(self.global_pool(x))
        return x if pre_logits else self.classifier(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


def checkpoint_filter_fn(state_dict: dict[str, torch.Tensor], model: nn.Module) -> dict[str, torch.Tensor]:
    """Takes plain, EMA and DDP checkpoints: unwraps ``state_dict`` and strips ``module.`` prefixes."""
    for key in ("state_dict_ema", "state_dict", "model"):
        if isinstance(state_dict.get(key), dict):
            state_dict = state_dict[key]
            break
    return {k.removeprefix("module."): v for k, v in state_dict.items()}


def _cfg(name: str, **kwargs: Any) -> dict[str, Any]:
    return {
        "file": weights_file(name),
        "num_classes": len(LABELS),
        "input_size": (1, 48, 48),
        "pool_size": (6, 6),
        "crop_pct": 1.0,
        "interpolation": "bilinear",
        "mean": (0.0,),
        "std": (1.0,),
        "first_conv": "stem.conv",
        "classifier": "classifier",
        "label_names": LABELS,
        "license": "research-only",
        "paper_name": "Efficient CNNs with Feature Concatenation and Depthwise Separable Convolution for Facial "
        "Expression Recognition",
        **kwargs,
    }


# A tag's input size is the one its weights were trained at; the networks are fully convolutional and take others.
default_cfgs = generate_default_cfgs(
    {
        "fer_sedense.fer2013": _cfg("fer_sedense.fer2013"),
        "fer_sedense_s2.raf_single": _cfg("fer_sedense_s2.raf_single", input_size=(1, 100, 100)),
        "fer_sedense_s2.fer2013": _cfg("fer_sedense_s2.fer2013", pool_size=(3, 3)),
    }
)


def _create(variant: str, pretrained: bool, **kwargs: Any) -> SEDense:
    return build_model_with_cfg(
        SEDense,
        variant,
        pretrained,
        pretrained_filter_fn=checkpoint_filter_fn,
        feature_cfg={"out_indices": (0, 1, 2, 3), "flatten_sequential": True},
        **kwargs,
    )


@register_model
def fer_sedense(pretrained: bool = False, **kwargs: Any) -> SEDense:
    """SE-Dense with the paper's FER2013 stem: 1x1 convolution, stride 1; 480,763 parameters, 1x48x48 input."""
    return _create("fer_sedense", pretrained, **kwargs)


@register_model
def fer_sedense_s2(pretrained: bool = False, **kwargs: Any) -> SEDense:
    """SE-Dense with the paper's RAF-single stem: 3x3 convolution, stride 2; 481,019 parameters, 1x100x100 input.

    It takes 48x48 too, at a quarter of ``fer_sedense``'s arithmetic.
    """
    return _create("fer_sedense_s2", pretrained, **dict({"stem_kernel": 3, "stem_stride": 2}, **kwargs))
