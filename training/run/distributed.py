"""One process or many: `torchrun` starts them, PyTorch's DistributedDataParallel averages their gradients.

A batch of the recipe is the batch of all processes together, and process r of n takes its pictures r, r+n, r+2n, ...
with the augmentation they would have had in a single process. So the number of processes changes the speed, and the
result only by batch normalisation over smaller batches on a CPU (on GPUs it is synchronised), by what looks at the
pictures of one process alone (mixup, CutMix, dropout, the triplet and locality losses), and by rounding.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch.nn import SyncBatchNorm
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class World:
    """This process among all.

    Attributes:
        device: Where it computes.
        rank: Its number, from 0.
        size: How many there are.
    """

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def main(self) -> bool:
        """Whether this process evaluates, saves and reports."""
        return self.rank == 0

    @property
    def part(self) -> slice:
        """This process's rows of a batch."""
        return slice(self.rank, None, self.size)

    def wrap(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model whose gradients are averaged over all processes."""
        if self.size == 1:
            return model
        if self.device.type != "cuda":
            return DistributedDataParallel(model)
        return DistributedDataParallel(SyncBatchNorm.convert_sync_batchnorm(model), device_ids=[self.device.index])

    @contextmanager
    def all_threads(self) -> Iterator[None]:
        """Gives this process the CPU threads of all on its machine, while it works and they wait for it."""
        own = torch.get_num_threads()
        if self.size > 1 and self.device.type == "cpu":
            torch.set_num_threads(own * int(os.environ.get("LOCAL_WORLD_SIZE", self.size)))
        try:
            yield
        finally:
            torch.set_num_threads(own)

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The mean of a tensor over all processes."""
        if self.size > 1:
            dist.all_reduce(value)
            value = value / self.size
        return value

    def any(self, flag: bool) -> bool:
        """Whether something holds in any process; all get the same answer."""
        if self.size == 1:
            return flag
        found = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return bool(found)


def join(device: torch.device) -> World:
    """Meets the other processes that `torchrun` started, if it did.

    Args:
        device: The device asked for; of several GPUs each process takes its own.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World(device)
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return World(device, dist.get_rank(), size)


def leave() -> None:
    """Closes the connections to the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()
