"""What a checkpoint answers to the pictures that its confidence was fitted on, written beside its weights."""

from pathlib import Path
from typing import Any

import torch

from fer_demo.checkpoints import METRICS_FILE
from fer_demo.files import read_json
from fer_demo.runtime.torch_engine import create_trained
from fer_demo.validation import write_validation
from training.data import Faces
from training.eval.evaluate import view_and_truth
from training.eval.tta import NO_TTA, predict_logits

SPLIT = "PublicTest"
"""On which `training.eval.evaluate` fits temperature and threshold."""


def add_validation(folder: Path, faces: Faces) -> Path:
    """Writes ``validation.npz`` for a checkpoint that is there, and its digest into the manifest.

    Args:
        folder: The checkpoint's.
        faces: The data that its temperature was fitted on.

    Returns:
        The file.
    """
    training = read_json(folder / METRICS_FILE)["training"]
    return write_answers(create_trained(f"local-dir:{folder}").eval(), folder, faces, training)


def write_answers(model: torch.nn.Module, folder: Path, faces: Faces, training: dict[str, Any]) -> Path:
    """Writes ``validation.npz``: the answers with the mirror image, and the truth with votes, where the model has them.

    Args:
        model: In evaluation mode.
        folder: Where to.
        faces: FER2013, or data with its splits.
        training: As ``metrics.json`` has it.
    """
    point = view_and_truth(training)
    part, share = faces.split(SPLIT), point.get("votes_share", 0.0)
    logits = predict_logits(model, part.images, tta="flip" if point.get("mirror") else NO_TTA)
    truth = part.targets("mixture", share).numpy() if share else None
    return write_validation(folder, logits.numpy(), part.labels.numpy(), truth)
