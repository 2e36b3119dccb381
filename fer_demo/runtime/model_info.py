"""What has to be known about a network to use it, as it stands in exported files too. Needs no PyTorch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fer_demo.classes import MAX_CLASSES, check_names
from fer_demo.files import parse_json
from fer_demo.runtime.cfg_notes import (
    flagged,
    set_threshold,
    temperature,
    with_flag,
    with_set_threshold,
    with_temperature,
)
from fer_demo.runtime.checks import (
    MAX_INPUT_SIDE,
    ModelError,
    Preprocessing,
    check_labels,
    check_preprocessing,
    check_set_threshold,
    check_temperature,
    finite,
    reason,
)

__all__ = [
    "MAX_INPUT_SIDE",
    "ModelError",
    "ModelInfo",
    "Preprocessing",
    "check_preprocessing",
    "check_set_threshold",
    "check_temperature",
    "finite",
    "flagged",
    "input_preprocessing",
    "model_info",
    "set_threshold",
    "temperature",
    "with_flag",
    "with_set_threshold",
    "with_temperature",
]

PREFIX = "fer_demo."
"""Before each key in a file's metadata, where other programs write theirs too."""

OPTIONAL = ("set_threshold", "mirror", "robust")
"""What older files do not state."""


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
        set_threshold: From which probability on, in [0, 1], a class is among the candidates of an answer; None where
            none was fitted. See `fer_demo.wording.candidates`.
        mirror: Whether the model's answer is the mean of its logits for a picture and for the mirror image.
        robust: Whether it learned damaged pictures; see `fer_demo.vision.quality.ROBUST`.
    """

    name: str
    labels: tuple[str, ...]
    size: tuple[int, int]
    mean: float = 0.0
    std: float = 1.0
    temperature: float = 1.0
    precision: str = "fp32"
    set_threshold: float | None = None
    mirror: bool = False
    robust: bool = False

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
            found = {
                key: parse_json(metadata[PREFIX + key], object)
                for key in cls.__dataclass_fields__
                if key not in OPTIONAL or PREFIX + key in metadata
            }
            info = cls(**found | {"labels": tuple(found["labels"]), "size": tuple(found["size"])})
            if not isinstance(found["labels"], list):
                raise ValueError(f"labels {found['labels']!r}")
            check_names(info.labels)
            check_preprocessing(info.size, info.mean, info.std)
            check_temperature(info.temperature)
            if info.set_threshold is not None:
                check_set_threshold(info.set_threshold)
            if not (isinstance(info.mirror, bool) and isinstance(info.robust, bool)):
                raise ValueError(f"mirror {info.mirror!r}, robust {info.robust!r}")
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{file} does not state what its model takes and answers ({reason(error)}); write it with "
                "`python -m fer_demo export`."
            ) from None
        return info


def input_preprocessing(cfg: Mapping[str, Any]) -> Preprocessing:
    """What a timm ``pretrained_cfg`` says of the input: grey, of the size that its weights were trained at.

    Raises:
        ModelError: If it says nothing that can be used.
    """
    try:
        height, width = cfg["input_size"][-2:]
        mean, std = cfg["mean"][0], cfg["std"][0]
        check_preprocessing((height, width), mean, std)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(
            f"The pretrained_cfg does not say how pictures are prepared ({reason(error)}); it needs input_size, mean "
            "and std, as timm.create_model writes them."
        ) from None
    return {"size": (height, width), "mean": float(mean), "std": float(std)}


def model_info(model: Any, name: str) -> ModelInfo:
    """Describes a timm model, after a look at what it answers to a black picture.

    Args:
        model: A timm model; its ``pretrained_cfg`` states what it was trained for, and its temperature.
        name: See `ModelInfo.name`.

    Raises:
        ModelError: If it is no classifier of grey square pictures into classes that have names.
    """
    cfg = getattr(model, "pretrained_cfg", None)
    if not cfg or not cfg.get("input_size"):
        raise ModelError(f"The model {name} has no pretrained_cfg with an input_size; make it with timm.create_model.")
    prepared = input_preprocessing(cfg)
    height, width = prepared["size"]
    if height != width:
        raise ModelError(f"The model {name} takes {height} x {width} pixels, but must take a grey square.")
    shape = _answer_shape(model, name, (height, width))
    if len(shape) != 2 or shape[0] != 1 or not 2 <= shape[1] <= MAX_CLASSES:
        raise ModelError(
            f"The model {name} must answer with a number for each of 2 to {MAX_CLASSES} classes, but has an answer of "
            f"the shape {shape} for one picture; choose another one."
        )
    labels = check_labels(cfg.get("label_names") or None, shape[1], name)
    return ModelInfo(
        name,
        labels,
        temperature=temperature(cfg),
        set_threshold=set_threshold(cfg),
        mirror=flagged(cfg, "mirror"),
        robust=flagged(cfg, "robust"),
        **prepared,
    )


def _answer_shape(model: Any, name: str, size: tuple[int, int]) -> tuple[int, ...]:
    """The shape of what a model answers to one grey picture; leaves the model as it was."""
    import torch

    from fer_demo.runtime.torch_lock import lock

    with lock(model), torch.no_grad():
        modes = {module: module.training for module in model.modules()}
        try:
            model.eval()  # batch normalisation would learn from the picture
            device = next(model.parameters(), torch.empty(0)).device
            # Its pretrained_cfg states what it was trained for, not with which arguments it was made.
            answer = model(torch.zeros(1, 1, *size, device=device))
        except Exception as error:  # PyTorch raises many kinds for what does not fit
            reason = " ".join(str(error).split())[:200]
            raise ModelError(
                f"The model {name} must take a grey square of {size[0]} x {size[1]} pixels, but fails at it "
                f"({reason}); make it with in_chans=1 and weights of float32."
            ) from error
        finally:
            for module, training in modes.items():
                module.training = training
    return tuple(getattr(answer, "shape", ()))
