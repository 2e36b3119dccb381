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

from fer_demo.models.dense_block import DenseBlock, SeparableConvNormAct, Stage
from fer_demo.models.layers import ConvNormAct
from fer_demo.models.sedense import SEDense
from training import cpu_kernels as kernels

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
    pooled, gates = StageFunction.apply(blocks, w, maps, *parameters)
    own, features = pooled[:, :, :chs], pooled[:, :, chs:].unflatten(2, (len(blocks), -1))
    products = features * gates.unflatten(1, (1, len(blocks), -1))
    both = torch.stack([features, products], 3).flatten(2)
    return torch.cat([own, both], 2).unflatten(1, (h // 2, w // 2)).permute(0, 3, 1, 2)


def _parameters(block: DenseBlock) -> list[torch.Tensor]:
    one, two, se = block.conv1, block.conv2, block.se
    return [
        *(one.conv.weight, one.bn.weight, one.bn.bias),
        *(two.conv_dw.weight, two.conv_pw.weight, two.bn.weight, two.bn.bias),
        *(se.fc1.weight, se.fc1.bias, se.fc2.weight, se.fc2.bias),
    ]


class StageFunction(torch.autograd.Function):
    """A stage's dense blocks, then 2x2 average pooling.

    Inputs: the blocks, the width W of the maps, the maps float32 (N, H * W, C), and the parameters of each block as
    `_parameters` lists them. Outputs: the pooled maps and new features without their products, (N, H * W / 4,
    C + blocks * growth), and all gates (N, blocks * growth).
    """

    @staticmethod
    def forward(ctx: Any, blocks: list[DenseBlock], side: int, maps: torch.Tensor, *parameters: torch.Tensor) -> Any:
        n, pixels, chs = maps.shape
        growth = blocks[0].conv2.conv_pw.weight.shape[0]
        buffer = torch.empty(n, pixels, chs + growth * len(blocks))
        buffer[:, :, :chs] = maps
        runs, gates = [], torch.empty(n, 0)
        keep = any(ctx.needs_input_grad)
        for block in blocks:
            run = _Block(block, side, chs, gates)
            gates = torch.cat([gates, run.forward(buffer, keep)], 1)
            runs.append(run)
        pooled = torch.empty(n, pixels // 4, buffer.shape[2])
        kernels.halve(buffer.numpy(), side, pooled.numpy())
        if keep:
            ctx.runs, ctx.buffer, ctx.chs, ctx.side = runs, buffer, chs, side
        return pooled, gates

    @staticmethod
    def backward(ctx: Any, grad_pooled: torch.Tensor, grad_gates: torch.Tensor) -> tuple:
        grad = torch.empty_like(ctx.buffer)
        kernels.halve_backward(grad_pooled.contiguous().numpy(), ctx.side, grad.numpy())
        grad_gates = grad_gates.clone()
        found: list[torch.Tensor] = []
        for run in reversed(ctx.runs):
            found = run.backward(ctx.buffer, grad, grad_gates) + found
        return None, None, grad[:, :, : ctx.chs], *found


class _Norm:
    """A batch normalisation's factors, from the statistics of a batch or from the running ones."""

    def __init__(self, bn: nn.BatchNorm2d, total: np.ndarray, square: np.ndarray, count: int) -> None:
        self.count, self.live = count, bn.training
        if self.live:
            mean, var = total / count, np.maximum(square / count - (total / count) ** 2, 0)
            self._update(bn, mean, var * count / (count - 1))
        else:
            mean, var = bn.running_mean.double().numpy(), bn.running_var.double().numpy()
        gamma = bn.weight.detach().double().numpy()
        self.inverse = 1 / np.sqrt(var + bn.eps)
        scale = gamma * self.inverse
        self.mean, self.scale = mean.astype(np.float32), scale.astype(np.float32)
        self.shift = (bn.bias.detach().double().numpy() - mean * scale).astype(np.float32)

    @staticmethod
    def _update(bn: nn.BatchNorm2d, mean: np.ndarray, var: np.ndarray) -> None:
        bn.num_batches_tracked += 1
        share = 1 / int(bn.num_batches_tracked) if bn.momentum is None else bn.momentum
        bn.running_mean.lerp_(torch.from_numpy(mean).float(), share)
        bn.running_var.lerp_(torch.from_numpy(var).float(), share)

    def backward(self, total: np.ndarray, product: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[torch.Tensor]]:
        """What `cpu_kernels.norm_backward` subtracts, and the gradients of weight and bias."""
        grad_weight = product * self.inverse
        of_parameters = [torch.from_numpy(g.astype(np.float32)) for g in (grad_weight, total)]
        if not self.live:
            return np.zeros_like(self.mean), np.zeros_like(self.mean), of_parameters
        slope = self.inverse**2 * product / self.count
        return (total / self.count).astype(np.float32), slope.astype(np.float32), of_parameters


class _Block:
    """One dense block's forward and backward pass over a stage's buffer (N, H * W, D)."""

    def __init__(self, block: DenseBlock, side: int, first: int, gates: torch.Tensor) -> None:
        self.block, self.side, self.gates, self.first = block, side, gates, first
        self.own = gates.shape[1]
        self.read = first + self.own  # channels of the buffer that lie before the block's own
        weight = block.conv1.conv.weight.detach()[:, :, 0, 0]
        growth = block.conv2.conv_pw.weight.shape[0]
        pairs = weight[:, first:].unflatten(1, (-1, 2, growth))
        self.plain = torch.cat([weight[:, :first], pairs[:, :, 0].flatten(1)], 1).T
        self.gated = pairs[:, :, 1].flatten(1).T.contiguous()  # (own, bottleneck): reads the products with the gates
        folded = self.plain.expand(len(gates), -1, -1).clone()
        folded[:, first:] += gates[:, :, None] * self.gated
        self.folded = folded  # (N, read, bottleneck)
        self.kernel = block.conv2.conv_dw.weight.detach().flatten(1).T.contiguous().numpy()
        self.narrow = block.conv2.conv_pw.weight.detach()[:, :, 0, 0]

    def _scratch(self, pixels: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A map with a border of zeros, and one without, of one picture."""
        chs = self.narrow.shape[1]
        return torch.zeros(pixels // self.side + 2, self.side + 2, chs), torch.empty(pixels, chs)

    def forward(self, buffer: torch.Tensor, keep: bool) -> torch.Tensor:
        """Writes the block's features into the buffer and returns their gates (N, growth)."""
        block, (n, pixels, _) = self.block, buffer.shape
        growth, chs = self.narrow.shape
        wide, out = torch.empty(n, pixels, chs), torch.empty(n, pixels, growth)
        wide_np, out_np = wide.numpy(), out.numpy()
        moments = np.zeros((2, chs))
        for i in range(n):
            torch.mm(buffer[i, :, : self.read], self.folded[i], out=wide[i])
            if block.conv1.bn.training:
                kernels.add_moments(wide_np, i, *moments)
        self.norm1 = one = _Norm(block.conv1.bn, *moments, n * pixels)
        padded, spread = self._scratch(pixels)
        narrow, moments = self.narrow.T, np.zeros((2, growth))
        for i in range(n):
            kernels.normalize_pad(wide_np, i, self.side, one.scale, one.shift, padded.numpy())
            kernels.depthwise(padded.numpy(), self.kernel, spread.numpy())
            torch.mm(spread, narrow, out=out[i])
            if block.conv2.bn.training:
                kernels.add_moments(out_np, i, *moments)
        self.norm2 = two = _Norm(block.conv2.bn, *moments, n * pixels)
        means = torch.empty(n, growth)
        kernels.append(out_np, two.scale, two.shift, buffer.numpy(), self.read, means.numpy())
        with torch.set_grad_enabled(keep):
            self.means = means.requires_grad_(keep)
            se = block.se
            self.gate = se.gate(se.fc2(se.act(se.bn(se.fc1(means[:, :, None, None])))))[:, :, 0, 0]
        if keep:
            self.wide, self.out = wide, out
        return self.gate.detach()

    def backward(self, buffer: torch.Tensor, grad: torch.Tensor, grad_gates: torch.Tensor) -> list[torch.Tensor]:
        """Adds to the gradients of buffer and earlier gates; returns those of the parameters, as `_parameters`."""
        (n, pixels, _), (growth, chs) = buffer.shape, self.narrow.shape
        se = self.block.se
        of_se = (se.fc1.weight, se.fc1.bias, se.fc2.weight, se.fc2.bias)
        grad_gate = grad_gates[:, self.own : self.own + growth]
        grad_means, *found_se = torch.autograd.grad(self.gate, (self.means, *of_se), grad_gate)
        one, two = self.norm1, self.norm2
        sums = np.zeros((2, growth))
        grad_out = torch.empty_like(self.out)
        kernels.append_backward(
            grad.numpy(), self.read, grad_means.numpy(), buffer.numpy(), self.out.numpy(), two.mean, grad_out.numpy(),
            *sums,
        )  # fmt: skip
        *rest, found_two = two.backward(*sums)
        padded, spread = self._scratch(pixels)
        grad_padded = torch.zeros(*padded.shape[:2], growth)
        grad_spread = torch.empty(*padded.shape)
        grad_wide, grad_kernel = torch.empty_like(self.wide), np.zeros_like(self.kernel)
        grad_narrow = torch.zeros_like(self.narrow)
        sums, reverse = np.zeros((2, chs)), np.ascontiguousarray(self.kernel[::-1])
        for i in range(n):
            kernels.norm_backward_pad(
                grad_out.numpy(), self.out.numpy(), i, self.side, two.mean, two.scale, *rest, grad_padded.numpy()
            )
            kernels.normalize_pad(self.wide.numpy(), i, self.side, one.scale, one.shift, padded.numpy())
            kernels.depthwise(padded.numpy(), self.kernel, spread.numpy())
            grad_narrow.addmm_(grad_out[i].T, spread)
            torch.mm(grad_padded.flatten(0, 1), self.narrow, out=grad_spread.flatten(0, 1))
            kernels.depthwise(grad_spread.numpy(), reverse, grad_wide.numpy()[i])
            kernels.depthwise_weight_grad(padded.numpy(), grad_spread.numpy(), grad_kernel)
            kernels.relu_backward(padded.numpy(), self.wide.numpy(), i, one.mean, grad_wide.numpy(), *sums)
        *rest, found_one = one.backward(*sums)
        grad_folded = torch.empty_like(self.folded)
        for i in range(n):
            kernels.norm_backward(grad_wide.numpy(), self.wide.numpy(), i, one.mean, one.scale, *rest)
            torch.mm(buffer[i, :, : self.read].T, grad_wide[i], out=grad_folded[i])
            grad[i, :, : self.read].addmm_(grad_wide[i], self.folded[i].T)
        of_features = grad_folded[:, self.first :]
        grad_gates[:, : self.own] += (of_features * self.gated).sum(2)
        grad_gated = (of_features * self.gates[:, :, None]).sum(0)
        plain = grad_folded.sum(0)
        pairs = torch.stack([g.T.unflatten(1, (-1, growth)) for g in (plain[self.first :], grad_gated)], 2)
        weight = torch.cat([plain[: self.first].T, pairs.flatten(1)], 1)
        self.wide = self.out = None  # the backward pass of the blocks before needs the memory
        found = [weight, *found_one, torch.from_numpy(grad_kernel.T), grad_narrow, *found_two, *found_se]
        # In each parameter's own memory format, which DistributedDataParallel wants.
        parameters = _parameters(self.block)
        return [torch.empty_like(p).copy_(g.reshape(p.shape)) for p, g in zip(parameters, found, strict=True)]
