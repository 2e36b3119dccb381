"""One video that a visitor has sent, from its place in the queue to its result."""

import json
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYetError
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, Any, cast

from fer_demo.vision.sources import one_line
from fer_demo.web.decoder import read_exactly
from fer_demo.web.fair_queue import Place
from fer_demo.web.limits import Limits
from fer_demo.web.models import named
from fer_demo.web.video_process import FILE, HEAD, PROGRESS, REFUSED, ask_to_stop, send, start_process
from fer_demo.web.video_result import VideoResult

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


Forget = Callable[["VideoJob"], None]
"""Called when a job has ended."""


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

    def __init__(
        self, limits: Limits, name: str, data: bytes, wishes: Wishes, there: Callable[[], bool], forget: Forget
    ) -> None:
        self.name, self.size = name, len(data)
        self.progress: float | None = None
        self.time = 0.0
        self.result: VideoResult | None = None
        self.problem: str | None = None
        self.cancelled = False
        self._limits, self._wishes, self._there, self._forget = limits, wishes, there, forget
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

    def start(self, place: Place) -> None:
        """Waits for its turn and reads it, in threads of its own."""
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
            self._forget(self)
            self._done.set()

    def _over(self) -> bool:
        return self.cancelled or self._left

    def _read(self) -> None:
        sizes = self._limits
        options: dict[str, Any] = {
            "name": self.name,
            "model": named() or MODEL,
            "fps": self._wishes.fps,
            "video": self._wishes.video,
        }
        options |= {"minutes": sizes.video_minutes, "memory_mb": sizes.video_memory_mb, "out_mb": sizes.video_out_mb}
        head = json.dumps(options | {"niceness": 10}).encode()
        self._process = process = start_process()
        there, back = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        try:
            send(process, head, cast(bytes, self._data))
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
                    spent = f"This server reads one video for {self._limits.video_seconds:g} seconds."
                    result = replace(result, notes=(*result.notes, spent))
                self.result = result
                return

    def _why_it_died(self) -> str:
        name = one_line(self.name)
        if self._stopping is not None:
            why = "has not stopped" if self.cancelled else f"takes longer than {self._limits.video_seconds:g} s"
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
            late = self._late = self._begun is not None and now - self._begun > self._limits.video_seconds
            if self._left or (self._stopping is not None and now - self._stopping > STOP_SECONDS):
                process.kill()
            elif (late or self.cancelled) and self._stopping is None:
                self._stopping = now
                threading.Thread(target=ask_to_stop, args=(process,), daemon=True).start()
