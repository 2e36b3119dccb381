"""Photo in, one answer for each face out."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torch.nn as nn

import fer_demo.models  # noqa: F401  (registers the models with timm)
from fer_demo.emotions import LABELS
from fer_demo.faces import DetectedFace, FaceDetector, align_face, square_crop, whole_picture
from fer_demo.images import ImageSource, open_image
from fer_demo.preprocess import data_config, prepare
from fer_demo.weights import bundled_checkpoints, checkpoint_metrics
from fer_demo.wording import describe

__all__ = ["FacePrediction", "ModelError", "Predictor"]

BATCH_SIZE = 64

Box = Sequence[float]
"""x, y, width, height in pixels of the picture."""


class ModelError(ValueError):
    """A model cannot be used; the message is one sentence that a user can act on."""


@dataclass(frozen=True, eq=False)
class FacePrediction:
    """The answer for one face.

    Attributes:
        box: x, y, width, height in pixels of the picture; may reach over its border.
        landmarks: float32 (5, 2) as `DetectedFace.landmarks`; None for a box that was given and for a whole picture.
        score: The detector's confidence, 0 to 1; None likewise.
        probabilities: Class name to probability in [0, 1], in the order of the model's outputs; they add up to 1.
        crop: uint8 grey (height, width): the picture that the network saw.
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray | None
    score: float | None
    probabilities: dict[str, float]
    crop: np.ndarray = field(repr=False)

    @property
    def label(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def confidence(self) -> float:
        """The probability of `label`."""
        return self.probabilities[self.label]

    @property
    def sentence(self) -> str:
        """The answer in words, e.g. ``"looks happy (82 %)"``; see `fer_demo.wording.describe`."""
        return describe(self.probabilities)

    def to_dict(self) -> dict[str, Any]:
        """The answer without pixels, ready for ``json.dumps``; coordinates rounded to a tenth of a pixel."""
        return {
            "box": {k: round(float(v), 1) for k, v in zip(("x", "y", "width", "height"), self.box, strict=True)},
            "landmarks": None if self.landmarks is None else [[round(float(v), 1) for v in p] for p in self.landmarks],
            "score": None if self.score is None else round(self.score, 4),
            "label": self.label,
            "confidence": round(self.confidence, 4),
            "probabilities": {k: round(v, 4) for k, v in self.probabilities.items()},
        }


class Predictor:
    """Finds faces and reads their expressions. Several threads may use one predictor at the same time.

    Args:
        model: A bundled checkpoint's name, ``<architecture>.<tag>``; or the folder of a timm ``local-dir`` checkpoint;
            or a timm model, which is put into evaluation mode and moved to `device`. None is the bundled checkpoint
            of the highest validation accuracy (FER2013 PublicTest).
        detector: None is a `FaceDetector` with its defaults, made when it is first needed.
        device: Where the network runs, as ``torch.device`` takes it.
        temperature: The logits are divided by it before the softmax; None is the checkpoint's own, from its
            ``metrics.json``, or 1.

    Raises:
        ModelError: If there is no such checkpoint, it cannot be loaded, it is no classifier of grey square pictures
            into the seven classes, or the device is not there.
    """

    def __init__(
        self,
        model: str | Path | nn.Module | None = None,
        *,
        detector: FaceDetector | None = None,
        device: str | torch.device = "cpu",
        temperature: float | None = None,
    ) -> None:
        if model is None:
            model = _best_checkpoint()
        self.name, metrics = type(model).__name__, {}
        if not isinstance(model, nn.Module):
            self.name = Path(model).resolve().name
            model, metrics = _load(model)
        self.temperature = float(temperature if temperature is not None else metrics.get("temperature") or 1.0)
        if not 0 < self.temperature < math.inf:
            raise ModelError(f"The temperature must be greater than 0, but is {self.temperature:g}.")
        self._config = _checked_config(model, self.name)
        self.labels: tuple[str, ...] = tuple(model.pretrained_cfg.get("label_names") or LABELS)
        try:
            self.device = torch.device(device)
            self.model = model.to(self.device).eval()
        except (RuntimeError, AssertionError) as error:  # the second where torch was built without CUDA
            raise ModelError(f"The device {str(device)!r} cannot be used ({error}); use 'cpu'.") from error
        self._detector = detector
        self._lock = threading.Lock()

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the crops that the network takes, in pixels."""
        return self._config["size"]

    @property
    def detector(self) -> FaceDetector:
        """The face detector; made at the first use."""
        with self._lock:
            if self._detector is None:
                self._detector = FaceDetector()
            return self._detector

    def detect(self, image: ImageSource, *, turned: bool = True) -> list[DetectedFace]:
        """The faces of one picture, the largest first; see `FaceDetector.detect`."""
        return self.detector.detect(open_image(image), turned=turned)

    def predict(
        self,
        image: ImageSource | Sequence[ImageSource],
        *,
        whole_image: bool = False,
        boxes: Sequence[Box] | Sequence[Sequence[Box]] | None = None,
        turned: bool = True,
    ) -> list[FacePrediction] | list[list[FacePrediction]]:
        """Reads the expression of every face.

        Args:
            image: A picture, as `open_image` takes it, or a list or tuple of them.
            whole_image: Take the picture itself as one face, for pictures that are cut out already.
            boxes: Where the faces are, instead of looking for them: (x, y, width, height) each, in pixels; for
                several pictures one such list for each. The square around a box is what the network sees.
            turned: See `FaceDetector.detect`.

        Returns:
            One `FacePrediction` for each face, the largest first, or in the order of `boxes`; empty when there is
            no face. For several pictures one such list for each.

        Raises:
            ImageError: If a picture cannot be opened.
            ValueError: If a box is empty or outside the picture, or `boxes` does not fit the other arguments.
            FaceDetectorError: If faces are to be found and the detector's model file is missing.
        """
        if whole_image and boxes is not None:
            raise ValueError("Give either whole_image or boxes, not both.")
        many = isinstance(image, (list, tuple))
        images = list(image) if many else [image]
        per_image = [None] * len(images) if boxes is None else boxes if many else [boxes]
        if len(per_image) != len(images):
            raise ValueError(f"There are {len(images)} pictures, but boxes for {len(per_image)}; give a list for each.")
        found = [self._crops(open_image(i), whole_image, b, turned) for i, b in zip(images, per_image, strict=True)]
        rows = iter(self.classify([crop for faces in found for *_, crop in faces]))
        answers = [
            [
                FacePrediction(box, landmarks, score, dict(zip(self.labels, map(float, next(rows)), strict=True)), crop)
                for box, landmarks, score, crop in faces
            ]
            for faces in found
        ]
        return answers if many else answers[0]

    def classify(self, crops: Sequence[np.ndarray] | np.ndarray | torch.Tensor) -> np.ndarray:
        """Class probabilities of face crops.

        Args:
            crops: uint8 grey pictures (H, W) of any sizes, an array of them (N, H, W), or a tensor (N, 1, H, W).

        Returns:
            float32 (N, 7), rows add up to 1; columns as `labels`.

        Raises:
            TypeError: If the pixels are not uint8.
            ValueError: If a crop is not grey.
        """
        results = [np.empty((0, len(self.labels)), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(crops), BATCH_SIZE):
                x = prepare(crops[start : start + BATCH_SIZE], **self._config).to(self.device)
                results.append((self.model(x).float() / self.temperature).softmax(dim=1).cpu().numpy())
        return np.concatenate(results)

    def _crops(self, image: np.ndarray, whole: bool, boxes: Sequence[Box] | None, turned: bool) -> list[tuple]:
        """(box, landmarks, score, crop) of each face."""
        size = self.input_size[0]
        if whole:
            height, width = image.shape[:2]
            return [((0.0, 0.0, float(width), float(height)), None, None, whole_picture(image, size))]
        if boxes is not None:
            return [(tuple(map(float, b)), None, None, square_crop(image, b, size)) for b in boxes]
        faces = self.detector.detect(image, turned=turned)
        return [(f.box, f.landmarks, f.score, align_face(image, f.landmarks, size)) for f in faces]


def _best_checkpoint() -> str:
    names = bundled_checkpoints()
    if not names:
        raise ModelError("No trained model is bundled; give the folder of a checkpoint or train one first.")
    return max(names, key=lambda name: checkpoint_metrics(name).get("PublicTest", {}).get("accuracy", 0.0))


def _load(model: str | Path) -> tuple[nn.Module, dict]:
    """Makes a model with its trained weights, and reads its metrics."""
    folder = Path(model)
    try:
        if folder.is_dir():
            # An absolute path stands for itself when it is joined to the folder of the bundled ones.
            return timm.create_model(f"local-dir:{folder}", pretrained=True), checkpoint_metrics(str(folder.resolve()))
        name = str(model)
        if name in bundled_checkpoints():
            return timm.create_model(name, pretrained=True), checkpoint_metrics(name)
    except Exception as error:  # timm, json and safetensors raise many kinds for files that do not fit
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"The model {model} cannot be loaded ({reason}); check its folder.") from error
    known = ", ".join(bundled_checkpoints()) or "none"
    raise ModelError(f"There is no model {str(model)!r}; give a checkpoint's folder or a bundled name ({known}).")


def _checked_config(model: nn.Module, name: str) -> dict:
    cfg = getattr(model, "pretrained_cfg", None)
    if not cfg or not cfg.get("input_size"):
        raise ModelError(f"The model {name} has no pretrained_cfg with an input_size; make it with timm.create_model.")
    channels, height, width = cfg["input_size"]
    if channels != 1 or height != width:
        raise ModelError(f"The model {name} takes {channels} x {height} x {width} input, but must take a grey square.")
    labels = cfg.get("label_names") or LABELS
    if getattr(model, "num_classes", None) != len(LABELS) or set(labels) != set(LABELS):
        raise ModelError(f"The model {name} does not have the outputs {', '.join(LABELS)}; choose another one.")
    return data_config(model)
