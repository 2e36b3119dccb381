"""The answers as WebVTT subtitles: a line a person, and a new cue where a word changes."""

from typing import Any, BinaryIO

from fer_demo.emotions import DISCLAIMER
from fer_demo.video.answers import FrameAnswer
from fer_demo.video.summary import LONGEST_GAP, UNREADABLE, UNSURE, state_of
from fer_demo.wording import adjective

SHORTEST = 0.4
"""Seconds for which a cue stays at least, so that it can be read."""


class Subtitles:
    """Writes cues as they end; their times count from `start`, as those of the annotated video do.

    Args:
        file: The open binary file.
        start: Seconds.
    """

    def __init__(self, file: BinaryIO, start: float = 0.0) -> None:
        self._file, self._start = file, start
        self._words, self._since, self._last = "", 0.0, 0.0
        file.write(f"WEBVTT\n\nNOTE {DISCLAIMER}\n\n".encode())

    def add(self, answer: FrameAnswer) -> None:
        """Takes the answer for one frame."""
        time = answer.time - self._start
        words = "\n".join(f"{face.person}: {_word(state_of(face))}" for face in answer.faces)
        if words != self._words and (time - self._since >= SHORTEST or not self._words):
            self._end(time if time - self._last <= LONGEST_GAP else self._last)
            self._words, self._since = words, time
        self._last = time

    def finish(self, summary: dict[str, Any]) -> None:
        """Writes the last cue."""
        self._end(max(self._last, self._since + 0.04))

    def _end(self, time: float) -> None:
        if self._words and time > self._since:
            self._file.write(f"{_stamp(self._since)} --> {_stamp(time)}\n{self._words}\n\n".encode())


def _word(state: str) -> str:
    return {UNREADABLE: "can't tell", UNSURE: "unsure"}.get(state) or f"looks {adjective(state)}"


def _stamp(seconds: float) -> str:
    thousandths = max(0, round(1000 * seconds))
    hours, rest = divmod(thousandths, 3_600_000)
    return f"{hours:02}:{rest // 60_000:02}:{rest // 1000 % 60:02}.{rest % 1000:03}"
