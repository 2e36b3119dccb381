"""What was found in a video, as the page shows it: read from the messages of the process that found it."""

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fer_demo.classes import check_names
from fer_demo.video.timeline import Moment, MomentFace, Portrait

KINDS = {
    "csv": ("CSV", "text/csv"),
    "json": ("JSON", "application/json"),
    "vtt": ("subtitle file", "text/vtt"),
    "html": ("report", "text/html"),
    "mp4": ("video with boxes", "video/mp4"),
}
"""Ending of a file that can be downloaded, to its name and media type."""


@dataclass(frozen=True)
class VideoResult:
    """What was found in a video.

    Attributes:
        name: The file's own name.
        info: As `fer_demo.video.reading.Info` has it.
        model: The checkpoint that answered.
        complete: Whether the whole video was read.
        notes: What people should know about how it was read, a sentence each.
        summary: As `fer_demo.video.summary.Summary.to_dict` gives it.
        words: A sentence for each person of the summary.
        persons: As `fer_demo.video.timeline.Timeline.persons` gives them.
        portraits: Person to the clearest moments.
        moments: Frames, in order.
        labels: The classes of the persons' lines, in their order.
    """

    name: str
    info: dict[str, Any]
    model: str
    complete: bool
    notes: tuple[str, ...]
    summary: dict[str, Any]
    words: tuple[str, ...]
    persons: tuple[dict[str, Any], ...]
    portraits: dict[int, tuple[Portrait, ...]]
    moments: tuple[Moment, ...]
    labels: tuple[str, ...]
    _files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def from_message(cls, name: str, content: bytes, files: Mapping[str, bytes]) -> "VideoResult":
        """Reads what the process sent.

        Args:
            name: The video's name.
            content: JSON.
            files: Ending to content, compressed by zlib.

        Raises:
            ValueError: If it is not what it should be.
        """
        try:
            data = json.loads(content)
            return cls(
                name,
                dict(data["info"]),
                str(data["model"]),
                bool(data["complete"]),
                tuple(map(str, data["notes"])),
                dict(data["summary"]),
                tuple(map(str, data["words"])),
                tuple(data["persons"]),
                {int(person): tuple(map(_portrait, found)) for person, found in data["portraits"]},
                tuple(map(_moment, data["moments"])),
                check_names(data["labels"]),
                {ending: files[ending] for ending in KINDS if ending in files},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no answer for a video ({error})") from None

    @property
    def endings(self) -> tuple[str, ...]:
        """Of the files that can be downloaded, keys of `KINDS`."""
        return tuple(self._files)

    def file(self, ending: str) -> bytes:
        """A file that can be downloaded; unpacked anew at each call, so that it takes memory only then."""
        return zlib.decompress(self._files[ending])

    @property
    def nbytes(self) -> int:
        """About so many bytes it takes."""
        return sum(map(len, self._files.values())) + sum(len(one.frame) for one in self.moments)

    def nearest(self, time: float) -> int:
        """Index of the kept frame that is nearest to a time in seconds; 0 where there is none."""
        return min(range(len(self.moments)), key=lambda i: abs(self.moments[i].time - time), default=0)


def _portrait(data: dict[str, Any]) -> Portrait:
    return Portrait(str(data["label"]), float(data["probability"]), float(data["time"]), _bytes(data["jpeg"]))


def _moment(data: dict[str, Any]) -> Moment:
    faces = tuple(
        MomentFace(int(face["person"]), str(face["says"]), None if face["crop"] is None else _bytes(face["crop"]))
        for face in data["faces"]
    )
    return Moment(float(data["time"]), faces, _bytes(data["frame"]))


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
