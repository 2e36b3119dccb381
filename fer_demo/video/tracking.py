"""Which face on a frame is whose: faces are found every few frames, followed in between, and told apart by their looks.

Between two detections each face moves with its own points (`flow`). A detection is given to the person whose place and
looks fit best, over all of them at once (the Hungarian method of SciPy). Who is hidden keeps the number for a while,
and gets it back by place and looks; after a cut by looks alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_demo.video.extra import need
from fer_demo.video.flow import follow, is_cut, points_on
from fer_demo.video.looks import look, reduced
from fer_demo.vision.detector import DetectedFace

Box = tuple[float, float, float, float]

WORKING_SIDE = 640
"""Longer side of the copy in which faces are followed, in pixels."""

ALIKE = 0.6
"""Correlation of looks below which a face is another one, where the place fits; what is followed must keep it too."""

CHANGED = 0.45
"""The same from one frame to the next, by the last look too: a face that is being hidden changes bit by bit."""

HIDDEN, HIDDEN_AFTER, HIDDEN_FOR = 0.0, 0.1, 1.5
"""The same for who was lost so many seconds ago, and not more, just there, and for a face that touches another one:
half a face looks like nobody's."""

SAME = 0.8
"""The same where the place says nothing: after a cut, and for who was away for long."""

NEAR = 0.6
"""How far a face may be from where it is expected, in its own sizes; it grows with the time that it was not seen."""

MEMORY = 5.0
"""Seconds for which a person who is not seen keeps the number."""

PATIENCE = 0.7
"""Seconds for which a face is followed that the detector does not find, as one that turns away."""

_LEARN = 0.2  # how much of a person's look each detection replaces
_LARGE = 1e3


@dataclass(eq=False)
class Track:
    """One person.

    Attributes:
        person: The number, from 1.
        box: x, y, width and height in pixels of the frame.
        landmarks: float32 (5, 2), likewise.
        score: The detector's, of the last time it found the face.
        look: What it mostly looks like; see `fer_demo.video.looks.look`.
        now: What it looked like when the detector found it last, half hidden perhaps.
        seen: Seconds, when it was on a frame last.
        found: Seconds, when the detector found it last.
        velocity: Pixels per second of its middle, x and y.
        points: What is followed, in pixels of the working copy.
        here: Whether it is on the frame.
    """

    person: int
    box: Box
    landmarks: NDArray[np.float32]
    score: float
    look: NDArray[np.float32]
    now: NDArray[np.float32]
    seen: float
    found: float
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    points: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 2), np.float32))
    here: bool = True

    @property
    def middle(self) -> NDArray[np.float64]:
        """Of the box, x and y."""
        x, y, w, h = self.box
        return np.array([x + w / 2, y + h / 2])


