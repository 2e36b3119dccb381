"""What a ``pretrained_cfg`` goes on saying of a network that was changed."""

from collections.abc import Mapping
from typing import Any

from fer_demo.runtime.cfg_notes import with_flag, with_set_threshold, with_temperature


def for_new_classifier(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """A ``pretrained_cfg`` without what belongs to the classifier that was replaced.

    That is the classes' names, the temperature and the threshold of the sets; both were fitted to its answers. How the
    body was trained stays.

    Args:
        cfg: A timm model's ``pretrained_cfg``.
    """
    return {**with_set_threshold(with_temperature(cfg, None), None), "label_names": None}


def for_new_weights(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """A ``pretrained_cfg`` that says nothing of weights.

    Args:
        cfg: A timm model's ``pretrained_cfg``.
    """
    plain = with_set_threshold(with_temperature(cfg, None), None)
    return with_flag(with_flag(plain, "mirror", False), "robust", False)
