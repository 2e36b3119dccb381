"""Attention after a stage: guided by the regions of a face, and two kinds that nobody guides.

Each takes a map (N, C, H, W) and, guided or not, the faces' landmarks, and answers with the map times its gates. A gate
is twice a sigmoid of what starts at zero: at first every gate is 1, and the network is the one without.
"""

from typing import Unpack

import torch
import torch.nn as nn
import torch.nn.functional as F

from fer_demo.models.layers import ConvNormAct, TensorOptions
from fer_demo.models.regions import REGIONS, known_faces, region_maps

PRIOR_SIZE = 6
HEAD_WIDTH, GATE_WIDTH = 8, 8


class Attention(nn.Module):
    """What all kinds have in common: how they start."""

    def init_weights(self) -> None:
        """Draws the weights; the layers that `last_layers` names start at zero."""
        for m in self.modules():
            if isinstance(m, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(m.weight)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
        for layer in self.last_layers():
            nn.init.zeros_(layer.weight)

    def last_layers(self) -> list[nn.Conv2d | nn.Linear | nn.BatchNorm2d]:
        """The layers before the sigmoids."""
        raise NotImplementedError


def _largest(x: torch.Tensor, dim: int, training: bool) -> torch.Tensor:
    """The largest values along a dimension, which stays with size 1.

    The gradient of ``amax`` is shared among equals, in five passes over memory; ``max`` is slower forwards.
    """
    return x.max(dim, keepdim=True).values if training else x.amax(dim, keepdim=True)


class SpatialGate(nn.Module):
    """A gate for places, as CBAM's authors build it: a convolution and batch normalisation before the sigmoid.

    Without the normalisation the gate of a first stage, whose maps are large numbers, is 2 everywhere after few epochs.

    Input: float (N, C, H, W). Output: (N, 1, H, W), from 0 to 2.
    """

    def __init__(self, in_chs: int, kernel_size: int, **dd: Unpack[TensorOptions]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_chs, 1, kernel_size, padding=kernel_size // 2, bias=False, **dd)
        self.bn = nn.BatchNorm2d(1, **dd)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * torch.sigmoid(self.bn(self.conv(x)))


class RegionHead(nn.Module):
    """Says where the regions lie, from a stage's own map.

    What it sees is added to where the regions lie as a rule, so that it can tell the eyes from each other without
    seeing the whole face.

    Input: float (N, C, H, W). Output: logits (N, 3, H, W).
    """

    def __init__(self, in_chs: int, **dd: Unpack[TensorOptions]) -> None:
        super().__init__()
        self.narrow = ConvNormAct(in_chs, HEAD_WIDTH, **dd)
        self.conv = nn.Conv2d(HEAD_WIDTH, len(REGIONS), 3, padding=1, **dd)
        self.prior = nn.Parameter(torch.zeros(1, len(REGIONS), PRIOR_SIZE, PRIOR_SIZE, **dd))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = self.conv(self.narrow(x))
        return seen + F.interpolate(self.prior, size=seen.shape[-2:], mode="bilinear", align_corners=False)


class RegionAttention(Attention):
    """Spatial and channel attention that knows where eyes, brows and mouth lie.

    The spatial gate sees the mean and the maximum over the channels, as CBAM's does, and the regions' maps beside them.
    The channel gate sees, as squeeze-and-excitation does, the channels' means: over the whole map and over each region.

    Args:
        channels: Of the map.
        halve: Look at the map at half its size: what is done for each of its pixels, passes over memory more than
            arithmetic, would cost a large map as much time as its stage.
        guided: Take landmarks where they are known; False always predicts the maps.
    """

    def __init__(self, channels: int, halve: bool, guided: bool, **dd: Unpack[TensorOptions]) -> None:
        super().__init__()
        self.halve = halve
        self.guided = guided
        self.regions = RegionHead(channels, **dd)
        self.spatial = SpatialGate(2 + len(REGIONS), 3, **dd)
        self.fc1 = nn.Linear((1 + len(REGIONS)) * channels, GATE_WIDTH, **dd)
        self.act = nn.ReLU()
        self.fc2 = nn.Linear(GATE_WIDTH, channels, **dd)
        self.init_weights()

    def last_layers(self) -> list[nn.Conv2d | nn.Linear | nn.BatchNorm2d]:
        return [self.spatial.bn, self.fc2]

    def look(self, x: torch.Tensor, landmarks: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Where the regions lie, and how hard each place is looked at.

        Args:
            x: float (N, C, H, W), the stage's map.
            landmarks: float (N, 5, 2), fractions of the picture's width and height; NaN for what is not known.

        Returns:
            The regions' maps, (N, 3, H, W), or half as high and wide for large maps, from 0 to 1: drawn where a face's
            landmarks are known, else predicted. And the spatial gate, of that size too, (N, 1, H, W), from 0 to 2.
        """
        return self._look(self._shrunk(x), landmarks)

    def _shrunk(self, x: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(x, 2) if self.halve else x

    def _look(self, x: torch.Tensor, landmarks: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        maps = torch.sigmoid(self.regions(x))
        if landmarks is not None and self.guided:
            known = known_faces(landmarks)
            # NaN would reach the gradient of both branches.
            drawn = region_maps(landmarks.float().nan_to_num(), x.shape[-2], x.shape[-1]).to(maps.dtype)
            maps = torch.where(known[:, None, None, None], drawn, maps)
        seen = torch.cat([x.mean(1, keepdim=True), _largest(x, 1, self.training), maps], 1)
        return maps, self.spatial(seen)

    def forward(self, x: torch.Tensor, landmarks: torch.Tensor | None = None) -> torch.Tensor:
        small = self._shrunk(x)
        maps, spatial = self._look(small, landmarks)
        # A product of matrices, so that no map is written for each region; the whole map is one of them.
        weights = torch.cat([torch.ones_like(maps[:, :1]), maps], 1).flatten(2)
        weights = weights / (weights.sum(2, keepdim=True) + 1e-4)
        vector = torch.matmul(weights, small.flatten(2).transpose(1, 2)).flatten(1)
        channel = 2 * torch.sigmoid(self.fc2(self.act(self.fc1(vector))))
        if self.halve:
            spatial = F.interpolate(spatial, size=x.shape[-2:], mode="bilinear", align_corners=False)
        if self.training:  # the gradients of both gates are products of matrices then; two products of maps cost more
            gates = torch.matmul(spatial.flatten(2).transpose(1, 2), channel[:, None])
            return (x.flatten(2).transpose(1, 2) * gates).transpose(1, 2).unflatten(2, x.shape[-2:])
        return x * channel[:, :, None, None] * spatial


class CBAM(Attention):
    """The convolutional block attention module (Woo et al. 2018, arXiv:1807.06521): channels first, then places."""

    def __init__(self, channels: int, width: int, **dd: Unpack[TensorOptions]) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, width, **dd)
        self.act = nn.ReLU()
        self.fc2 = nn.Linear(width, channels, **dd)
        self.spatial = SpatialGate(2, 7, **dd)
        self.init_weights()

    def last_layers(self) -> list[nn.Conv2d | nn.Linear | nn.BatchNorm2d]:
        return [self.spatial.bn, self.fc2]

    def forward(self, x: torch.Tensor, landmarks: torch.Tensor | None = None) -> torch.Tensor:
        mean = self.fc2(self.act(self.fc1(x.mean((2, 3)))))
        most = self.fc2(self.act(self.fc1(_largest(x.flatten(2), 2, self.training).flatten(1))))
        x = x * (2 * torch.sigmoid(mean + most))[:, :, None, None]
        seen = torch.cat([x.mean(1, keepdim=True), _largest(x, 1, self.training)], 1)
        return x * self.spatial(seen)


class CoordinateAttention(Attention):
    """Coordinate attention (Hou et al. 2021, arXiv:2103.02907): a gate for each row and one for each column.

    As there, rows and columns share a 1x1 convolution with batch normalisation; ReLU stands for their hard swish.
    """

    def __init__(self, channels: int, width: int, **dd: Unpack[TensorOptions]) -> None:
        super().__init__()
        self.shared = ConvNormAct(channels, width, **dd)
        self.rows = nn.Conv2d(width, channels, 1, **dd)
        self.columns = nn.Conv2d(width, channels, 1, **dd)
        self.init_weights()

    def last_layers(self) -> list[nn.Conv2d | nn.Linear | nn.BatchNorm2d]:
        return [self.rows, self.columns]

    def forward(self, x: torch.Tensor, landmarks: torch.Tensor | None = None) -> torch.Tensor:
        height = x.shape[-2]
        lines = torch.cat([x.mean(3, keepdim=True), x.mean(2, keepdim=True).transpose(2, 3)], 2)
        lines = self.shared(lines)
        rows = self.rows(lines[:, :, :height])
        columns = self.columns(lines[:, :, height:]).transpose(2, 3)
        return x * (2 * torch.sigmoid(rows)) * (2 * torch.sigmoid(columns))
