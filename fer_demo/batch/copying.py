"""Copies of photos, sorted into folders by what their largest face looks like; nothing is ever written over."""

import filecmp
import os
import re
import shutil
import string
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from fer_demo.batch.answer import Answer
from fer_demo.batch.items import Item
from fer_demo.emotions import LABELS
from fer_demo.vision.sources import one_line

__all__ = ["Copier", "CopyError", "safe_name"]

NO_FACE = "no_face"
"""What `{label}` is for a picture without a face."""

LONGEST_NAME = 200
"""Bytes of a copy's name; file systems take 255, and a number may be added."""

# Control characters, what turns the direction of writing, and what some file systems refuse.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff/\\:*?"<>|]')


class CopyError(ValueError):
    """The place for copies makes no sense; the message is one sentence."""


def safe_name(name: str) -> str:
    """The last part of a path as a file name that every system takes and none hides.

    Args:
        name: As somebody chose it, perhaps inside an archive.
    """
    last = PurePosixPath(name.replace("\\", "/")).name
    last = _UNSAFE.sub("_", last).strip(". ") or "photo"
    stem, ending = os.path.splitext(last)
    room = LONGEST_NAME - len(os.fsencode(ending[:20]))
    return os.fsencode(stem)[:room].decode("utf-8", "ignore") + ending[:20]


class Copier:
    """Copies photos into folders.

    Args:
        template: A folder, in which ``{label}`` stands for the class that the largest face looks like, or `NO_FACE`.
        labels: The classes of the model.

    Attributes:
        folders: Real paths of all folders that copies may lie in.

    Raises:
        CopyError: If there is another name in braces, or the folder is a file.
    """

    def __init__(self, template: str, labels: Sequence[str] = LABELS) -> None:
        try:
            names = [name for _, name, *_ in string.Formatter().parse(template) if name is not None]
        except ValueError:
            names = ["{"]
        if set(names) - {"label"}:
            raise CopyError(f"The folder for copies knows {{label}} alone in braces, but is {one_line(template)}.")
        self._template, self._labels = template, frozenset(labels)
        self.folders = frozenset(os.path.realpath(self._folder(label)) for label in (*labels, NO_FACE))
        for folder in self.folders:
            there = next(place for place in (Path(folder), *Path(folder).parents) if place.exists())
            if not there.is_dir():
                raise CopyError(f"{one_line(str(there))} is a file, so that no copies can lie in it; name a folder.")

    def _folder(self, label: str) -> Path:
        return Path(self._template.format(label=label))

    def copy(self, answer: Answer) -> Path | None:
        """Copies a picture, with its time where it is a file of its own.

        Args:
            answer: What came of it; its largest face decides.

        Returns:
            The copy; None for a picture with an error. It has a number added to its name where that is taken by
            another picture; one of the same bytes is left as it is, so that a run that goes on copies nothing twice.

        Raises:
            OSError: If it cannot be written.
            ImageError: If the picture is gone.
        """
        if answer.error is not None:
            return None
        faces = answer.data["faces"]
        label = faces[0]["label"] if faces else NO_FACE
        folder = self._folder(label if label in self._labels else NO_FACE)
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".copy-")
        try:
            with os.fdopen(handle, "wb") as file:
                _fill(file.fileno(), answer.item)
            os.chmod(temporary, 0o644)
            return _placed(Path(temporary), folder / safe_name(answer.name))
        finally:
            Path(temporary).unlink(missing_ok=True)


def _fill(target: int, item: Item) -> None:
    if item.path is None or item.span is not None:
        with open(target, "wb", closefd=False) as file:
            file.write(item.read())
        return
    item.head()  # says in a sentence if it is gone
    with open(item.path, "rb") as source, open(target, "wb", closefd=False) as file:
        shutil.copyfileobj(source, file, 1 << 20)
    status = os.stat(item.path)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _placed(temporary: Path, wanted: Path) -> Path:
    """Gives a file the first free name, in one step."""
    place, number = wanted, 1
    while True:
        try:
            os.link(temporary, place)  # fails if there is one, unlike a rename
            return place
        except FileExistsError:
            if place.is_file() and filecmp.cmp(temporary, place, shallow=False):
                return place
        except OSError:  # a file system without links
            if not os.path.lexists(place):
                os.rename(temporary, place)
                return place
            if place.is_file() and filecmp.cmp(temporary, place, shallow=False):
                return place
        number += 1
        place = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
