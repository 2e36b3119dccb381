"""What has to be known about a network to use it, as it stands in exported files too. Needs no PyTorch."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

from fer_demo.emotions import LABELS

PREFIX = "fer_demo."
"""Before each key in a file's metadata, where other programs write theirs too."""


class ModelError(ValueError):
    """A model cannot be used; the message is one sentence that a user can act on."""


class Preprocessing(TypedDict):
    """How a network wants its pictures: the keyword arguments of `fer_demo.vision.preprocess.prepare`.

    Attributes:
        size: Height and width in pixels.
        mean: Subtracted from pixels that were scaled to [0, 1].
        std: Divided by after that.
    """

    size: tuple[int, int]
    mean: float
    std: float


@dataclass(frozen=True)
class ModelInfo:
    """A classifier of grey square face crops.

    Attributes:
        name: The checkpoint, ``<architecture>.<tag>``, or the class of a model that was given as an object.
        labels: Class names in the order of the outputs.
        size: Height and width of the input in pixels.
        mean: Subtracted from pixels that were scaled to [0, 1].
        std: Divided by after that.
        temperature: The logits are divided by it before the softmax; greater than 0.
        precision: ``"fp32"``, ``"fp16"`` or ``"int8"``: how the file holds the weights.
    """

    name: str
    labels: tuple[str, ...]
    size: tuple[int, int]
    mean: float = 0.0
    std: float = 1.0
    temperature: float = 1.0
    precision: str = "fp32"

    @property
    def preprocessing(self) -> Preprocessing:
        """How pictures are prepared for it."""
        return {"size": self.size, "mean": self.mean, "std": self.std}

    def to_metadata(self) -> dict[str, str]:
        """Key to JSON text, as exported files carry it."""
        return {PREFIX + key: json.dumps(value) for key, value in asdict(self).items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], file: str) -> "ModelInfo":
        """Reads what `to_metadata` wrote.

        Args:
            metadata: The file's metadata; other keys are left alone.
            file: Its name, for the error.

        Raises:
            ModelError: If an entry is missing or makes no sense.
        """
        try:
            found = {key: json.loads(metadata[PREFIX + key]) for key in cls.__dataclass_fields__}
            info = cls(**found | {"labels": tuple(found["labels"]), "size": tuple(found["size"])})
            if set(info.labels) != set(LABELS) or len(info.labels) != len(LABELS):
                raise ValueError(f"labels {info.labels}")
            if len(info.size) != 2 or not min(info.size) > 0 or not info.std > 0 or not math.isfinite(info.mean):
                raise ValueError(f"size {info.size}, mean {info.mean}, std {info.std}")
            check_temperature(info.temperature)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{file} does not state what its model takes and answers ({error}); write it with "
                "`python -m fer_demo export`."
            ) from None
        return info


def input_preprocessing(cfg: Mapping[str, Any]) -> Preprocessing:
    """What a timm ``pretrained_cfg`` says of the input: grey, of the size that its weights were trained at."""
    height, width = cfg["input_size"][-2:]
    return {"size": (height, width), "mean": float(cfg["mean"][0]), "std": float(cfg["std"][0])}


def check_temperature(temperature: float) -> float:
    """Returns a temperature that can be divided by.

    Raises:
        ModelError: If it is not greater than 0 or not finite.
    """
    if not 0 < temperature < math.inf:
        raise ModelError(f"The temperature must be greater than 0, but is {temperature:g}.")
    return float(temperature)


def model_info(model: Any, name: str, metrics: Mapping[str, Any] | None = None) -> ModelInfo:
    """Describes a timm model.

    Args:
        model: A timm model; its ``pretrained_cfg`` states what it was trained for.
        name: See `ModelInfo.name`.
        metrics: The checkpoint's ``metrics.json``, for the temperature.

    Raises:
        ModelError: If it is no classifier of grey square pictures into the seven classes.
    """
    cfg = getattr(model, "pretrained_cfg", None)
    if not cfg or not cfg.get("input_size"):
        raise ModelError(f"The model {name} has no pretrained_cfg with an input_size; make it with timm.create_model.")
    channels, height, width = cfg["input_size"]
    if channels != 1 or height != width:
        raise ModelError(f"The model {name} takes {channels} x {height} x {width} input, but must take a grey square.")
    labels = tuple(cfg.get("label_names") or LABELS)
    if getattr(model, "num_classes", None) != len(LABELS) or set(labels) != set(LABELS):
        raise ModelError(f"The model {name} does not have the outputs {', '.join(LABELS)}; choose another one.")
    temperature = check_temperature((metrics or {}).get("temperature") or 1.0)
    return ModelInfo(name, labels, temperature=temperature, **input_preprocessing(cfg))
