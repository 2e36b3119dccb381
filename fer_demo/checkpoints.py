"""Where the bundled checkpoints are: one timm ``local-dir`` folder for each, named ``<architecture>.<tag>``."""

import json
from pathlib import Path
from typing import Any

WEIGHTS_FILE = "model.safetensors"
ONNX_FILE = "model.onnx"
"""The same network for ONNX Runtime, beside `WEIGHTS_FILE`."""


def checkpoints_dir() -> Path:
    """The folder of bundled checkpoints: inside the installed package, or ``checkpoints/`` of a source checkout."""
    installed = Path(__file__).parent / "_checkpoints"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "checkpoints"


def checkpoint_dir(name: str) -> Path:
    """The folder of one checkpoint, whether or not it exists.

    Args:
        name: ``<architecture>.<tag>``, e.g. ``"fer_sedense_s2.fer2013"``.
    """
    return checkpoints_dir() / name


def weights_file(name: str) -> str | None:
    """The checkpoint's safetensors file, or None when it is not bundled."""
    path = checkpoint_dir(name) / WEIGHTS_FILE
    return str(path) if path.is_file() else None


def bundled_checkpoints() -> list[str]:
    """The names of all bundled checkpoints, sorted."""
    return sorted(p.parent.name for p in checkpoints_dir().glob(f"*/{WEIGHTS_FILE}"))


def checkpoint_metrics(name: str) -> dict:
    """The content of the checkpoint's ``metrics.json``, or an empty dict when it has none."""
    return checkpoint_file(name, "metrics.json")


def checkpoint_file(name: str, file: str) -> dict:
    """The content of one of the checkpoint's JSON files, or an empty dict when it has none of that name."""
    path = checkpoint_dir(name) / file
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def recipe_chain(training: dict[str, Any]) -> list[dict[str, Any]]:
    """The recipes that led to weights, the first of them first.

    Args:
        training: ``recipe``, and perhaps ``origins`` as `training.run.provenance.origins` gives them.

    Returns:
        The recipes; ``epochs`` of a run that was stopped is the number that it trained.
    """
    start = training["recipe"].get("init_from")
    before = training.get("origins", {}).get(start, {}).get("training")
    recipe = training["recipe"]
    if "stopped_after" in training:
        recipe = recipe | {"epochs": training["stopped_after"]}
    return [*(recipe_chain(before) if before else []), recipe]
