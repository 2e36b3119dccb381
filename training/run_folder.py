"""What lies in a run's folder, and the network and settings that are read from it."""

import json
from pathlib import Path
from typing import Any

import timm
import torch

import fer_demo  # noqa: F401  (registers the models)
from training.config import TrainConfig, from_dict

LAST = "last.pt"
"""From here a run goes on."""

BEST = "best.safetensors"
"""The weights that were best on PublicTest."""

ALIGNED = "aligned.npz"
"""Aligned twins of the pictures."""


def build_model(config: TrainConfig, **kwargs: Any) -> torch.nn.Module:
    """The network that a configuration names.

    Args:
        config: The settings.
        **kwargs: Further arguments of ``timm.create_model``.

    Raises:
        ValueError: If the model has no such option.
    """
    try:
        return timm.create_model(config.model, **config.model_args, **kwargs)
    except TypeError as error:
        raise ValueError(f"model_args {config.model_args} do not fit {config.model}: {error}.") from error


def resume_config(run_dir: str | Path) -> TrainConfig:
    """The settings with which a run was started.

    Raises:
        ValueError: If the folder holds no run.
    """
    path = Path(run_dir) / "config.json"
    if not path.is_file() or not (Path(run_dir) / LAST).is_file():
        raise ValueError(f"{run_dir} holds no run to resume ({path.name} and {LAST}); start one without --resume.")
    return from_dict(json.loads(path.read_text(encoding="utf-8")), str(path))
