"""What a page shows of a video: a line of probabilities a person, frames with their faces, and a picture an expression.

What is kept does not grow with the video's length: neighbours are averaged, and every second frame goes.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_demo.annotate import draw_faces
from fer_demo.classes import column_order
from fer_demo.emotions import LABELS
from fer_demo.video.answers import FrameAnswer, VideoFace
from fer_demo.video.summary import UNREADABLE, state_of

POINTS = 1_000
"""Most points of a person's line; when there are more, neighbours are averaged."""

MOMENTS = 200
"""Most frames that are kept; when there are more, every second one goes."""

PERSONS = 40
"""Of more persons, those who were seen for longest have a line."""

_CROP_SIDE, _PORTRAIT_SIDE = 96, 120

_CLEARER = 0.03  # by so much an expression must be clearer for its picture to be taken anew


@dataclass
class _Line:
    """A person's probabilities, averaged over bins of time."""

    seconds: float
    times: list[float]
    sums: list[NDArray[np.float64]]
    counts: list[int]
    frames: int = 0


@dataclass(frozen=True)
class Portrait:
    """A person at the clearest moment of an expression.

    Attributes:
        label: The expression.
        probability: Of it at that moment, 0 to 1.
        time: Seconds from the start of the video.
        jpeg: The face, cut out in colour.
    """

    label: str
    probability: float
    time: float
    jpeg: bytes


@dataclass(frozen=True)
class MomentFace:
    """A face on a kept frame: the person's number, the answer in words, and what the network saw, as JPEG."""

    person: int
    says: str
    crop: bytes | None


@dataclass(frozen=True)
class Moment:
    """A kept frame.

    Attributes:
        time: Seconds from the start of the video.
        faces: Who is on it, 20 at most.
        frame: The frame as JPEG.
    """

    time: float
    faces: tuple[MomentFace, ...]
    frame: bytes


class Timeline:
    """Collects what is shown of a video.

    Args:
        side: Pixels of the longer side of the frames that are kept.
        boxes: Draw the faces' boxes on them.
        portraits: Keep a picture of each person's expressions.
        labels: The classes of the model.

    Attributes:
        labels: Likewise, in the order of the lines.
    """

    def __init__(
        self, side: int = 320, *, boxes: bool = False, portraits: bool = False, labels: Sequence[str] = LABELS
    ) -> None:
        self.labels = column_order(labels)
        self._side, self._boxes, self._with_portraits = side, boxes, portraits
        self._lines: dict[int, _Line] = {}
        self._portraits: dict[int, dict[str, Portrait]] = {}
        self.moments: list[Moment] = []
        self._between, self._due = 0.5, -1.0

    def add(self, answer: FrameAnswer) -> None:
        """Takes the answer for one frame."""
        for face in answer.faces:
            if face.readable:
                self._add_point(
                    face.person, answer.time, np.array([face.probabilities[label] for label in self.labels])
                )
                if self._with_portraits and answer.pixels is not None and face.person in self._lines:
                    self._add_portrait(face, answer.time, answer.pixels)
        if answer.time >= self._due and answer.pixels is not None:
            self._add_moment(answer, answer.pixels)

    def _add_point(self, person: int, time: float, values: NDArray[np.float64]) -> None:
        line = self._lines.setdefault(person, _Line(0.1, [], [], []))
        line.frames += 1
        if line.times and time - line.times[-1] < line.seconds:
            line.sums[-1] = line.sums[-1] + values
            line.counts[-1] += 1
            return
        line.times.append(time)
        line.sums.append(values)
        line.counts.append(1)
        if len(line.times) > POINTS:
            pairs = range(0, len(line.times), 2)
            line.times = line.times[::2]
            line.sums = [sum(line.sums[i : i + 2], np.zeros(len(self.labels))) for i in pairs]
            line.counts = [sum(line.counts[i : i + 2]) for i in pairs]
            line.seconds *= 2
        if len(self._lines) > 4 * PERSONS:  # those who were there for shortest make room
            shortest = min((k for k in self._lines if k != person), key=lambda k: self._lines[k].frames)
            del self._lines[shortest]
            self._portraits.pop(shortest, None)

    def _add_portrait(self, face: VideoFace, time: float, pixels: NDArray[np.uint8]) -> None:
        if face.unsure:
            return
        own = self._portraits.setdefault(face.person, {})
        if face.label in own and face.confidence < own[face.label].probability + _CLEARER:
            return
        own[face.label] = Portrait(face.label, round(face.confidence, 4), round(time, 3), _cut_out(pixels, face))

    def _add_moment(self, answer: FrameAnswer, pixels: NDArray[np.uint8]) -> None:
        faces = []
        for face in answer.faces[:20]:
            says = face.sentence if state_of(face) != UNREADABLE else face.prediction.full_sentence
            crop = None if face.crop is None else as_jpeg(face.crop, _CROP_SIDE)
            faces.append(MomentFace(face.person, says, crop))
        if self._boxes and answer.faces:
            numbers = [face.person for face in answer.faces]
            found = [face.prediction for face in answer.faces]
            pixels = draw_faces(pixels, found, max_side=self._side, numbers=numbers)
        self.moments.append(Moment(round(answer.time, 3), tuple(faces), as_jpeg(pixels, self._side)))
        if len(self.moments) > MOMENTS:
            self.moments = self.moments[::2]
            self._between *= 2
        self._due = answer.time + self._between

    def persons(self) -> list[dict[str, Any]]:
        """The lines of those who were seen for longest, by number: ``{"person", "t", "values"}``.

        ``values`` has a list for each of `labels`, as long as ``t``. Where nobody was there stands
        None.
        """
        longest = sorted(self._lines, key=lambda k: -self._lines[k].frames)[:PERSONS]
        return [self._person(number) for number in sorted(longest)]

    def portraits(self, person: int) -> list[Portrait]:
        """A person's expressions, the clearest first."""
        return sorted(self._portraits.get(person, {}).values(), key=lambda one: -one.probability)

    def _person(self, number: int) -> dict[str, Any]:
        line = self._lines[number]
        times: list[float | None] = []
        rows: list[list[float | None]] = []
        for i, (time, total, count) in enumerate(zip(line.times, line.sums, line.counts, strict=True)):
            if i and time - line.times[i - 1] > max(0.5, 3 * line.seconds):  # a gap where nobody was
                # At both ends, since Plotly takes nothing for zero where it stacks, and draws a line to it.
                times += [round(line.times[i - 1] + 0.01, 2), round(time - 0.01, 2)]
                rows += [[None] * len(self.labels)] * 2
            times.append(round(time, 2))
            rows.append([round(float(v), 3) for v in total / count])
        return {"person": number, "t": times, "values": [list(column) for column in zip(*rows, strict=True)]}


def _cut_out(pixels: NDArray[np.uint8], face: VideoFace) -> bytes:
    """A face with some of what is around it, as JPEG."""
    x, y, w, h = face.box
    margin = 0.2 * max(w, h)
    rows = slice(max(0, round(y - margin)), max(1, round(y + h + margin)))
    columns = slice(max(0, round(x - margin)), max(1, round(x + w + margin)))
    part = pixels[rows, columns]
    return as_jpeg(part if part.size else pixels, _PORTRAIT_SIDE)


def as_jpeg(picture: NDArray[np.uint8], side: int) -> bytes:
    """A picture as JPEG, uint8 (H, W) or (H, W, 3), with at most `side` pixels on its longer side."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=70)
    return file.getvalue()
