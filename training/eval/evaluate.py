"""Evaluation of a model on PublicTest and PrivateTest, with and without duplicates and test-time augmentation."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from fer_demo.models.regions import known_faces
from fer_demo.runtime.engines import OnnxEngine
from fer_demo.vision.preprocess import data_config
from training.data import Faces
from training.data.audit import duplicates_of_training
from training.eval.conformal import fit_set_threshold, selective_accuracy, set_figures
from training.eval.ferplus import agreement
from training.eval.metrics import classification_metrics, expected_calibration_error_of_draws, fit_temperature
from training.eval.tta import NO_TTA, predict_logits

TEST_SPLITS = ("PublicTest", "PrivateTest")


# In full float32 on a GPU too: its figures are compared with those that a CPU computes.
@torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
def evaluate(
    model: torch.nn.Module | OnnxEngine,
    faces: Faces,
    *,
    tta: Sequence[str] = (),
    progress: bool = False,
    looked: Callable[[int], object] | None = None,
    votes_share: float = 0.0,
    mirror: bool = False,
) -> dict[str, Any]:
    """Evaluates on PublicTest and, where there is one, PrivateTest, against the labels and any votes of FER+.

    Temperature and threshold of the conformal sets are fitted on PublicTest, for the view with which the network
    answers, and applied to PrivateTest as they are.

    Args:
        model: A timm model, which is put into evaluation mode, or an exported file.
        faces: Data with Training and PublicTest, of the classes that the network answers for.
        tta: Some of `training.eval.tta.TTA`, to be evaluated besides.
        progress: Show progress bars.
        looked: Told how many pictures the network has looked at since it was told last, for a bar of the caller's own.
        votes_share: For a network that answers for labels and votes: how much the votes count. Its confidence is to
            be right about a draw from the label and the annotators, in that proportion.
        mirror: The network answers with the mean of a picture and its mirror image; that view is then evaluated in any
            case.

    Returns:
        ``parameters`` (for a timm model), ``size`` (height, width), ``temperature``, ``set_threshold``, ``sets`` (split
        to the figures of `training.eval.conformal.set_figures`, and ``accuracy_at_80``), for each of the two splits the
        figures of `classification_metrics` with a further entry ``without_duplicates`` (the same figures without the
        pictures that also occur in Training), ``votes`` (see `training.eval.ferplus.agreement`) and, with a
        `votes_share`, ``ece_of_draws``; and ``tta``: kind to split to figures for the test-time augmentation
        asked for. For data with landmarks and a network that takes them also ``landmarks``: split to the figures when
        it is given them, and ``found``, the share of faces that have any.

    Raises:
        ValueError: If the network answers for other classes than those of the data.
    """
    result: dict[str, Any] = {}
    test_splits = [s for s in TEST_SPLITS if s == "PublicTest" or (faces.splits == s).any()]
    labels = model_labels(model)
    if labels and labels != faces.classes:
        raise ValueError(
            f"The network answers for {', '.join(labels)}, but the data have {', '.join(faces.classes)}: read the data "
            "with --classes of the network's own, or name another network."
        )
    if isinstance(model, OnnxEngine):
        result["size"] = list(model.info.size)
    else:
        model = model.eval().to(memory_format=torch.channels_last)  # faster for depthwise convolutions
        result["parameters"] = sum(p.numel() for p in model.parameters())
        result["size"] = list(data_config(model)["size"])
    copies = duplicates_of_training(faces, test_splits)
    parts = {split: (faces.split(split), ~copies[split]) for split in test_splits}
    used = "flip" if mirror else NO_TTA
    answers = {}
    for kind in dict.fromkeys((NO_TTA, used, *tta)):
        for split, (part, _) in parts.items():
            title = split if kind == NO_TTA else f"{split}, {kind}"
            bar = title if progress else ""
            answers[kind, split] = predict_logits(model, part.images, tta=kind, progress=bar, looked=looked)
            if answers[kind, split].shape[1] != len(faces.classes):
                raise ValueError(
                    f"The network has {answers[kind, split].shape[1]} outputs instead of {len(faces.classes)}; a run "
                    "with two heads becomes a network with one by `python -m training export RUN --votes-share S`."
                )
    kind_of_truth = "mixture" if votes_share else "labels"
    truths = {split: part.targets(kind_of_truth, votes_share) for split, (part, _) in parts.items()}
    result["temperature"] = fit_temperature(answers[used, "PublicTest"], truths["PublicTest"])
    calibrated = {s: (answers[used, s].double() / result["temperature"]).softmax(1).numpy() for s in test_splits}
    result["set_threshold"] = fit_set_threshold(calibrated["PublicTest"], truths["PublicTest"])
    result["sets"] = {
        split: {
            **set_figures(probabilities, truths[split], result["set_threshold"]),
            "accuracy_at_80": selective_accuracy(probabilities, truths[split], 0.8),
        }
        for split, probabilities in calibrated.items()
    }
    for (kind, split), logits in answers.items():
        part, unique = parts[split]
        figures = classification_metrics(logits, part.labels, result["temperature"], part.classes)
        figures["without_duplicates"] = classification_metrics(
            logits[unique], part.labels[unique], result["temperature"], part.classes
        )
        if part.votes is not None:
            figures["votes"] = agreement(logits, part.votes)
        if votes_share:
            scaled = logits / result["temperature"]
            figures["ece_of_draws"] = expected_calibration_error_of_draws(scaled, truths[split])
        place = result if kind == NO_TTA else result.setdefault("tta", {}).setdefault(kind, {})
        place[split] = figures
    if faces.landmarks is not None and getattr(model, "takes_landmarks", False):
        result["landmarks"] = {
            split: _with_landmarks(model, part, result["temperature"]) for split, (part, _) in parts.items()
        }
    return result


def model_labels(model: torch.nn.Module | OnnxEngine) -> tuple[str, ...]:
    """The classes that a network says it answers for; empty if it does not say."""
    if isinstance(model, OnnxEngine):
        return model.info.labels
    return tuple(map(str, (getattr(model, "pretrained_cfg", None) or {}).get("label_names") or ()))


def _with_landmarks(model: torch.nn.Module, part: Faces, temperature: float) -> dict[str, Any]:
    logits = predict_logits(model, part.images, landmarks=part.landmarks)
    found = float(known_faces(part.landmarks).float().mean())
    return {**classification_metrics(logits, part.labels, temperature, part.classes), "found": round(found, 6)}


def view_and_truth(training: dict[str, Any]) -> dict[str, Any]:
    """What `evaluate` must know of a checkpoint with an operating point.

    Args:
        training: As ``metrics.json`` has it.

    Returns:
        Its keyword arguments; empty for checkpoints without.
    """
    point = training.get("operating_point", {})
    return {key: point[key] for key in ("votes_share", "mirror") if key in point}
