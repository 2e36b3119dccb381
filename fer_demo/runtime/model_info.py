"""What has to be known about a network to use it, as it stands in exported files too. Needs no PyTorch."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from fer_demo.emotions import LABELS
from fer_demo.files import parse_json
from fer_demo.vision.sources import one_line

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


MAX_INPUT_SIDE = 1024
"""The largest picture that a network may ask for, in pixels a side: a damaged number must not take all memory."""

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
            if set(info.labels) != set(LABELS) or len(info.labels) != len(LABELS):
                raise ValueError(f"labels {info.labels}")
            check_preprocessing(info.size, info.mean, info.std)
            check_temperature(info.temperature)
            if info.set_threshold is not None:
                check_set_threshold(info.set_threshold)
            if not (isinstance(info.mirror, bool) and isinstance(info.robust, bool)):
                raise ValueError(f"mirror {info.mirror!r}, robust {info.robust!r}")
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{file} does not state what its model takes and answers ({_reason(error)}); write it with "
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
            f"The pretrained_cfg does not say how pictures are prepared ({_reason(error)}); it needs input_size, mean "
            "and std, as timm.create_model writes them."
        ) from None
    return {"size": (height, width), "mean": float(mean), "std": float(std)}


def check_preprocessing(size: tuple[int, ...], mean: float, std: float) -> None:
    """Makes sure that pictures can be prepared so.

    Raises:
        ValueError: If a value is of another kind, out of range or not finite.
    """
    fits = len(size) == 2 and all(type(side) is int and 0 < side <= MAX_INPUT_SIDE for side in size)
    numbers = all(isinstance(v, int | float) and math.isfinite(v) for v in (mean, std))
    if not (fits and numbers and std > 0):
        raise ValueError(f"size {size}, mean {mean}, std {std}")


def _reason(error: Exception) -> str:
    """What an error says, as a sentence can hold it in parentheses."""
    return one_line(" ".join(f"{'no ' if isinstance(error, KeyError) else ''}{error}".split()), 200)


def finite(logits: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Returns logits that are numbers.

    Args:
        logits: float (N, C).
        name: The model's.

    Raises:
        ModelError: If one is infinite or no number: no answer can be made of that.
    """
    if not np.isfinite(logits).all():
        raise ModelError(
            f"The model {name} answered with numbers that are not finite, so its weights are damaged or were never "
            "trained to an end; take another copy of it."
        )
    return logits


def check_temperature(temperature: float) -> float:
    """Returns a temperature that can be divided by.

    Raises:
        ModelError: If it is not greater than 0 or not finite.
    """
    if not 0 < temperature < math.inf:
        raise ModelError(f"The temperature must be greater than 0, but is {temperature:g}.")
    return float(temperature)


def check_set_threshold(threshold: float) -> float:
    """Returns a threshold that a probability can be compared with.

    Raises:
        ModelError: If it is not in [0, 1].
    """
    if not 0 <= threshold <= 1:
        raise ModelError(f"The set_threshold must be from 0 to 1, but is {threshold:g}.")
    return float(threshold)


TEMPERATURE_NOTE = "temperature="
"""How the temperature stands among the ``notes`` of a ``pretrained_cfg``, since timm has no field for it."""

SET_THRESHOLD_NOTE = "set_threshold="
"""How the threshold of the conformal sets stands there."""


def temperature(cfg: Mapping[str, Any]) -> float:
    """The number by which a network's logits are divided before the softmax, so that its confidence can be believed.

    Args:
        cfg: A timm model's ``pretrained_cfg``.

    Returns:
        Greater than 0; 1 if none is stated.

    Raises:
        ModelError: If what is stated is no such number.
    """
    stated = _noted(cfg, TEMPERATURE_NOTE, check_temperature, "a temperature must be a number greater than 0")
    return 1.0 if stated is None else stated


def set_threshold(cfg: Mapping[str, Any]) -> float | None:
    """From which probability on, after the temperature, a class is among the candidates of an answer.

    Args:
        cfg: A timm model's ``pretrained_cfg``.

    Returns:
        In [0, 1]; None if none is stated.

    Raises:
        ModelError: If what is stated is no such number.
    """
    return _noted(cfg, SET_THRESHOLD_NOTE, check_set_threshold, "a set_threshold must be a number from 0 to 1")


