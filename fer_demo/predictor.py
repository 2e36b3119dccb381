"""Photo in, one answer for each face out."""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from fer_demo.runtime.engines import make_engine, softmax
from fer_demo.runtime.model_info import ModelError, check_temperature
from fer_demo.vision.detector import DetectedFace, FaceDetector, align_face, square_crop, whole_picture
from fer_demo.vision.images import ImageSource, open_image
from fer_demo.vision.preprocess import prepare_array
from fer_demo.wording import describe, is_unsure

if TYPE_CHECKING:
    import torch
    import torch.nn as nn

__all__ = ["FacePrediction", "ModelError", "Predictor"]

BATCH_SIZE = 64

Box = Sequence[float]
"""x, y, width, height in pixels of the picture."""


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
    def unsure(self) -> bool:
        """Whether the answer is too close to call; see `fer_demo.wording.is_unsure`."""
        return is_unsure(self.probabilities)

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
            "unsure": self.unsure,
            "probabilities": {k: round(v, 4) for k, v in self.probabilities.items()},
        }


FoundFace = DetectedFace | FacePrediction
"""A face that was found before."""


class Predictor:
    """Finds faces and reads their expressions. Several threads may use one predictor at the same time.

    Args:
        model: A bundled checkpoint's name, ``<architecture>.<tag>``; or the folder of a timm ``local-dir`` checkpoint;
            or an ONNX file of ``python -m fer_demo export``; or a timm model, which is put into evaluation mode and
            moved to `device`. None is the bundled checkpoint of the highest validation accuracy (FER2013 PublicTest).
        engine: What runs the network: "onnx" for ONNX Runtime, which needs no PyTorch and is the faster one on a CPU,
            or "torch". None is "onnx" where it can be: on the CPU, for a checkpoint that has an ONNX file.
        detector: None is a `FaceDetector` with its defaults, made when it is first needed.
        device: Where the network runs, as ``torch.device`` takes it; the engine "onnx" runs on the CPU only.
        temperature: The logits are divided by it before the softmax; None is the checkpoint's own, or 1.
        threads: Threads that each network may use; None is ``OMP_NUM_THREADS``, or else one for each core. The engine
            "torch" has one such setting for the whole process, which this changes.

    Raises:
        ModelError: If there is no such checkpoint or engine, it cannot be loaded, it is no classifier of grey square
            pictures into the seven classes, or the device is not there.
    """

    def __init__(
        self,
        model: "str | os.PathLike | nn.Module | None" = None,
        *,
        engine: str | None = None,
        detector: FaceDetector | None = None,
        device: "str | torch.device" = "cpu",
        temperature: float | None = None,
        threads: int | None = None,
    ) -> None:
        self._engine = make_engine(model, engine, device=device, threads=threads)
        self._source, self._threads = model, threads
        info = self._engine.info
        self.temperature = check_temperature(info.temperature if temperature is None else temperature)
        self._detector = detector
        self._explainable = self._engine if self._engine.kind == "torch" else None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The checkpoint's name, or the class of a model that was given as an object."""
        return self._engine.info.name

    @property
    def engine(self) -> str:
        """What runs the network: "onnx" or "torch"."""
        return self._engine.kind

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names in the order of the network's outputs."""
        return self._engine.info.labels

    @property
    def device(self) -> "str | torch.device":
        """Where the network runs."""
        return self._engine.device

    @property
    def model(self) -> "nn.Module":
        """The network as a timm model, which explanations look into; loaded at the first use if the engine is "onnx".

        Raises:
            ModelError: If PyTorch is not installed, or the predictor was made from an ONNX file.
        """
        with self._lock:
            if self._explainable is None:
                source = self.name if self._source is None else self._source
                self._explainable = make_engine(source, "torch", threads=self._threads)
            return self._explainable.model

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the crops that the network takes, in pixels."""
        return self._engine.info.size

    @property
    def detector(self) -> FaceDetector:
        """The face detector; made at the first use."""
        with self._lock:
            if self._detector is None:
                self._detector = FaceDetector(threads=self._threads)
            return self._detector

    def detect(self, image: ImageSource, *, turned: bool = True) -> list[DetectedFace]:
        """The faces of one picture, the largest first; see `FaceDetector.detect`."""
        return self.detector.detect(open_image(image), turned=turned)

    @overload
    def predict(
        self,
        image: ImageSource,
        *,
        whole_image: bool = ...,
        boxes: Sequence[Box] | None = ...,
        faces: Sequence[FoundFace] | None = ...,
        turned: bool = ...,
    ) -> list[FacePrediction]: ...

    @overload
    def predict(
        self,
        image: list[ImageSource] | tuple[ImageSource, ...],
        *,
        whole_image: bool = ...,
        boxes: Sequence[Sequence[Box]] | None = ...,
        faces: Sequence[Sequence[FoundFace]] | None = ...,
        turned: bool = ...,
    ) -> list[list[FacePrediction]]: ...

    def predict(
        self,
        image: Any,
        *,
        whole_image: bool = False,
        boxes: Sequence[Any] | None = None,
        faces: Sequence[Any] | None = None,
        turned: bool = True,
    ) -> Any:
        """Reads the expression of every face.

        Args:
            image: A picture, as `open_image` takes it, or a list or tuple of them.
            whole_image: Take the picture itself as one face, for pictures that are cut out already.
            boxes: Where the faces are, instead of looking for them: (x, y, width, height) each, in pixels; for
                several pictures one such list for each. The square around a box is what the network sees.
            faces: Faces that were found before, as `detect` or another predictor's `predict` gave them, instead of
                looking for them again; for several pictures one such list for each. They are cut out by their
                landmarks, or by their boxes where they have none.
            turned: See `FaceDetector.detect`.

        Returns:
            One `FacePrediction` for each face, the largest first, or in the order of `boxes` or `faces`; empty when
            there is no face. For several pictures one such list for each.

        Raises:
            ImageError: If a picture cannot be opened.
            ValueError: If a box is empty or outside the picture, or the arguments do not fit each other.
            FaceDetectorError: If faces are to be found and the detector's model file is missing.
        """
        if whole_image + (boxes is not None) + (faces is not None) > 1:
            raise ValueError("Give only one of whole_image, boxes and faces.")
        many = isinstance(image, (list, tuple))
        images = list(image) if many else [image]
        given = {"boxes": boxes, "faces": faces}
        for name, places in given.items():
            given[name] = [None] * len(images) if places is None else places if many else [places]
            if len(given[name]) != len(images):
                raise ValueError(
                    f"There are {len(images)} pictures, but {name} for {len(given[name])}; give a list for each."
                )
        places = zip(images, given["boxes"], given["faces"], strict=True)
        found = [self._crops(open_image(i), whole_image, b, f, turned) for i, b, f in places]
        rows = iter(self.classify([crop for faces in found for *_, crop in faces]))
        answers = [
            [
                FacePrediction(box, landmarks, score, dict(zip(self.labels, map(float, next(rows)), strict=True)), crop)
                for box, landmarks, score, crop in faces
            ]
            for faces in found
        ]
        return answers if many else answers[0]

    def classify(self, crops: "Sequence[np.ndarray] | np.ndarray | torch.Tensor") -> np.ndarray:
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
        for start in range(0, len(crops), BATCH_SIZE):
            x = prepare_array(crops[start : start + BATCH_SIZE], **self._engine.info.preprocessing)
            results.append(softmax(self._engine.logits(x) / np.float32(self.temperature)))
        return np.concatenate(results)

    def _crops(
        self,
        image: np.ndarray,
        whole: bool,
        boxes: Sequence[Box] | None,
        faces: Sequence[FoundFace] | None,
        turned: bool,
    ) -> list[tuple]:
        """(box, landmarks, score, crop) of each face."""
        size = self.input_size[0]
        if whole:
            height, width = image.shape[:2]
            return [((0.0, 0.0, float(width), float(height)), None, None, whole_picture(image, size))]
        if boxes is not None:
            return [(tuple(map(float, b)), None, None, square_crop(image, b, size)) for b in boxes]
        if faces is None:
            faces = self.detector.detect(image, turned=turned)
        return [
            (f.box, f.landmarks, f.score, square_crop(image, f.box, size))
            if f.landmarks is None
            else (f.box, f.landmarks, f.score, align_face(image, f.landmarks, size))
            for f in faces
        ]
