"""A network run by PyTorch: on any device, and with its insides open to explanations."""

import os

import numpy as np
import timm
import torch
import torch.nn as nn
from numpy.typing import NDArray

import fer_demo.models  # noqa: F401  (registers the models with timm)
from fer_demo.checkpoints import resolve
from fer_demo.runtime.model_info import ModelError, ModelInfo, finite, model_info
from fer_demo.runtime.torch_lock import lock


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
    checkpoint.verify()
    try:
        made = timm.create_model(f"local-dir:{checkpoint.folder}", pretrained=True)
    except ModelError:
        raise
    except Exception as error:  # timm, json and safetensors raise many kinds for files that do not fit
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"The model {model} cannot be loaded ({reason}); check its folder.") from error
    return made, model_info(made, checkpoint.name)
