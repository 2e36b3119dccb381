"""What is done of a video, on the disk as it is done, so that a run that was stopped can go on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fer_demo.files import parse_json
from fer_demo.video.answers import FrameAnswer
from fer_demo.video.extra import VideoError
from fer_demo.video.tables import frame_dict, frame_from_dict
from fer_demo.vision.sources import one_line

ENDING = ".progress"
_FLUSH = 25  # frames that a kill may cost


class Journal:
    """One line of JSON a frame, after a first line that says of what.

    Args:
        path: The file.
        about: What the answers depend on, ready for ``json.dumps``.
        resume: Go on with the file, if it is there.

    Raises:
        VideoError: If the file is there and `resume` is false, or it is about something else, or cannot be written.
    """

    def __init__(self, path: Path, about: dict[str, Any], resume: bool) -> None:
        self.path, self._about, self._count, self._known = path, about, 0, -1
        name = one_line(str(path))
        if path.exists() and not resume:
            raise VideoError(f"{name} is from a run that was stopped; add --resume to go on with it, or delete it.")
        try:
            path.resolve().parent.mkdir(parents=True, exist_ok=True)
            self._end = self._check(name) if path.exists() else 0
            self._file = path.open("r+b" if self._end else "wb")
            self._file.seek(self._end)
            self._file.truncate()
            if not self._end:
                self._file.write(json.dumps(about).encode() + b"\n")
                self._end = self._file.tell()
        except OSError as error:
            raise VideoError(f"{name} cannot be written ({error.strerror}); choose another place.") from None

    def _check(self, name: str) -> int:
        """Where the last whole line ends."""
        end = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                try:
                    found = parse_json(line) if line.endswith(b"\n") else None
                except ValueError:
                    found = None
                if found is None:
                    break
                if number == 0 and found != json.loads(json.dumps(self._about)):
                    raise VideoError(
                        f"{name} is from another video, model or setting, or of other classes; give the same as "
                        "before, or delete it."
                    )
                end += len(line)
        return end

    def known(self) -> Iterator[FrameAnswer]:
        """The answers that were there at the start."""
        with self.path.open("rb") as file:
            file.readline()
            while file.tell() < self._end:
                try:
                    answer = frame_from_dict(parse_json(file.readline()))
                except ValueError:
                    return
                self._known = answer.index
                yield answer

    def add(self, answer: FrameAnswer) -> None:
        """Writes one line, unless it was among those that were known."""
        if answer.index <= self._known:
            return
        self._file.write(json.dumps(frame_dict(answer)).encode() + b"\n")
        self._count += 1
        if self._count % _FLUSH == 0:
            self._file.flush()

    def close(self, done: bool) -> None:
        """Lets go of the file, and removes it if all is done."""
        self._file.close()
        if done:
            self.path.unlink(missing_ok=True)
