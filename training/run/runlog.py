"""What a run leaves behind: its curve, TensorBoard events, and a small record that can be committed.

A record is a folder with ``config.json`` (the whole recipe), ``log.csv`` (a row an epoch) and ``record.json`` (status,
choice, machine, PublicTest figures of the chosen weights). It holds no weights, and failed runs keep theirs.
"""

import csv
import io
import json
import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import timm
import torch
from tqdm import tqdm

from fer_demo.files import read_json
from fer_demo.runtime.machine import processor
from training.run.storage import atomic_write_text, read_back

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

RUNS = Path(__file__).parent.parent / "runs"
LOG, CONFIG, RECORD = "log.csv", "config.json", "record.json"


class TimeUp(Exception):
    """A run has used up its time. Its state is saved, and it can go on."""


def ending(error: BaseException) -> tuple[str, str]:
    """The status of a run that an exception ended, as `RunLog.status` takes it, and the reason."""
    if isinstance(error, TimeUp):
        return "paused", "its time was up"
    if isinstance(error, KeyboardInterrupt):
        return "stopped", "stopped by hand"
    return "failed", f"{type(error).__name__}: {error}"


class RunLog:
    """Writes a run's history after each epoch.

    Args:
        folders: The run's own, which gets config.json, log.csv and TensorBoard events, and after it the record's, if
            one is kept. None at all for a process that leaves the writing to another.
        quiet: Print nothing.
    """

    def __init__(self, folders: Sequence[Path], quiet: bool) -> None:
        self.folders, self.quiet = folders, quiet

    def start(self, config: dict[str, Any]) -> None:
        """Writes the settings."""
        for folder in self.folders:
            atomic_write_text(folder / CONFIG, json.dumps(config, indent=1) + "\n")

    def curve(self, history: list[dict[str, Any]]) -> None:
        """Writes ``log.csv``, unless there is nothing yet."""
        if not history:
            return
        text = io.StringIO()
        writer = csv.DictWriter(text, list(history[-1]))
        writer.writeheader()
        writer.writerows(history)
        for folder in self.folders:
            atomic_write_text(folder / LOG, text.getvalue())

    def epoch(self, history: list[dict[str, Any]]) -> None:
        """Writes the curve up to the last row of `history`."""
        if not self.folders:
            return
        self.curve(history)
        row = history[-1]
        if not self.quiet:
            tqdm.write("  ".join(f"{key} {value}" for key, value in row.items()))
        for key, value in row.items():
            if key != "epoch":
                self._board.add_scalar(key, value, row["epoch"])
        self._board.flush()

    @cached_property
    def _board(self) -> "SummaryWriter":
        """Open as long as the run goes on: a writer makes a file of its own each time."""
        from torch.utils.tensorboard import SummaryWriter  # slow to import, and needed only here

        return SummaryWriter(str(self.folders[0]))

    def status(self, status: str, **facts: Any) -> None:
        """Writes the record.

        Args:
            status: ``"running"``, ``"finished"``, ``"stopped"`` by a person, ``"paused"`` since its time was up, or
                ``"failed"``.
            **facts: What else to say, as JSON takes it.
        """
        if status != "running" and (board := self.__dict__.pop("_board", None)):
            board.close()
        for folder in self.folders[1:]:
            record = {"status": status, **facts, "machine": machine()}
            atomic_write_text(folder / RECORD, json.dumps(record, indent=1) + "\n")


def machine() -> dict[str, Any]:
    """Processor or GPU, thread count and versions, as a figure's reader needs them."""
    cuda = torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name() if cuda else processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "timm": timm.__version__,
    }


@dataclass(frozen=True)
class Run:
    """A record, read back.

    Attributes:
        name: The folder's.
        config: The settings, as `training.run.config.from_dict` takes them.
        history: A row for each epoch that was evaluated (``evaluate_every``): ``epoch``, ``size``, ``train_loss``,
            ``public_accuracy``, ...
        record: ``status``; ``best``; perhaps a ``note``, or after a failure a ``reason``; for finished runs ``public``,
            the figures of `training.eval.metrics.classification_metrics` on PublicTest for the chosen weights.
    """

    name: str
    config: dict[str, Any]
    history: list[dict[str, float]] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """How many it has trained, as far as they were evaluated."""
        return int(self.history[-1].get("epoch", 0)) if self.history else 0


def read_run(folder: str | Path) -> Run:
    """Reads a record.

    Raises:
        ValueError: If the folder holds none, or a file in it is damaged.
    """
    folder = Path(folder)
    history, record = [], {"status": "running"}
    with read_back(folder, "restore its files, or delete the folder"):
        config = read_json(folder / CONFIG)
        if (folder / LOG).is_file():
            with open(folder / LOG, newline="", encoding="utf-8") as f:
                history = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(f)]
            if not all(math.isfinite(v) for row in history for v in row.values()):
                raise ValueError(f"{LOG} holds a number that is not finite")
        if (folder / RECORD).is_file():
            record = read_json(folder / RECORD)
        for values, groups in ((config, ("augment", "corruption")), (record, ("best", "machine", "public"))):
            if wrong := [name for name in groups if not isinstance(values.get(name, {}), dict)]:
                raise ValueError(f"{wrong[0]} is a {type(values[wrong[0]]).__name__} instead of an object")
    return Run(folder.name, config, history, record)


def read_runs(folder: str | Path = RUNS) -> list[Run]:
    """All records in a folder, by name; folders that hold none are passed over."""
    return [read_run(path.parent) for path in sorted(Path(folder).glob(f"*/{CONFIG}"))]
