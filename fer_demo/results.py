"""The answer for one picture as JSON and as CSV: the same from every door."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_demo.emotions import LABELS


def result_dict(file: str | None, image: np.ndarray, faces: Sequence[Any]) -> dict[str, Any]:
    """One picture's answer.

    Args:
        file: The picture's path or name; None when it has none.
        image: uint8 RGB [H, W, 3].
        faces: `FacePrediction` objects.

    Returns:
        ``{"file", "width", "height", "faces": [...]}``, ready for ``json.dumps``.
    """
    height, width = image.shape[:2]
    return {"file": file, "width": width, "height": height, "faces": [face.to_dict() for face in faces]}


def result_json(file: str | None, image: np.ndarray, faces: Sequence[Any]) -> str:
    """`result_dict` as indented JSON text with a final newline."""
    return json.dumps(result_dict(file, image, faces), indent=2, ensure_ascii=False) + "\n"


CSV_COLUMNS = ("file", "face", "x", "y", "width", "height", "score", "label", "confidence", "unsure", *LABELS)
"""What `result_rows` holds: box in pixels, the detector's score, confidence and all probabilities from 0 to 1, and
whether the answer is too close to call ("yes" or "no")."""


def result_rows(file: str | None, faces: Sequence[Any]) -> list[dict[str, Any]]:
    """One row for each face, numbered from 1, with the keys of `CSV_COLUMNS`.

    Args:
        file: The picture's path or name; None leaves the column empty.
        faces: `FacePrediction` objects.
    """
    rows = []
    for number, face in enumerate(faces, 1):
        box = (round(float(v), 1) for v in face.box)
        probabilities = (f"{face.probabilities[label]:.4f}" for label in LABELS)
        score = "" if face.score is None else f"{face.score:.4f}"
        unsure = "yes" if face.unsure else "no"
        values = (file or "", number, *box, score, face.label, f"{face.confidence:.4f}", unsure, *probabilities)
        rows.append(dict(zip(CSV_COLUMNS, values, strict=True)))
    return rows


def result_csv(file: str | None, faces: Sequence[Any]) -> str:
    """`result_rows` as CSV text with a header row; only the header when there are no faces."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(result_rows(file, faces))
    return text.getvalue()
