"""Videos that visitors send, each read in a process of its own, which can be killed.

A video can keep a decoder busy for hours, ask it for gigabytes or break it. Here that costs the process alone. It gets
the video on its standard input and holds all that it makes in memory: nothing has a name on the disk, so nothing is
left of a video when its process ends, however that comes about.
"""

import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYetError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import IO, Any, cast

from fer_demo.vision.sources import one_line
from fer_demo.web.decoder import read_exactly
from fer_demo.web.fair_queue import BusyError, FairQueue, Place
from fer_demo.web.limits import Limits, limits
from fer_demo.web.models import named
from fer_demo.web.video_result import VideoResult

HEAD = struct.Struct("<BQ")
"""Kind and length of a message, whose content follows."""

PROGRESS, REFUSED, FILE, RESULT = range(4)
"""Kinds of message: JSON about how far it is; a sentence that says why it cannot be read, the last message; a file's
ending, filled up to 8 bytes, and its content; JSON with all the rest, the last message."""

MARKED = "{}-marked.mp4"
"""What the video with boxes is called, after the video's own name without ending."""

MODEL = "fer_sedense_nano.photos_fer2013"
"""What reads videos where the server's owner has named no model; the small network, as for ``fer-demo video``."""

STOP_SECONDS = 20.0
"""For ending with what is done, once asked to; the process is killed then."""

UNSEEN_SECONDS = 90.0
"""A page that has not looked for so long is gone. A browser lets a page in the background look once a minute."""

GONE_SECONDS = 15.0
"""A visitor whose connection is broken may come back in this time."""


@dataclass(frozen=True)
class Wishes:
    """What a visitor wants of a video.

    Attributes:
        fps: Frames a second that are read; None is all.
        video: Whether to make the video with boxes too.
    """

    fps: float | None = 10.0
    video: bool = False


class VideoJob:
    """One video on its way to a result. Thread-safe.

    Attributes:
        name: The video's name.
        size: Its bytes.
        progress: How much of it is read, 0 to 1; None as long as that is not known.
        time: Seconds into the video up to which it is read.
        result: What was found; None before the end, or if it could not be read.
        problem: One sentence that says why it could not.
        cancelled: Whether the visitor stopped it.
    """

    def __init__(self, desk: "VideoDesk", name: str, data: bytes, wishes: Wishes, there: Callable[[], bool]) -> None:
        self.name, self.size = name, len(data)
        self.progress: float | None = None
        self.time = 0.0
        self.result: VideoResult | None = None
        self.problem: str | None = None
        self.cancelled = False
        self._desk, self._wishes, self._there = desk, wishes, there
        self._data: bytes | None = data
        self._place: Place | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._begun: float | None = None
        self._seen = self._connected = time.monotonic()
        self._stopping: float | None = None
        self._late = self._left = False
        self._done = threading.Event()

    @property
    def done(self) -> bool:
        """Whether there is a result or a problem, or nothing will come."""
        return self._done.is_set()

    @property
    def pid(self) -> int | None:
        """Of the process that reads the video; None before its turn."""
        return None if self._process is None else self._process.pid

    def ahead(self) -> int:
        """How many videos come before this one, with one that is being read; 0 from its turn on."""
        return 1 + self._place.ahead() if self._place is not None and self.waiting() else 0

    def waiting(self) -> bool:
        """Whether its turn has not come yet."""
        return self._begun is None and not self.done

    def seconds_left(self) -> float | None:
        """About how long it still takes; None as long as nothing can be said."""
        if self._begun is None or not self.progress or self.progress < 0.02:
            return None
        return (time.monotonic() - self._begun) * (1 - self.progress) / self.progress

    def seen(self) -> None:
        """Says that the visitor is still on the page."""
        self._seen = time.monotonic()

    def cancel(self) -> None:
        """Stops it; what is done by then becomes the result."""
        self.cancelled = True

    def leave(self) -> None:
        """Ends it at once; nobody wants the result."""
        self._left = True

    def wait(self, seconds: float | None = None) -> bool:
        """Waits for the end; whether it has come."""
        return self._done.wait(seconds)

    def _start(self, place: Place) -> None:
        self._place = place
        for work in (self._run, self._watch):
            threading.Thread(target=work, daemon=True, name=f"video {work.__name__}").start()

    def _run(self) -> None:
        place = cast(Place, self._place)
        try:
            with place:
                while not self._over():
                    with suppress(NotYetError):
                        place.turn.result(0.2)
                        break
                if not self._over():
                    self._begun = time.monotonic()
                    self._read()
        except Exception as error:  # whatever it is, the page must not wait for ever
            self.problem = f"{one_line(self.name)} could not be read ({type(error).__name__}); please try again."
        finally:
            self._data = None
            self._desk._forget(self)
            self._done.set()

    def _over(self) -> bool:
        return self.cancelled or self._left

    def _read(self) -> None:
        sizes = self._desk.limits
        options: dict[str, Any] = {
            "name": self.name,
            "model": named() or MODEL,
            "fps": self._wishes.fps,
            "video": self._wishes.video,
        }
        options |= {"minutes": sizes.video_minutes, "memory_mb": sizes.video_memory_mb, "out_mb": sizes.video_out_mb}
        head = json.dumps(options | {"niceness": 10}).encode()
        self._process = process = _process()
        there, back = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        try:
            with suppress(OSError):  # it has died; the end of its output says so
                for part in (head, cast(bytes, self._data)):
                    there.write(HEAD.pack(0, len(part)))
                    there.write(part)
                there.flush()
            self._data = None
            self._hear(back, int(sizes.video_out_mb * 2**20) + 256 * 2**20)
        except EOFError:
            self.problem = None if self._left else self._why_it_died()
        finally:
            process.kill()
            with suppress(OSError):
                there.close()
            back.close()
            process.wait()

    def _hear(self, back: "IO[bytes]", most: int) -> None:
        """Takes the process's messages; it is not trusted, since a video may have got the better of it."""
        files: dict[str, bytes] = {}
        while True:
            kind, length = HEAD.unpack(read_exactly(back, HEAD.size))
            if length > most:
                raise EOFError
            content = bytes(read_exactly(back, length))
            if kind == PROGRESS:
                told = json.loads(content)
                self.time = float(told["time"])
                self.progress = None if told["progress"] is None else min(1.0, max(0.0, float(told["progress"])))
            elif kind == FILE and len(files) < 8:
                files[content[:8].decode().strip()] = content[8:]
            elif kind == REFUSED:
                self.problem = content.decode("utf-8", "replace")
                return
            else:
                result = VideoResult.from_message(self.name, content, files)
                if self._late and not result.complete:
                    spent = f"This server reads one video for {self._desk.limits.video_seconds:g} seconds."
                    result = replace(result, notes=(*result.notes, spent))
                self.result = result
                return

    def _why_it_died(self) -> str:
        name = one_line(self.name)
        if self._stopping is not None:
            why = "has not stopped" if self.cancelled else f"takes longer than {self._desk.limits.video_seconds:g} s"
            return f"{name} {why} and was ended, so that nothing of it is here; choose a shorter one, or fewer frames."
        return f"{name} cannot be read, it is damaged or needs too much memory; save it anew as MP4."

    def _watch(self) -> None:
        """Stops the process where it has to be stopped."""
        while not self._done.wait(0.1):
            now = time.monotonic()
            if self._there():
                self._connected = now
            if now - self._seen > UNSEEN_SECONDS or now - self._connected > GONE_SECONDS:
                self._left = True
            process = self._process
            if process is None:
                continue
            late = self._late = self._begun is not None and now - self._begun > self._desk.limits.video_seconds
            if self._left or (self._stopping is not None and now - self._stopping > STOP_SECONDS):
                process.kill()
            elif (late or self.cancelled) and self._stopping is None:
                self._stopping = now
                threading.Thread(target=_ask_to_stop, args=(process,), daemon=True).start()


