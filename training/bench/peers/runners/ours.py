"""Runs a bundled checkpoint of this project: ``ours.py FACES CHECKPOINT ENGINE``, with "torch" or "onnx"."""

import importlib
import json
import sys

import timing

import fer_demo
from fer_demo.checkpoints import ONNX_FILE, WEIGHTS_FILE, checkpoint_dir, checkpoint_metrics
from fer_demo.predictor import Predictor

PACKAGES = {"torch": ("PyTorch", "torch", WEIGHTS_FILE), "onnx": ("ONNX Runtime", "onnxruntime", ONNX_FILE)}


def main() -> None:
    """Prints what `timing.measure` finds, with the checkpoint's facts."""
    faces, checkpoint = timing.arguments()
    engine = sys.argv[3]
    title, package, file = PACKAGES[engine]
    predictor = Predictor(checkpoint, engine=engine, threads=1)
    found = timing.measure(predictor.classify, timing.read_faces(faces), [1, 8, 32, 64])
    facts = {
        "version": fer_demo.__version__,
        "licence": "research and education",
        "runtime": f"{title} {importlib.import_module(package).__version__}",
        "parameters": checkpoint_metrics(checkpoint).get("parameters"),
        "weight_bytes": (checkpoint_dir(checkpoint) / file).stat().st_size,
        "labels": list(predictor.labels),
    }
    print(json.dumps(facts | found))


if __name__ == "__main__":
    main()
