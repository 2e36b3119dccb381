"""What a network costs on any machine: parameters, arithmetic, memory and file size."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import timm
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

import fer_demo.models  # noqa: F401  (registers the models with timm)


@dataclass(frozen=True)
class Costs:
    """A network's costs for one grey picture.

    Attributes:
        parameters: Trainable numbers.
        macs: Multiply-accumulates of convolutions and matrix products.
        activation_bytes: The most memory that the picture and all maps computed from it take at any moment, without
            parameters and without an operator's own scratch memory.
        file_bytes: The weights with running statistics, as 32-bit numbers.
    """

    parameters: int
    macs: int
    activation_bytes: int
    file_bytes: int


@functools.lru_cache(maxsize=256)
def network_costs(model: str, size: int, model_args: tuple[tuple[str, Any], ...] = ()) -> Costs:
    """Counts a network's costs without computing anything with it: its tensors have shapes, but no content.

    Args:
        model: A name registered with timm.
        size: Height and width of the picture in pixels.
        model_args: Options of its class, as pairs.

    Returns:
        The costs.

    Raises:
        ValueError: If there is no such network.
    """
    if not timm.is_model(model):
        raise ValueError(f"There is no network {model!r}; choose one of {', '.join(timm.list_models('fer_*'))}.")
    network = timm.create_model(model, device="meta", **dict(model_args)).eval()
    x = torch.empty(1, 1, size, size, device="meta")
    with torch.inference_mode():
        with FlopCounterMode(display=False) as flops:
            network(x)
        with PeakMemory(network) as memory:
            network(x)
    return Costs(
        parameters=sum(p.numel() for p in network.parameters()),
        macs=flops.get_total_flops() // 2,
        activation_bytes=memory.peak,
        file_bytes=sum(t.nbytes for t in network.state_dict().values()),
    )


class PeakMemory(TorchDispatchMode):
    """Follows which tensors are alive after each operation.

    Args:
        network: Whose parameters and buffers do not count.

    Attributes:
        peak: The most bytes that were alive at once.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self._ignored = {t.untyped_storage()._cdata for t in (*network.parameters(), *network.buffers())}

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, kwargs, result)):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self._ignored:
                    self._alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self._alive = {key: value for key, value in self._alive.items() if not value[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return result
