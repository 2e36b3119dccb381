"""Batch normalisation whose parts are loops of `training.cpu_kernels`: its statistics, factors and gradient."""

import numpy as np
import torch
import torch.nn as nn

from training import cpu_kernels as kernels


class Moments:
    """Mean and variance of maps (N, P, C), gathered picture by picture.

    Args:
        bn: What they are for; one that uses running statistics needs none.
        maps: Where the pictures' maps will stand.
    """

    def __init__(self, bn: nn.BatchNorm2d, maps: torch.Tensor) -> None:
        self.wanted, self.maps = bn.training, maps.numpy()
        self.count = maps.shape[0] * maps.shape[1]
        self.sums = np.zeros((2, maps.shape[2]))

    def add(self, n: int) -> None:
        """Takes in a picture, the first of them first."""
        if n == 0:
            self.centre = self.maps[0, 0].copy()
        if self.wanted:
            kernels.add_moments(self.maps, n, self.centre, *self.sums)

    def mean_and_variance(self) -> tuple[np.ndarray, np.ndarray]:
        """Both float64 (C,); the variance is that of the batch, not an estimate of the population's."""
        offset, square = self.sums / self.count
        return self.centre + offset, np.maximum(square - offset**2, 0)


class Norm:
    """A batch normalisation's factors, from the statistics of a batch or from the running ones."""

    def __init__(self, bn: nn.BatchNorm2d, moments: Moments) -> None:
        count = self.count = moments.count
        self.live = bn.training
        if self.live:
            mean, var = moments.mean_and_variance()
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
