import threading

import numpy as np
import pytest

from fer_demo.results import FaceResults
from fer_demo.vision.images import OpenedImage
from fer_demo.web.answering import Answer
from fer_demo.web.handover import Delivery, Handover, Picture


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock) -> Handover:
    return Handover(max_tickets=3, max_bytes=300, ticket_seconds=100, picture_seconds=10, clock=clock)


def picture(name: str = "a.jpg", size: int = 100) -> Delivery:
    picture = OpenedImage(np.zeros(size, np.uint8), size, 1)
    return Delivery((Picture(name, Answer(picture, FaceResults(file=name, width=size, height=1))),))


def name_of(delivery: Delivery) -> str | None:
    (picture,) = delivery.pictures
    return picture.name


def test_a_picture_is_taken_once_and_by_its_own_page_only(store):
    mine, other = store.open(), store.open()
    assert store.put(mine, picture())
    assert store.take(other) is None
    assert name_of(store.take(mine)) == "a.jpg"
    assert store.take(mine) is None


@pytest.mark.parametrize("sid", [None, "", "guess", "x" * 10_000])
def test_tickets_that_no_page_holds_are_ignored(store, sid):
    assert not store.put(sid, picture())
    assert store.take(sid or "") is None and not store.renew(sid or "")
    assert len(store) == 0


def test_tickets_are_unguessable():
    store = Handover()
    sids = {store.open() for _ in range(100)}
    assert len(sids) == 100 and all(len(sid) >= 43 for sid in sids)


def test_a_newer_picture_replaces_a_waiting_one(store):
    sid = store.open()
    store.put(sid, picture("a.jpg"))
    store.put(sid, picture("b.jpg"))
    assert name_of(store.take(sid)) == "b.jpg"
    assert store.take(sid) is None


def test_pictures_that_nobody_takes_are_dropped(store, clock):
    sid = store.open()
    store.put(sid, picture())
    clock.now = 11
    assert store.take(sid) is None
    assert store.renew(sid)


def test_pages_that_are_gone_lose_their_ticket(store, clock):
    gone, open_page = store.open(), store.open()
    clock.now = 60
    assert store.renew(open_page)
    clock.now = 120
    assert not store.put(gone, picture()) and store.put(open_page, picture())
    assert len(store) == 1


def test_the_page_unseen_for_longest_makes_room(store):
    first, second, third = store.open(), store.open(), store.open()
    store.renew(first)
    store.open()
    assert [store.renew(sid) for sid in (first, second, third)] == [True, False, True]


def test_the_oldest_pictures_make_room(store, clock):
    sids = [store.open() for _ in range(3)]
    for clock.now, sid in enumerate(sids):
        assert store.put(sid, picture(size=120))
    assert [store.take(sid) is not None for sid in sids] == [False, True, True]


def test_a_picture_larger_than_the_store_is_refused(store):
    sid = store.open()
    assert not store.put(sid, picture(size=301))
    assert store.take(sid) is None


def test_many_threads_get_what_is_theirs():
    store = Handover()
    wrong = []

    def visit(number: int) -> None:
        sid = store.open()
        for i in range(50):
            store.put(sid, picture(f"{number}-{i}"))
            if name_of(store.take(sid)) != f"{number}-{i}":
                wrong.append(number)

    threads = [threading.Thread(target=visit, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_was_taken_can_be_kept_for_a_page_that_is_loaded_again(store, clock):
    sid, other = store.open(), store.open()
    assert store.kept(sid) is None
    store.put(sid, picture("a.jpg"))
    store.keep(sid, store.take(sid))
    assert name_of(store.kept(sid)) == "a.jpg" and name_of(store.kept(sid)) == "a.jpg"
    assert store.kept(other) is None and store.kept("guess") is None
    clock.now = 50
    store.keep(sid, picture("b.jpg"))
    assert name_of(store.kept(sid)) == "b.jpg"
    clock.now = 151
    assert store.kept(sid) is None and len(store) == 0


def test_what_is_kept_counts_and_can_be_forgotten(store, clock):
    first, second = store.open(), store.open()
    store.put(first, picture(size=200))
    store.keep(first, store.take(first))
    clock.now = 1
    store.put(second, picture(size=200))
    assert store.kept(first) is None and store.take(second)
    store.keep(first, picture(size=400))
    assert store.kept(first) is None
    store.keep(first, picture())
    store.close(first)
    assert store.kept(first) is None and not store.renew(first)
    store.close("guess")
