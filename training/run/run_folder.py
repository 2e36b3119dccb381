"""What lies in a run's folder, and the network and settings that are read from it."""

import json
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

import fer_demo  # noqa: F401  (registers the models)
from fer_demo.checkpoints import WEIGHTS_FILE, resolve
from fer_demo.runtime.model_info import ModelError
from training.run.config import TrainConfig, from_dict

LAST = "last.pt"
"""From here a run goes on."""

BEST = "best.safetensors"
"""The weights that were best on PublicTest."""

ALIGNED = "aligned.npz"
"""Aligned twins of the pictures."""


def build_model(config: TrainConfig, **kwargs: Any) -> torch.nn.Module:
    """The network that a configuration names.

    Args:
        config: The settings.
        **kwargs: Further arguments of ``timm.create_model``.

    Raises:
        ValueError: If the model has no such option.
    """
    try:
        return timm.create_model(config.model, **config.model_args, **_outputs(config), **kwargs)
    except TypeError as error:
        raise ValueError(f"model_args {config.model_args} do not fit {config.model}: {error}.") from error


def _outputs(config: TrainConfig) -> dict[str, int]:
    """The number of outputs, where it is another than the model's own."""
    return {"num_classes": sum(config.heads)} if len(config.heads) > 1 else {}


def is_named_network(config: TrainConfig) -> bool:
    """Whether a configuration's network is the one that its model's name alone makes, whatever options it spells out.

    Args:
        config: The settings.
    """
    with torch.random.fork_rng(devices=[]):
        trained, named = build_model(config).eval(), timm.create_model(config.model).eval()
        try:
            named.load_state_dict(trained.state_dict())
        except RuntimeError:  # other parameters
            return False
        x = torch.rand(1, *trained.pretrained_cfg["input_size"])
        with torch.inference_mode():
            return torch.equal(trained(x), named(x))


def run_options(weights: str | Path) -> dict[str, Any]:
    """The model's options in the run that wrote a file of weights; none where no run's settings lie beside it."""
    settings = Path(weights).parent / "config.json"
    if not settings.is_file():
        return {}
    config = from_dict(json.loads(settings.read_text(encoding="utf-8")), str(settings))
    return config.model_args | _outputs(config)


def weights_file(name: str) -> Path:
    """The file that a name in a recipe means.

    Args:
        name: A bundled checkpoint or an architecture that has one, ``NAME@FILE``, or a file.

    Returns:
        Its path, whether or not there is such a file.
    """
    _, _, file = name.partition("@")
    if file or Path(name).is_file():
        return Path(file or name)
    try:
        checkpoint = resolve(name)
    except ModelError:  # the caller says what it was for
        return Path(name)
    return checkpoint.path(WEIGHTS_FILE) or checkpoint.folder / WEIGHTS_FILE


def load_initial_weights(model: torch.nn.Module, source: str) -> None:
    """Loads the weights from which a run starts.

    Args:
        model: The network.
        source: As `weights_file` takes it.

    Raises:
        ValueError: If there are no such weights, or they belong to another network.
    """
    file = weights_file(source)
    if not file.is_file():
        raise ValueError(f"init_from names neither a bundled checkpoint nor a file: {source!r}.")
    try:
        model.load_state_dict(load_file(file))
    except (RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0].rstrip(":.")
        raise ValueError(f"init_from: the weights of {source} do not fit this network ({reason}).") from error


def run_config(run_dir: str | Path) -> TrainConfig:
    """The settings with which a run was started, whether or not it can go on.

    Raises:
        ValueError: If the folder holds no run.
    """
    path = Path(run_dir) / "config.json"
    if not path.is_file():
        raise ValueError(f"{run_dir} holds no run ({path.name}); give the --run-dir of one.")
    return from_dict(json.loads(path.read_text(encoding="utf-8")), str(path))


def resume_config(run_dir: str | Path) -> TrainConfig:
    """The settings with which a run was started.

    Raises:
        ValueError: If the folder holds no run.
    """
    path = Path(run_dir) / "config.json"
    if not path.is_file() or not (Path(run_dir) / LAST).is_file():
        raise ValueError(f"{run_dir} holds no run to resume ({path.name} and {LAST}); start one without --resume.")
    return run_config(run_dir)
