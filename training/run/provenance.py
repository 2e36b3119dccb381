"""Which weights a run starts from and learns from: a name alone does not say, since better weights replace a name's."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_demo.checkpoints import checkpoint_dir, checkpoint_metrics
from training.run.config import TrainConfig
from training.run.run_folder import weights_file
from training.run.storage import atomic_write_text

ORIGINS = "origins.json"


def origins(config: TrainConfig) -> dict[str, dict[str, Any]]:
    """The weights behind `init_from` and `teachers`, by their names there.

    Returns:
        ``sha256`` of each file of weights; for bundled checkpoints ``training`` too: their recipe, chosen epoch and
        own origins. Names that lead to no file are left out.
    """
    found = {}
    for name in dict.fromkeys([*([config.init_from] if config.init_from else []), *config.teachers]):
        file = weights_file(name)
        if file.is_file():
            found[name] = {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
            if file.parent == checkpoint_dir(file.parent.name):
                found[name]["training"] = checkpoint_metrics(file.parent.name).get("training", {})
    return found


def write_origins(folders: Sequence[Path], config: TrainConfig) -> None:
    """Writes them into a run's folder and record; a run that starts from nothing and has no teachers gets no file."""
    found = origins(config) if folders else {}
    for folder in folders if found else ():
        atomic_write_text(folder / ORIGINS, json.dumps(found, indent=1) + "\n")


def read_origins(run_dir: str | Path) -> dict[str, dict[str, Any]]:
    """What `write_origins` wrote; empty where it wrote nothing."""
    file = Path(run_dir) / ORIGINS
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def check_teachers(run_dir: str | Path, config: TrainConfig) -> None:
    """Makes sure that a run which goes on learns from the same teachers.

    Raises:
        ValueError: If one of them has other weights now.
    """
    before, now = read_origins(run_dir), origins(config)
    for name in config.teachers:
        if name in before and before[name]["sha256"] != now.get(name, {}).get("sha256"):
            raise ValueError(
                f"The teacher {name} has other weights than when {run_dir} was started: bring those back, or start a "
                "new run."
            )
