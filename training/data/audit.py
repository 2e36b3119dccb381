"""What a data set holds besides pictures: copies, contradictions, blanks."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from training.data.faces import SPLITS, Faces
from training.data.ferplus import OUR_ORDER


def digests(images: torch.Tensor) -> list[bytes]:
    """A hash of each picture's pixels: equal for pixel-identical pictures, and for practical purposes only for them."""
    return [hashlib.blake2b(image.numpy().tobytes(), digest_size=16).digest() for image in images]


def duplicates_of_training(faces: Faces, splits: Sequence[str]) -> dict[str, torch.Tensor]:
    """Which pictures of other splits also occur, pixel for pixel, in Training.

    Returns:
        For each split a bool tensor (N,) in the order of ``faces.split(split)``.
    """
    seen = set(digests(faces.split("Training").images))
    return {s: torch.tensor([d in seen for d in digests(faces.split(s).images)]) for s in splits}


def class_counts(faces: Faces) -> dict[str, int]:
    """How many pictures each class has."""
    return dict(zip(faces.classes, np.bincount(faces.labels, minlength=len(faces.classes)).tolist(), strict=True))


def audit(faces: Faces) -> dict[str, Any]:
    """Counts what can spoil a figure.

    Returns:
        ``pictures`` and ``distinct``; ``splits``: name to class counts; ``repeated``: pictures that are a further copy
        of one of the same split, by split; ``also_in_training``: pictures of the other splits that occur in Training;
        ``conflicting_groups`` and ``conflicting_pictures``: identical pictures with different labels; ``blank``:
        pictures of a single grey level; ``votes_agree``: share of pictures whose FER+ majority is the label, in all
        and by class, where there are votes.
    """
    marks = digests(faces.images)
    labels = defaultdict(set)
    for mark, label in zip(marks, faces.labels.tolist(), strict=True):
        labels[mark].add(label)
    conflicting = {mark for mark, found in labels.items() if len(found) > 1}
    present = [s for s in SPLITS if (faces.splits == s).any()]
    by_split = {s: [m for m, name in zip(marks, faces.splits, strict=True) if name == s] for s in present}
    training = set(by_split.get("Training", ()))
    flat = faces.images.flatten(1)
    result: dict[str, Any] = {
        "pictures": len(faces),
        "distinct": len(labels),
        "splits": {s: class_counts(faces.split(s)) for s in present},
        "repeated": {s: len(by_split[s]) - len(set(by_split[s])) for s in present},
        "also_in_training": {s: sum(m in training for m in by_split[s]) for s in present if s != "Training"},
        "conflicting_groups": len(conflicting),
        "conflicting_pictures": sum(m in conflicting for m in marks),
        "blank": int((flat.amin(1) == flat.amax(1)).sum()),
    }
    if faces.votes is not None:
        # Over all ten columns: a picture that most took for contempt, or for no face, does not agree.
        majority = faces.votes.argmax(1)
        agree = (majority == torch.tensor(OUR_ORDER)[faces.labels]) & (faces.votes.sum(1) > 0)
        result["votes_agree"] = {"all": round(float(agree.float().mean()), 4)} | {
            name: round(float(agree[faces.labels == i].float().mean()), 4) for i, name in enumerate(faces.classes)
        }
    return result


FEW = 10
"""Training pictures of a class, fewer than which teach a network these pictures and not the class."""


def thin_classes(faces: Faces) -> list[str]:
    """One sentence for each class that a split has no pictures of, or Training fewer than `FEW`."""
    said = []
    for split in SPLITS:
        if not (mask := faces.splits == split).any():
            continue
        for name, count in class_counts(faces.take(mask)).items():
            if not count and split == "Training":
                said.append(f"Training holds no picture of {name}: the network will never answer it.")
            elif not count:
                said.append(f"{split} holds no picture of {name}: its figures say nothing about this class.")
            elif count < FEW and split == "Training":
                many = f"{count} pictures" if count > 1 else "1 picture"
                said.append(f"Training holds only {many} of {name}, fewer than {FEW}: add some, or expect few answers.")
    return said


def without_duplicates(faces: Faces) -> Faces:
    """Training cleaned of copies: the test splits stay as they are.

    Left out of Training: pictures that also occur in PublicTest or PrivateTest; further copies of a picture; and all
    copies of a picture whose copies carry different labels.
    """
    marks = digests(faces.images)
    training = faces.splits == "Training"
    elsewhere = {m for m, t in zip(marks, training, strict=True) if not t}
    labels = defaultdict(set)
    for mark, label, is_training in zip(marks, faces.labels.tolist(), training, strict=True):
        if is_training:
            labels[mark].add(label)
    keep, seen = [], set()
    for mark, is_training in zip(marks, training, strict=True):
        wanted = not is_training or (mark not in elsewhere and mark not in seen and len(labels[mark]) == 1)
        keep.append(wanted)
        if is_training:
            seen.add(mark)
    return faces.take(np.array(keep))


def report(result: dict[str, Any]) -> str:
    """The audit as text, a line a fact."""
    lines = [f"{result['pictures']:,} pictures, {result['distinct']:,} of them distinct"]
    for split, counts in result["splits"].items():
        lines.append(f"{split}: {sum(counts.values()):,} ({', '.join(f'{n} {c:,}' for n, c in counts.items())})")
    lines += [f"{n:,} {s} pictures repeat another of the same split" for s, n in result["repeated"].items()]
    lines += [f"{n:,} {s} pictures also occur in Training" for s, n in result["also_in_training"].items()]
    lines.append(
        f"{result['conflicting_groups']:,} groups of identical pictures ({result['conflicting_pictures']:,} pictures) "
        "carry conflicting labels"
    )
    lines.append(f"{result['blank']:,} pictures are blank, of a single grey level")
    if "votes_agree" in result:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in result["votes_agree"].items())
        lines.append(f"FER+ majority agrees with the label: {shares}")
    return "\n".join(lines)