def with_temperature(cfg: Mapping[str, Any], value: float | None) -> dict[str, Any]:
    """A ``pretrained_cfg`` that states another temperature.

    Args:
        cfg: A timm model's ``pretrained_cfg``.
        value: Greater than 0; None for weights of which none is known.
    """
    return _with_note(cfg, TEMPERATURE_NOTE, None if value is None else check_temperature(value))


def with_set_threshold(cfg: Mapping[str, Any], value: float | None) -> dict[str, Any]:
    """A ``pretrained_cfg`` that states another threshold of the conformal sets.

    Args:
        cfg: A timm model's ``pretrained_cfg``.
        value: In [0, 1]; None for weights of which none is known.
    """
    return _with_note(cfg, SET_THRESHOLD_NOTE, None if value is None else check_set_threshold(value))


def flagged(cfg: Mapping[str, Any], flag: str) -> bool:
    """Whether something is said to hold of a network.

    Args:
        cfg: A timm model's ``pretrained_cfg``.
        flag: ``"mirror"``: its answer is the mean of its logits for a picture and for the mirror image;
            ``"robust"``: it learned damaged pictures.
    """
    return f"{flag}=1" in _notes(cfg)


def with_flag(cfg: Mapping[str, Any], flag: str, on: bool) -> dict[str, Any]:
    """A ``pretrained_cfg`` that says whether something holds of its network.

    Args:
        cfg: A timm model's ``pretrained_cfg``.
        flag: See `flagged`.
        on: Whether it holds.
    """
    return _with_note(cfg, f"{flag}=", 1.0 if on else None)


def _notes(cfg: Mapping[str, Any]) -> list[str]:
    notes = cfg.get("notes") or ()
    if not isinstance(notes, list | tuple):
        raise ModelError(f"The pretrained_cfg's notes must be a list, but are {one_line(str(notes))!r}.")
    return [str(note) for note in notes]


def _noted(cfg: Mapping[str, Any], key: str, check: Callable[[float], float], rule: str) -> float | None:
    """A number among the notes; None if it is not there."""
    notes = [note for note in _notes(cfg) if note.startswith(key)]
    if not notes:
        return None
    try:
        return check(float(notes[-1].removeprefix(key)))
    except ValueError:
        raise ModelError(f"The pretrained_cfg says {one_line(notes[-1])!r}, but {rule}.") from None


def _with_note(cfg: Mapping[str, Any], key: str, value: float | None) -> dict[str, Any]:
    others = [note for note in _notes(cfg) if not note.startswith(key)]
    notes = (*others, *([] if value is None else [f"{key}{value:g}"]))
    return {**cfg, "notes": notes} if notes else {key: v for key, v in cfg.items() if key != "notes"}


def model_info(model: Any, name: str) -> ModelInfo:
    """Describes a timm model, after a look at what it answers to a black picture.

    Args:
        model: A timm model; its ``pretrained_cfg`` states what it was trained for, and its temperature.
        name: See `ModelInfo.name`.

    Raises:
        ModelError: If it is no classifier of grey square pictures into the seven classes.
    """
    cfg = getattr(model, "pretrained_cfg", None)
    if not cfg or not cfg.get("input_size"):
        raise ModelError(f"The model {name} has no pretrained_cfg with an input_size; make it with timm.create_model.")
    prepared = input_preprocessing(cfg)
    height, width = prepared["size"]
    if height != width:
        raise ModelError(f"The model {name} takes {height} x {width} pixels, but must take a grey square.")
    shape = _answer_shape(model, name, (height, width))
    stated = cfg.get("label_names") or LABELS
    labels = tuple(map(str, stated if isinstance(stated, list | tuple) else [stated]))
    if shape != (1, len(LABELS)) or sorted(labels) != sorted(LABELS):
        shaped = f"an answer of the shape {shape} for one picture"
        found = one_line(", ".join(labels)) if shape == (1, len(LABELS)) else shaped
        raise ModelError(
            f"The model {name} must have the outputs {', '.join(LABELS)}, but has {found}; choose another one."
        )
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
