"""Facial expression recognition with the SE-Dense network of Lee, Yoon, Ko and Jo (KIISE 2019).

Importing the package registers its models with timm, so that ``timm.create_model("fer_sedense")`` works; timm itself,
PyTorch and the rest are loaded when they are first used. Nothing is downloaded, and nothing is reported: the import
switches off the telemetry of what it depends on, for what is imported after it (`fer_demo._no_telemetry`).

    import fer_demo
    for face in fer_demo.Predictor().predict("photo.jpg"):
        print(face.box, face.sentence)

``fer_demo.models``, the networks as timm models, needs the extra ``torch``; so do ``prepare`` and
`Predictor.explain` when they are called.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fer_demo._no_telemetry import switch_off
from fer_demo._registration import register_with_timm
from fer_demo.emotions import EMOTIONS, LABELS

if TYPE_CHECKING:  # what `__getattr__` gives, for editors and type checkers
    from fer_demo import models as models
    from fer_demo.annotate import draw_faces
    from fer_demo.checkpoints import bundled_checkpoints
    from fer_demo.prediction import FacePrediction
    from fer_demo.predictor import Predictor
    from fer_demo.results import FaceResults
    from fer_demo.runtime.model_info import ModelError
    from fer_demo.vision.detector import DetectedFace, FaceDetector, FaceDetectorError
    from fer_demo.vision.images import ImageError, open_image
    from fer_demo.vision.preprocess import data_config, prepare

    __version__: str

_LAZY = {
    "DetectedFace": "fer_demo.vision.detector",
    "FaceDetector": "fer_demo.vision.detector",
    "FaceDetectorError": "fer_demo.vision.detector",
    "FacePrediction": "fer_demo.prediction",
    "FaceResults": "fer_demo.results",
    "ImageError": "fer_demo.vision.images",
    "ModelError": "fer_demo.runtime.model_info",
    "Predictor": "fer_demo.predictor",
    "bundled_checkpoints": "fer_demo.checkpoints",
    "data_config": "fer_demo.vision.preprocess",
    "draw_faces": "fer_demo.annotate",
    "open_image": "fer_demo.vision.images",
    "prepare": "fer_demo.vision.preprocess",
}

# Without `models`: a star import takes all of these at once, and must work without timm.
__all__ = [
    "EMOTIONS",
    "LABELS",
    "DetectedFace",
    "FaceDetector",
    "FaceDetectorError",
    "FacePrediction",
    "FaceResults",
    "ImageError",
    "ModelError",
    "Predictor",
    "bundled_checkpoints",
    "data_config",
    "draw_faces",
    "open_image",
    "prepare",
]

switch_off()
register_with_timm()


def __getattr__(name: str) -> Any:
    if name == "models":
        return import_module("fer_demo.models")
    if name == "__version__":
        return import_module("importlib.metadata").version("fer-demo")
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "models"})
