"""The teachers' answers that a run meets again, kept on disk: for a student that is much faster than its teachers."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import torch

from training.run.config import TrainConfig
from training.run.provenance import sources

_TOLERANCE = 1e-3
"""How far a head's probabilities may be from adding up to 1."""


def open_answers(
    config: TrainConfig, data: str, shape: tuple[int, int, int, int], how: dict[str, object], folder: Path
) -> "KeptAnswers":
    """The file of a run's kept answers, made if there is none.

    It is named after all that the answers depend on, so that runs beside each other which differ in the student alone
    share it, and one that was stopped finds what it has.

    Args:
        config: The settings, with a ``teacher_cycle``.
        data: `training.data.Faces.fingerprint` of the Training pictures, in the order in which they are drawn.
        shape: Epochs that differ, steps in each, pictures in a batch, and outputs.
        how: What else decides the digits, such as the device.
        folder: Where the file is.

    Raises:
        OSError: If the file cannot be made.
    """
    settings = config.to_dict()
    known = {name: settings[name] for name in ("seed", "augment", "distill_temperature")}
    digests = sources(config)
    teachers = [digests.get(name, name) for name in config.teachers]
    facts = json.dumps([teachers, data, shape, known, how], sort_keys=True, default=str)
    return KeptAnswers(folder / f"teachers-{hashlib.sha256(facts.encode()).hexdigest()[:16]}.npy", shape)


class KeptAnswers:
    """Probabilities by epoch, step and place in the batch, float32 on disk; several processes may read and write.

    Args:
        file: Where; made, with no answer known, if it is missing, damaged or of another shape.
        shape: Epochs, steps, pictures in a batch, outputs.

    Raises:
        OSError: If the file cannot be made.
    """

    def __init__(self, file: Path, shape: tuple[int, int, int, int]) -> None:
        self._kept = _open(file, shape)
        if self._kept is None:
            _make(file, shape)
            self._kept = _open(file, shape)
        if self._kept is None:
            raise OSError(f"{file} was written and cannot be read; give the run a folder on a disk that keeps files.")

    def get(self, epoch: int, step: int, part: slice, heads: tuple[int, ...]) -> torch.Tensor | None:
        """The answers for a process's part of a batch.

        Args:
            epoch: From 0, below the number of epochs that differ.
            step: From 0.
            part: Rows of the batch.
            heads: How many of the outputs each head has; the probabilities of each add up to 1.

        Returns:
            float32 (n, outputs), or None if not all are known.
        """
        found = torch.from_numpy(np.array(self._kept[epoch, step, part]))
        sums = torch.stack([head.sum(1) for head in found.split(heads, dim=1)])
        # A row that another process is writing, or that the disk has spoiled, is no answer.
        return found if bool(((sums - 1).abs() < _TOLERANCE).all()) else None

    def put(self, epoch: int, step: int, part: slice, answers: torch.Tensor) -> None:
        """Keeps the answers for a process's part of a batch, float (n, outputs)."""
        self._kept[epoch, step, part] = answers.cpu().numpy()


def _open(file: Path, shape: tuple[int, ...]) -> np.memmap | None:
    """The file, or None if there is none of that shape."""
    try:
        kept = np.lib.format.open_memmap(file, "r+")
    except (OSError, ValueError):  # missing, empty, cut short, or something else
        return None
    return kept if kept.shape == shape and kept.dtype == np.float32 else None


def _make(file: Path, shape: tuple[int, ...]) -> None:
    """Writes it whole under another name first, since another run may look for it, or be making it too."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)
    made = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            np.lib.format.write_array(out, np.full(shape, np.nan, np.float32))
        try:
            os.link(made, file)
        except OSError:  # another was first, or the disk has no links
            if _open(file, shape) is None:
                os.replace(made, file)
    finally:
        made.unlink(missing_ok=True)
