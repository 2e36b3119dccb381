"""Visitors take turns, and none of them can take more than a share."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from fer_demo.web.fair_queue import BusyError, FairQueue


def test_one_visitors_many_requests_do_not_keep_another_waiting():
    queue = FairQueue(1, clock=lambda: 0.0)
    first, *rest = [queue.enter("greedy") for _ in range(10)]
    late = queue.enter("patient")
    assert first.turn.done() and not late.turn.done()
    assert late.ahead() == 1  # one of the greedy one's, who has not had the last turn longer
    first.leave()
    assert rest[0].turn.done()
    rest[0].leave()
    assert late.turn.done() and not rest[1].turn.done()


def test_the_order_of_one_visitor_is_kept_and_places_count_down():
    queue = FairQueue(1)
    places = [queue.enter("one") for _ in range(4)]
    assert [place.ahead() for place in places] == [0, 0, 1, 2]
    for done, place in enumerate(places):
        assert [p.turn.done() for p in places] == [n <= done for n in range(4)]
        place.leave()
    assert len(queue) == 0 and not queue._lines and not queue._running


def test_who_takes_longer_has_fewer_turns():
    now, turns = [0.0], []
    queue = FairQueue(1, clock=lambda: now[0])
    places = [queue.enter(name) for name in ("slow", "quick") for _ in range(30)]
    for _ in range(12):
        (place,) = queue._has_turn
        turns.append(place.visitor)
        now[0] += 5 if place.visitor == "slow" else 1
        place.leave()
    assert turns.count("slow") == 2 and turns.count("quick") == 10
    late = queue.enter("late")  # who comes later is not ahead of all others for as long as they were busy
    for _ in range(4):
        (place,) = queue._has_turn
        now[0] += 1
        place.leave()
    assert late not in queue._lines.get("late", ()) and any(not p.turn.done() for p in places)


def test_a_share_is_kept_free_for_others():
    queue = FairQueue(3, per_visitor=2)
    mine = [queue.enter("one") for _ in range(5)]
    assert [place.turn.done() for place in mine] == [True, True, False, False, False]
    assert queue.enter("other").turn.done()


def test_too_many_are_refused_with_a_sentence():
    queue = FairQueue(1, waiting=3, waiting_per_visitor=2)
    for _ in range(3):
        queue.enter("one")
    with pytest.raises(BusyError, match="Too many of your requests"):
        queue.enter("one")
    queue.enter("two")
    with pytest.raises(BusyError, match="More people are asking") as error:
        queue.enter("three")
    assert error.value.retry_after > 0 and "three" not in queue._lines


@pytest.mark.parametrize("waiting", [True, False])
def test_who_leaves_early_or_twice_frees_one_place(waiting):
    queue = FairQueue(1)
    first, second, third = (queue.enter(name) for name in "abc")
    gone = second if waiting else first
    gone.leave()
    gone.leave()
    assert [place.turn.done() for place in (first, second, third)] == [True, not waiting, False]


def test_a_cancelled_wait_is_passed_over():
    async def scene():
        queue = FairQueue(1)
        first, second, third = (queue.enter("one") for _ in range(3))
        waiting = asyncio.wrap_future(second.turn)
        waiting.cancel()
        await asyncio.sleep(0)
        first.leave()
        return third.turn.done()

    # In a thread: a browser that earlier tests drove keeps a loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asyncio.run, scene()).result()
