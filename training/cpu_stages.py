"""SE-Dense's large maps on a CPU, a fifth faster than PyTorch: the same function and gradient, arranged for the caches.

Two things cost most in PyTorch's own step of `fer_sedense` at 48x48 beside the matrix products: depthwise convolutions,
and a block's many operations, each of which moves maps of megabytes through memory. And half of what is concatenated
and convolved are products with the gates, which need not exist: ``W f + V (g f) = (W + V diag(g)) f``. So one autograd
function does a whole stage, picture by picture, with the gates in the weights, one buffer instead of concatenations,
and batch normalisation, ReLU and depthwise convolution in loops of their own (`training.cpu_kernels`).
"""

from typing import Any

import numpy as np
import torch
import torch.nn as nn
from torch.autograd.function import once_differentiable

from fer_demo.models.dense_block import DenseBlock, SeparableConvNormAct, Stage
from fer_demo.models.layers import ConvNormAct
from fer_demo.models.sedense import SEDense
from training import cpu_kernels as kernels
from training.cpu_norm import Moments, Norm

SMALLEST = 12
"""Sides of maps below this stay with PyTorch: weights by picture cost more there than they save."""


def use_stage_function(model: nn.Module) -> bool:
    """Lets a network's first stages run in `StageFunction`, in training and in evaluation.

    Args:
        model: Any network; its parameters, names and answers stay.

    Returns:
        Whether anything was changed: only `SEDense` with all of the paper's ingredients and without groups is taken.
    """
    if not isinstance(model, SEDense) or not all(_fits(block) for stage in model.stages for block in stage.blocks):
        return False
    model.stages.forward = _Stages(model.stages)
    return True


def _fits(block: DenseBlock) -> bool:
    whole = block.both and block.skip and isinstance(block.conv1, ConvNormAct)
    return whole and isinstance(block.conv2, SeparableConvNormAct) and block.conv2.conv_pw.groups == 1


class _Stages:
    """The forward pass of ``SEDense.stages``: large maps here, small ones as ever."""

    def __init__(self, stages: nn.Sequential) -> None:
        self.stages = list(stages)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        for i, stage in enumerate(self.stages):
            x = stage.transition(x) if i == 0 else stage.transition.conv(x)
            if not self._large(x, last=i == len(self.stages) - 1):
                x = stage.blocks(x)
                for later in self.stages[i + 1 :]:
                    x = later(x)
                return x
            x = _halved(stage, x)
        return x

    @staticmethod
    def _large(x: torch.Tensor, last: bool) -> bool:
        h, w = x.shape[-2:]
        fits = min(h, w) >= SMALLEST and h % 2 == 0 and w % 4 == 0
        return fits and not last and x.device.type == "cpu" and x.dtype == torch.float32


