"""A network that reads the expressions of face crops."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from fer_demo.calibration import sum_groups
from fer_demo.classes import Classes, class_set
from fer_demo.merging import Merge, Merging, fit, merge_classes
from fer_demo.prediction import FacePrediction
from fer_demo.runtime.engines import Engine, installed, make_engine, softmax
from fer_demo.runtime.model_info import ModelError, ModelInfo, check_temperature, finite
from fer_demo.vision.preprocess import prepare_array
from fer_demo.vision.quality import crop_quality
from fer_demo.wording import candidates

if TYPE_CHECKING:
    import torch
    import torch.nn as nn

    from fer_demo.explain.face import FaceMap
    from fer_demo.runtime.torch_engine import TorchEngine

BATCH_SIZE = 64


class FaceClassifier:
    """Reads the expressions of crops that show one face each; `fer_demo.Predictor` finds the faces too.

    Args:
        model: As for `Predictor`, like all others.
        engine: What runs the network.
        device: Where the network runs.
        temperature: What the logits are divided by.
        threads: Threads that the network may use.
        merge: Classes to take for one.

    Raises:
        ModelError: As for `Predictor`.
    """

    _engine: Engine
    _explainable: "TorchEngine | None"
    _lock: threading.Lock

    def __init__(
        self,
        model: "str | os.PathLike[str] | nn.Module | None" = None,
        *,
        engine: str | None = None,
        device: "str | torch.device" = "cpu",
        temperature: float | None = None,
        threads: int | None = None,
        merge: Merge | None = None,
    ) -> None:
        self._recipe: dict[str, Any] = {"model": model, "engine": engine, "device": device, "threads": threads}
        self._open()
        # As it was decided here, so that a copy in another process or folder runs the same network in the same way.
        self._recipe |= {"model": self._lasting(model), "engine": self.engine, "device": self.device}
        self._merge(merge, temperature)

    def _merge(self, merge: Merge | None, temperature: float | None) -> None:
        """Decides for which classes to answer, and with which temperature."""
        info = self._engine.info
        self.merge = None if not merge else {name: tuple(members) for name, members in merge.items()}
        self._merging: Merging | None = None
        if self.merge:
            self._merging = merge_classes(info.labels, merge or {})
            fitted = fit(self._recipe["model"], len(info.labels), self._merging.groups) if temperature is None else None
            if fitted:
                self._merging = Merging(self._merging.names, self._merging.groups, *fitted)
        if temperature is None:
            temperature = (self._merging and self._merging.temperature) or info.temperature
        self.temperature = check_temperature(temperature)

    def merged(self, merge: Merge | None) -> Self:
        """The same with other classes merged, which shares what runs the network.

        Args:
            merge: As for `Predictor`; None for the network's own classes.

        Raises:
            ModelError: As for `Predictor`.
        """
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._merge(merge, None)
        return other

    def _open(self) -> None:
        self._engine = make_engine(**self._recipe)
        self._explainable = cast("TorchEngine", self._engine) if self._engine.kind == "torch" else None
        self._lock = threading.Lock()

    def _lasting(self, model: Any) -> Any:
        if model is None:
            return self.name
        if isinstance(model, (str, os.PathLike)):
            path = Path(model)
            return path.absolute() if path.is_dir() or path.suffix == ".onnx" else os.fspath(model)
        return model

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_engine", "_explainable", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def __repr__(self) -> str:
        place = f"engine={self.engine!r}, device={str(self.device)!r}"
        return f"{type(self).__name__}({self.name!r}, {place}, temperature={self.temperature:g})"

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
        """The class names in the order of the answers; merged ones in place of those that they stand for."""
        return self._merging.names if self._merging else self._engine.info.labels

    @property
    def classes(self) -> Classes:
        """Words, colours and signs of `labels`."""
        return class_set(self.labels)

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The outputs of the network that each of `labels` is the sum of; one each where none are merged."""
        return self._merging.groups if self._merging else tuple((i,) for i in range(len(self.labels)))

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
                self._explainable = make_engine(self._recipe["model"], "torch", threads=self._recipe["threads"])
            return self._explainable.model

    @property
    def explainable(self) -> bool:
        """Whether `model` can be loaded: the predictor was not made from an ONNX file."""
        given = self._recipe["model"]
        return not (isinstance(given, (str, os.PathLike)) and Path(given).suffix == ".onnx")

    @property
    def set_threshold(self) -> float | None:
        """From which probability on a class is among an answer's candidates; None if the model states none.

        It was fitted with the model's own temperature, and so is None with any other. For merged classes it is fitted
        anew, together with the temperature; None where the model came without `fer_demo.validation.FILE` to fit it on.
        """
        info: ModelInfo | Merging = self._merging or self._engine.info
        return info.set_threshold if self.temperature == info.temperature else None

    @property
    def mirror(self) -> bool:
        """Whether an answer is the mean of the logits for a crop and for its mirror image."""
        return self._engine.info.mirror

    @property
    def robust(self) -> bool:
        """Whether the network learned damaged pictures, and so reads crops that others cannot."""
        return self._engine.info.robust

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the crops that the network takes, in pixels."""
        return self._engine.info.size

    def classify(self, crops: "Sequence[NDArray[np.uint8]] | NDArray[np.uint8] | torch.Tensor") -> NDArray[np.float32]:
        """Class probabilities of face crops; some checkpoints look at the mirror image too (`ModelInfo.mirror`).

        Args:
            crops: uint8 grey pictures (H, W) of any sizes, an array of them (N, H, W), or a tensor (N, 1, H, W).

        Returns:
            float32 (N, number of classes), rows add up to 1; columns as `labels`.

        Raises:
            TypeError: If the pixels are not uint8.
            ValueError: If a crop is not grey.
        """
        results = [np.empty((0, len(self._engine.info.labels)), np.float32)]
        for start in range(0, len(crops), BATCH_SIZE):
            x = prepare_array(crops[start : start + BATCH_SIZE], **self._engine.info.preprocessing)
            logits = self._engine.logits(x)
            # Finite logits can still be too large to be added, or divided by a very small temperature.
            with np.errstate(over="ignore", invalid="ignore"):
                if self._engine.info.mirror:
                    logits = (logits + self._engine.logits(np.ascontiguousarray(x[..., ::-1]))) * np.float32(0.5)
                scaled = finite(logits / np.float32(self.temperature), self._engine.info.name)
                results.append(softmax(scaled))
        found = np.concatenate(results)
        if self._merging:
            found = sum_groups(found, self._merging.groups)
        return found

    def read(self, crops: Sequence[NDArray[np.uint8]]) -> list[FacePrediction]:
        """Answers for face crops in words: what `classify` says, with candidates and measures of the pixels.

        Args:
            crops: uint8 grey pictures (H, W) of any sizes.

        Returns:
            A face a crop; its box is the whole crop.

        Raises:
            TypeError: As for `classify`.
            ValueError: As for `classify`.
        """
        answers = []
        for crop, row in zip(crops, self.classify(crops), strict=True):
            box = (0.0, 0.0, float(crop.shape[1]), float(crop.shape[0]))
            probabilities, names = self._named(row)
            quality = crop_quality(crop, box=box, robust=self.robust)
            answers.append(FacePrediction(box, None, None, probabilities, crop, quality, names))
        return answers

    def _named(self, row: NDArray[np.float32]) -> tuple[dict[str, float], tuple[str, ...]]:
        """The probabilities of one crop by class name, and the candidates among these."""
        probabilities = dict(zip(self.labels, map(float, row), strict=True))
        return probabilities, candidates(probabilities, self.set_threshold)

    def explain(
        self,
        face: FacePrediction,
        label: str | None = None,
        *,
        method: str = "gradcam",
        layer: str | None = None,
        against: str | None = None,
    ) -> "FaceMap":
        """What counted for a class on one face; needs the extra ``torch``.

        `fer_demo.explain.face.on_photo` lays the map back onto the photo.

        Args:
            face: An answer of `predict` or `stream`.
            label: The class; None is the face's own label.
            method: "gradcam", "integrated_gradients", "occlusion" or "smoothgrad".
            layer: Where Grad-CAM looks, a key of `fer_demo.explain.layers`; None is the last stage.
            against: What speaks for `label` rather than for this class.

        Returns:
            The map, float32 at the crop's size in ``values``; above 0 for the class, below 0 against it.

        Raises:
            ModelError: If PyTorch or Captum is not installed, or the predictor was made from an ONNX file.
            ValueError: For an unknown method, layer or class, or a face without a crop.
        """
        if not installed("torch", "timm", "captum"):
            raise ModelError("Explanations need PyTorch and Captum; run `pip install 'fer-demo[torch]'`.")
        from fer_demo.explain.face import face_map

        return face_map(self, face.required_crop(), label or face.label, method=method, layer=layer, against=against)
