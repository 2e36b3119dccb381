"""What a timm ``pretrained_cfg`` says of its weights among its ``notes``, since timm has no fields for it."""

from collections.abc import Callable, Mapping
from typing import Any

from fer_demo.runtime.checks import ModelError, check_set_threshold, check_temperature
from fer_demo.vision.sources import one_line

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