class Tracker:
    """Follows the faces of one video. Give it each frame in turn: `step`, and where faces were looked for, `match`.

    Attributes:
        tracks: The persons that are remembered; those on the frame are `Track.here`.
        unsettled: Whether the last step lost somebody or saw a cut, so that faces should be looked for at once.
    """

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self.unsettled = True
        self._next = 1
        self._copy = np.empty((0, 0, 3), np.uint8)
        self._gray = np.empty((0, 0), np.uint8)
        self._thumb: NDArray[np.uint8] | None = None
        self._scale, self._time, self._cut = 1.0, 0.0, False

    @property
    def here(self) -> list[Track]:
        """The persons on the frame, by number."""
        return sorted((t for t in self.tracks if t.here), key=lambda t: t.person)

    def step(self, picture: NDArray[np.uint8], time: float) -> None:
        """Moves the faces to where they are on the next frame.

        Args:
            picture: uint8 RGB (H, W, 3), of the same size as those before.
            time: Seconds; more than the last one's.
        """
        copy, self._scale = reduced(picture, WORKING_SIDE)
        gray = np.asarray(cv2.cvtColor(copy, cv2.COLOR_RGB2GRAY), np.uint8)
        thumb = np.asarray(cv2.resize(gray[::4, ::4], (32, 18), interpolation=cv2.INTER_AREA), np.uint8)
        before, self._gray, self._copy = self._gray, gray, copy
        self._cut = self._thumb is not None and is_cut(self._thumb, thumb)
        self._thumb, elapsed, self._time = thumb, max(time - self._time, 1e-3), time
        self.tracks = [t for t in self.tracks if time - t.seen <= MEMORY]
        self.unsettled = self._cut
        here = self.here
        if self._cut or not before.size:
            for track in here:
                track.here = False
            return
        for track, moved in zip(here, follow(before, gray, [t.points for t in here]), strict=True):
            if moved is None or not self._move(track, *moved, elapsed):
                track.here, self.unsettled = False, True
        self._part(self.here)

    def match(self, faces: Sequence[DetectedFace]) -> None:
        """Gives the faces that were found on the frame of the last `step` to persons, old or new."""
        looks = [self._look(face.landmarks) for face in faces]
        touching = [any(_touch(a.box, b.box) for b in faces if b is not a) for a in faces]
        cost = np.full((len(self.tracks), len(faces)), _LARGE)
        for i, track in enumerate(self.tracks):
            for j, face in enumerate(faces):
                cost[i, j] = self._cost(track, face, looks[j], touching[j])
        rows, columns = need("scipy.optimize").linear_sum_assignment(cost)
        given = {int(j): self.tracks[int(i)] for i, j in zip(rows, columns, strict=True) if cost[i, j] < _LARGE}
        fresh: list[Track] = []
        for j, face in enumerate(faces):
            known = given.get(j)
            track = known or Track(
                self._next, face.box, face.landmarks, face.score, looks[j], looks[j], self._time, self._time
            )
            if known is None:
                self._next += 1
                fresh.append(track)
            self._found(track, face, looks[j])
        self.tracks += fresh
        found = {id(t) for t in (*given.values(), *fresh)}
        for track in self.tracks:
            if id(track) not in found and self._time - track.found > PATIENCE:
                track.here = False
        self._part(self.here)

    def adopt(self, persons: Sequence[tuple[int, Box, NDArray[np.float32], float]]) -> None:
        """Takes over who was seen on the frame of the last `step`, as an earlier run found it.

        Args:
            persons: Number, box, landmarks and score of each.
        """
        known = {t.person: t for t in self.tracks}
        for track in self.tracks:
            track.here = False
        for person, box, landmarks, score in persons:
            seen = self._look(landmarks)
            track = known.get(person) or Track(person, box, landmarks, score, seen, seen, self._time, self._time)
            if person not in known:
                self.tracks.append(track)
            self._found(track, DetectedFace(box, landmarks, score, 0.0), seen)
            self._next = max(self._next, person + 1)
        self.unsettled = False

    def _look(self, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        return look(self._copy, landmarks * np.float32(self._scale))

    def _move(self, track: Track, matrix: NDArray[np.float64], points: NDArray[np.float32], elapsed: float) -> bool:
        """Moves a face along; False if what lies there now is no longer that face."""
        turn, shift = matrix[:, :2], matrix[:, 2] / self._scale
        landmarks = (track.landmarks @ turn.T + shift).astype(np.float32)
        if float(self._look(landmarks) @ track.now) < ALIKE:
            return False
        w, h = track.box[2:]
        scale = math.hypot(matrix[0, 0], matrix[1, 0])
        middle = turn @ track.middle + shift
        self._learn_velocity(track, middle, elapsed)
        track.box = (float(middle[0] - w * scale / 2), float(middle[1] - h * scale / 2), w * scale, h * scale)
        track.landmarks, track.points, track.seen = landmarks, points, self._time
        return True

    def _found(self, track: Track, face: DetectedFace, seen: NDArray[np.float32]) -> None:
        track.box, track.landmarks, track.score = face.box, face.landmarks, face.score
        track.now = seen
        if float(seen @ track.look) >= ALIKE:
            mixed = (1 - _LEARN) * track.look + _LEARN * seen
            track.look = np.asarray(mixed / max(float(np.linalg.norm(mixed)), 1e-6), np.float32)
        track.seen = track.found = self._time
        track.here = True
        x, y, w, h = (v * self._scale for v in face.box)
        track.points = points_on(self._gray, (x, y, w, h))

    def _learn_velocity(self, track: Track, middle: NDArray[np.float64], elapsed: float) -> None:
        share = 1 - 0.5 ** (elapsed / 0.15)  # half of it is 0.15 s old
        track.velocity = (1 - share) * track.velocity + share * (middle - track.middle) / elapsed

    def _cost(self, track: Track, face: DetectedFace, seen: NDArray[np.float32], touching: bool) -> float:
        """What it would cost to take a face for a person: less for near and alike ones."""
        alike = float(seen @ track.look)
        x, y, w, h = face.box
        size = math.sqrt(w * h)
        away = self._time - track.seen
        ratio = size / max(1.0, math.sqrt(track.box[2] * track.box[3]))
        expected = track.middle + (0 if track.here else min(away, 1.0)) * track.velocity
        distance = float(np.linalg.norm((x + w / 2, y + h / 2) - expected)) / max(size, 1.0)
        near = distance < NEAR + min(2.0, 1.5 * away) and 0.5 < ratio < 2
        if not self._cut and near:
            just = away <= HIDDEN_AFTER
            alike = max(alike, float(seen @ track.now)) if just else alike
            hidden = touching or HIDDEN_AFTER < away <= HIDDEN_FOR
            if alike >= (HIDDEN if hidden else CHANGED if just else ALIKE):
                return 1 - alike + 0.3 * distance
        return 2 - alike if alike >= SAME and not track.here else _LARGE

    def _part(self, here: list[Track]) -> None:
        """Of two persons in one place, the one who looks less like before is hidden by the other."""
        for i, one in enumerate(here):
            for other in here[i + 1 :]:
                if one.here and other.here and overlap(one.box, other.box) > 0.4:
                    self._hide_one(one, other)

    def _hide_one(self, one: Track, other: Track) -> None:
        fits = [float(self._look(t.landmarks) @ t.look) for t in (one, other)]
        # Who was found now is there.
        fits = [fit + (0.2 if t.found == self._time else 0) for fit, t in zip(fits, (one, other), strict=True)]
        (one if fits[0] < fits[1] else other).here = False


def _touch(a: Box, b: Box) -> bool:
    """Whether two boxes, each a third larger, have a part in common."""
    across, along = (a[2] + b[2]) / 2, (a[3] + b[3]) / 2
    x, y = a[0] + a[2] / 2 - b[0] - b[2] / 2, a[1] + a[3] / 2 - b[1] - b[3] / 2
    return abs(x) < 4 / 3 * across and abs(y) < 4 / 3 * along


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes (x, y, width, height), 0 to 1."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(0.0, width) * max(0.0, height)
    return common / max(a[2] * a[3] + b[2] * b[3] - common, 1e-9)
