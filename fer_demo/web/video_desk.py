"""Where the videos of all visitors are read in turn."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from fer_demo.vision.sources import one_line
from fer_demo.web.fair_queue import BusyError, FairQueue
from fer_demo.web.limits import Limits, limits
from fer_demo.web.video_job import VideoJob, Wishes


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
        job = VideoJob(sizes, name, data, wishes or Wishes(), there, self._forget)
        with self._lock:
            if sum(one.size for one in self._jobs) + job.size > sizes.video_held_mb * 2**20:
                raise BusyError("More videos are waiting than this server can hold; please try again in some minutes.")
            self._jobs.add(job)
        try:
            place = self.queue.enter(visitor)
        except BusyError:
            self._forget(job)
            raise
        job.start(place)
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
