"""How well a network answers for pictures of another size than the one that it was trained at."""

import warnings
from collections.abc import Sequence
from typing import Any, cast

import torch

from fer_demo.runtime.model_info import MAX_INPUT_SIDE, flagged
from fer_demo.stats import wilson
from training.data import Faces
from training.eval.tta import NO_TTA, predict_logits


def by_size(model: torch.nn.Module, faces: Faces, sides: Sequence[int], *, progress: bool = False) -> dict[str, Any]:
    """Accuracy at each of some sizes, to which the faces are resized as the app resizes them.

    Args:
        model: A timm model, which is put into evaluation mode. One that answers with the mean of a picture and its
            mirror image does so here.
        faces: Labelled faces.
        sides: Sides of the squares that the network is given, in pixels.
        progress: Show progress bars.

    Returns:
        ``n`` and ``sizes``: side, as text, to ``correct``, ``accuracy`` in [0, 1] and its 95 % Wilson ``interval``.

    Raises:
        ValueError: If a side is no number of pixels that the network can take.
    """
    if wrong := [side for side in sides if not 0 < side <= MAX_INPUT_SIDE]:
        raise ValueError(f"A side must be from 1 to {MAX_INPUT_SIDE} pixels; got {wrong[0]}.")
    model = model.eval().to(memory_format=torch.channels_last)
    kind = "flip" if flagged(cast("dict[str, Any]", model.pretrained_cfg), "mirror") else NO_TTA
    found = {}
    for side in sides:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Weights that were trained at")  # which is what is measured
            title = f"{side} pixels" if progress else ""
            logits = predict_logits(model, faces.images, tta=kind, size=(side, side), progress=title)
        correct = int((logits.argmax(1) == faces.labels).sum())
        share = correct / len(faces)
        interval = [round(end, 4) for end in wilson(share, len(faces))]
        found[str(side)] = {"correct": correct, "accuracy": share, "interval": interval}
    return {"n": len(faces), "sizes": found}


def size_table(results: dict[str, dict[str, Any]]) -> str:
    """Accuracies in Markdown, a row a network.

    Args:
        results: Name to what `by_size` returns, all for the same sides.
    """
    sides = list(next(iter(results.values()))["sizes"])
    lines = [f"| | {' | '.join(f'{side} px' for side in sides)} |", "|---" * (len(sides) + 1) + "|"]
    for name, result in results.items():
        cells = [f"{100 * result['sizes'][side]['accuracy']:.1f} %" for side in sides]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)
