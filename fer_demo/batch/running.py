"""A whole run: sources in, a table out, and a state beside it from which it goes on."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from fer_demo.batch.answer import Answer, Settings
from fer_demo.batch.copying import Copier, CopyError
from fer_demo.batch.items import Item
from fer_demo.batch.select import SelectError, condition
from fer_demo.batch.sources import SourceError, Sources, digest
from fer_demo.batch.state import Journal, StateError
from fer_demo.batch.tables import TableError, check_table, rows, write_table
from fer_demo.batch.workers import Pool
from fer_demo.runtime.model_info import ModelError
from fer_demo.vision.limits import ImageError

__all__ = ["Summary", "answers", "batch_errors", "run"]

SHOWN = 20
"""Sentences about bad pictures that a `Summary` keeps; all of them are in the table."""


@dataclass
class Summary:
    """What came of a run.

    Attributes:
        pictures: How many are in the table, those with an error among them.
        faces: How many faces they have.
        failed: How many could not be read.
        problems: The first `SHOWN` sentences about these.
        before: How many of the pictures had been read before the run went on.
        left_out: How many files nobody would take for pictures, or are hidden.
        rows: Of the table, with those that `where` chose.
        copied: How many pictures were copied.
        seconds: That reading took.
        replaced: How many processes hung or died.
    """

    pictures: int = 0
    faces: int = 0
    failed: int = 0
    problems: list[str] = field(default_factory=list)
    before: int = 0
    left_out: int = 0
    rows: int = 0
    copied: int = 0
    seconds: float = 0.0
    replaced: int = 0


def batch_errors() -> tuple[type[ValueError], ...]:
    """What `run` raises with one sentence about what it was given."""
    return TableError, SourceError, SelectError, CopyError, StateError, ModelError


def answers(
    items: Iterable[Item | str | os.PathLike[str]], settings: Settings | None = None, processes: int | None = None
) -> Iterator[Answer]:
    """Reads very many pictures with several processes.

    Args:
        items: Items, for instance of `Sources`, or paths; a few hundred are held at a time.
        settings: How they are read; None is the default.
        processes: How many; None for one on each core.

    Yields:
        One answer for each, in their order. A picture that cannot be read has an error and stops nothing.

    Raises:
        ModelError: If the model or the face detector cannot be loaded or fails at its work.
        ValueError: If there are fewer than one process.
    """
    with Pool(settings or Settings(), processes) as pool:
        yield from pool.answers(item if isinstance(item, Item) else Item.of(item) for item in items)


def run(
    sources: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    lists: Sequence[str | os.PathLike[str]] = (),
    stdin: BinaryIO | None = None,
    settings: Settings | None = None,
    processes: int | None = None,
    where: str | None = None,
    copy_to: str | None = None,
    keep_state: bool = False,
    ray: str | None = None,
    on_start: Callable[[Sources, int], object] | None = None,
    on_answer: Callable[[Answer], object] | None = None,
) -> Summary:
    """Reads pictures into a table; a run that was stopped in any way goes on when it is called again in the same way.

    Args:
        sources: As for `Sources`.
        out: The table, which ends in one of `fer_demo.batch.tables.ENDINGS`. It is there once it is whole; until then
            ``OUT.state`` holds what was answered.
        lists: As for `Sources`.
        stdin: As for `Sources`.
        settings: How pictures are read; None is the default.
        processes: As for `answers`; with `ray`, how many actors.
        where: Which faces are written to the table and, by their largest face, which pictures are copied; see
            `fer_demo.batch.select.condition`.
        copy_to: See `Copier`.
        keep_state: Keep the state in the end, so that another run reads new pictures alone.
        ray: None for this machine alone; otherwise Ray's cluster, as `fer_demo.batch.ray.answers` takes its address.
        on_start: Called once with the sources and how many pictures were answered before.
        on_answer: Called with each answer once it is on the disk.

    Returns:
        What came of it.

    Raises:
        TableError: If the table cannot be written; see `check_table`.
        SourceError: If a source cannot be used.
        SelectError: If the condition makes no sense.
        CopyError: If the place for copies makes no sense.
        StateError: If what was stopped had other settings, or another run is at work.
        ModelError: As for `answers`.
        OSError: If the disk is full. The state is kept.
    """
    settings = settings or Settings()
    check_table(out)
    labels = settings.labels()
    chosen = None if where is None else condition(where, labels)
    copier = None if copy_to is None else Copier(copy_to, labels)
    found = Sources(sources, lists=lists, stdin=stdin, skip=() if copier is None else copier.folders)
    key: dict[str, Any] = {"sources": found.key()} | settings.key()
    key |= {"copy_to": copy_to and os.path.abspath(copy_to), "where": where if copy_to else None}
    summary, begun = Summary(), time.monotonic()
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(Journal(out, key))
        # Where nothing is to be read, neither networks nor Ray are loaded.
        (on_start or (lambda *_: None))(found, len(journal.done))
        new = (item for item in found if digest(item.name) not in journal.done)
        if ray is not None:
            from fer_demo.batch.ray import answers as answers_of_cluster

            stream = answers_of_cluster(new, settings, ray, processes)
        else:
            pool = stack.enter_context(Pool(settings, processes))
            stream = pool.answers(new)
        summary.before = len(journal.done)
        for answer in stream:
            if copier is not None and (chosen is None or chosen(rows(answer.to_dict(), labels)[0])):
                answer, copied = _copied(copier, answer)
                summary.copied += copied
            journal.add(answer)
            if on_answer is not None:
                on_answer(answer)
        summary.seconds, summary.left_out = time.monotonic() - begun, found.left_out
        summary.replaced = 0 if ray is not None else pool.replaced
        summary.rows = write_table(Path(out), _counted(journal.entries(), summary), chosen, labels)
        journal.close(keep_state)
    return summary


def _copied(copier: Copier, answer: Answer) -> tuple[Answer, bool]:
    try:
        return answer, copier.copy(answer) is not None
    except ImageError as error:  # it went between reading and copying
        return Answer(answer.item, {"error": str(error)}), False


def _counted(entries: Iterable[dict[str, Any]], summary: Summary) -> Iterator[dict[str, Any]]:
    for entry in entries:
        summary.pictures += 1
        summary.faces += len(entry.get("faces", ()))
        if "error" in entry:
            summary.failed += 1
            if len(summary.problems) < SHOWN:
                summary.problems.append(entry["error"])
        yield entry
