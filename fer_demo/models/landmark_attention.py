"""SE-Dense with attention to eyes, brows and mouth: what the SE-Dense paper names as its next step.

The field's landmark-guided networks cut patches out at the landmarks (gACNN: Li et al. 2019, doi
10.1109/TIP.2018.2886767), weigh crops (RAN: Wang et al. 2020, arXiv:1905.04075) or let image and landmark features
attend to each other (POSTER: Zheng et al. 2022, arXiv:2204.04083), with tens of millions of parameters and a landmark
network beside them. What a network of half a million keeps of it is here: maps of three regions, drawn from the five
landmarks that the face detector finds anyway, guide a gate for places and a gate for channels after each of the first
three stages. Where no landmarks are given the stages predict the maps themselves: an ordinary picture is enough.
docs/attention.md has the rest, with sources.

Each stage predicts its own maps, instead of one for all: so a stage is complete by itself, and timm's feature
extraction, which runs stages one after the other, works as for any network.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
import torch.fx
import torch.nn as nn
from timm.models import generate_default_cfgs, register_model

from fer_demo.models.attention import CBAM, Attention, CoordinateAttention, RegionAttention
from fer_demo.models.base import _checkpointed
from fer_demo.models.dense_block import Stage
from fer_demo.models.layers import TensorOptions
from fer_demo.models.pretrained import cfg, create
from fer_demo.models.sedense import NANO, S2, SEDense

__all__ = ["LandmarkSEDense"]

GUIDES = ("landmarks", "learnt", "cbam", "coord")

ATTENDED = 3
"""Stages with attention, from the first on."""

LARGE = 24
"""Maps of so many pixels a side at 48 x 48, or more, are halved before attention looks at them."""


class AttendedStage(nn.Module):
    """A stage of SE-Dense and the attention behind it; the stage's weights keep their names.

    Args:
        stage: The stage, whose layers are taken over.
        attention: None for a stage without.
    """

    def __init__(self, stage: Stage, attention: Attention | None) -> None:
        super().__init__()
        self.transition = stage.transition
        self.blocks = stage.blocks
        self.out_chs = stage.out_chs
        self.attention = attention

    def forward(self, x: torch.Tensor, landmarks: torch.Tensor | None = None) -> torch.Tensor:
        x = self.blocks(self.transition(x))
        if self.attention is not None:
            x = self.attention(x, landmarks)
        return x


class LandmarkSEDense(SEDense):
    """SE-Dense with attention after its first three stages.

    Input and output as for `SEDense`; besides, the faces' landmarks may be given. Untrained attention changes nothing:
    the network starts as the SE-Dense of the same size, and takes its weights (`complete_state`).

    Args:
        guide: ``"landmarks"``: maps of eyes, brows and mouth, from the landmarks where they are given and else as the
            network predicts them. ``"learnt"``: the same layers, but the maps are the network's own, whatever they come
            to mean. ``"cbam"`` and ``"coord"``: other attention of about that size, without regions.
        **kwargs: As for `SEDense`.

    Attributes:
        takes_landmarks: Whether landmarks may be given.

    Raises:
        ValueError: For an unknown `guide`, or what `SEDense` refuses.
    """

    def __init__(self, guide: str = "landmarks", **kwargs: Any) -> None:
        if guide not in GUIDES:
            raise ValueError(f"guide must be one of {', '.join(GUIDES)}; got {guide!r}.")
        super().__init__(**kwargs)
        self.takes_landmarks = guide == "landmarks"
        dd: TensorOptions = {"device": kwargs.get("device"), "dtype": kwargs.get("dtype")}
        for i, stage in enumerate(self.stages):
            info = self.feature_info[i]
            large = 48 // info["reduction"] >= LARGE
            attention = _attention(guide, info["num_chs"], large, dd) if i < ATTENDED else None
            self.stages[i] = AttendedStage(cast(Stage, stage), attention)

    @torch.jit.ignore
    def init_weights(self) -> None:
        super().init_weights()
        for m in self.modules():
            if isinstance(m, Attention):
                m.init_weights()

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Parameter groups for timm's layer-wise learning-rate decay; attention is the last of its stage."""
        groups = super().group_matcher(coarse)
        return groups if coarse else {**groups, "blocks": [*groups["blocks"], (r"^stages\.(\d+)\.attention", (99,))]}

    @torch.jit.ignore
    def region_heads(self) -> Iterator[nn.Module]:
        """The modules whose outputs are logits (N, 3, h, w) of the regions' maps; none for other guides."""
        for stage in self.stages:
            attention = cast(AttendedStage, stage).attention
            if isinstance(attention, RegionAttention) and attention.guided:
                yield attention.regions

    @torch.jit.ignore
    def complete_state(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The weights of an ordinary SE-Dense with this network's own attention; any others as they are.

        Args:
            state: Name to weight.
        """
        if any(".attention." in name for name in state):
            return dict(state)
        return {name: weight for name, weight in self.state_dict().items() if ".attention." in name} | dict(state)

    def forward_features(self, x: torch.Tensor, landmarks: torch.Tensor | None = None) -> torch.Tensor:
        """The unpooled map after the last stage, (N, num_features, h, w); arguments as for the network."""
        places: torch.Tensor | None = None
        if landmarks is not None:
            side = torch.tensor([x.shape[-1], x.shape[-2]], dtype=torch.float32, device=x.device)
            places = landmarks.to(x.device, torch.float32) / side
        x = self._start(x)
        if self.grad_checkpointing and not torch.jit.is_scripting():
            for stage in self.stages:
                x = _checkpointed(stage, x, places)
            return x
        for stage in self.stages:
            x = stage(x, places)
        return x

    def forward(self, x: torch.Tensor, landmarks: torch.Tensor | None = None) -> torch.Tensor:
        """The logits.

        Args:
            x: float (N, in_chans, H, W).
            landmarks: float (N, 5, 2), x and y in pixels of `x`, in the order of
                `fer_demo.vision.detector.DetectedFace.landmarks`; a face with NaN among its own has none. The left and
                upper border of the picture is 0, so that the first pixel's middle lies at 0.5.

        Raises:
            ValueError: If landmarks are given that have another shape, or to a network that takes none.
        """
        if not torch.jit.is_scripting():  # noqa: SIM102  (TorchScript would compile what stands behind an `and`)
            if isinstance(landmarks, torch.fx.Proxy):  # torch.fx makes one of an argument that nobody gave
                landmarks = None
        if landmarks is not None:
            if not self.takes_landmarks:
                raise ValueError("Only a network with guide='landmarks' takes landmarks.")
            if (
                landmarks.dim() != 3
                or landmarks.size(0) != x.size(0)
                or landmarks.size(1) != 5
                or landmarks.size(2) != 2
            ):
                raise ValueError("Landmarks must be (N, 5, 2), five points for each picture.")
        return self.forward_head(self.forward_features(x, landmarks))


def _attention(guide: str, channels: int, large: bool, dd: TensorOptions) -> Attention:
    if guide == "cbam":
        return CBAM(channels, 24, **dd)
    if guide == "coord":
        return CoordinateAttention(channels, 16, **dd)
    return RegionAttention(channels, large, guided=guide == "landmarks", **dd)


# Not trained yet: bundled weights will belong to these tags.
default_cfgs = generate_default_cfgs(
    {
        "fer_sedense_lm.guided_fer2013*": cfg("fer_sedense_lm.guided_fer2013", LandmarkSEDense, 6),
        "fer_sedense_lm_s2.guided_fer2013*": cfg("fer_sedense_lm_s2.guided_fer2013", LandmarkSEDense, 3),
        "fer_sedense_lm_nano.guided_fer2013*": cfg("fer_sedense_lm_nano.guided_fer2013", LandmarkSEDense, 3),
    }
)


@register_model
def fer_sedense_lm(pretrained: bool = False, **kwargs: Any) -> LandmarkSEDense:
    """`fer_sedense` with attention to eyes, brows and mouth."""
    return create(LandmarkSEDense, "fer_sedense_lm", pretrained, 4, **kwargs)


@register_model
def fer_sedense_lm_s2(pretrained: bool = False, **kwargs: Any) -> LandmarkSEDense:
    """`fer_sedense_s2` with attention to eyes, brows and mouth."""
    return create(LandmarkSEDense, "fer_sedense_lm_s2", pretrained, 4, **(S2 | kwargs))


@register_model
def fer_sedense_lm_nano(pretrained: bool = False, **kwargs: Any) -> LandmarkSEDense:
    """`fer_sedense_nano` with attention to eyes, brows and mouth."""
    return create(LandmarkSEDense, "fer_sedense_lm_nano", pretrained, 4, **(S2 | NANO | kwargs))
