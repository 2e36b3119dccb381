"""The networks that a run learns from, as it asks them."""

import os
import tempfile
from pathlib import Path

import numpy as np
import timm
import torch

from fer_demo.checkpoints import ONNX_FILE, resolve
from fer_demo.export.formats import write_onnx
from fer_demo.models.pretrained import checkpoint_filter_fn
from fer_demo.runtime.engines import OnnxEngine, installed
from fer_demo.runtime.model_info import ModelError, model_info
from fer_demo.vision.preprocess import data_config, normalize, prepare
from fer_demo.vision.sources import one_line
from training.run.augment import Draws, augment
from training.run.run_folder import run_options, state_classes, weights_classes


class Teacher:
    """A trained network that answers for augmented pictures.

    On a CPU ONNX Runtime runs it where that is installed, which is two to three times as fast; the answers are
    PyTorch's to some five digits.

    Args:
        spec: A name with bundled weights, or ``NAME@FILE`` with the path of a .safetensors file.
        device: Where it runs.
        bf16: Whether it answers in bfloat16.

    Attributes:
        outputs: How many classes it answers for, those of two heads together.
        labels: Their names, those of the votes' head left out.

    Raises:
        ValueError: If it cannot be loaded.
    """

    def __init__(self, spec: str, device: torch.device, bf16: bool = False) -> None:
        self.model = _load(spec).to(device)
        self.bf16 = bf16
        self.data = data_config(self.model)
        self.outputs: int = self.model.num_classes
        self.labels: tuple[str, ...] = tuple(self.model.pretrained_cfg["label_names"])
        on_cpu = device.type == "cpu" and not bf16
        self.engine = _onnx_engine(self.model, spec) if on_cpu and installed("onnxruntime", "onnxscript") else None

    @torch.no_grad()
    def logits(self, images: torch.Tensor, draws: Draws) -> torch.Tensor:
        """Its answers.

        Args:
            images: uint8 (N, 1, H, W), not augmented.
            draws: The augmentation, at whatever size the network takes.

        Returns:
            float32 (N, outputs).
        """
        x = augment(prepare(images, size=self.data["size"]), draws)
        x = normalize(x, self.data["mean"], self.data["std"])
        if self.engine:
            return torch.from_numpy(self.engine.logits(np.ascontiguousarray(x.numpy(), np.float32)))
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
            return self.model(x.contiguous(memory_format=torch.channels_last)).float()


def _load(spec: str) -> torch.nn.Module:
    name, _, file = spec.partition("@")
    if file and not os.path.isfile(file):
        raise ValueError(f"The teacher {spec!r} names a file that does not exist; give NAME or NAME@FILE.safetensors.")
    try:
        options = run_options(file) if file else {}
        source = {"checkpoint_path": file} if file else {"pretrained": True}
        model = timm.create_model(name, **options, **source)
        checkpoint_filter_fn(model.state_dict(), model)
        if file:
            state_classes(model, weights_classes(file))
    except Exception as error:  # timm and safetensors raise many kinds for files that do not fit
        reason = one_line((str(error) or type(error).__name__).splitlines()[0], 300).rstrip(".")
        raise ValueError(f"The teacher {spec!r} cannot be loaded: {reason}.") from error
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _onnx_engine(model: torch.nn.Module, spec: str) -> OnnxEngine | None:
    """The network in ONNX Runtime on as many threads as PyTorch has; None if ONNX lacks an operation of it."""
    if "@" not in spec and (bundled := resolve(spec).path(ONNX_FILE)):
        return OnnxEngine(bundled, torch.get_num_threads())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "teacher.onnx"
        try:
            write_onnx(model, model_info(model, spec), file)
        except ModelError:
            return None
        return OnnxEngine(file, torch.get_num_threads())
