"""What lies in a run's folder, and the network and settings that are read from it."""

import os
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

import fer_demo  # noqa: F401  (registers the models)
from fer_demo.checkpoints import WEIGHTS_FILE, resolve
from fer_demo.emotions import LABELS
from fer_demo.files import read_json
from fer_demo.models.pretrained import checkpoint_filter_fn
from fer_demo.runtime.model_info import ModelError
from fer_demo.vision.sources import one_line
from training.run.config import TrainConfig, from_dict, shown
from training.run.devices import pick_device
from training.run.guidance import check_takes_landmarks
from training.run.storage import read_back

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
        ValueError: If there is no such model, it has no such option, or weights do not fit it.
    """
    try:
        model = timm.create_model(config.model, **config.model_args, **_outputs(config), **kwargs)
        if kwargs.get("checkpoint_path"):
            checkpoint_filter_fn(model.state_dict(), model)
        return state_classes(model, config.labels)
    except ModelError:
        raise
    except Exception as error:  # networks raise many kinds for options of another type
        options = f" with model_args {shown(config.model_args)}" if config.model_args else ""
        options += f" from {kwargs['checkpoint_path']}" if kwargs.get("checkpoint_path") else ""
        reason = one_line(" ".join(str(error).split()), 200).rstrip(".")
        raise ValueError(f"The model {shown(config.model)} cannot be made{options}: {reason}.") from error


def check_networks(config: TrainConfig) -> None:
    """Makes sure that a run's networks, weights and device are there; before data are read, which may take minutes.

    Raises:
        ValueError: If one is not.
    """
    with torch.device("meta"):  # no memory and no random numbers
        model = build_model(config, drop_rate=config.drop_rate)
    if config.aligned and not getattr(model, "takes_twins", False):
        raise ValueError(f"{config.model} looks at one picture: leave aligned out, or train fer_kim_fusion.")
    check_takes_landmarks(config, model)
    for name in config.teachers:
        network, _, file = name.partition("@")
        if file and not os.path.isfile(file):
            raise ValueError(
                f"The teacher {shown(name)} names a file that does not exist; give NAME or NAME@FILE.safetensors."
            )
        if not timm.is_model(network.partition(".")[0]):
            raise ValueError(f"The teacher {shown(name)} names no network that timm knows; give NAME or NAME@FILE.")
        if not file and not os.path.isfile(weights_file(network)):
            raise ValueError(f"The teacher {shown(name)} has no weights here; give a bundled checkpoint or NAME@FILE.")
    if config.init_from and not os.path.isfile(weights_file(config.init_from)):
        raise ValueError(f"init_from names neither a bundled checkpoint nor a file: {shown(config.init_from)}.")
    device = pick_device(config.device)
    count = torch.cuda.device_count() if device.type == "cuda" else int(torch.backends.mps.is_available())
    if device.type != "cpu" and (device.index or 0) >= count:
        raise ValueError(f"There is no device {config.device} on this machine: set device to auto or cpu.")


def _outputs(config: TrainConfig) -> dict[str, int]:
    """The number of outputs, where it is another than the model's own."""
    return {"num_classes": sum(config.heads)} if len(config.heads) > 1 or config.labels != LABELS else {}


def state_classes(model: torch.nn.Module, names: tuple[str, ...]) -> torch.nn.Module:
    """Lets a network's ``pretrained_cfg`` state its classes; returns the network."""
    if tuple(model.pretrained_cfg.get("label_names") or ()) != names:
        stated = {**model.pretrained_cfg, "num_classes": len(names), "label_names": names}
        model.pretrained_cfg = model.default_cfg = stated
    return model


def trained_model(config: TrainConfig, run_dir: Path) -> torch.nn.Module:
    """The network with the weights that a run has chosen, in evaluation mode, where the settings want it to run.

    Args:
        config: The run's settings.
        run_dir: Its folder.
    """
    return build_model(config, checkpoint_path=str(run_dir / BEST)).to(pick_device(config.device)).eval()


