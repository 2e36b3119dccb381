"""A network run by PyTorch: on any device, and with its insides open to explanations."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torch.nn as nn
from numpy.typing import NDArray

import fer_demo.models  # noqa: F401  (registers the models with timm)
from fer_demo.checkpoints import CONFIG_FILE, Checkpoint, resolve
from fer_demo.models.pretrained import checkpoint_filter_fn
from fer_demo.runtime.model_info import ModelError, ModelInfo, finite, model_info
from fer_demo.runtime.torch_lock import lock
from fer_demo.vision.sources import one_line

LOCAL_DIR = "local-dir:"
"""Before a folder, timm's sign that a checkpoint is to be loaded from there."""

MAX_SETTING = 10_000
"""The largest number in a checkpoint's settings: none of a network here comes near."""


class TorchEngine:
    """See `fer_demo.runtime.engines.make_engine` for the arguments.

    Attributes:
        model: The network, in evaluation mode.
    """

    kind = "torch"

    def __init__(
        self,
        model: str | os.PathLike[str] | nn.Module,
        *,
        device: str | torch.device = "cpu",
        threads: int | None = None,
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        self.model, self.info = load_model(model)
        try:
            self.device = torch.device(device)
            self.model = self.model.to(self.device).eval()
        except (RuntimeError, AssertionError) as error:  # the second where torch was built without CUDA
            raise ModelError(f"The device {str(device)!r} cannot be used ({error}); use 'cpu'.") from error

    @torch.inference_mode()
    def logits(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `fer_demo.runtime.engines.Engine.logits`."""
        batch = torch.from_numpy(x).to(self.device)
        with lock(self.model):
            answer: torch.Tensor = self.model(batch)
        return finite(answer.float().cpu().numpy(), self.info.name)


def load_model(model: str | os.PathLike[str] | nn.Module | None) -> tuple[nn.Module, ModelInfo]:
    """Makes a model with its trained weights.

    Args:
        model: A checkpoint as `fer_demo.checkpoints.resolve` takes it, or a timm model.

    Returns:
        The model and what is to be known about it.

    Raises:
        ModelError: If it cannot be loaded or is no classifier of grey square pictures into the seven classes.
    """
    if isinstance(model, nn.Module):
        return model, model_info(model, type(model).__name__)
    checkpoint = resolve(model)
    made = create_trained(f"{LOCAL_DIR}{checkpoint.folder}")
    return made, model_info(made, checkpoint.name)


def create_trained(name: str, weights: str | os.PathLike[str] | None = None, **options: Any) -> nn.Module:
    """``timm.create_model`` for a network with weights, which raises one kind of error for whatever is wrong.

    Args:
        name: What timm takes: a registered name, or ``local-dir:FOLDER``.
        weights: A file of weights instead of the model's own.
        **options: Further arguments of ``timm.create_model``.

    Raises:
        ModelError: If there is no such model or its files are damaged.
    """
    shown = one_line(name.removeprefix(LOCAL_DIR))
    try:
        if name.startswith(LOCAL_DIR):
            _check_config(Checkpoint.at(Path(name.removeprefix(LOCAL_DIR))))
        if weights is None:
            return timm.create_model(name, pretrained=True, **options)
        made = timm.create_model(name, checkpoint_path=str(weights), **options)
        checkpoint_filter_fn(made.state_dict(), made)
        return made
    except ModelError:
        raise
    except Exception as error:  # timm, PyTorch and safetensors raise many kinds for files that do not fit
        reason = one_line(" ".join((str(error) or type(error).__name__).split()), 200)
        source = f" from {weights}" if weights else ""
        raise ModelError(
            f"The model {shown} cannot be loaded{source} ({reason}); check its name and its files."
        ) from error


def _check_config(checkpoint: Checkpoint) -> None:
    """Looks at the settings before a network is built from them, which a damaged number could make huge."""
    checkpoint.verify()
    config = checkpoint.json(CONFIG_FILE)
    if not config:
        raise ModelError(f"{checkpoint.folder} holds no {CONFIG_FILE} that says what the network is; copy it again.")
    stated = [config.get("num_classes"), config.get("model_args"), config.get("pretrained_cfg")]
    check_settings(stated, str(checkpoint.folder / CONFIG_FILE))


def check_settings(settings: Any, source: str) -> None:
    """Makes sure that no number among a network's settings would make it take all memory.

    Args:
        settings: Lists and dicts of them.
        source: Named in the error.

    Raises:
        ModelError: If one is above `MAX_SETTING`.
    """
    if too_large := [n for n in _numbers(settings) if not abs(n) <= MAX_SETTING]:
        raise ModelError(
            f"{source} holds the number {one_line(str(too_large[0]), 20)}, but no setting of a network here is above "
            f"{MAX_SETTING:,}; correct it, or copy the file again."
        )


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _numbers(inner)
    elif isinstance(value, int | float):
        yield value
