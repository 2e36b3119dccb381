"""The contract with timm that every network here keeps."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ClassVar, Unpack

import torch
import torch.nn as nn
from timm.layers import create_classifier
from timm.models import checkpoint
from timm.models._features import feature_take_indices

from fer_demo.models.inputs import check_input
from fer_demo.models.layers import TensorOptions
from fer_demo.models.notes import for_new_classifier


class StagedNet(nn.Module):
    """A network of stem, stages and head that keeps timm's contract.

    Input: float tensor (N, in_chans, H, W), pixels scaled to [0, 1]. Output: logits (N, num_classes).

    A subclass hands its layers to `assemble` at the end of its ``__init__``.

    Args:
        num_classes: Outputs of the classifier; 0 gives pooled features.
        in_chans: Input channels; 1 for grey pictures.
        global_pool: Pooling before the classifier; ``""`` with ``num_classes=0`` gives the unpooled map.
        drop_rate: Dropout before the classifier.
    """

    paper: ClassVar[str] = ""
    """Title of the paper that describes the network."""

    own_pooling: ClassVar[str] = ""
    """Name, as ``global_pool``, of a head that `pooling` builds; networks without one pool globally."""

    pretrained_cfg: dict[str, Any]
    """What timm knows of the weights; timm sets it, and `default_cfg` is another name of it."""

    default_cfg: dict[str, Any]

    trained_size: tuple[int, int] | None
    """Height and width of the pictures that pretrained weights learned from; None for weights that are the user's."""

    takes_twins: ClassVar[bool] = False
    """Whether a face's twins may be given, such as the picture and the same face aligned, one behind the other."""

    takes_landmarks: bool = False
    """Whether `forward` takes the faces' landmarks as its second argument."""

    def __init__(self, num_classes: int, in_chans: int, global_pool: str, drop_rate: float) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.drop_rate = drop_rate
        self.pool_type = global_pool
        self.grad_checkpointing = False
        self.feature_info: list[dict[str, Any]] = []
        self.trained_size = None
        self.advised: set[str] = set()

    def assemble(
        self,
        stem: nn.Module,
        stages: Sequence[nn.Module],
        channels: Sequence[int],
        reductions: Sequence[int],
        **dd: Unpack[TensorOptions],
    ) -> None:
        """Joins the layers and initialises them.

        Args:
            stem: From picture to the first map.
            stages: What follows, from the input on.
            channels: Channels after each stage.
            reductions: By how much each stage's map is smaller than the picture.
            **dd: Device and dtype of the head.
        """
        self.stem = stem
        self.stages = nn.Sequential()
        for i, stage in enumerate(stages):
            self.stages.add_module(str(i), stage)
            self.feature_info.append({"num_chs": channels[i], "reduction": reductions[i], "module": f"stages.{i}"})
        self.num_features = self.head_hidden_size = channels[-1]
        self.head_drop = nn.Dropout(self.drop_rate)
        self._build_head(**dd)
        self.init_weights()

    def pooling(self, **dd: Unpack[TensorOptions]) -> tuple[nn.Module, int]:
        """The network's own way from the last map to a vector, and that vector's length; see `own_pooling`."""
        raise NotImplementedError(f"{type(self).__name__} has no head of its own.")

    def _build_head(self, **dd: Unpack[TensorOptions]) -> None:
        if self.pool_type and self.pool_type == self.own_pooling:
            self.global_pool, self.head_hidden_size = self.pooling(**dd)
        else:
            pool: Any
            pool, _ = create_classifier(self.num_features, 0, pool_type=self.pool_type, **dd)
            self.global_pool, self.head_hidden_size = pool, self.num_features * pool.feat_mult()
        self.classifier = self._new_classifier(**dd)

    def _new_classifier(self, **dd: Unpack[TensorOptions]) -> nn.Module:
        if self.num_classes and not self.pool_type:
            raise ValueError("Without pooling there is nothing to classify: give num_classes=0 with global_pool=''.")
        return nn.Linear(self.head_hidden_size, self.num_classes, **dd) if self.num_classes else nn.Identity()

    @torch.jit.ignore
    def init_weights(self) -> None:
        """He initialisation for convolutions, identity for batch normalisation, zero biases."""
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.ones_(m.weight)
                nn.init.zeros_(m.bias)
            elif isinstance(m, nn.Linear) and m.bias is not None:
                nn.init.zeros_(m.bias)

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Parameter groups for timm's layer-wise learning-rate decay."""
        if coarse:
            return {"stem": r"^stem", "blocks": r"^stages\.(\d+)"}
        return {"stem": r"^stem", "blocks": [(r"^stages\.(\d+)\.(\d+)", None), (r"^stages\.(\d+)", (0,))]}

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Trades compute for memory during training: activations inside a stage are recomputed."""
        self.grad_checkpointing = enable

    @torch.jit.ignore
    def get_classifier(self) -> nn.Module:
        """The final layer."""
        return self.classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replaces the classifier by a new one, freshly initialised, of which ``pretrained_cfg`` knows nothing.

        Args:
            num_classes: Outputs of the new classifier; 0 for none.
            global_pool: New pooling, or None to keep today's. Where there is none today, a classifier brings the
                network's own back.

        Raises:
            ValueError: If a classifier is to stand on ``global_pool=""``.
        """
        self.num_classes = num_classes
        if num_classes and global_pool is None and not self.pool_type:
            global_pool = self.own_pooling or "avg"
        weight = next(self.stem.parameters())
        dd: TensorOptions = {"device": weight.device, "dtype": weight.dtype}
        if global_pool is None or global_pool == self.pool_type:
            self.classifier = self._new_classifier(**dd)
        else:
            self.pool_type = global_pool
            self._build_head(**dd)
        if hasattr(self, "pretrained_cfg"):
            self.pretrained_cfg = self.default_cfg = for_new_classifier(self.pretrained_cfg)
        self.global_pool.train(self.training)
        self.classifier.train(self.training)

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
            norm: Unused: no network here normalises its last map.
            stop_early: Do not run the stages after the last one asked for.
            output_fmt: Only ``"NCHW"``.
            intermediates_only: Return only the maps.

        Returns:
            The final map and the list of maps, or the list alone.

        Raises:
            ValueError: For another output format.
        """
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt must be 'NCHW' for {type(self).__name__}, got {output_fmt!r}.")
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
        # the whole first stage, often the dearest one, would be computed and concatenated in the slower format.
        # An exported graph has no memory format; there it would only turn the final flattening into a gather.
        if not torch.jit.is_scripting():
            check_input(self, x)
            if torch.compiler.is_exporting():
                return self.stem(x)
        return self.stem(x).contiguous(memory_format=torch.channels_last)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """The unpooled map after the last stage, (N, num_features, h, w)."""
        x = self._start(x)
        if self.grad_checkpointing and not torch.jit.is_scripting():
            for stage in self.stages:
                x = _checkpointed(stage, x)
            return x
        return self.stages(x)

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Pools and classifies a map from ``forward_features``; with ``pre_logits`` stops before the classifier."""
        x = self.head_drop(self.global_pool(x))
        return x if pre_logits else self.classifier(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


def _checkpointed(stage: nn.Module, *inputs: torch.Tensor | None) -> torch.Tensor:
    """A stage whose activations are computed again in the backward pass."""

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _kept_statistics(stage)

    answer: torch.Tensor = checkpoint(stage, *inputs, use_reentrant=False, context_fn=contexts)
    return answer


@contextmanager
def _kept_statistics(module: nn.Module) -> Iterator[None]:
    """Batch normalisation as in training, but its running statistics stay: they have moved in the forward pass."""
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    before = [(m.momentum, m.num_batches_tracked) for m in norms]
    for m in norms:
        m.momentum, m.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for m, (momentum, count) in zip(norms, before, strict=True):
            m.momentum, m.num_batches_tracked = momentum, count
