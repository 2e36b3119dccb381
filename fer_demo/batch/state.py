"""What is known of a run, beside its output: a journal with one line a picture, which no kill can spoil."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fer_demo.batch.answer import Answer
from fer_demo.batch.sources import digest
from fer_demo.files import parse_json
from fer_demo.vision.sources import one_line

__all__ = ["Journal", "StateError", "journal_path"]

VERSION = 1
SYNC_SECONDS = 5
"""A power cut loses what was answered since then; a kill loses nothing that was written."""


class StateError(ValueError):
    """A run cannot go on from where it was; the message is one sentence."""


def journal_path(out: str | os.PathLike[str]) -> Path:
    """Where the state of a run with this output is kept."""
    out = Path(out)
    return out.with_name(f"{out.name}.state")


class Journal:
    """The answers of a run so far, on the disk. Close it, or use it in a ``with`` statement.

    The first line says the settings, each other one holds `Answer.to_dict`. A line that was cut off is dropped, and its
    picture read again.

    Args:
        out: The output that it stands beside.
        settings: What the answers depend on, ready for ``json.dumps``; the same for all sittings of a run.

    Attributes:
        done: `fer_demo.batch.sources.digest` of each picture that had an answer before: some 100 bytes for each.

    Raises:
        StateError: If another run has it open, it is of other settings or is no journal.
        OSError: If it cannot be written.
    """

    def __init__(self, out: str | os.PathLike[str], settings: dict[str, Any]) -> None:
        self.path, self.out, self.done = journal_path(out), Path(out), set[bytes]()
        self._settings = json.loads(json.dumps(settings))
        self._file = open(self.path, "a+b")  # noqa: SIM115  (open as long as the journal)
        self._synced, self._added = time.monotonic(), False
        try:
            self._lock()
            self._go_on()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(
                f"Another run is writing {one_line(str(self.out))}; wait for it, or name another output."
            ) from None
        except OSError:  # a file system without locks
            pass

    def _go_on(self) -> None:
        self._file.seek(0)
        first = self._file.readline()
        if not first.endswith(b"\n"):  # new, or killed at its first line
            self._file.truncate(0)
            self._write({"fer_demo batch": VERSION} | self._settings)
            return
        self._check(first)
        whole = self._file.tell()
        for line in self._file:
            try:
                if not line.endswith(b"\n"):
                    break
                self.done.add(digest(parse_json(line)["file"]))
            except (ValueError, KeyError):
                break
            whole += len(line)
        self._file.truncate(whole)
        self._remove_unfinished()

    def _check(self, first: bytes) -> None:
        anew = f"name another output, or delete {one_line(str(self.path))} to begin anew."
        try:
            found = parse_json(first)
        except ValueError:
            found = {}
        if found.pop("fer_demo batch", None) != VERSION:
            raise StateError(f"{one_line(str(self.path))} is of no run that this version can go on with; {anew}")
        names = [name for name in {**found, **self._settings} if found.get(name) != self._settings.get(name)]
        if names:
            name, was, now = names[0], found.get(names[0]), self._settings.get(names[0])
            raise StateError(
                f"The run that was stopped had another setting, {name.replace('_', ' ')} ({_short(was)}, now "
                f"{_short(now)}); give the same to go on, {anew}"
            )

    def _remove_unfinished(self) -> None:
        """Deletes the output that a kill left half-written; nobody else is writing it."""
        for file in self.out.parent.glob(f".{_escaped(self.out.name[:40])}.????????"):
            file.unlink(missing_ok=True)

    def add(self, answer: Answer) -> None:
        """Notes an answer.

        Raises:
            OSError: If the disk is full; what was noted before stays.
        """
        self._write(answer.to_dict())
        self._added = True
        if time.monotonic() - self._synced > SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()

    def entries(self) -> Iterator[dict[str, Any]]:
        """All answers, as `Answer.to_dict` gave them, one in memory at a time."""
        with open(self.path, "rb") as file:
            next(file)
            for line in file:
                yield json.loads(line)

    def close(self, keep: bool = True) -> None:
        """Closes it; deletes it too if `keep` is false or nothing was noted."""
        if self._file.closed:
            return
        if not keep or not (self.done or self._added):
            self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # a full disk, of which the writer has spoken
            os.fsync(self._file.fileno())
        with contextlib.suppress(OSError):
            self._file.close()


def _short(value: object) -> str:
    if value is None or value == []:
        return "none"
    return one_line(", ".join(map(str, value)) if isinstance(value, list) else str(value), 60)


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
