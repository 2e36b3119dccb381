"""Where weights come from: which ones a run starts from and learns from, and which sets have been published.

A published name never moves to other weights, and `RELEASES` lists every name that there has been, with digest and
figures, whether or not its weights are still bundled.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fer_demo.files import read_json
from training.run.config import TrainConfig
from training.run.run_folder import read_config, weights_file
from training.run.runlog import CONFIG, RUNS
from training.run.storage import atomic_write_text, read_back

PROVENANCE = "provenance.json"

RELEASES = Path(__file__).parent.parent / "releases.json"


@dataclass(frozen=True)
class Release:
    """A set of weights that was published, or from which a published one grew.

    Attributes:
        name: ``<architecture>.<tag>``.
        sha256: Digest of its safetensors file.
        run: Its record in ``training/runs/``.
        epochs: Of that run, as far as it went.
        released: Date, ISO 8601.
        public: Accuracy on PublicTest, 0 to 1.
        private: On PrivateTest, which was looked at once for it; None if it never was.
    """

    name: str
    sha256: str
    run: str
    epochs: int
    released: str
    public: float
    private: float | None


def releases(file: Path = RELEASES) -> list[Release]:
    """Every release, the oldest first."""
    if not file.is_file():
        return []
    with read_back(file, "restore it from the repository"):
        found = [Release(**entry) for entry in read_json(file, list)]
        if not all(isinstance(getattr(r, name), str) for r in found for name in ("name", "sha256", "run", "released")):
            raise ValueError("a name, digest, run or date is no text")
        return found


def record_release(release: Release, file: Path = RELEASES) -> None:
    """Adds a release.

    Raises:
        ValueError: If other weights were released under its name: a name never changes its meaning.
    """
    known = releases(file)
    same = next((r for r in known if r.name == release.name), None)
    if same is None:
        text = json.dumps([asdict(r) for r in (*known, release)], indent=1) + "\n"
        atomic_write_text(file, text)
    elif same.sha256 != release.sha256:
        raise ValueError(
            f"{release.name} was released on {same.released} with other weights; a published name never moves, so give "
            "these a tag of their own."
        )


def sources(config: TrainConfig) -> dict[str, str]:
    """The weights behind `init_from` and `teachers`.

    Returns:
        Their names there to the SHA-256 digest of the file of weights. Names that lead to no file are left out.
    """
    named = dict.fromkeys([*([config.init_from] if config.init_from else []), *config.teachers])
    files = {name: weights_file(name) for name in named}
    return {name: hashlib.sha256(f.read_bytes()).hexdigest() for name, f in files.items() if os.path.isfile(f)}


def lineage(config: TrainConfig, digests: dict[str, str]) -> list[dict[str, Any]]:
    """The weights from which a run's initial weights grew, the first of them first.

    Args:
        config: The run's settings.
        digests: Its `sources`.

    Returns:
        ``name`` and ``sha256`` of each; for released ones ``epochs`` and ``sizes`` of their run too. Empty for a run
        that starts from nothing.
    """
    if not config.init_from:
        return []
    digest = digests.get(config.init_from, "")
    release = next((r for r in releases() if r.sha256 == digest), None)
    if release is None:
        return [{"name": config.init_from.partition("@")[0], "sha256": digest}]
    folder = RUNS / release.run
    before = read_config(folder / CONFIG)
    own = {"name": release.name, "sha256": digest, "epochs": release.epochs, "sizes": before.to_dict()["sizes"]}
    return [*lineage(before, read_sources(folder)), own]


def write_sources(folders: Sequence[Path], config: TrainConfig) -> None:
    """Writes them into a run's folder and record; a run that starts from nothing and has no teachers gets no file."""
    found = sources(config) if folders else {}
    for folder in folders if found else ():
        atomic_write_text(folder / PROVENANCE, json.dumps(found, indent=1) + "\n")


def read_sources(run_dir: str | Path) -> dict[str, str]:
    """What `write_sources` wrote; empty where it wrote nothing."""
    file = Path(run_dir) / PROVENANCE
    if not file.is_file():
        return {}
    with read_back(file, "restore it, or start the run anew in another --run-dir"):
        return {str(name): str(digest) for name, digest in read_json(file).items()}


def check_teachers(run_dir: str | Path, config: TrainConfig) -> None:
    """Makes sure that a run which goes on learns from the same teachers.

    Raises:
        ValueError: If one of them has other weights now.
    """
    before, now = read_sources(run_dir), sources(config)
    for name in config.teachers:
        if name in before and before[name] != now.get(name):
            raise ValueError(
                f"The teacher {name} has other weights than when {run_dir} was started: bring those back, or start a "
                "new run."
            )
