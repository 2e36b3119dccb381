"""How well faces are still read when their pictures have suffered: the twelve damages, and the ladders of each kind."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchmetrics.functional.classification import multiclass_f1_score

from fer_demo.classifier import FaceClassifier
from fer_demo.stats import wilson
from fer_demo.vision.damages import KINDS, TWELVE, Damage, damage_each
from training.bench.peers.measure import SIDE, run_peer
from training.bench.peers.registry import Peer
from training.bench.peers.results import PeerError, to_classes
from training.data import DataError, Faces
from training.eval.metrics import expected_calibration_error_of_draws

LADDERS: tuple[Damage, ...] = tuple(Damage(kind, s) for kind, k in KINDS.items() for s in k.ladder if s != k.none)
"""Every kind at every strength of its ladder; the twelve are among them."""


def sample(faces: Faces, count: int, seed: int = 0) -> Faces:
    """Some faces, drawn at random.

    Args:
        faces: One split.
        count: How many; 0 or more than there are is all of them.
        seed: Of the draw.

    Raises:
        ValueError: If `count` or `seed` is negative.
    """
    if count < 0:
        raise ValueError(f"The number of faces must be 0 (for all) or more; got {count}.")
    if seed < 0:
        raise ValueError(f"The seed must be 0 or more; got {seed}.")
    order = torch.randperm(len(faces), generator=torch.Generator().manual_seed(seed))
    return faces.take(order[: count or None])


def robustness(
    classifier: FaceClassifier,
    faces: Faces,
    *,
    seed: int = 0,
    ladders: bool = False,
    votes_share: float = 0.0,
    progress: Callable[[str], None] = lambda message: None,
) -> dict[str, Any]:
    """Measures one network on undamaged and damaged faces.

    Args:
        classifier: Reads the crops, with its temperature.
        faces: Labelled faces, single pictures.
        seed: Of the noise.
        ladders: Measure all strengths of each kind, not the twelve alone.
        votes_share: For a network that answers for labels and votes: its confidence is to be right about a draw from
            both, in that proportion.
        progress: Called with the words of each damage before it is measured.

    Returns:
        ``n``, ``seed``, ``temperature``, ``clean`` and ``twelve``, a list as `TWELVE`: each measurement has
        ``accuracy`` (against the labels), ``macro_f1``, ``ece`` (15 bins, after the temperature, of the crops that can
        be read), ``unsure``, the share of answers that are worded as unsure, and ``unreadable``, the share of crops
        that are said to be so, all in [0, 1]; those of the twelve also ``kind`` and ``strength``. What `summary` gives;
        and with `ladders` ``ladders``: kind to measurements from the strength on at which nothing happens.

    Raises:
        DataError: If the pictures are not single grey ones.
    """
    crops, truth = _crops(faces), faces.targets("mixture" if votes_share else "labels", votes_share)
    clean = _measure(classifier, crops, faces.labels, truth, faces.classes)
    found: dict[Damage, dict[str, Any]] = {}
    for what in LADDERS if ladders else TWELVE:
        progress(what.words)
        measured = _measure(classifier, damage_each(crops, what, seed=seed), faces.labels, truth, faces.classes)
        found[what] = {**what._asdict(), **measured}
    result = {"n": len(faces), "seed": seed, "temperature": classifier.temperature, "clean": clean}
    result |= {"twelve": [found[what] for what in TWELVE]}
    result |= summary(result["twelve"], len(faces))
    if ladders:
        result["ladders"] = {
            kind: [found.get(Damage(kind, s), {"kind": kind, "strength": s, **clean}) for s in known.ladder]
            for kind, known in KINDS.items()
        }
    return result


def _crops(faces: Faces) -> list[np.ndarray]:
    if faces.images.shape[1] != 1:
        raise DataError(f"Faces must be single pictures, but these have {faces.images.shape[1]} twins each.")
    return list(faces.images[:, 0].numpy())


def _measure(
    classifier: FaceClassifier,
    crops: list[np.ndarray],
    labels: torch.Tensor,
    truth: torch.Tensor,
    classes: Sequence[str],
) -> dict[str, float]:
    answers = classifier.read(crops)  # a face's own word on whether it can be read, and is sure
    known = torch.tensor([[face.probabilities[name] for name in classes] for face in answers])
    read = torch.tensor([face.readable for face in answers])
    logits = known[read].clamp(min=1e-12).log()
    return _right(known.argmax(1), labels, len(classes)) | {
        "ece": expected_calibration_error_of_draws(logits, truth[read]) if read.any() else 0.0,
        "unsure": round(sum(face.unsure for face in answers) / len(answers), 4),
        "unreadable": round(float((~read).double().mean()), 4),
    }


def _right(predicted: torch.Tensor, labels: torch.Tensor, classes: int) -> dict[str, float]:
    return {
        "accuracy": round(float((predicted == labels).double().mean()), 6),
        "macro_f1": round(float(multiclass_f1_score(predicted, labels, classes, average="macro")), 4),
    }


def summary(measured: Sequence[Mapping[str, Any]], n: int) -> dict[str, Any]:
    """What the twelve come to.

    Args:
        measured: As ``twelve`` of `robustness`.
        n: Faces.

    Returns:
        ``mean``: ``accuracy``, its 95 % Wilson ``interval`` and, where it is known, ``ece`` and ``unsure``; and
        ``worst``: the measurement of the lowest accuracy. The interval counts each face once, though it was read
        twelve times: the readings of a face are not independent.
    """
    mean: dict[str, Any] = {
        key: round(float(np.mean([m[key] for m in measured])), 6)
        for key in ("accuracy", "ece", "unsure", "unreadable")
        if key in measured[0]
    }
    mean["interval"] = [round(end, 6) for end in wilson(mean["accuracy"], n)]
    return {"mean": mean, "worst": dict(min(measured, key=lambda m: m["accuracy"]))}


def peer_robustness(
    peer: Peer, faces: Faces, cache: Path, *, seed: int = 0, progress: Callable[[str], None] = lambda message: None
) -> dict[str, Any]:
    """`robustness` of another package, on the very same pictures; its runner gives classes and no probabilities.

    Args:
        peer: The package; it is installed if it is not.
        faces: As for `robustness`, of 48 pixels.
        cache: Where packages are kept.
        seed: As for `robustness`.
        progress: Called with a sentence for each step.

    Returns:
        As `robustness`, without ``temperature``, ``ece``, ``unsure`` and ladders; and ``version``.

    Raises:
        DataError: If the faces are of another size.
        PeerError: If the package cannot be run.
    """
    crops = _crops(faces)
    if crops[0].shape != (SIDE, SIDE):
        raise DataError(f"Other packages are given faces of {SIDE} x {SIDE} pixels; these are {crops[0].shape}.")
    pictures = np.stack([*crops, *(c for what in TWELVE for c in damage_each(crops, what, seed=seed))])
    with tempfile.TemporaryDirectory(prefix="fer_demo_robustness_") as folder:
        file = Path(folder) / "faces.raw"
        file.write_bytes(pictures.tobytes())
        found = run_peer(peer, file, cache, progress)
    try:
        predicted = to_classes(found["predicted"], found["labels"]).reshape(1 + len(TWELVE), len(crops))
        version = str(found["version"])
    except (KeyError, TypeError, ValueError) as error:
        raise PeerError(f"{peer.name} gave an answer that cannot be used: {error}.") from error
    clean, *rest = (_right(torch.from_numpy(row), faces.labels, len(faces.classes)) for row in predicted)
    twelve = [{**what._asdict(), **measured} for what, measured in zip(TWELVE, rest, strict=True)]
    result = {"n": len(faces), "seed": seed, "version": version, "clean": clean, "twelve": twelve}
    return result | summary(twelve, len(faces))
