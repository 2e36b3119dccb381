"""What processes are still to read, and the answers that wait for one before them."""

from collections import deque
from collections.abc import Iterator
from typing import Any

from fer_demo.batch.answer import Answer
from fer_demo.batch.items import Item
from fer_demo.vision.sources import one_line

__all__ = ["AHEAD", "CHUNK", "Numbered", "Work"]

CHUNK = 32
"""The most pictures that a process gets at a time; at the start they are fewer, so that all have work at once."""

AHEAD = 4 * CHUNK
"""So many pictures for each process may be under way or wait for one before them."""

HELD_BYTES = 256_000_000
"""Of pictures that come as bytes, as from packed archives, no more are taken while so many are under way."""

Numbered = tuple[int, Item]
"""A picture and its place among all."""


class Work:
    """Hands pictures out in shares, takes answers in any order and gives them back in that of the pictures.

    Args:
        items: The pictures.
        ahead: How many may be taken whose answer has not been given back.

    Attributes:
        again: Shares that are read again, since a process went.
        exhausted: Whether all pictures were taken.
    """

    def __init__(self, items: Iterator[Item], ahead: int) -> None:
        self._items, self._ahead = enumerate(items), ahead
        self._taken = self._given = self._chunks = self._held = 0
        self._waiting: dict[int, Answer] = {}
        self._suspects: set[int] = set()
        self.again: deque[list[Numbered]] = deque()
        self.exhausted = False

    def next_chunk(self, processes: int) -> list[Numbered]:
        """The pictures for a process; none if there are no more, or too many are under way."""
        if self.again:
            return self.again.popleft()
        size = min(CHUNK, 2 ** (2 + self._chunks // processes), self._ahead - (self._taken - self._given))
        chunk: list[Numbered] = []
        for _ in range(size):
            if self._held > HELD_BYTES or self.exhausted:
                break
            taken = next(self._items, None)
            if taken is None:
                self.exhausted = True
                break
            number, item = taken
            self._taken += 1
            self._held += len(item.data or b"")
            if item.problem:
                self.answered(number, item, {"error": item.problem})
            else:
                chunk.append(taken)
        self._chunks += bool(chunk)
        return chunk

    def answered(self, number: int, item: Item, data: dict[str, Any]) -> None:
        """Notes an answer."""
        self._suspects.discard(number)
        self._waiting[number] = Answer(item, data)

    def died(self, number: int, item: Item, seconds: float | None) -> None:
        """Notes that a process died at a picture, or hung for so many seconds."""
        if number not in self._suspects:
            self._suspects.add(number)
            self.again.append([(number, item)])
            return
        name = one_line(item.name)
        if seconds is not None:
            sentence = f"{name} takes longer than {seconds:g} seconds to read; make it smaller or save it anew as JPEG."
        else:
            sentence = f"{name} ends the process that reads it, twice; save it anew as JPEG or PNG."
        self.answered(number, item, {"error": sentence})

    def in_order(self) -> Iterator[Answer]:
        """The answers whose turn it is."""
        while self._given in self._waiting:
            answer = self._waiting.pop(self._given)
            self._given += 1
            self._held -= len(answer.item.data or b"")
            yield answer
