"""Checkpoints of any classes with random weights, as timm writes them, for tests."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch

from fer_demo.checkpoints import ONNX_FILE
from fer_demo.emotions import LABELS
from fer_demo.export import export_model
from fer_demo.models.attention import Attention
from fer_demo.runtime.torch_engine import load_model
from fer_demo.validation import write_validation

NAMES = ("smiling", "not smiling", "contempt", "neutral")


def checkpoint(folder: Path, names: tuple[str, ...] | None = NAMES, count: int = 4, *, onnx: bool = False) -> Path:
    """A nano with random weights in a ``local-dir`` folder.

    Args:
        folder: Where to.
        names: Its ``label_names``; None states none.
        count: Of classes, where there are no names.
        onnx: Write the ONNX file too.
    """
    torch.manual_seed(1)
    model = timm.create_model("fer_sedense_nano", num_classes=len(names) if names else count).eval()
    with torch.no_grad():
        model.get_classifier().weight.mul_(20)  # so that answers differ from face to face
    config = {"label_names": list(names)} if names else None
    timm.models.save_for_hf(model, folder, model_config=config, safe_serialization=True)
    if names:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        config["pretrained_cfg"]["label_names"] = list(names)
        (folder / "config.json").write_text(json.dumps(config), "utf-8")
    if onnx:
        export_model(*load_model(folder), folder / ONNX_FILE)
    return folder


def add_validation(folder: Path, classes: int = 4, pictures: int = 400) -> None:
    """Validation logits of a network that is too sure of itself."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, pictures)
    write_validation(folder, 6 * (np.eye(classes)[labels] + rng.normal(size=(pictures, classes))), labels)


def attending(folder: Path, guide: str = "landmarks", *, onnx: bool = False, **options: Any) -> Path:
    """A nano of FER2013's classes with attention to eyes, brows and mouth, in a ``local-dir`` folder.

    Its weights are random, its attention is awake: gates start at 1 everywhere, and would hide what the maps do.

    Args:
        folder: Where to.
        guide: As for `LandmarkSEDense`.
        onnx: Write the ONNX file too.
        **options: Further ones of its class.
    """
    torch.manual_seed(1)
    options = {"guide": guide, **options}
    model = timm.create_model("fer_sedense_lm_nano", **options).eval()
    with torch.no_grad():
        model.get_classifier().weight.mul_(20)
        for module in model.modules():
            if isinstance(module, Attention):
                for layer in module.last_layers():
                    torch.nn.init.normal_(layer.weight, std=0.5)
    timm.models.save_for_hf(
        model, folder, model_config={"label_names": list(LABELS)}, model_args=options, safe_serialization=True
    )
    if onnx:
        export_model(*load_model(folder), folder / ONNX_FILE)
    return folder
