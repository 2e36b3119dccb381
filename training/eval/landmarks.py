"""How far the landmarks that the detector finds lie from those that were marked by hand."""

import csv
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.data.faces import DataError, Faces

MARKS = Path(__file__).parent.parent / "data" / "marked_landmarks.csv"
"""100 pictures of FER2013's PublicTest, drawn at random: the start of each one's SHA-256 digest, and its landmarks in
pixels, empty where hair, hands, darkness or a turned head hide one. Marked on pictures enlarged eight times, to half a
pixel, by one person who did not see what the detector finds."""

NAMES = ("right eye", "left eye", "nose tip", "right mouth corner", "left mouth corner")
DIGEST = 16


def marked_faces(faces: Faces, file: Path = MARKS) -> tuple[Faces, torch.Tensor]:
    """The pictures that were marked.

    Args:
        faces: Any that hold them, (N, 1, 48, 48).
        file: As `MARKS`.

    Returns:
        Those pictures, and their landmarks, float (n, 5, 2) in pixels, NaN where one is hidden.

    Raises:
        DataError: If the faces hold none of them.
    """
    with file.open(encoding="utf-8", newline="") as f:
        marks = {name: [float(v) if v else np.nan for v in values] for name, *values in list(csv.reader(f))[1:]}
    rows: dict[str, int] = {}
    for row, picture in enumerate(faces.images.numpy()):
        digest = hashlib.sha256(picture.tobytes()).hexdigest()[:DIGEST]
        if digest in marks:
            rows.setdefault(digest, row)  # a picture that occurs twice is one
    if not rows:
        raise DataError("None of the pictures was marked by hand: give FER2013 with its PublicTest, as it circulates.")
    points = torch.tensor([marks[digest] for digest in rows], dtype=torch.float32)
    return faces.take(np.array(list(rows.values()))), points.reshape(-1, len(NAMES), 2)


def landmark_errors(faces: Faces, marked: torch.Tensor) -> dict[str, Any]:
    """Distances between found and marked landmarks.

    Args:
        faces: Faces with what was found (`training.data.landmarks.with_landmarks`).
        marked: float (N, 5, 2), NaN for a landmark that is hidden.

    Returns:
        ``faces`` and ``found``, and under ``landmarks`` for each of `NAMES`: ``n``, how many were found and marked, in
        faces both of whose eyes were marked, and ``median``, ``mean`` and ``worst_tenth`` (90th percentile) of their
        distance, as shares of the distance between that face's marked eyes.

    Raises:
        DataError: If the faces have no landmarks.
    """
    found = faces.landmarks
    if found is None:
        raise DataError("There are no landmarks to be measured: find them first, see with_landmarks.")
    eyes = torch.linalg.vector_norm(marked[:, 1] - marked[:, 0], dim=1, keepdim=True)
    shares = (torch.linalg.vector_norm(found - marked, dim=2) / eyes).numpy()
    figures = {}
    for name, share in zip(NAMES, shares.T, strict=True):
        known = share[np.isfinite(share)]
        figures[name] = {
            "n": len(known),
            "median": float(np.median(known)) if len(known) else None,
            "mean": float(np.mean(known)) if len(known) else None,
            "worst_tenth": float(np.percentile(known, 90)) if len(known) else None,
        }
    return {"faces": len(found), "found": int(torch.isfinite(found).all(2).all(1).sum()), "landmarks": figures}


def table(figures: dict[str, Any]) -> str:
    """What `landmark_errors` returns as a Markdown table."""
    lines = [
        f"{figures['found']} of {figures['faces']} marked faces were found. Distances, as shares of that of the eyes:",
        "",
        "| landmark | n | median | mean | worst tenth above |",
        "|---|---|---|---|---|",
    ]
    for name, row in figures["landmarks"].items():
        shares = (f"{row[k]:.1%}" if row[k] is not None else "–" for k in ("median", "mean", "worst_tenth"))
        lines.append(f"| {name} | {row['n']} | {' | '.join(shares)} |")
    return "\n".join(lines)