def weights_classes(file: str | Path) -> tuple[str, ...]:
    """The classes of a file of weights, by the settings of a run or checkpoint beside it; the seven without such."""
    settings = Path(file).parent / "config.json"
    if not settings.is_file():
        return LABELS
    with read_back(settings, "restore it"):
        stated = read_json(settings)
        if "label_names" in stated:  # a checkpoint
            return tuple(map(str, stated["label_names"]))
    return read_config(settings).labels


def is_named_network(config: TrainConfig) -> bool:
    """Whether a configuration's network is the one that its model's name alone makes, whatever options it spells out.

    Args:
        config: The settings.
    """
    with torch.random.fork_rng(devices=[]):
        trained, named = build_model(config).eval(), timm.create_model(config.model, **_outputs(config)).eval()
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
    with read_back(settings, "restore it, or give the weights of another run"):
        stated = read_json(settings)
    if "architecture" in stated:  # a checkpoint's, not a run's
        return {**stated.get("model_args", {}), "num_classes": stated.get("num_classes", len(LABELS))}
    config = read_config(settings)
    return config.model_args | _outputs(config)


def weights_file(name: str) -> Path:
    """The file that a name in a recipe means.

    Args:
        name: A bundled checkpoint or an architecture that has one, ``NAME@FILE``, or a file.

    Returns:
        Its path, whether or not there is such a file.
    """
    _, _, file = name.partition("@")
    if file or os.path.isfile(name):  # unlike Path.is_file, false for a name that is too long for any path
        return Path(file or name)
    try:
        checkpoint = resolve(name)
    except ModelError:  # the caller says what it was for
        return Path(name)
    return checkpoint.path(WEIGHTS_FILE) or checkpoint.folder / WEIGHTS_FILE


def load_initial_weights(model: torch.nn.Module, source: str, classes: tuple[str, ...] = LABELS) -> bool:
    """Loads the weights from which a run starts.

    Args:
        model: The network.
        source: As `weights_file` takes it.
        classes: What the network answers for. Of weights for other classes all but the classifier is taken.

    Returns:
        Whether the classifier was taken too.

    Raises:
        ValueError: If there are no such weights, or they belong to another network.
    """
    file = weights_file(source)
    if not os.path.isfile(file):
        raise ValueError(f"init_from names neither a bundled checkpoint nor a file: {shown(source)}.")
    try:
        state = checkpoint_filter_fn(load_file(file), model)
        complete = getattr(model, "complete_state", None)  # a network with attention starts from one without
        state = complete(state) if complete else state
        same = weights_classes(file) == classes
        if not same:
            name = model.pretrained_cfg["classifier"]
            state |= {k: v for k, v in model.state_dict().items() if k.startswith(f"{name}.")}
        model.load_state_dict(state)
        return same
    except (RuntimeError, SafetensorError, OSError, ValueError, KeyError) as error:
        reason = one_line(str(error).partition("\n")[0], 200).rstrip(":.")
        raise ValueError(f"init_from: the weights of {source} do not fit this network ({reason}).") from error


def run_config(run_dir: str | Path) -> TrainConfig:
    """The settings with which a run was started, whether or not it can go on.

    Raises:
        ValueError: If the folder holds no run.
    """
    path = Path(run_dir) / "config.json"
    if not path.is_file():
        raise ValueError(f"{run_dir} holds no run ({path.name}); give the --run-dir of one.")
    return read_config(path)


def read_config(path: Path) -> TrainConfig:
    """The settings in a run's ``config.json``.

    Raises:
        ValueError: If the file cannot be read, or is no run's.
    """
    with read_back(path, "restore it, or give the --run-dir of another run"):
        return from_dict(read_json(path))


def resume_config(run_dir: str | Path) -> TrainConfig:
    """The settings with which a run was started.

    Raises:
        ValueError: If the folder holds no run.
    """
    path = Path(run_dir) / "config.json"
    if not path.is_file() or not (Path(run_dir) / LAST).is_file():
        raise ValueError(f"{run_dir} holds no run to resume ({path.name} and {LAST}); start one without --resume.")
    return run_config(run_dir)
