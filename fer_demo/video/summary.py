"""What a video says of each person in total: shares of time, longest episodes, changes. Its memory does not grow."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fer_demo.classes import column_order
from fer_demo.emotions import DISCLAIMER, LABELS
from fer_demo.video.answers import FrameAnswer, VideoFace
from fer_demo.wording import adjective

LONGEST_GAP = 0.5
"""Seconds: a person who was away for longer was not there in between."""

UNREADABLE, UNSURE = "unreadable", "unsure"
"""What a moment counts as that is no class: a face that cannot be read, which is left out of the shares, or an unsure
answer."""

EPISODES = 5
"""So many of the longest episodes are kept of each person."""


def state_of(face: VideoFace) -> str:
    """What a face counts as: its class, `UNSURE` or `UNREADABLE`."""
    if not face.readable:
        return UNREADABLE
    found = face.prediction
    return UNSURE if found.unsure else found.label


@dataclass
class _Person:
    first: float
    last: float
    state: str
    since: float
    seconds: dict[str, float]
    changes: dict[tuple[str, str], int] = field(default_factory=dict)
    episodes: list[tuple[float, float, str]] = field(default_factory=list)
    frames: int = 0
    told: str | None = None

    def end_episode(self) -> None:
        if self.state not in (UNSURE, UNREADABLE) and self.last > self.since:
            item = (self.last - self.since, self.since, self.state)
            (heapq.heappush if len(self.episodes) < EPISODES else heapq.heappushpop)(self.episodes, item)


class Summary:
    """Adds up a video's answers; see `to_dict`.

    Args:
        labels: The classes of the model.
    """

    def __init__(self, labels: Sequence[str] = LABELS) -> None:
        self._labels = column_order(labels)
        self._persons: dict[int, _Person] = {}
        self.frames, self.first, self.last = 0, 0.0, 0.0

    def add(self, answer: FrameAnswer) -> None:
        """Takes the answer for one frame. A moment lasts from it to the next frame on which the person is."""
        self.first = answer.time if self.frames == 0 else self.first
        self.frames, self.last = self.frames + 1, answer.time
        for face in answer.faces:
            self._add(face, answer.time)

    def _add(self, face: VideoFace, time: float) -> None:
        state = state_of(face)
        person = self._persons.get(face.person)
        if person is None:
            person = self._persons[face.person] = _Person(
                time, time, state, time, dict.fromkeys((*self._labels, UNSURE, UNREADABLE), 0.0)
            )
        elif time - person.last > LONGEST_GAP:
            person.end_episode()
            person.state, person.since = state, time
        else:
            person.seconds[person.state] += time - person.last
            if state != person.state:
                person.last = time
                person.end_episode()
                person.state, person.since = state, time
        if state not in (UNSURE, UNREADABLE):
            if person.told not in (None, state):
                change = (str(person.told), state)
                person.changes[change] = person.changes.get(change, 0) + 1
            person.told = state
        person.last, person.frames = time, person.frames + 1

    def to_dict(self) -> dict[str, Any]:
        """``{"frames", "start", "end", "persons": [...], "disclaimer"}``, ready for ``json.dumps``.

        A person has ``person``, ``first`` and ``last`` (seconds), ``frames``, ``seconds`` (on the picture),
        ``unreadable_seconds``, ``share`` (class, or "unsure", to its share of the time in which the face could be
        read; they add up to 1), ``episodes`` (the longest without a break: ``label``, ``start``, ``seconds``) and
        ``changes`` (``from``, ``to``, ``count``, the most frequent first).
        """
        persons = [self._person(number, p) for number, p in sorted(self._persons.items())]
        times = {"start": round(self.first, 3), "end": round(self.last, 3)}
        return {"frames": self.frames} | times | {"persons": persons, "disclaimer": DISCLAIMER}

    def _person(self, number: int, p: _Person) -> dict[str, Any]:
        readable = sum(p.seconds[state] for state in (*self._labels, UNSURE))
        episodes = list(p.episodes)
        if p.state not in (UNSURE, UNREADABLE) and p.last > p.since:
            episodes.append((p.last - p.since, p.since, p.state))
        changes = sorted(p.changes.items(), key=lambda item: -item[1])
        return {
            "person": number,
            "first": round(p.first, 3),
            "last": round(p.last, 3),
            "frames": p.frames,
            "seconds": round(sum(p.seconds.values()), 3),
            "unreadable_seconds": round(p.seconds[UNREADABLE], 3),
            "share": {s: round(p.seconds[s] / readable, 4) if readable else 0.0 for s in (*self._labels, UNSURE)},
            "episodes": [
                {"label": label, "start": round(start, 3), "seconds": round(length, 3)}
                for length, start, label in sorted(episodes, reverse=True)[:EPISODES]
            ],
            "changes": [{"from": a, "to": b, "count": n} for (a, b), n in changes],
        }


def in_words(summary: dict[str, Any]) -> list[str]:
    """A summary as sentences, one a person."""
    lines = []
    for p in summary["persons"]:
        shares = sorted(p["share"].items(), key=lambda item: -item[1])
        told = ", ".join(
            f"{name if name == UNSURE else adjective(name)} {round(100 * v)} %" for name, v in shares if v >= 0.005
        )
        away = f"; {p['unreadable_seconds']:.1f} s could not be read" if p["unreadable_seconds"] >= 0.05 else ""
        longest = p["episodes"][0] if p["episodes"] else None
        most = (
            f"; longest {adjective(longest['label'])}, {longest['seconds']:.1f} s from {clock(longest['start'])}"
            if longest
            else ""
        )
        lines.append(
            f"person {p['person']}: {p['seconds']:.1f} s from {clock(p['first'])}: {told or 'nothing'}{most}{away}"
        )
    return lines


def clock(seconds: float) -> str:
    """``"1:02:03"`` or ``"2:03"``."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
