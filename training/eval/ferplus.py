"""FER+'s own figures: accuracy against the majority of its annotators, and distance to their distribution.

Barsoum et al. 2016 (arXiv:1608.01041) train in four ways and test in one: against the majority, eight classes.
"""

from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

import fer_demo  # noqa: F401  (registers the models)
from fer_demo.checkpoints import resolve
from fer_demo.emotions import NUM_CLASSES
from fer_demo.runtime.torch_engine import create_trained
from fer_demo.stats import wilson
from training.data import DataError, Faces
from training.data.ferplus import CLASSES, OUR_ORDER, distribution, majority
from training.eval.tta import predict_logits
from training.run.heads import HEADS_FILE
from training.run.storage import read_back

SPLITS = ("PublicTest", "PrivateTest")


def majority_accuracy(logits: torch.Tensor, votes: torch.Tensor) -> dict[str, Any]:
    """Accuracy against the class that more than half of the votes name; pictures without one are left out.

    Args:
        logits: float (N, 8), columns as `training.data.ferplus.CLASSES`; or (N, 7), our seven classes in their order:
            then pictures of contempt are left out too.
        votes: float (N, 10), counts.

    Returns:
        ``n``, ``correct``, ``accuracy`` and ``interval`` (95 %, Wilson).
    """
    truth = majority(votes)
    if logits.shape[1] == NUM_CLASSES:
        ours = torch.full((votes.shape[1] + 1,), -1)
        ours[list(OUR_ORDER)] = torch.arange(NUM_CLASSES)
        truth = ours[truth]  # -1 is the last entry, which stays -1
    used = truth >= 0
    n, correct = int(used.sum()), int((logits.argmax(1) == truth)[used].sum())
    return {
        "n": n,
        "correct": correct,
        "accuracy": correct / max(n, 1),
        "interval": [round(end, 6) for end in wilson(correct / max(n, 1), max(n, 1))],
    }


def agreement(logits: torch.Tensor, votes: torch.Tensor) -> dict[str, Any]:
    """How well answers fit what FER+'s annotators saw.

    Args:
        logits: As for `majority_accuracy`.
        votes: float (N, 10), counts.

    Returns:
        What `majority_accuracy` gives; ``cross_entropy`` and ``divergence`` (Kullback-Leibler, of the answer from the
        votes), means over the pictures whose votes can be used, in nats.
    """
    truth = distribution(votes)
    if logits.shape[1] == NUM_CLASSES:
        truth = truth[:, list(OUR_ORDER)]
    total = truth.sum(1, keepdim=True)
    used = total[:, 0] > 0
    truth = (truth / total.clamp(min=1e-9))[used]
    cross_entropy = F.cross_entropy(logits[used], truth)
    entropy = -torch.special.xlogy(truth, truth).sum(1).mean()
    return majority_accuracy(logits, votes) | {
        "cross_entropy": round(float(cross_entropy), 4),
        "divergence": round(float(cross_entropy - entropy), 4),
    }


def checkpoint_figures(name: str, faces: Faces, progress: bool = False) -> dict[str, Any]:
    """What FER+ says of a checkpoint.

    Args:
        name: A bundled checkpoint's, or its folder.
        faces: FER2013 with votes.
        progress: Show progress bars.

    Returns:
        ``seven``: split to `agreement`. For a checkpoint that kept its heads ``eight``: the same of the votes' head.

    Raises:
        DataError: If the data hold no votes.
    """
    if faces.votes is None:
        raise DataError("The data hold no annotators' votes; put FER+'s fer2013new.csv beside fer2013.csv.")
    checkpoint = resolve(name)
    model = create_trained(checkpoint.name if checkpoint.bundled else f"local-dir:{name}").eval()
    heads = checkpoint.path(HEADS_FILE)
    if heads:
        with read_back(heads, "take another copy of it, or delete it"):
            _append_votes_head(model, load_file(heads))
    figures: dict[str, Any] = {"seven": {}} | ({"eight": {}} if heads else {})
    for split in SPLITS:
        part = faces.split(split)
        logits = predict_logits(model, part.images, progress=f"{name}, {split}" if progress else "")
        for kind, answers in zip(figures, logits.split((NUM_CLASSES, len(CLASSES))[: len(figures)], 1), strict=True):
            figures[kind][split] = agreement(answers, part.votes)
    return figures


def _append_votes_head(model: torch.nn.Module, heads: dict[str, torch.Tensor]) -> None:
    """Lets a network of seven outputs answer for the votes' eight classes behind them."""
    seven = model.get_classifier()
    both = torch.nn.Linear(seven.in_features, NUM_CLASSES + len(CLASSES))
    with torch.no_grad():
        both.weight.copy_(torch.cat([seven.weight, heads["weight"][NUM_CLASSES:]]))
        both.bias.copy_(torch.cat([seven.bias, heads["bias"][NUM_CLASSES:]]))
    model.classifier = both


def table(figures: dict[str, dict[str, Any]]) -> str:
    """Markdown, a row a checkpoint and number of classes.

    Args:
        figures: Name to what `checkpoint_figures` gave.
    """
    lines = [
        "| checkpoint | classes | PublicTest, majority | PrivateTest, majority | PrivateTest, divergence |",
        "|---|---|---|---|---|",
    ]
    for name, kinds in figures.items():
        for kind, splits in kinds.items():
            cells = [f"`{name}`", kind]
            for split in SPLITS:
                low, high = splits[split]["interval"]
                cells.append(f"{splits[split]['accuracy']:.2%} ({low:.1%}–{high:.1%}) of {splits[split]['n']}")
            lines.append(f"| {' | '.join([*cells, format(splits['PrivateTest']['divergence'], '.3f')])} |")
    return "\n".join(lines)