def _halved(stage: Stage, x: torch.Tensor) -> torch.Tensor:
    """A stage's blocks and the pooling behind them: (N, C, H, W) to (N, D, H / 2, W / 2)."""
    n, chs, h, w = x.shape
    blocks = list(stage.blocks)
    maps = x.permute(0, 2, 3, 1).reshape(n, h * w, chs)
    parameters = [p for block in blocks for p in _parameters(block)]
    # Inside the function gradients are off, and what it is told of its inputs does not say whether they were on.
    keep = torch.is_grad_enabled() and any(t.requires_grad for t in (maps, *parameters))
    pooled, gates = StageFunction.apply(blocks, w, keep, maps, *parameters)
    given, features = pooled[:, :, :chs], pooled[:, :, chs:].unflatten(2, (len(blocks), -1))
    products = features * gates.unflatten(1, (1, len(blocks), -1))
    both = torch.stack([features, products], 3).flatten(2)
    return torch.cat([given, both], 2).unflatten(1, (h // 2, w // 2)).permute(0, 3, 1, 2)


def _parameters(block: DenseBlock) -> list[torch.Tensor]:
    one, two, se = block.conv1, block.conv2, block.se
    return [
        *(one.conv.weight, one.bn.weight, one.bn.bias),
        *(two.conv_dw.weight, two.conv_pw.weight, two.bn.weight, two.bn.bias),
        *(se.fc1.weight, se.fc1.bias, se.fc2.weight, se.fc2.bias),
    ]


class StageFunction(torch.autograd.Function):
    """A stage's dense blocks, then 2x2 average pooling; differentiable once.

    Inputs: the blocks, the width W of the maps, whether to keep what the gradient needs, the maps float32
    (N, H * W, C), and the parameters of each block as `_parameters` lists them. Outputs: the pooled maps and new
    features without their products, (N, H * W / 4, C + blocks * growth), and all gates (N, blocks * growth).
    """

    @staticmethod
    def forward(
        ctx: Any, blocks: list[DenseBlock], width: int, keep: bool, maps: torch.Tensor, *parameters: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        n, pixels, chs = maps.shape
        growth = blocks[0].conv2.conv_pw.weight.shape[0]
        buffer = maps.new_empty(n, pixels, chs + growth * len(blocks))
        buffer[:, :, :chs] = maps
        runs, gates = [], maps.new_empty(n, 0)
        for block in blocks:
            run = _Block(block, width, chs, gates)
            gates = torch.cat([gates, run.forward(buffer, keep)], 1)
            runs.append(run)
        pooled = maps.new_empty(n, pixels // 4, buffer.shape[2])
        kernels.halve(buffer.numpy(), width, pooled.numpy())
        if keep:
            ctx.runs, ctx.buffer, ctx.chs, ctx.width = runs, buffer, chs, width
        return pooled, gates

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_pooled: torch.Tensor, grad_gates: torch.Tensor) -> tuple:
        if ctx.runs is None:
            raise RuntimeError("The gradient of these stages can be computed once only; retain_graph does not help.")
        grad = torch.empty_like(ctx.buffer)
        kernels.halve_backward(grad_pooled.contiguous().numpy(), ctx.width, grad.numpy())
        grad_gates = grad_gates.clone()
        found: list[torch.Tensor | None] = []
        for run in reversed(ctx.runs):
            found = run.backward(ctx.buffer, grad, grad_gates) + found
        ctx.runs = None
        return None, None, None, grad[:, :, : ctx.chs], *found


class _Block:
    """One dense block's forward and backward pass over a stage's buffer (N, H * W, D).

    Args:
        block: The block.
        width: W.
        given: Channels of the stage's input, the first of the buffer.
        gates: (N, E), those of the E features that earlier blocks wrote behind them.
    """

    def __init__(self, block: DenseBlock, width: int, given: int, gates: torch.Tensor) -> None:
        self.block, self.width, self.given, self.gates = block, width, given, gates
        self.earlier = gates.shape[1]
        self.read = given + self.earlier  # the channels before the block's own
        weight = block.conv1.conv.weight.detach()[:, :, 0, 0]
        growth = block.conv2.conv_pw.weight.shape[0]
        pairs = weight[:, given:].unflatten(1, (-1, 2, growth))
        plain = torch.cat([weight[:, :given], pairs[:, :, 0].flatten(1)], 1).T
        self.gated = pairs[:, :, 1].flatten(1).T.contiguous()  # (E, bottleneck): reads the products with the gates
        self.folded = plain.expand(len(gates), -1, -1).clone()  # (N, read, bottleneck)
        self.folded[:, given:] += gates[:, :, None] * self.gated
        self.kernel = block.conv2.conv_dw.weight.detach().flatten(1).T.contiguous().numpy()
        self.narrow = block.conv2.conv_pw.weight.detach()[:, :, 0, 0].clone()

    def _scratch(self, pixels: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A map with a border of zeros, and one without, of one picture."""
        chs = self.narrow.shape[1]
        return self.folded.new_zeros(pixels // self.width + 2, self.width + 2, chs), self.folded.new_empty(pixels, chs)

    def forward(self, buffer: torch.Tensor, keep: bool) -> torch.Tensor:
        """Writes the block's features into the buffer and returns their gates (N, growth)."""
        block, (n, pixels, _) = self.block, buffer.shape
        growth, chs = self.narrow.shape
        wide, out = buffer.new_empty(n, pixels, chs), buffer.new_empty(n, pixels, growth)
        moments = Moments(block.conv1.bn, wide)
        for i in range(n):
            torch.mm(buffer[i, :, : self.read], self.folded[i], out=wide[i])
            moments.add(i)
        self.norm1 = one = Norm(block.conv1.bn, moments)
        padded, spread = self._scratch(pixels)
        narrow, moments = self.narrow.T, Moments(block.conv2.bn, out)
        for i in range(n):
            kernels.normalize_pad(wide.numpy(), i, self.width, one.scale, one.shift, padded.numpy())
            kernels.depthwise(padded.numpy(), self.kernel, spread.numpy())
            torch.mm(spread, narrow, out=out[i])
            moments.add(i)
        self.norm2 = two = Norm(block.conv2.bn, moments)
        means = buffer.new_empty(n, growth)
        kernels.append(out.numpy(), two.scale, two.shift, buffer.numpy(), self.read, means.numpy())
        with torch.set_grad_enabled(keep):
            self.means = means.requires_grad_(keep)
            se = block.se
            self.gate = se.gate(se.fc2(se.act(se.bn(se.fc1(means[:, :, None, None])))))[:, :, 0, 0]
        if keep:
            self.wide, self.out = wide, out
        return self.gate.detach()

    def backward(self, buffer: torch.Tensor, grad: torch.Tensor, grad_gates: torch.Tensor) -> list[torch.Tensor | None]:
        """Adds to the gradients of buffer and earlier gates; returns those of the parameters, as `_parameters`."""
        (n, pixels, _), (growth, chs) = buffer.shape, self.narrow.shape
        grad_means, found_se = self._gate_backward(grad_gates[:, self.earlier : self.earlier + growth])
        one, two = self.norm1, self.norm2
        sums = np.zeros((2, growth))
        grad_out = torch.empty_like(self.out)
        kernels.append_backward(
            grad.numpy(), self.read, grad_means.numpy(), buffer.numpy(), self.out.numpy(), two.mean, grad_out.numpy(),
            *sums,
        )  # fmt: skip
        *rest, found_two = two.backward(*sums)
        padded, spread = self._scratch(pixels)
        grad_padded = padded.new_zeros(*padded.shape[:2], growth)
        grad_spread = torch.empty_like(padded)
        grad_wide, grad_narrow = torch.empty_like(self.wide), torch.zeros_like(self.narrow)
        grad_kernel, part = np.zeros(self.kernel.shape), np.empty_like(self.kernel)
        sums, reverse = np.zeros((2, chs)), np.ascontiguousarray(self.kernel[::-1])
        for i in range(n):
            kernels.norm_backward_pad(
                grad_out.numpy(), self.out.numpy(), i, self.width, two.mean, two.scale, *rest, grad_padded.numpy()
            )
            kernels.normalize_pad(self.wide.numpy(), i, self.width, one.scale, one.shift, padded.numpy())
            kernels.depthwise(padded.numpy(), self.kernel, spread.numpy())
            grad_narrow.addmm_(grad_out[i].T, spread)
            torch.mm(grad_padded.flatten(0, 1), self.narrow, out=grad_spread.flatten(0, 1))
            kernels.depthwise(grad_spread.numpy(), reverse, grad_wide.numpy()[i])
            part.fill(0)
            kernels.depthwise_weight_grad(padded.numpy(), grad_spread.numpy(), part)
            grad_kernel += part
            kernels.relu_backward(padded.numpy(), self.wide.numpy(), i, one.mean, grad_wide.numpy(), *sums)
        *rest, found_one = one.backward(*sums)
        grad_folded = torch.empty_like(self.folded)
        for i in range(n):
            kernels.norm_backward(grad_wide.numpy(), self.wide.numpy(), i, one.mean, one.scale, *rest)
            torch.mm(buffer[i, :, : self.read].T, grad_wide[i], out=grad_folded[i])
            grad[i, :, : self.read].addmm_(grad_wide[i], self.folded[i].T)
        self.wide = self.out = None  # the backward pass of the blocks before needs the memory
        weight = self._unfold(grad_folded, grad_gates)
        kernel = torch.from_numpy(grad_kernel.T.astype(np.float32))
        found = [weight, *found_one, kernel, grad_narrow, *found_two, *found_se]
        # In each parameter's own memory format, which DistributedDataParallel wants.
        return [
            None if g is None else torch.empty_like(p).copy_(g.reshape(p.shape))
            for p, g in zip(_parameters(self.block), found, strict=True)
        ]

    def _gate_backward(self, grad_gate: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor | None]]:
        """Gradients of the features' means and of the parameters of squeeze-and-excitation."""
        se = self.block.se
        parameters = (se.fc1.weight, se.fc1.bias, se.fc2.weight, se.fc2.bias)
        trained = [p for p in parameters if p.requires_grad]
        grad_means, *found = torch.autograd.grad(self.gate, (self.means, *trained), grad_gate)
        return grad_means, [found.pop(0) if p.requires_grad else None for p in parameters]

    def _unfold(self, grad_folded: torch.Tensor, grad_gates: torch.Tensor) -> torch.Tensor:
        """The gradient of the bottleneck's weights from that of the folded ones; adds that of the earlier gates."""
        growth = self.narrow.shape[0]
        of_features = grad_folded[:, self.given :]
        grad_gates[:, : self.earlier] += (of_features * self.gated).sum(2)
        grad_gated, plain = (of_features * self.gates[:, :, None]).sum(0), grad_folded.sum(0)
        pairs = torch.stack([g.T.unflatten(1, (-1, growth)) for g in (plain[self.given :], grad_gated)], 2)
        return torch.cat([plain[: self.given].T, pairs.flatten(1)], 1)
