"""``last.pt``: all that a run needs to go on at exactly the step at which it stood."""

import json
import math
from pathlib import Path
from typing import Any, Protocol

import torch
from tqdm import tqdm

from fer_demo.vision.sources import one_line
from training.run.storage import atomic_write, read_back

START_ANEW = "take another copy of it, or start the run anew in another --run-dir"
"""What helps against a state that cannot be used."""


class Resumable(Protocol):
    """A run that can be stopped and go on: a `training.run.train.Trainer`, whose attributes these are."""

    data: str
    how: dict[str, Any]
    epoch: int
    step: int
    seconds: float
    history: list[dict[str, Any]]
    loss_sum: torch.Tensor
    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    ema: Any
    selector: Any
    world: Any
    device: torch.device


def save_state(trainer: Resumable, path: Path) -> None:
    """Writes where a run stands.

    Raises:
        OSError: If the file cannot be written; the old one is then untouched.
    """
    state = {
        "data": trainer.data,
        "how": json.dumps(trainer.how),
        "epoch": trainer.epoch,
        "step": trainer.step,
        "loss_sum": trainer.loss_sum,
        "seconds": trainer.seconds,
        "history": json.dumps(trainer.history),
        "best": json.dumps(trainer.selector.best),
        "model": trainer.model.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "ema": trainer.ema.module.state_dict() if trainer.ema is not None else None,
    }
    atomic_write(path, lambda f: torch.save(state, f))


def read_state(path: Path, device: torch.device | str) -> dict[str, Any]:
    """Reads what `save_state` wrote.

    Raises:
        ValueError: If the file is damaged, cut off, or of another kind.
    """
    with read_back(path, START_ANEW):
        if path.stat().st_size == 0:
            raise ValueError("it is empty")
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        history = json.loads(state["history"])
        counts = [state["epoch"], state["step"]]
        fits = all(type(n) is int and n >= 0 for n in counts) and torch.isfinite(state["loss_sum"]).all()
        known = isinstance(history, list) and all(isinstance(row, dict) for row in history)
        if not (fits and known and is_choice(json.loads(state["best"]))):
            raise ValueError("it holds no run's state")
        if not isinstance(json.loads(state.get("how", "{}")), dict) or not math.isfinite(state["seconds"]):
            raise ValueError("it does not say how the run was computed")
        state["model"].keys(), state["optimizer"].keys()
    return state


def check_data(path: Path, fingerprint: str) -> None:
    """Keeps a run from going on, or from being taken for one, on other data than it began with.

    Args:
        path: What `save_state` wrote; passed over where there is none.
        fingerprint: Of the data at hand (`training.data.Faces.fingerprint`).

    Raises:
        ValueError: If the run was trained on other data.
    """
    if path.is_file() and read_state(path, "cpu").get("data", fingerprint) != fingerprint:
        raise ValueError(f"{path.parent} was trained on other data: give the same --data as before, or another --out.")


def is_choice(best: Any) -> bool:
    """Whether something says which weights were chosen, as `training.run.checkpoint_selection` does."""
    kinds: dict[str, Any] = {"accuracy": int | float, "epoch": int, "weights": str}
    return isinstance(best, dict) and all(isinstance(best.get(name), kind) for name, kind in kinds.items())


def load_state(trainer: Resumable, path: Path) -> None:
    """Takes up what `save_state` wrote; says so if it was computed in another way than it goes on.

    Raises:
        ValueError: If the file belongs to other data, or another model or optimiser.
    """
    state = read_state(path, trainer.device)
    if state.get("data", trainer.data) != trainer.data:
        raise ValueError(f"{path} was trained on other data: give the same --data as before.")
    how = trainer.how | json.loads(state.get("how", "{}"))
    if how != trainer.how and trainer.world.main:
        tqdm.write(f"note: begun with {how}, goes on with {trainer.how}: the same run, but not digit for digit.")
    try:
        trainer.model.load_state_dict(state["model"])
        trainer.optimizer.load_state_dict(state["optimizer"])
        if trainer.ema is not None:
            trainer.ema.module.load_state_dict(state["ema"])
    except Exception as error:  # PyTorch raises many kinds for what does not fit
        reason = one_line((str(error) or type(error).__name__).splitlines()[0], 200)
        raise ValueError(f"{path} does not fit these settings ({reason}); {START_ANEW}.") from error
    trainer.epoch, trainer.step, trainer.seconds = state["epoch"], state["step"], state["seconds"]
    trainer.loss_sum = state["loss_sum"].to(trainer.device)
    trainer.history, trainer.selector.best = json.loads(state["history"]), json.loads(state["best"])
