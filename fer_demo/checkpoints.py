"""Trained checkpoints: what a name means, where its files are, and whether they are whole.

A checkpoint is a timm ``local-dir`` folder named ``<architecture>.<tag>``. As in timm, the tag names the recipe and
never moves to other weights. `resolve` is the only place that turns a name into a folder. ``manifest.json`` in the
folder has the SHA-256 digest of every file; no content is used that does not fit it.
"""

import functools
import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_demo.files import atomic_write_text, read_json
from fer_demo.runtime.model_info import ModelError
from fer_demo.vision.sources import one_line

WEIGHTS_FILE = "model.safetensors"
ONNX_FILE = "model.onnx"
"""The same network for ONNX Runtime, beside `WEIGHTS_FILE`."""

CONFIG_FILE = "config.json"
"""Which network it is and how pictures are prepared, as timm writes and reads it."""

METRICS_FILE = "metrics.json"
CARD_FILE = "README.md"
MANIFEST_FILE = "manifest.json"

DEFAULT_TAGS = {
    "fer_sedense": "restart_fer2013",
    "fer_sedense_s2": "tune_fer2013",
    "fer_sedense_nano": "wide_fer2013",
    "fer_pramerdorfer_vgg": "paper_fer2013",
}
"""The tag that an architecture's bare name stands for, as timm takes it from the first of its ``default_cfgs``."""

DEFAULT = "fer_sedense.photos_fer2013"
"""The checkpoint that answers where none is named: the one made for people's own photographs.

An architecture's bare name stands for the weights behind the paper's number, which are best on FER2013's labels.
"""


class UnknownModelError(ModelError):
    """There is no checkpoint of that name."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's folder.

    Attributes:
        name: ``<architecture>.<tag>``; for a folder of a user's own its name.
        folder: Where it is.
        bundled: Whether it came with this package, and so must have a manifest.
    """

    name: str
    folder: Path
    bundled: bool

    @classmethod
    def at(cls, folder: Path) -> "Checkpoint":
        """The checkpoint in a folder."""
        return cls(folder.resolve().name, folder, is_bundled(folder))

    def path(self, file: str) -> Path | None:
        """One of its files, after all files were compared with the manifest.

        Args:
            file: Its name, such as `WEIGHTS_FILE`.

        Returns:
            None if the checkpoint has no such file.

        Raises:
            ModelError: If the checkpoint is damaged.
        """
        listed = self.verify()
        path = self.folder / file
        return path if path.is_file() and (listed is None or file in listed) else None

    def json(self, file: str) -> dict[str, Any]:
        """The content of one of its JSON files; empty if it has none of that name.

        Raises:
            ModelError: If the checkpoint is damaged.
        """
        path = self.path(file)
        return _read_json(path, self._remedy(file)) if path else {}

    def verify(self) -> dict[str, str] | None:
        """Compares all files with the manifest; those that did not change since the last time are not read again.

        Returns:
            File name to digest; None for a folder of a user's own that has no manifest.

        Raises:
            ModelError: If a file is missing, or is not the one of which the manifest speaks.
        """
        manifest = self.folder / MANIFEST_FILE
        if not manifest.is_file():
            if self.bundled:
                raise ModelError(f"{manifest} is missing; {self._remedy(MANIFEST_FILE)}.")
            return None
        listed = _read_json(manifest, self._remedy(MANIFEST_FILE))
        for file, digest in listed.items():
            path = self.folder / file
            if not file or Path(file).name != file or "\0" in file:
                strange = f"{manifest} lists {one_line(file)!r}, which is no file of its folder"
                raise ModelError(f"{strange}; {self._remedy(MANIFEST_FILE)}.")
            try:
                state = path.stat()
                if not stat.S_ISREG(state.st_mode):  # reading from a pipe may never end
                    raise OSError(None, "no regular file")
                found = _digest(path, state.st_size, state.st_mtime_ns)
            except OSError as error:
                reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
                raise ModelError(f"{path} {reason}; {self._remedy(file)}.") from None
            if found != digest:
                raise ModelError(
                    f"{path} is damaged or was swapped: it does not fit {MANIFEST_FILE}; {self._remedy(file)}."
                )
        return listed

    def _remedy(self, file: str) -> str:
        if self.bundled:
            return f"restore it with `git checkout {self.folder / file}` in a checkout, or install fer-demo anew"
        return f"copy the folder again, or delete its {MANIFEST_FILE} if the change is yours"


def checkpoints_dir() -> Path:
    """The folder of bundled checkpoints: inside the installed package, or ``checkpoints/`` of a source checkout."""
    installed = Path(__file__).parent / "_checkpoints"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "checkpoints"


def bundled_checkpoints() -> list[str]:
    """The names of all bundled checkpoints; a damaged one is among them, and `resolve` or its use says so.

    Returns:
        The SE-Dense family's, then those of other systems, each sorted.
    """
    names = {p.parent.name for file in (WEIGHTS_FILE, MANIFEST_FILE) for p in checkpoints_dir().glob(f"*/{file}")}
    return sorted(names, key=lambda name: (not name.startswith("fer_sedense"), name))


