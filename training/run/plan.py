"""How many epochs fit into a span of time, measured on the machine that is to train them."""

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from training.data import Faces
from training.run.config import TrainConfig, load_config
from training.run.storage import atomic_write_text
from training.run.train import Trainer

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
    """Trains some steps at each of a recipe's sizes, ends an epoch there, and forgets it all.

    Teachers answer in every step here, though with ``teacher_cycle`` a run asks them in its first epochs only.

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
            stepping = _seconds(trainer, batches[warmup:])
            for _ in range(2):  # the first loads what later ones have
                trainer.epoch = start
                ending = _seconds(trainer)
            epochs[side] = stepping / (len(batches) - warmup) * trainer.steps_per_epoch + ending
            timed += stepping + ending
    return epochs, timed


def _seconds(trainer: Trainer, batches: torch.Tensor | None = None) -> float:
    """How long it takes to train on batches, or without any to judge, save and report an epoch."""
    begun = time.monotonic()
    if batches is None:
        trainer._finish_epoch()
    for batch in batches if batches is not None else ():
        trainer._train_step(batch)
    if trainer.device.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic() - begun


def measure(commands: Sequence[Sequence[str]], data: str, steps: int = 30, timeout: float | None = None) -> Speed:
    """Rehearses several runs at once, as they will be trained, and takes the slowest.

    Args:
        commands: The arguments of ``python -m training train`` that start each.
        data: As `training.data.load_faces` takes it.
        steps: As `rehearse` takes it.
        timeout: Seconds after which it is given up.

    Raises:
        RuntimeError: If a rehearsal fails or is given up.
    """
    begun = time.monotonic()
    program = [sys.executable, "-m", "training", "rehearse", "--data", data, "--steps", str(steps)]
    with ExitStack() as stack:
        outputs = [[stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2)] for _ in commands]
        processes = []
        for command, (out, error) in zip(commands, outputs, strict=True):
            processes.append(subprocess.Popen([*program, *command], stdout=out, stderr=error))
            stack.callback(processes[-1].kill)  # does nothing to one that has ended
        answers = []
        for process, (out, error) in zip(processes, outputs, strict=True):
            try:
                process.wait(None if timeout is None else max(0, begun + timeout - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise RuntimeError(f"The rehearsal took longer than {timeout / 60:.1f} minutes.") from None
            out.seek(0), error.seek(0)
            if process.returncode:
                raise RuntimeError(f"The rehearsal failed: {' '.join(error.read().strip().splitlines()[-1:])}")
            answers.append(json.loads(out.read().strip().splitlines()[-1]))
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
    cost = 0.0
    for epochs in range(config.epochs, len(config.sizes) - 1, -1):
        short = _shortened(config, epochs)
        cost = speed.startup + sum(speed.epoch[short.size_at(epoch)] for epoch in range(epochs))
        if cost <= seconds * MARGIN:
            return short
    raise ValueError(
        f"{config.model} needs at least {cost / MARGIN / 60:.1f} minutes, its start included, where there are "
        f"{max(seconds, 0) / 60:.1f}: give more --minutes, or fewer --seeds."
    )


def _shortened(config: TrainConfig, epochs: int) -> TrainConfig:
    """A recipe of so many epochs, at least one at each size."""
    later = len(config.sizes)
    sizes = [
        (min(max(round(start * epochs / config.epochs), i), epochs - later + i), side)
        for i, (start, side) in enumerate(config.sizes)
    ]
    warmup = min(config.warmup_epochs, epochs / 10)
    return dataclasses.replace(config, epochs=epochs, sizes=tuple(sizes), warmup_epochs=warmup)


def run_arguments(recipe: str, settings: Sequence[str], seed: int) -> list[str]:
    """What starts a run, behind ``python -m training train`` or ``rehearse``."""
    return [recipe, "--set", *settings, f"seed={seed}"]


class Plan:
    """How a generation is shortened, kept in a file so that a later call goes on with it.

    Args:
        file: Keeps the plans of both generations.
        generation: Its name there.
        recipe: The recipe.
        settings: Overrides on top of it.
        seeds: Runs side by side.
    """

    def __init__(self, file: Path, generation: str, recipe: str, settings: Sequence[str], seeds: int) -> None:
        self.file, self.generation = file, generation
        self.asked = {"recipe": recipe, "settings": list(settings), "seeds": seeds}

    @property
    def closed(self) -> bool:
        """Whether the generation was late and is taken as it stands."""
        return self._read().get(self.generation, {}).get("closed", False)

    def close(self) -> None:
        """Takes the generation as it stands: it is not trained any further, since others may learn from it."""
        self._write(self._read()[self.generation] | {"closed": True})

    def settings(self, data: str, end: float) -> list[str]:
        """The settings with which the runs are done in time, measured unless an earlier call has done so.

        Args:
            data: As for `full`.
            end: In `time.monotonic` seconds.
        """
        plan = self._read().get(self.generation, {})
        if plan.get("asked") != self.asked:
            recipe, settings, seeds = self.asked.values()
            commands = [run_arguments(recipe, settings, seed) for seed in range(seeds)]
            speed = measure(commands, data, timeout=end - time.monotonic())
            shorter = fitted(load_config(recipe, settings), speed, end - time.monotonic()).to_dict()
            plan = {"asked": self.asked, "set": {name: shorter[name] for name in ("epochs", "sizes", "warmup_epochs")}}
            self._write(plan)
        return [f"{name}={value}" for name, value in plan["set"].items()]

    def _read(self) -> dict[str, Any]:
        return json.loads(self.file.read_text(encoding="utf-8")) if self.file.is_file() else {}

    def _write(self, plan: dict[str, Any]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_text(self.file, json.dumps(self._read() | {self.generation: plan}, indent=1) + "\n")
