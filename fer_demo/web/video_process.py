"""The process that reads a video: how it is started, what is told to it and what it tells.

A video can keep a decoder busy for hours, ask it for gigabytes or break it. Here that costs the process alone. It gets
the video on its standard input and holds all that it makes in memory: nothing has a name on the disk, so nothing is
left of a video when its process ends, however that comes about.
"""

import os
import struct
import subprocess
import sys
from contextlib import suppress
from typing import IO, cast

HEAD = struct.Struct("<BQ")
"""Kind and length of a message, whose content follows."""

PROGRESS, REFUSED, FILE, RESULT = range(4)
"""Kinds of message: JSON about how far it is; a sentence that says why it cannot be read, the last message; a file's
ending, filled up to 8 bytes, and its content; JSON with all the rest, the last message."""

MARKED = "{}-marked.mp4"
"""What the video with boxes is called, after the video's own name without ending."""


def start_process() -> "subprocess.Popen[bytes]":
    """Starts one, which waits for a video."""
    alone = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "fer_demo.web.video_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # FFmpeg has something to say about every damaged file
        env=os.environ | alone | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def send(process: "subprocess.Popen[bytes]", *parts: bytes) -> None:
    """Sends what a process waits for: what is wanted, as JSON, and the video."""
    there = cast("IO[bytes]", process.stdin)
    with suppress(OSError):  # it has died; the end of its output says so
        for part in parts:
            there.write(HEAD.pack(0, len(part)))
            there.write(part)
        there.flush()


def ask_to_stop(process: "subprocess.Popen[bytes]") -> None:
    """Has it end with what is done by then."""
    with suppress(OSError, ValueError):  # it has ended meanwhile
        cast("IO[bytes]", process.stdin).write(b"!")
        cast("IO[bytes]", process.stdin).flush()
