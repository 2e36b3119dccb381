"""``last.pt``: all that a run needs to go on at exactly the step at which it stood."""

import json
from pathlib import Path
from typing import Any, Protocol

import torch
from tqdm import tqdm

from training.run.storage import atomic_write


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


def load_state(trainer: Resumable, path: Path) -> None:
    """Takes up what `save_state` wrote; says so if it was computed in another way than it goes on.

    Raises:
        ValueError: If the file belongs to other data, or another model or optimiser.
    """
    state = torch.load(path, map_location=trainer.device, weights_only=True)
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
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not fit these settings ({str(error).splitlines()[0]}).") from error
    trainer.epoch, trainer.step, trainer.seconds = state["epoch"], state["step"], state["seconds"]
    trainer.loss_sum = state["loss_sum"].to(trainer.device)
    trainer.history, trainer.selector.best = json.loads(state["history"]), json.loads(state["best"])
