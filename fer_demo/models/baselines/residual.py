"""A small ResNet, of which two of the compared systems are made."""

import torch
import torch.nn as nn

from fer_demo.models.base import StagedNet
from fer_demo.models.layers import ConvNormAct, ResidualBlock, TensorOptions


class ResidualNet(StagedNet):
    """Stages of residual blocks behind a 3x3 stem; each stage but the first begins with stride 2.

    Input, output and the arguments not named here as in `StagedNet`.

    Args:
        widths: Maps of each stage; the stem has as many as the first.
        depths: Residual blocks in each stage.
        stem_stride: 1 or 2.
    """

    def __init__(
        self,
        num_classes: int = 7,
        in_chans: int = 1,
        global_pool: str = "avg",
        widths: tuple[int, ...] = (32, 64, 128, 256),
        depths: tuple[int, ...] = (2, 2, 2, 2),
        stem_stride: int = 1,
        drop_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_classes, in_chans, global_pool, drop_rate)
        dd: TensorOptions = {"device": device, "dtype": dtype}
        stages, chs = [], widths[0]
        for i, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks = nn.Sequential()
            for j in range(depth):
                blocks.append(ResidualBlock(chs, width, 2 if i > 0 and j == 0 else 1, **dd))
                chs = width
            stages.append(blocks)
        self.assemble(
            ConvNormAct(in_chans, widths[0], 3, stem_stride, **dd),
            stages,
            channels=list(widths),
            reductions=[stem_stride * 2**i for i in range(len(widths))],
            **dd,
        )
