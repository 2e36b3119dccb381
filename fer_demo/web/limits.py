"""How much of the server one request and one visitor may take; all in one place.

Each limit can be set by an environment variable, ``FER_DEMO_`` and its name in capitals: ``FER_DEMO_UPLOAD_MB=40``.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache

_PREFIX = "FER_DEMO_"


class LimitError(ValueError):
    """An environment variable holds no usable limit; the message is one sentence that its owner can act on."""


@dataclass(frozen=True)
class Limits:
    """What is accepted; megabytes are 2²⁰ bytes.

    Attributes:
        upload_mb: Megabytes of one picture.
        request_mb: Megabytes of one request with several files.
        request_files: Files of one request.
        album: Pictures that are answered together, from several files or an archive.
        folder: Photos that one visitor may have on the page Folder.
        folder_mb: Megabytes of their files that are kept beside the small pictures; of the oldest they go first.
        held_mb: Megabytes of uploads in memory, of all visitors together: arriving, or not asked about yet.
        upload_seconds: For an upload to arrive.
        held_seconds: For an upload to be asked about; it is forgotten then.
        decode_seconds: For an ordinary picture to be decoded; who decodes it is killed then. Others get twice as long,
            since they have to let ordinary ones go first.
        decode_mb: Megabytes of memory for decoding a picture.
        ordinary_seconds: Pictures that are estimated to take longer to decode wait for each other, apart from others.
        ordinary_workers: Processes that decode ordinary pictures, of which one visitor may keep all but one busy.
        slow_workers: Processes that decode the others.
        readers: Pictures in which faces are looked for at the same time; 0 is one for each core.
        waiting: Requests that may wait, of all visitors together.
        waiting_per_visitor: Requests of one address that may wait.
        video_mb: Megabytes of a video.
        video_held_mb: Megabytes of videos that may come in ten minutes, and that may wait or be read at a time, of all
            visitors together.
        video_minutes: Minutes of a video; a longer one is refused.
        video_workers: Videos that are read at the same time, each in a process of its own.
        video_waiting: Videos that may wait, of all visitors together.
        video_seconds: For reading a video; what is done by then is shown.
        video_memory_mb: Megabytes of memory for reading a video, the video itself among them.
        video_out_mb: Megabytes of one file that can be downloaded, such as the video with boxes.
    """

    upload_mb: float = 20
    request_mb: float = 100
    request_files: int = 30
    album: int = 200
    folder: int = 1000
    folder_mb: float = 16
    held_mb: float = 512
    upload_seconds: float = 120
    held_seconds: float = 60
    decode_seconds: float = 5
    decode_mb: float = 900
    ordinary_seconds: float = 0.5
    ordinary_workers: int = 2
    slow_workers: int = 1
    readers: int = 0
    waiting: int = 200
    waiting_per_visitor: int = 100
    video_mb: float = 200
    video_held_mb: float = 1000
    video_minutes: float = 20
    video_workers: int = 1
    video_waiting: int = 10
    video_seconds: float = 900
    video_memory_mb: float = 2000
    video_out_mb: float = 200

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Limits":
        """The limits with those that environment variables set.

        Args:
            environment: Where to look for them.

        Raises:
            LimitError: If one is no positive number.
        """
        given: dict[str, float] = {}
        for limit in fields(cls):
            name = _PREFIX + limit.name.upper()
            text = environment.get(name, "")
            if not text:
                continue
            try:
                value = int(text) if limit.type is int else float(text)
            except ValueError:
                value = -1
            if not (0 < value < float("inf") or (value == 0 and limit.default == 0)):
                kind = "whole number" if limit.type is int else "number"
                raise LimitError(f"{name} must be a positive {kind}, but is {text[:40]!r}; change it or leave it out.")
            given[limit.name] = value
        return cls(**given)  # type: ignore[arg-type]

    @property
    def cores(self) -> int:
        """`readers`, or the cores that this process may use."""
        if self.readers:
            return self.readers
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def limits() -> Limits:
    """The limits of this process.

    Raises:
        LimitError: If an environment variable holds no usable limit.
    """
    return Limits.from_environment()