def resolve(model: str | os.PathLike[str] | None = None) -> Checkpoint:
    """Finds a checkpoint.

    Args:
        model: A bundled checkpoint's name, ``<architecture>.<tag>``; an architecture, which stands for its default
            tag; or a checkpoint's folder. A name that is bundled is never taken for a folder. None is `DEFAULT`.

    Raises:
        ModelError: If there is no such checkpoint.
    """
    name = DEFAULT if model is None else os.fspath(model)
    tagged = f"{name}.{DEFAULT_TAGS[name]}" if name in DEFAULT_TAGS else name
    bundled = bundled_checkpoints()
    if tagged in bundled:
        return Checkpoint(tagged, checkpoints_dir() / tagged, True)
    if tagged in {DEFAULT, *(f"{architecture}.{tag}" for architecture, tag in DEFAULT_TAGS.items())}:
        raise ModelError(f"The bundled checkpoint {tagged} is missing from {checkpoints_dir()}; install fer-demo anew.")
    folder = Path(name)
    if os.path.isdir(folder):  # unlike Path.is_dir, false for a name that is too long for any path
        return Checkpoint.at(folder)
    known = ", ".join(bundled) or "none"
    raise UnknownModelError(
        f"There is no model {one_line(name)!r}; give a checkpoint's folder, an ONNX file or a bundled name ({known})."
    )


def is_bundled(folder: Path) -> bool:
    """Whether a checkpoint's folder is one of those that come with the package; it need not exist."""
    return folder.resolve().parent == checkpoints_dir().resolve()


def checkpoint_dir(name: str) -> Path:
    """The folder that a bundled checkpoint of this name has, whether or not it exists.

    Args:
        name: ``<architecture>.<tag>``.
    """
    return checkpoints_dir() / name


def weights_file(name: str) -> str | None:
    """A bundled checkpoint's safetensors file as timm's ``file``, not compared with anything; None if it is not there.

    Args:
        name: ``<architecture>.<tag>``.
    """
    path = checkpoint_dir(name) / WEIGHTS_FILE
    return str(path) if path.is_file() else None


def checkpoint_metrics(name: str) -> dict[str, Any]:
    """The content of a checkpoint's ``metrics.json``: its figures, and how it was trained.

    Args:
        name: As for `checkpoint_file`.

    Returns:
        As `training.eval.evaluate.evaluate` returns it, and ``training``: ``recipe``, ``chosen_epoch``, ``weights`` and
        perhaps ``lineage`` and ``teachers``, as `training.report.release.export` writes them; or empty.

    Raises:
        ModelError: If the checkpoint is damaged.
    """
    return checkpoint_file(name, METRICS_FILE)


def checkpoint_file(name: str, file: str) -> dict[str, Any]:
    """The content of one of a checkpoint's JSON files.

    Args:
        name: As `resolve` takes it, or the name of a model that is no checkpoint.
        file: Such as ``"channels.json"``.

    Returns:
        Empty if there is no such checkpoint, or it has no file of that name.

    Raises:
        ModelError: If the checkpoint is damaged.
    """
    try:
        return resolve(name).json(file)
    except UnknownModelError:
        return {}


def own_name(path: Path, name: str) -> str:
    """What a model is called that did not come with this package, so that it is not taken for one that did.

    Args:
        path: Its folder or file.
        name: Its own name.

    Returns:
        The name; where a bundled checkpoint has that, the last two parts of its path.
    """
    path = path.absolute()
    return one_line(f"{path.parent.name}/{path.name}" if name in bundled_checkpoints() else name)


def weights_digest(model: str | os.PathLike[str]) -> str:
    """Tells a model's weights and settings from all others of its name.

    Args:
        model: As `resolve` takes it, or an ONNX file.

    Returns:
        A SHA-256 digest in hexadecimal digits.

    Raises:
        ModelError: If there is no such model, or its files cannot be read.
    """
    path = Path(model)
    files = [path] if path.suffix == ".onnx" else _of_weights(resolve(model).folder)
    try:
        states = [(file, file.stat()) for file in files]
        digests = [_digest(file, state.st_size, state.st_mtime_ns) for file, state in states]
    except OSError as error:
        raise ModelError(f"{one_line(os.fspath(model))} cannot be read ({error.strerror}); check its path.") from None
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _of_weights(folder: Path) -> list[Path]:
    names = (CONFIG_FILE, WEIGHTS_FILE, "pytorch_model.bin")
    return [folder / name for name in names if (folder / name).is_file()]


def write_manifest(folder: str | os.PathLike[str]) -> None:
    """Writes the manifest of all files that are in a checkpoint's folder.

    Args:
        folder: The checkpoint's.
    """
    folder = Path(folder)
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.name != MANIFEST_FILE)
    _write_manifest(folder, {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files})


def renew_manifest(file: str | os.PathLike[str]) -> None:
    """Puts the digest of a file that was just written into the manifest beside it; does nothing where there is none.

    Args:
        file: The file, in a checkpoint's folder or elsewhere.

    Raises:
        ModelError: If the manifest cannot be read.
    """
    file = Path(file)
    manifest = file.parent / MANIFEST_FILE
    if manifest.is_file():
        listed = _read_json(manifest, "restore it, or delete it")
        _write_manifest(file.parent, listed | {file.name: hashlib.sha256(file.read_bytes()).hexdigest()})


def _write_manifest(folder: Path, digests: dict[str, str]) -> None:
    atomic_write_text(folder / MANIFEST_FILE, json.dumps(dict(sorted(digests.items())), indent=1) + "\n")


@functools.lru_cache(maxsize=256)
def _digest(path: Path, size: int, changed: int) -> str:
    """A file's digest; size and time of its last change tell another content of the same name."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_json(path: Path, remedy: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = read_json(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error}); {remedy}.") from None
    return content
