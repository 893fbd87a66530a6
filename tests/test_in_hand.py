"""What an engine has in hand: nothing is forgotten too early, nothing is remembered for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from narrate.engines import Request
from narrate.engines.in_hand import Arrivals, InHand
from tests.speech import a_chunk, a_request, requests

acts = st.lists(st.tuples(st.sampled_from(["take", "cancel", "release"]), st.sets(st.integers(0, 5))), max_size=40)


@given(acts)
def test_it_knows_those_that_were_taken_and_not_released_and_which_of_them_were_cancelled(
    acts: list[tuple[str, set[int]]],
) -> None:
    every = requests(a_chunk(index) for index in range(6))
    in_hand = InHand()
    taken: dict[str, Request] = {}
    cancelled: set[str] = set()
    for act, numbers in acts:
        some = [every[number] for number in sorted(numbers)]
        if act == "take":
            for request in some:
                if request.id not in taken:  # an id is taken once
                    in_hand.take(request)
                    taken[request.id] = request
        elif act == "cancel":
            mine = in_hand.cancel([request.id for request in some])
            assert sorted(mine) == sorted(request.id for request in some if request.id in taken)
            cancelled.update(mine)
        else:
            in_hand.release(request.id for request in some)
            for request in some:
                taken.pop(request.id, None)
                cancelled.discard(request.id)
        assert in_hand.requests == [request for request in taken.values() if request.id not in cancelled]
        assert [request for request in every if in_hand.is_cancelled(request.id)] == [
            request for request in every if request.id in cancelled
        ]
        assert in_hand.all_cancelled == (len(taken) == len(cancelled))
    in_hand.clear()
    assert in_hand.requests == []
    assert not any(in_hand.is_cancelled(request.id) for request in every)


def test_requests_arrive_one_by_one_if_they_begin_and_the_end_is_asked_for_once() -> None:
    asked: list[str] = []

    def source() -> Iterator[Request | None]:
        for index, begins in enumerate([True, False, False, True]):
            asked.append(f":{index}:0")
            yield a_request(a_chunk(index), begin=began(index, begins))
            if index == 0:
                yield None
        asked.append("end")

    begun: list[int] = []

    def began(index: int, begins: bool) -> Callable[[], bool]:
        def begin() -> bool:
            begun.append(index)
            assert f":{index}:0" in {request.id for request in in_hand.requests}  # it may be cancelled from now on
            return begins

        return begin

    in_hand = InHand()
    arrivals = Arrivals(source(), in_hand)
    found = [arrivals.next() for _ in range(3)]
    assert [request and request.chunk.index for request in found] == [0, None, 3]
    assert begun == [0, 1, 2, 3]
    assert not arrivals.ended
    assert [arrivals.next(), arrivals.next()] == [None, None]
    assert arrivals.ended
    assert asked.count("end") == 1
    assert [request.chunk.index for request in in_hand.requests] == [0, 3]


def test_the_last_go_by_length_unless_somebody_listens() -> None:
    words = ["short", "a good deal longer than that", "somewhat longer", "it", "longer"]
    moment = [inf]
    asked = [a_request(a_chunk(index, text), due=lambda: moment[0]) for index, text in enumerate(words)]
    arrivals = Arrivals(asked, InHand())
    arrivals.look(10)
    begun = [arrivals.next() for _ in range(2)]
    moment[0] = 0.0  # an ear has come
    begun += [arrivals.next() for _ in range(3)]
    assert [request.chunk.index for request in begun if request] == [1, 2, 0, 3, 4]
