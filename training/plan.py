"""How many epochs fit into a span of time, measured on the machine that is to train them."""

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.config import TrainConfig
from training.data import Faces
from training.train import Trainer

WARMUP_STEPS = 5
MARGIN = 0.95
"""The share of a span that is planned for: speed varies."""


@dataclass(frozen=True)
class Speed:
    """What a run costs on this machine.

    Attributes:
        startup: Seconds before it trains: imports, data, and compiling for every size.
        epoch: Side in pixels to the seconds of an epoch at that size, judged on PublicTest.
    """

    startup: float
    epoch: dict[int, float]


def rehearse(config: TrainConfig, faces: Faces, steps: int) -> tuple[dict[int, float], float]:
    """Trains some steps at each of a recipe's sizes, judges once, and forgets it all.

    Args:
        config: The settings.
        faces: FER2013 with Training and PublicTest.
        steps: How many steps are timed at each size.

    Returns:
        Side in pixels to the seconds of a whole epoch, and the seconds that were timed for it: whatever else passed
        meanwhile is what a run takes to start.
    """
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(config, faces, folder, quiet=True)
        epochs, timed = {}, 0.0
        for start, side in config.sizes:
            trainer.epoch = start
            trainer.network.train()
            batches = trainer.batches.order(start)[: trainer.steps_per_epoch * config.batch_size]
            batches = batches.view(-1, config.batch_size)[: WARMUP_STEPS + steps]
            warmup = min(WARMUP_STEPS, len(batches) - 1)
            _seconds(trainer, batches[:warmup])
            stepping, judging = _seconds(trainer, batches[warmup:]), _seconds(trainer)
            epochs[side] = stepping / (len(batches) - warmup) * trainer.steps_per_epoch + judging
            timed += stepping + judging
    return epochs, timed


def _seconds(trainer: Trainer, batches: torch.Tensor | None = None) -> float:
    """How long it takes to train on batches, or without any to judge the weights."""
    begun = time.monotonic()
    if batches is None:
        trainer.judge.judge(trainer._candidates(), trainer.epoch)
    for batch in batches if batches is not None else ():
        trainer._train_step(batch)
    if trainer.device.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic() - begun


def measure(commands: Sequence[Sequence[str]], data: str, steps: int = 30) -> Speed:
    """Rehearses several runs at once, as they will be trained, and takes the slowest.

    Args:
        commands: The arguments of ``python -m training train`` that start each.
        data: As `training.data.load_faces` takes it.
        steps: As `rehearse` takes it.

    Raises:
        RuntimeError: If a rehearsal fails.
    """
    begun = time.monotonic()
    program = [sys.executable, "-m", "training", "rehearse", "--data", data, "--steps", str(steps)]
    processes = [
        subprocess.Popen([*program, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    answers = []
    for process in processes:
        out, error = process.communicate()
        if process.returncode:
            raise RuntimeError(f"The rehearsal failed: {' '.join(error.strip().splitlines()[-1:])}")
        answers.append(json.loads(out.strip().splitlines()[-1]))
    epoch = {int(side): max(answer["epoch"][side] for answer in answers) for side in answers[0]["epoch"]}
    return Speed(time.monotonic() - begun - min(answer["timed"] for answer in answers), epoch)


def fitted(config: TrainConfig, speed: Speed, seconds: float) -> TrainConfig:
    """A recipe shortened to a span of time, each size keeping its share of the epochs.

    Args:
        config: The recipe; it is not made longer.
        speed: From `measure`.
        seconds: For the whole run.

    Raises:
        ValueError: If not even one epoch at each size fits.
    """
    starts = [start for start, _ in config.sizes]
    shares = [(end - start) / config.epochs for start, end in zip(starts, [*starts[1:], config.epochs], strict=True)]
    mean = sum(share * speed.epoch[side] for share, (_, side) in zip(shares, config.sizes, strict=True))
    epochs = min(config.epochs, int((seconds * MARGIN - speed.startup) / mean))
    if epochs < len(starts):
        needed = (speed.startup + sum(speed.epoch.values())) / MARGIN / 60
        raise ValueError(
            f"{seconds / 60:.1f} minutes do not suffice for {config.model}: at least {needed:.1f} are needed."
        )
    sizes = []
    for i, (start, side) in enumerate(config.sizes):
        first = round(start * epochs / config.epochs)
        sizes.append((min(max(first, i), epochs - len(starts) + i), side))
    return dataclasses.replace(
        config, epochs=epochs, sizes=tuple(sizes), warmup_epochs=min(config.warmup_epochs, epochs / 10)
    )
