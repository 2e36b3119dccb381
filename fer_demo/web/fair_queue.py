"""A fair queue: a few requests at a time, and visitors share the time, however many requests each of them has.

It is fair queueing as networks have it (Demers, Keshav and Shenker, SIGCOMM 1989), with seconds instead of bytes: next
comes who has had the least.
"""

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType


class BusyError(Exception):
    """More requests came than can wait.

    Attributes:
        retry_after: Seconds after which another attempt makes sense.
    """

    def __init__(self, message: str, retry_after: int = 10) -> None:
        super().__init__(message)
        self.retry_after = retry_after


FULL = "More people are asking than this server can answer; please try again in a moment."
YOURS = "Too many of your requests are waiting already; let some of them finish first."


class Place:
    """A place in the queue, which becomes a turn; a context manager that gives it back.

    Attributes:
        visitor: Whose it is.
        turn: Done when the turn has come.
        since: When it came.
    """

    def __init__(self, queue: "FairQueue", visitor: str) -> None:
        self.visitor = visitor
        self.turn: Future[None] = Future()
        self.since = 0.0
        self._queue = queue

    def ahead(self) -> int:
        """How many requests come before this one if all take equally long; 0 from its turn on."""
        return self._queue._ahead(self)

    def leave(self) -> None:
        """Gives the turn back, or stops waiting; doing so again changes nothing."""
        self._queue._leave(self)

    def __enter__(self) -> "Place":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()


class FairQueue:
    """Lets `capacity` requests run at a time and visitors share the time. Thread-safe.

    Args:
        capacity: Requests that run at the same time.
        per_visitor: Most of them that may be one visitor's, even if nobody else is there; None is all of them.
        waiting: Requests that may wait, of all visitors together.
        waiting_per_visitor: Requests of one visitor that may wait.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        capacity: int,
        *,
        per_visitor: int | None = None,
        waiting: int = 200,
        waiting_per_visitor: int = 100,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self.capacity = capacity
        self.per_visitor = per_visitor or capacity
        self.waiting, self.waiting_per_visitor = waiting, waiting_per_visitor
        self._lock = threading.Lock()
        # Visitors in the order in which they had their last turn, the one who waited longest first.
        self._lines: OrderedDict[str, deque[Place]] = OrderedDict()
        self._running: Counter[str] = Counter()
        # Seconds that each of them has had since the queue knows them.
        self._had: dict[str, float] = {}
        self._has_turn: set[Place] = set()

    def enter(self, visitor: str) -> Place:
        """Takes a place at the end of a visitor's own line.

        Args:
            visitor: Who asks, such as an address.

        Returns:
            The place; it has to be left, with or without its turn.

        Raises:
            BusyError: If too many are waiting.
        """
        with self._lock:
            line = self._lines.setdefault(visitor, deque())
            if visitor not in self._had:
                self._had[visitor] = min(self._had.values(), default=0.0)
            if len(line) >= self.waiting_per_visitor:
                raise BusyError(YOURS)
            if sum(map(len, self._lines.values())) >= self.waiting:
                self._forget(visitor)
                raise BusyError(FULL)
            place = Place(self, visitor)
            line.append(place)
            ready = self._next()
        self._call(ready)
        return place

    def __len__(self) -> int:
        """How many are waiting."""
        with self._lock:
            return sum(map(len, self._lines.values()))

    def _next(self) -> list[Place]:
        """Those whose turn has come; called with the lock held."""
        ready = []
        while self._running.total() < self.capacity:
            could = [v for v, line in self._lines.items() if line and self._running[v] < self.per_visitor]
            if not could:
                break
            # Of equals the first: who waited longest.
            visitor = min(could, key=lambda v: (self._running[v], self._had[v]))
            place = self._lines[visitor].popleft()
            self._lines.move_to_end(visitor)
            self._running[visitor] += 1
            self._has_turn.add(place)
            place.since = self.clock()
            ready.append(place)
        return ready

    @staticmethod
    def _call(ready: list[Place]) -> None:
        # Without the lock: what waits for a turn may run at once, and ask this queue something.
        for place in ready:
            if place.turn.set_running_or_notify_cancel():
                place.turn.set_result(None)
            else:
                place.leave()

    def _leave(self, place: Place) -> None:
        with self._lock:
            if place in self._has_turn:
                self._has_turn.remove(place)
                self._running[place.visitor] -= 1
                self._had[place.visitor] += self.clock() - place.since
            elif place in self._lines.get(place.visitor, ()):
                self._lines[place.visitor].remove(place)
            self._forget(place.visitor)
            ready = self._next()
        self._call(ready)

    def _forget(self, visitor: str) -> None:
        """Drops a visitor of whom nothing waits or runs."""
        if not self._running[visitor]:
            del self._running[visitor]
            if not self._lines.get(visitor):
                self._lines.pop(visitor, None)
                self._had.pop(visitor, None)

    def _ahead(self, place: Place) -> int:
        with self._lock:
            own = self._lines.get(place.visitor, deque())
            if place not in own:
                return 0
            mine, before, passed = own.index(place), 0, False
            for visitor, line in self._lines.items():
                if visitor == place.visitor:
                    passed = True
                else:
                    before += min(len(line), mine + (not passed))
            return mine + before
