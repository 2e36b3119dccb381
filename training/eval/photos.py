"""Accuracy on a folder of photographs, from photo to answer: what a user sees, detector and crop included."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from fer_demo.predictor import Predictor
from fer_demo.stats import wilson
from fer_demo.vision.sources import one_line
from training.data import DataError
from training.data.classes import Choice
from training.data.tables import csv_rows
from training.eval.metrics import expected_calibration_error

LABELS_FILE = "labels.csv"
"""Columns ``image``, a file in ``images/`` beside it, and ``label``."""

NATURAL_SHARES = {"neutral": 6864, "happy": 5693, "surprise": 367, "sad": 267, "angry": 252, "fear": 21}
"""How often photographs of people show each class: counts in the collection github.com/muxspace/facial_expressions."""


def read_photos(folder: str | Path, choice: Choice | None = None) -> list[tuple[Path, str]]:
    """The photographs of a folder and their classes.

    Args:
        folder: It holds `LABELS_FILE` and ``images/``.
        choice: Which classes the labels mean; by default the seven. Photographs of others are left out.

    Raises:
        DataError: If there is no such file, or it names an unknown class or a picture that is not there.
    """
    file = Path(folder) / LABELS_FILE
    if not file.is_file():
        raise DataError(f"{folder} has no {LABELS_FILE} with the columns image and label.")
    rows = []
    with csv_rows(file) as reader:
        if not {"image", "label"} <= set(reader.fieldnames or ()):
            found = one_line(", ".join(reader.fieldnames or ())) or "none"
            raise DataError(f"{file} needs the columns image and label, but has {found}.")
        for row in reader:
            path = file.parent / "images" / (row["image"] or "")
            if not os.path.isfile(path):  # unlike Path.is_file, it takes whatever stands in a damaged list
                raise DataError(f"{file}, line {reader.line_num}: there is no {one_line(str(path), 300)}.")
            rows.append((path, row["label"] or "", f"{file}, line {reader.line_num}"))
    labelling = (choice or Choice()).settle((name for _, name, _ in rows), file)
    found = [(path, labelling.id(name, where)) for path, name, where in rows]
    photos = [(path, labelling.names[i]) for path, i in found if i is not None]
    if not photos:
        raise DataError(f"{file} lists no photographs.")
    return photos


def photo_metrics(predictor: Predictor, photos: list[tuple[Path, str]], progress: str = "") -> dict[str, Any]:
    """Reads each photograph's largest face; one without a face counts as wrong.

    Args:
        predictor: What answers.
        photos: From `read_photos`.
        progress: Title of a progress bar; none if empty.

    Returns:
        ``n``, ``correct``, ``accuracy``, ``interval`` (95 %, Wilson), ``macro_recall``, ``natural_mix`` (recall of each
        class weighted by `NATURAL_SHARES`, of those that occur), ``no_face``, ``recall`` (class name to value) and
        ``ece`` (of the faces found, 15 bins). Fractions in [0, 1].
    """
    seen, right, rows, missed = Counter(), Counter(), [], 0
    classes: list[str] = []
    for path, label in tqdm(photos, desc=progress, disable=not progress, leave=False):
        faces = predictor.predict(path)
        seen[label] += 1
        missed += not faces
        if faces:
            right[label] += faces[0].label == label
            classes = list(faces[0].probabilities)
            rows.append((list(faces[0].probabilities.values()), classes.index(label)))
    recall = {name: right[name] / seen[name] for name in classes or seen if seen[name]}
    shares = {name: NATURAL_SHARES.get(name, 0) for name in recall}
    correct = sum(right.values())
    probabilities = torch.tensor([row[0] for row in rows]).reshape(len(rows), -1)
    return {
        "n": len(photos),
        "correct": correct,
        "accuracy": correct / len(photos),
        "interval": [round(end, 6) for end in wilson(correct / len(photos), len(photos))],
        "macro_recall": round(sum(recall.values()) / len(recall), 5),
        "natural_mix": round(sum(recall[n] * s for n, s in shares.items()) / max(1, sum(shares.values())), 5),
        "no_face": missed,
        "recall": {name: round(value, 5) for name, value in recall.items()},
        "ece": expected_calibration_error(probabilities.log(), torch.tensor([row[1] for row in rows])) if rows else 0.0,
    }


def table(figures: dict[str, dict[str, Any]]) -> str:
    """Markdown, a row a model.

    Args:
        figures: Name to what `photo_metrics` gave.
    """
    lines = [
        "| model | photographs | accuracy | macro recall | natural mix | ECE | no face | recall |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, m in figures.items():
        low, high = m["interval"]
        recall = ", ".join(f"{label} {value:.0%}" for label, value in m["recall"].items())
        cells = [f"`{name}`", str(m["n"]), f"{m['accuracy']:.1%} ({low:.1%}–{high:.1%})", f"{m['macro_recall']:.1%}"]
        cells += [f"{m['natural_mix']:.1%}", f"{m['ece']:.3f}", str(m["no_face"]), recall]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
