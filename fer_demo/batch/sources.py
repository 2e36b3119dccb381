"""Where many pictures come from: files, folders, patterns, archives, lists of paths and standard input."""

import glob
import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from fer_demo.batch.archives import archive_kind, pictures_in_archive
from fer_demo.batch.items import Item
from fer_demo.vision.folders import pictures_in
from fer_demo.vision.sources import one_line, why_no_path

__all__ = ["SourceError", "Sources", "digest"]

STDIN = "-"
"""What names standard input."""


class SourceError(ValueError):
    """A source cannot be used; the message is one sentence."""


def digest(name: str) -> bytes:
    """16 bytes that stand for a picture's name where very many are remembered."""
    return hashlib.blake2b(os.fsencode(name), digest_size=16).digest()


class Sources:
    """Pictures from anywhere, one after the other and each once; iterate over it once.

    Args:
        sources: Paths of files, folders and archives, patterns such as ``photos/**/*.jpg``, or ``"-"`` for paths on
            standard input, one a line.
        lists: Text files with one path of a file, folder or archive a line.
        stdin: What ``"-"`` reads from, in binary mode.
        skip: As for `fer_demo.vision.folders.pictures_in`.

    Attributes:
        left_out: How many files nobody would take for pictures, or are hidden, so far.

    Raises:
        SourceError: If a source or a list does not exist, a pattern fits nothing, or nothing is given.
    """

    def __init__(
        self,
        sources: Sequence[str | os.PathLike[str]],
        *,
        lists: Sequence[str | os.PathLike[str]] = (),
        stdin: BinaryIO | None = None,
        skip: Collection[str] = (),
    ) -> None:
        self._sources, self._lists = [os.fspath(source) for source in sources], [os.fspath(name) for name in lists]
        self._stdin, self._skip = stdin, skip
        self.left_out = 0
        if not self._sources and not self._lists:
            raise SourceError("No pictures are given; name files, folders or archives, or a list with --list.")
        for source in self._sources:
            self._check(source)
        for name in self._lists:
            if name != STDIN and not os.path.isfile(name):
                raise SourceError(f"The list {one_line(name)} does not exist; check its path.")
        if (self._sources + self._lists).count(STDIN) > 1:
            raise SourceError("Standard input can be read once only; give - once.")

    def _check(self, source: str) -> None:
        if source == STDIN or os.path.lexists(source):
            return
        if sentence := why_no_path(source):
            raise SourceError(sentence)
        if not glob.has_magic(source):
            raise SourceError(f"{one_line(source)} does not exist; check the path.")
        if next(glob.iglob(source, recursive=True), None) is None:
            raise SourceError(f"No file fits the pattern {one_line(source)}; check it.")

    def key(self) -> list[str]:
        """What tells these sources from others when a run goes on: their absolute paths."""
        return [name if name == STDIN else os.path.abspath(name) for name in (*self._sources, *self._lists)]

    def __iter__(self) -> Iterator[Item]:
        seen: set[bytes] = set()
        for item in self._all():
            mark = digest(item.name)
            if mark not in seen:
                seen.add(mark)
                yield item

    def count(self) -> int | None:
        """How many pictures there are, from names and headers alone; None where only reading could tell.

        A picture that is named twice counts twice.
        """
        if STDIN in self._sources + self._lists:
            return None
        other = Sources(self._sources, lists=self._lists, skip=self._skip)
        number = 0
        for path in other._paths():
            if archive_kind(path) == "packed tar":
                return None
            number += sum(1 for _ in other._items(path))
        return number

    def _all(self) -> Iterator[Item]:
        for path in self._paths():
            yield from self._items(path)

    def _paths(self) -> Iterator[str]:
        for source in self._sources:
            if source == STDIN:
                yield from self._lines(self._stdin or ())
            elif not os.path.lexists(source) and glob.has_magic(source):
                yield from sorted(glob.iglob(source, recursive=True))
            else:
                yield source
        for name in self._lists:
            if name == STDIN:
                yield from self._lines(self._stdin or ())
            else:
                with open(name, "rb") as file:
                    yield from self._lines(file)

    @staticmethod
    def _lines(file: Iterable[bytes]) -> Iterator[str]:
        for line in file:
            if path := os.fsdecode(line.rstrip(b"\r\n")):
                yield path

    def _items(self, path: str) -> Iterator[Item]:
        path = str(Path(path))  # so that ./a.jpg is a.jpg
        if os.path.isdir(path):
            yield from map(Item.of, pictures_in(path, self._leave_out, self._skip))
        elif archive_kind(path):
            yield from pictures_in_archive(path, self._leave_out)
        else:
            yield Item.of(path)

    def _leave_out(self, name: str) -> None:
        self.left_out += 1
