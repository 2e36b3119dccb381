"""Facial expression recognition with the SE-Dense network of Lee, Yoon, Ko and Jo (KIISE 2019).

Importing the package registers its models with timm, so that ``timm.create_model("fer_sedense")`` works; timm itself,
PyTorch and the rest are loaded when they are first used. Nothing is downloaded.

    import fer_demo
    for face in fer_demo.Predictor().predict("photo.jpg"):
        print(face.box, face.sentence)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fer_demo._registration import register_with_timm
from fer_demo.emotions import EMOTIONS, LABELS

if TYPE_CHECKING:  # what `__getattr__` gives, for editors and type checkers
    from fer_demo import models as models
    from fer_demo.checkpoints import bundled_checkpoints
    from fer_demo.predictor import FacePrediction, Predictor
    from fer_demo.runtime.model_info import ModelError
    from fer_demo.vision.detector import DetectedFace, FaceDetector, FaceDetectorError
    from fer_demo.vision.images import ImageError, open_image

__version__ = "0.1.0"

_LAZY = {
    "DetectedFace": "fer_demo.vision.detector",
    "FaceDetector": "fer_demo.vision.detector",
    "FaceDetectorError": "fer_demo.vision.detector",
    "FacePrediction": "fer_demo.predictor",
    "ImageError": "fer_demo.vision.images",
    "ModelError": "fer_demo.runtime.model_info",
    "Predictor": "fer_demo.predictor",
    "bundled_checkpoints": "fer_demo.checkpoints",
    "open_image": "fer_demo.vision.images",
}

# Without "models", which takes PyTorch: `from fer_demo import *` is to work in the base install too.
__all__ = [
    "EMOTIONS",
    "LABELS",
    "DetectedFace",
    "FaceDetector",
    "FaceDetectorError",
    "FacePrediction",
    "ImageError",
    "ModelError",
    "Predictor",
    "bundled_checkpoints",
    "open_image",
]

register_with_timm()


def __getattr__(name: str) -> Any:
    if name == "models":
        return import_module("fer_demo.models")
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "models"})
