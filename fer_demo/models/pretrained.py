"""How a network gets its pretrained configuration and its weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.nn as nn
from timm.models import build_model_with_cfg, resolve_pretrained_cfg

from fer_demo.checkpoints import Checkpoint, weights_file
from fer_demo.emotions import LABELS
from fer_demo.models.base import StagedNet
from fer_demo.runtime.model_info import ModelError, with_flag, with_set_threshold, with_temperature

Net = TypeVar("Net", bound=StagedNet)


def checkpoint_filter_fn(state_dict: Mapping[str, Any], model: nn.Module) -> dict[str, torch.Tensor]:
    """Takes plain, EMA and DDP checkpoints: unwraps ``state_dict`` and strips ``module.`` prefixes.

    Raises:
        ModelError: If a weight is infinite or no number.
    """
    for key in ("state_dict_ema", "state_dict", "model"):
        if isinstance(state_dict.get(key), dict):
            state_dict = state_dict[key]
            break
    state_dict = {k.removeprefix("module."): v for k, v in state_dict.items()}
    if broken := [k for k, v in state_dict.items() if torch.is_tensor(v) and not torch.isfinite(v).all()]:
        raise ModelError(
            f"The weights {broken[0]} of {type(model).__name__} are not all finite numbers: their file is damaged, so "
            "take another copy of it."
        )
    return state_dict


def cfg(
    name: str,
    cls: type[StagedNet],
    pool_size: int,
    *,
    temperature: float | None = None,
    set_threshold: float | None = None,
    mirror: bool = False,
    robust: bool = False,
    **kwargs: Any,
) -> dict[str, Any]:
    """The pretrained configuration of a network and tag.

    Args:
        name: ``<architecture>.<tag>``; decides which bundled weights belong to it. The tag names a recipe and the data.
        cls: Its class.
        pool_size: Height and width of the last map.
        temperature: Of the weights; see `fer_demo.runtime.model_info.temperature`.
        set_threshold: Of the weights; see `fer_demo.runtime.model_info.set_threshold`.
        mirror: Whether the mirror image is looked at too; see `fer_demo.runtime.model_info.flagged`.
        robust: Whether they learned damaged pictures; see `fer_demo.runtime.model_info.flagged`.
        **kwargs: What differs from a grey picture of 48x48.
    """
    stated = with_set_threshold(with_temperature({}, temperature), set_threshold)
    stated = with_flag(with_flag(stated, "mirror", mirror), "robust", robust)
    return {
        "file": weights_file(name),
        "num_classes": len(LABELS),
        "input_size": (1, 48, 48),
        "pool_size": (pool_size, pool_size),
        "crop_pct": 1.0,
        "interpolation": "bilinear",
        "mean": (0.0,),
        "std": (1.0,),
        "first_conv": "stem.conv",
        "classifier": "classifier",
        "label_names": LABELS,
        "license": "research-only",
        "paper_name": cls.paper,
        **stated,
        **kwargs,
    }


# timm passes both on from its trainer's command line, where they may be None.
_USELESS = {
    "drop_path_rate": "has no residual branches that could be dropped",
    "img_size": "takes pictures of any size and has nothing that depends on it",
}


def create(cls: type[Net], variant: str, pretrained: bool, stages: int, **kwargs: Any) -> Net:
    """Builds a registered network the way timm does.

    Args:
        cls: Its class.
        variant: Its registered name.
        pretrained: Load its weights.
        stages: How many feature maps it has.
        **kwargs: What the caller of ``timm.create_model`` gave.

    Raises:
        ModelError: If weights are asked for and their checkpoint is damaged.
        TypeError: If an option is given that these networks have no use for.
    """
    for option, reason in _USELESS.items():
        if kwargs.pop(option, None):
            raise TypeError(f"{variant} {reason}: leave {option} out.")
    if pretrained:
        _verify(
            resolve_pretrained_cfg(variant, kwargs.get("pretrained_cfg"), kwargs.get("pretrained_cfg_overlay")).file
        )
    model = build_model_with_cfg(
        cls,
        variant,
        pretrained,
        pretrained_filter_fn=checkpoint_filter_fn,
        feature_cfg={"out_indices": tuple(range(stages)), "flatten_sequential": True},
        **kwargs,
    )
    stated = model.pretrained_cfg
    if model.num_classes != len(LABELS) and stated.get("label_names") == LABELS:  # those of `cfg`, of another head
        stated = {key: value for key, value in stated.items() if key != "label_names"}
    if not pretrained:  # all four belong to the weights, which are random here
        plain = with_set_threshold(with_temperature(stated, None), None)
        stated = with_flag(with_flag(plain, "mirror", False), "robust", False)
    model.pretrained_cfg = model.default_cfg = stated
    return model


def _verify(source: str | None) -> None:
    """Compares the checkpoint that timm is about to read with its manifest."""
    if source:
        path = Path(source)
        # A local-dir is named by its folder, registered weights by their file.
        Checkpoint.at(path if path.is_dir() else path.parent).verify()
