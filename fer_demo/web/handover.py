"""Hands a picture from the upload widget to the page that embeds it, in memory only.

The widget and the page are two web applications under one roof. A page asks for a ticket, an unguessable id, and gives
it to the widget it embeds; the widget leaves its picture under that ticket and the page takes it away. Tickets that no
page asked for are ignored, a picture can be taken once, and nothing stays longer than its time.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from fer_demo.web.answering import Answer
from fer_demo.web.folder import Folder, Small


@dataclass(frozen=True)
class Picture:
    """One picture with its answer.

    Attributes:
        name: The file's own name, or None for one without.
        answer: The picture and the faces on it; None if it could not be read.
        problem: One sentence that says why it could not.
    """

    name: str | None
    answer: Answer | None
    problem: str | None = None


@dataclass(frozen=True)
class Delivery:
    """What somebody added at one time.

    Attributes:
        pictures: One or more, in their order.
        left_out: Files of archives that are no pictures.
    """

    pictures: tuple[Picture, ...]
    left_out: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return sum(one.answer.picture.pixels.nbytes for one in self.pictures if one.answer)


@dataclass
class _Ticket:
    seen: float
    delivery: Delivery | None = None
    delivered: float = 0.0
    kept: Delivery | None = None
    folder: Folder | None = None


@dataclass
class Handover:
    """A bounded, expiring, thread-safe store of at most one delivery and one folder for each open page.

    Attributes:
        max_tickets: Open pages at a time; the one unseen for longest makes room for a new one.
        max_bytes: Pixels held for all pages together; the oldest pictures make room.
        ticket_seconds: A page that has not called for so long is gone.
        picture_seconds: A picture that nobody took in this time is dropped.
        clock: Seconds that only grow.
    """

    max_tickets: int = 1000
    max_bytes: int = 512 * 1024**2
    ticket_seconds: float = 15 * 60
    picture_seconds: float = 60
    clock: Callable[[], float] = time.monotonic
    _tickets: OrderedDict[str, _Ticket] = field(default_factory=OrderedDict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def open(self) -> str:
        """Issues a ticket for a page: 256 random bits in URL-safe characters."""
        with self._lock:
            self._drop_expired()
            while len(self._tickets) >= self.max_tickets:
                self._tickets.popitem(last=False)
            sid = secrets.token_urlsafe(32)
            self._tickets[sid] = _Ticket(seen=self.clock())
            return sid

    def renew(self, sid: str) -> bool:
        """Says that the page is still there.

        Returns:
            False when the ticket is unknown or has run out; the page then needs a new one.
        """
        with self._lock:
            self._drop_expired()
            return self._seen(sid) is not None

    def put(self, sid: str | None, delivery: Delivery) -> bool:
        """Leaves a picture for a page; a picture still waiting there is replaced.

        Args:
            sid: The page's ticket, as the widget was given it; anything else is ignored.
            delivery: What the page gets.

        Returns:
            Whether a page holds this ticket and will get the picture.
        """
        with self._lock:
            self._drop_expired()
            ticket = self._tickets.get(sid) if sid else None
            if ticket is None or delivery.nbytes > self.max_bytes:
                return False
            ticket.delivery, ticket.delivered = delivery, self.clock()
            self._make_room()
            return True

    def take(self, sid: str) -> Delivery | None:
        """The picture waiting for a page, which is then gone from the store; None when there is none. Renews."""
        with self._lock:
            self._drop_expired()
            ticket = self._seen(sid)
            if ticket is None:
                return None
            delivery, ticket.delivery = ticket.delivery, None
            return delivery

    def keep(self, sid: str, delivery: Delivery) -> None:
        """Remembers what a page has taken, for the case that its visitor loads it again; replaces what was before."""
        with self._lock:
            self._drop_expired()
            if (ticket := self._seen(sid)) is not None and delivery.nbytes <= self.max_bytes:
                ticket.kept = delivery
                self._make_room()

    def kept(self, sid: str) -> Delivery | None:
        """What a page had taken and shown last; None if there is nothing, or the ticket has run out. Renews."""
        with self._lock:
            self._drop_expired()
            ticket = self._seen(sid)
            return ticket.kept if ticket else None

    def append(
        self, sid: str | None, pictures: Iterable[Small], left_out: int = 0, *, most: int, originals: int, group: str
    ) -> int | None:
        """Adds photos to a page's folder. Renews.

        Args:
            sid: The page's ticket.
            pictures: The photos.
            left_out: Files that are no pictures.
            most: Photos that a folder may hold; what is over is left out and counted.
            originals: Bytes of files that a folder may hold.
            group: A mark of this group; one that was added already is not added again.

        Returns:
            For how many more there is room; None if no page holds this ticket.
        """
        with self._lock:
            self._drop_expired()
            ticket = self._seen(sid) if sid else None
            if ticket is None:
                return None
            folder = ticket.folder = ticket.folder or Folder()
            if group not in folder.groups:
                folder.add(pictures, left_out, most, originals)
                folder.groups.add(group)
                ticket.delivered = self.clock()
                self._make_room()
            return max(0, most - len(folder.pictures))

    def folder(self, sid: str) -> Folder:
        """What was added to a page's folder, which stays there; empty if there is none. Renews."""
        with self._lock:
            self._drop_expired()
            ticket = self._seen(sid)
            return ticket.folder.copy() if ticket and ticket.folder else Folder()

    def count(self, sid: str) -> int:
        """How many photos are in a page's folder. Renews."""
        with self._lock:
            self._drop_expired()
            ticket = self._seen(sid)
            return len(ticket.folder.pictures) if ticket and ticket.folder else 0

    def close(self, sid: str) -> None:
        """Forgets a ticket and the pictures under it."""
        with self._lock:
            self._tickets.pop(sid, None)

    def __len__(self) -> int:
        """The number of valid tickets."""
        with self._lock:
            self._drop_expired()
            return len(self._tickets)

    def _make_room(self) -> None:
        """Forgets the oldest pictures as long as there is too much; what is still to be taken goes last."""
        total = 0
        for ticket in sorted(self._tickets.values(), key=lambda t: t.delivered)[::-1]:  # the newest first
            for name, without in (("delivery", None), ("kept", None), ("folder", Folder(lost=True))):
                if (held := getattr(ticket, name)) is not None:
                    total += held.nbytes
                    if total > self.max_bytes:
                        setattr(ticket, name, without)

    def _seen(self, sid: str) -> _Ticket | None:
        ticket = self._tickets.get(sid)
        if ticket is not None:
            ticket.seen = self.clock()
            self._tickets.move_to_end(sid)
        return ticket

    def _drop_expired(self) -> None:
        now = self.clock()
        # The tickets are in the order in which they were last seen, so the first valid one ends the search.
        while self._tickets and now - next(iter(self._tickets.values())).seen > self.ticket_seconds:
            self._tickets.popitem(last=False)
        for ticket in self._tickets.values():
            if ticket.delivery is not None and now - ticket.delivered > self.picture_seconds:
                ticket.delivery = None


HANDOVER = Handover()
"""The store of this process."""