def _ask_to_stop(process: "subprocess.Popen[bytes]") -> None:
    with suppress(OSError, ValueError):  # it has ended meanwhile
        cast("IO[bytes]", process.stdin).write(b"!")
        cast("IO[bytes]", process.stdin).flush()


def _process() -> "subprocess.Popen[bytes]":
    alone = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "fer_demo.web.video_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # FFmpeg has something to say about every damaged file
        env=os.environ | alone | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


@dataclass
class VideoDesk:
    """Where videos are read; one for each process of the server.

    Attributes:
        limits: What one video and one visitor may take.
    """

    limits: Limits = field(default_factory=limits)

    def __post_init__(self) -> None:
        sizes = self.limits
        self.queue = FairQueue(
            sizes.video_workers,
            per_visitor=max(1, sizes.video_workers - 1),
            waiting=sizes.video_waiting,
            waiting_per_visitor=max(1, sizes.video_waiting // 2),
        )
        self._jobs: set[VideoJob] = set()
        self._lock = threading.Lock()

    def start(
        self,
        data: bytes,
        name: str,
        visitor: str,
        wishes: Wishes | None = None,
        there: Callable[[], bool] = lambda: True,
    ) -> VideoJob:
        """Has a video read as soon as its turn comes.

        Args:
            data: What is in the file.
            name: The file's own name.
            visitor: Who counts as one when visitors take turns.
            wishes: What is wanted of it.
            there: Asked now and then whether the visitor still has a connection.

        Raises:
            BusyError: If it is too large, or too many are waiting; the message says so.
        """
        sizes = self.limits
        if len(data) > sizes.video_mb * 2**20:
            raise BusyError(
                f"{one_line(name)} has {len(data) / 2**20:.0f} MB, and a video may have {sizes.video_mb:g} MB; cut it, "
                "or save it with a smaller frame."
            )
        job = VideoJob(self, name, data, wishes or Wishes(), there)
        with self._lock:
            if sum(one.size for one in self._jobs) + job.size > sizes.video_held_mb * 2**20:
                raise BusyError("More videos are waiting than this server can hold; please try again in some minutes.")
            self._jobs.add(job)
        try:
            place = self.queue.enter(visitor)
        except BusyError:
            self._forget(job)
            raise
        job._start(place)
        return job

    def close(self) -> None:
        """Ends all processes."""
        with self._lock:
            jobs = list(self._jobs)
        for job in jobs:
            job.leave()
        for job in jobs:
            job.wait(2)

    def _forget(self, job: VideoJob) -> None:
        with self._lock:
            self._jobs.discard(job)


@cache
def video_desk() -> VideoDesk:
    """The desk of this process."""
    return VideoDesk()
