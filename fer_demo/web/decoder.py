"""Decodes pictures in processes of their own, which can be killed.

A picture that strangers send can keep a decoder busy for minutes or ask it for gigabytes, although every check of its
header passes. Here that costs a small process, which is replaced; the server goes on.

The processes are started as programs of their own and not with `multiprocessing` or what builds on it: those import the
main module anew in each process, which under ``streamlit run`` is the whole application.
"""

import os
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import IO, cast

import numpy as np

from fer_demo.vision.images import ImageError, OpenedImage
from fer_demo.vision.sources import one_line

REQUEST = struct.Struct("<II")
"""Lengths of name and data, which follow."""

REPLY = struct.Struct("<BIIII")
"""`OPENED`, then height and width of the pixels, which follow, and of the picture; or `REFUSED`, then the length of a
sentence, which follows, and zeros."""

MAX_PIXELS = 13_000_000
"""Larger pictures are read at a whole-number fraction of their size, so that one costs the server little more than
another. Phones' usual twelve megapixels stay as they are."""

OPENED, REFUSED = range(2)


@dataclass
class _Worker:
    """A process that decodes one picture after another."""

    megabytes: float
    niceness: int

    def __post_init__(self) -> None:
        command = [sys.executable, "-m", "fer_demo.web.decode_worker", str(self.megabytes), str(self.niceness)]
        # What each thread reserves counts as memory.
        alone = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libtiff has something to say about every damaged file
            env=os.environ | alone | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self.there = cast("IO[bytes]", self.process.stdin)
        self.back = cast("IO[bytes]", self.process.stdout)

    def decode(self, name: str, data: bytes) -> OpenedImage:
        """Has a picture decoded.

        Raises:
            ImageError: If it cannot be used.
            EOFError: If the process died of it.
        """
        there, back = self.there, self.back
        encoded = name.encode("utf-8", "replace")
        try:
            for part in (REQUEST.pack(len(encoded), len(data)), encoded, data):
                there.write(part)
            there.flush()
        except OSError:
            raise EOFError from None
        status, *sizes = REPLY.unpack(read_exactly(back, REPLY.size))
        if status == OPENED:
            rows, columns, height, width = sizes
            pixels = np.empty((rows, columns, 3), np.uint8)
            fill(back, pixels.data.cast("B"))
            return OpenedImage(pixels, width, height)
        sentence = bytes(read_exactly(back, sizes[0])).decode("utf-8")
        raise ImageError(sentence)

    def stop(self) -> None:
        """Ends the process at once."""
        self.process.kill()
        self.process.communicate()


class Decoder:
    """A pool of processes that decode pictures, started when they are needed. Thread-safe.

    Args:
        seconds: For one picture; its process is killed then.
        megabytes: Memory for decoding one picture.
        niceness: By how much others go first when the cores do not suffice, 0 to 19.
    """

    def __init__(self, seconds: float = 5, megabytes: float = 900, niceness: int = 0) -> None:
        self.seconds, self.megabytes, self.niceness = seconds, megabytes, niceness
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._closed = False

    def decode(self, data: bytes, name: str = "The picture") -> OpenedImage:
        """Decodes a picture; as many at a time as there are callers.

        Args:
            data: What is in the file.
            name: What it is called in a sentence.

        Returns:
            The picture, as `fer_demo.vision.images.open_reduced` gives it.

        Raises:
            ImageError: If it cannot be opened, or not within the limits.
        """
        with self._lock:
            if self._closed:
                raise ImageError("The server is being shut down; please try again in a moment.")
            worker = self._idle.pop() if self._idle else None
        worker = worker or _Worker(self.megabytes, self.niceness)
        late = threading.Event()

        def ring() -> None:
            late.set()
            worker.process.kill()

        alarm = threading.Timer(self.seconds, ring)
        alarm.daemon = True
        alarm.start()
        healthy = False
        try:
            picture = worker.decode(name, data)
            healthy = True
            return picture
        except ImageError:
            healthy = True
            raise
        except EOFError:
            name = one_line(name)
            if late.is_set():
                raise ImageError(
                    f"{name} takes longer than {self.seconds:g} seconds to open; make it smaller or "
                    "save it anew as JPEG."
                ) from None
            raise ImageError(
                f"{name} cannot be opened with the memory that is allowed for it; make it smaller or save it anew as "
                "JPEG."
            ) from None
        finally:
            alarm.cancel()
            # The alarm may have rung while the answer was on its way.
            self._take_back(worker, healthy and not late.is_set())

    def _take_back(self, worker: _Worker, healthy: bool) -> None:
        with self._lock:
            keep = healthy and not self._closed
            if keep:
                self._idle.append(worker)
        if not keep:
            worker.stop()

    def close(self) -> None:
        """Ends all processes; those at work end with it."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.stop()


def fill(file: IO[bytes], view: memoryview) -> None:
    """Reads until `view` is full.

    Raises:
        EOFError: If the file ends before.
    """
    done = 0
    while done < len(view):
        got = file.readinto(view[done:])  # type: ignore[attr-defined]
        if not got:
            raise EOFError
        done += got


def read_exactly(file: IO[bytes], number: int) -> bytearray:
    """Reads so many bytes.

    Raises:
        EOFError: If the file ends before.
    """
    data = bytearray(number)
    fill(file, memoryview(data))
    return data
