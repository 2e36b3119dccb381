"""Squeeze-and-excitation: how strongly each channel is let through, and what changes when that is changed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn as nn
from captum.attr import LayerActivation
from timm.layers import SEModule

from fer_demo.runtime.batch import CPU_BATCH
from fer_demo.runtime.torch_lock import lock


def gates(model: nn.Module) -> dict[str, nn.Module]:
    """The gates of all squeeze-and-excitation modules, from the input on: module name to gate.

    A gate outputs the channel weights (N, C, 1, 1), each from 0 to 1. A model without such modules has none.
    """
    return {name: module.gate for name, module in model.named_modules() if isinstance(module, SEModule)}


def channel_weights(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """The channel weights for each picture.

    Args:
        model: A timm model in evaluation mode.
        x: float (N, 1, H, W) as `fer_demo.vision.preprocess.prepare` gives it.

    Returns:
        Name as in `gates` to float32 (N, C), values from 0 to 1.
    """
    found = gates(model)
    if not found:
        return {}
    with lock(model), torch.no_grad():
        outputs = LayerActivation(model, list(found.values())).attribute(x)
    return {name: output.flatten(1).float() for name, output in zip(found, outputs, strict=True)}


def channel_map(model: nn.Module, x: torch.Tensor, gate: str, channel: int) -> torch.Tensor:
    """What a channel itself responds to, before its weight is applied.

    Args:
        model: A timm model in evaluation mode.
        x: float (N, 1, H, W).
        gate: A key of `gates`.
        channel: From 0.

    Returns:
        float32 (N, h, w), not negative, as the block has it.

    Raises:
        ValueError: For an unknown gate or channel.
    """
    module = model.get_submodule(_known(model, gate))
    with lock(model), torch.no_grad():
        features: torch.Tensor = LayerActivation(model, module).attribute(x, attribute_to_layer_input=True)
    return features[:, _channel(channel, features.shape[1])].float()


@contextmanager
def with_channel(model: nn.Module, gate: str, channel: int, value: float) -> Iterator[nn.Module]:
    """Holds one channel's weight at a value while the context lasts.

    Args:
        model: A timm model.
        gate: A key of `gates`.
        channel: From 0.
        value: 0 shuts the channel, 1 lets it through as it is.

    Yields:
        The model.

    Raises:
        ValueError: For an unknown gate or channel.
    """
    module = gates(model)[_known(model, gate)]

    def hold(_module: nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        output[:, _channel(channel, output.shape[1])] = value
        return output

    with lock(model):
        handle = module.register_forward_hook(hold)
        try:
            yield model
        finally:
            handle.remove()


def channel_importance(
    model: nn.Module, x: torch.Tensor, target: int | tuple[int, ...], gate: str, batch_size: int = CPU_BATCH
) -> torch.Tensor:
    """By how much a class's logit changes when each channel of a gate is shut, one at a time.

    Args:
        model: A timm model in evaluation mode.
        x: float (N, 1, H, W).
        target: Class id, or those of the outputs that a merged class is the sum of.
        gate: A key of `gates`.
        batch_size: Channels that are shut side by side.

    Returns:
        float32 (N, C): the logit with the channel shut less the logit as it is, so below 0 for a channel that speaks
        for the class.

    Raises:
        ValueError: For an unknown gate.
    """
    module = gates(model)[_known(model, gate)]
    shut: list[int] = []

    def hold(_module: nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        count[0] = output.shape[1]
        for row, channel in enumerate(shut):
            output[row, channel] = 0
        return output

    count, rows = [0], []
    with lock(model), torch.no_grad():
        handle = module.register_forward_hook(hold)
        try:
            for picture in x.split(1):
                shut = []
                base = _logit(model(picture), target)
                changes = []
                for first in range(0, count[0], batch_size):
                    shut = list(range(first, min(first + batch_size, count[0])))
                    changes.append(_logit(model(picture.expand(len(shut), -1, -1, -1)), target) - base)
                rows.append(torch.cat(changes))
        finally:
            handle.remove()
    return torch.stack(rows).float()


def _logit(logits: torch.Tensor, target: int | tuple[int, ...]) -> torch.Tensor:
    return logits[:, list(target)].logsumexp(1) if isinstance(target, tuple) else logits[:, target]


def _known(model: nn.Module, gate: str) -> str:
    known = gates(model)
    if gate not in known:
        raise ValueError(f"Unknown gate {gate!r}; this model has {', '.join(known) or 'none'}.")
    return gate


def _channel(channel: int, count: int) -> int:
    if not 0 <= channel < count:
        raise ValueError(f"There is no channel {channel}; this gate has 0 to {count - 1}.")
    return channel
