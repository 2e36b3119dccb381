"""Processes that read pictures side by side; one that hangs or dies is replaced, and no picture is lost with it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from typing import Any

from fer_demo.batch.answer import Answer, Settings
from fer_demo.batch.items import Item
from fer_demo.batch.work import AHEAD, Numbered, Work
from fer_demo.runtime.model_info import ModelError
from fer_demo.vision.sources import one_line

__all__ = ["Pool", "cores"]

START_SECONDS = 120
"""For a process to load its networks."""

MOST_FAILED_STARTS = 3


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker:
    """One process, and what it is at."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.late = settings, False
        self.busy = False  # until it says that it is done, which comes after the last answer
        self.chunk: dict[int, Numbered] = {}
        self.at: int | None = None
        self.started, self.ready = time.monotonic(), False
        here, there = socket.socketpair()
        alone = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        with there:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fer_demo.batch.worker", str(there.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # libtiff has something to say about every damaged file
                pass_fds=[there.fileno()],
                process_group=0,  # Ctrl-C in a terminal goes to the group
                env=os.environ | alone | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self.connection = Connection(here.detach())
        self._send([json.dumps(asdict(settings)).encode()])

    def give(self, chunk: list[Numbered]) -> None:
        """Hands pictures over."""
        self.chunk, self.at, self.started, self.busy = dict(enumerate(chunk)), None, time.monotonic(), True
        parts = [json.dumps([item.to_dict() for _, item in chunk]).encode()]
        self._send(parts + [item.data for _, item in chunk if item.data is not None])

    def _send(self, parts: list[bytes]) -> None:
        try:
            for part in parts:
                self.connection.send_bytes(part)
        except OSError:  # it died; the end of what it sends says so
            pass

    def received(self) -> Iterator[dict[str, Any]]:
        """All messages that are there.

        Raises:
            EOFError: If the process is gone.
        """
        while self.connection.poll():
            try:
                data = self.connection.recv_bytes()
            except OSError:
                raise EOFError from None
            yield json.loads(data)

    def end_if_late(self) -> None:
        """Kills the process if what it is at takes too long; the end of what it sends then says so."""
        limit = self.settings.seconds if self.ready else START_SECONDS
        if time.monotonic() - self.started > limit and not self.late:
            self.late = True
            self.process.kill()

    def stop(self) -> None:
        """Ends the process at once."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


class Pool:
    """Processes with one predictor each, which uses one thread. Use it in a ``with`` statement, from one thread.

    Args:
        settings: How pictures are read.
        processes: How many; None for one on each core.

    Attributes:
        replaced: How many processes hung or died at a picture.
    """

    def __init__(self, settings: Settings, processes: int | None = None) -> None:
        if processes is not None and processes < 1:
            raise ValueError(f"The processes must be 1 or more, but are {processes}.")
        self.settings, self.replaced = settings, 0
        self._number = processes or cores()
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all processes."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.stop()

    def pids(self) -> list[int]:
        """The numbers of the processes that run."""
        return [worker.process.pid for worker in self._workers]

    def answers(self, items: Iterable[Item]) -> Iterator[Answer]:
        """Reads pictures, of which a few hundred are under way at most.

        A picture at which a process hangs or dies is read again, alone; if that one dies too, the answer is an error.

        Args:
            items: The pictures.

        Yields:
            One answer for each, in their order.

        Raises:
            ModelError: If the model or the face detector cannot be loaded, fails at its work, or the processes end
                when they start.
        """
        work = Work(iter(items), self._number * AHEAD)
        while True:
            self._hand_out(work)
            yield from work.in_order()
            busy = [worker for worker in self._workers if worker.busy]
            if not busy:
                if work.exhausted:
                    return
                continue
            # A process that loads has work already.
            heard = wait([worker.connection for worker in busy], timeout=0.5)
            for worker in busy:
                if worker.connection in heard:
                    self._listen(worker, work)
                else:
                    worker.end_if_late()
            yield from work.in_order()

    def _hand_out(self, work: Work) -> None:
        idle = [worker for worker in self._workers if not worker.busy]
        while idle or len(self._workers) < self._number:
            chunk = work.next_chunk(self._number)
            if not chunk:
                return
            if not idle:
                self._workers.append(_Worker(self.settings))
                idle.append(self._workers[-1])
            idle.pop().give(chunk)

    def _listen(self, worker: _Worker, work: Work) -> None:
        try:
            for message in worker.received():
                if "fatal" in message:
                    raise ModelError(message["fatal"])
                if "ready" in message:
                    worker.ready, worker.started, self._failed_starts = True, time.monotonic(), 0
                elif "at" in message:
                    worker.at, worker.started = message["at"], time.monotonic()
                elif "answers" in message:
                    for index, data in message["answers"]:
                        work.answered(*worker.chunk.pop(index), data)
                elif "done" in message:
                    for number, item in worker.chunk.values():  # never, unless the process is wrong
                        work.answered(number, item, {"error": f"{one_line(item.name)} got no answer; read it again."})
                    worker.chunk, worker.busy = {}, False
        except EOFError:
            self._bury(worker, work)

    def _bury(self, worker: _Worker, work: Work) -> None:
        self._workers.remove(worker)
        worker.stop()
        if worker.at is None and not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= MOST_FAILED_STARTS:
                raise ModelError(
                    f"The processes that read pictures end when they start (code {worker.process.returncode}), perhaps "
                    "for want of memory; try fewer of them."
                )
        else:
            self.replaced += 1
        guilty = worker.chunk.pop(worker.at, None) if worker.at is not None else None
        if worker.chunk:
            work.again.append(list(worker.chunk.values()))
        if guilty is not None:
            seconds = self.settings.seconds if worker.late else None
            work.died(*guilty, seconds)
