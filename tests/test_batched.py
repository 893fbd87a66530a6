"""A batch engine as an engine: what is cancelled, what is lost, what fails, and what the planner learns from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from narrate.clip import Clip
from narrate.clock import OFF, Clock, Recorder, Simulated
from narrate.engines import Abilities, Request
from narrate.engines.batched import Batched
from narrate.engines.planner import Planner
from narrate.errors import EngineError, InputError
from narrate.voice import Voice
from tests.speech import a_chunk, a_request, chunks, clips_of, requests


def nothing(batch: list[Request]) -> None:
    """What happens while a batch is made."""


@dataclass
class Stub:
    """A batch engine that speaks whatever it is asked, cancelled or not, and lets something `happen` meanwhile."""

    happen: Callable[[list[Request]], object] = nothing
    lost: frozenset[int] = frozenset()
    asked: list[list[int]] = field(default_factory=list)
    told: list[list[str]] = field(default_factory=list)
    name = "stub"
    abilities = Abilities(frozenset({"en"}))
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    sample_rate = 100

    def check(self, voice: Voice) -> None: ...

    def prepare(self, voice: Voice, clock: Clock) -> None: ...

    def synthesize_batch(self, requests: list[Request]) -> list[Clip]:
        self.asked.append([request.chunk.index for request in requests])
        self.happen(requests)
        kept = [request for request in requests if request.chunk.index not in self.lost]
        return [request.clip(np.zeros(10, np.float32), 100) for request in kept]

    def cancel(self, ids: Collection[str]) -> None:
        self.told.append(list(ids))

    def close(self) -> None: ...


def batched(stub: Stub, rows: int = 3) -> Batched:
    return Batched(stub, rows)


def test_a_request_that_comes_back_without_sound_is_a_failure() -> None:
    clips = clips_of(batched(Stub(lost=frozenset({1}))), requests(chunks(3)))
    assert {clip.index: clip.failure for clip in clips} == {0: None, 1: "the engine returned nothing", 2: None}
    assert not any(clip.raised for clip in clips)


def test_before_every_batch_it_says_that_it_goes_to_work_for_longer() -> None:
    lists = list(batched(Stub()).synthesize(requests(chunks(7))))
    assert [len(clips) for clips in lists] == [0, 3, 0, 3, 0, 1]


def test_an_engine_that_can_do_no_more_ends_it_at_once() -> None:
    def die(batch: list[Request]) -> None:
        raise EngineError("no memory")

    stub = Stub(die)
    with pytest.raises(EngineError, match="no memory"):
        clips_of(batched(stub), requests(chunks(9)))
    assert len(stub.asked) == 1


def test_a_failing_batch_is_tried_one_by_one_and_what_is_said_is_for_people() -> None:
    def fail(batch: list[Request]) -> None:
        if any(request.chunk.index == 1 for request in batch):
            raise InputError("The recording cannot be read.")

    stub = Stub(fail)
    clips = clips_of(batched(stub), requests(chunks(3)))
    assert stub.asked == [[0, 1, 2], [0], [1], [2]]
    assert {clip.index: clip.failure for clip in clips} == {0: None, 1: "The recording cannot be read.", 2: None}


def test_what_is_cancelled_while_a_failing_batch_is_tried_one_by_one_is_not_tried() -> None:
    def fail(batch: list[Request]) -> None:
        if len(batch) > 1:
            engine.cancel([":1:0"])
            raise ZeroDivisionError

    stub = Stub(fail)
    engine = batched(stub)
    assert [clip.index for clip in clips_of(engine, requests(chunks(3)))] == [0, 2]
    assert stub.asked == [[0, 1, 2], [0], [2]]


def test_the_engine_is_told_of_those_in_hand_and_their_clips_are_dropped() -> None:
    def cancel(batch: list[Request]) -> None:
        engine.cancel([":0:0", ":8:0", "another:0:0"])

    stub = Stub(cancel)
    engine = batched(stub, rows=1)  # one is asked for at a time
    assert [clip.index for clip in clips_of(engine, requests(chunks(3)))] == [1, 2]
    assert stub.told == [[":0:0"]]


def test_what_is_cancelled_while_it_waits_is_never_begun() -> None:
    stub = Stub(lambda batch: engine.cancel([":4:0", ":5:0"]))
    engine = batched(stub)
    begun: list[int] = []

    def begin(index: int) -> Callable[[], bool]:
        return lambda: not begun.append(index)

    asked = [a_request(a_chunk(index, "They are all alike."), begin=begin(index)) for index in range(7)]
    assert [clip.index for clip in clips_of(engine, asked)] == [0, 1, 2, 3, 6]
    assert begun == [0, 1, 2, 3, 6]


@pytest.mark.parametrize("cancelled", [[], [":1:0"]], ids=["whole", "cut"])
def test_the_planner_learns_from_batches_that_were_made_as_a_whole(cancelled: list[str]) -> None:
    """A batch of which something was cancelled may have been quicker for it."""
    time = Simulated()

    def work(batch: list[Request]) -> None:
        time.sleep(5.0)
        engine.cancel(cancelled)

    engine = batched(Stub(work))
    engine.planner = Planner(3)
    engine.prepare(Voice(), Recorder(time.now))
    clips_of(engine, requests(chunks(3)))
    assert engine.planner.cost.known == (not cancelled)
    if not cancelled:
        assert engine.planner.cost.of([2.0] * 3) > 1.0


def test_no_request_is_kept_in_mind_for_longer_than_it_is_in_hand() -> None:
    engine = batched(Stub(lambda batch: engine.cancel([batch[0].id])))
    in_hand: list[int] = []

    def source() -> Iterator[Request]:
        for chunk in chunks(40):
            in_hand.append(len(engine._in_hand.requests))
            yield a_request(chunk)

    clips_of(engine, source())
    assert max(in_hand) <= engine.planner.rows * engine.planner.look_ahead
    assert engine._in_hand.requests == []
    assert engine._in_hand.all_cancelled  # none of none
    engine.cancel([":3:0"])
    assert [clip.index for clip in clips_of(batched(Stub()), [a_request(a_chunk(3))])] == [3]


def test_whose_time_it_is_tells_the_clock() -> None:
    time = Simulated()
    clock = Recorder(time.now)
    engine = batched(Stub(lambda batch: time.sleep(2.0)))
    engine.prepare(Voice(), clock)
    clips_of(engine, requests(chunks(6)))
    assert clock.stages["speak"] == [2.0, 2.0]
    engine.prepare(Voice(), OFF)
    clips_of(engine, requests(chunks(3)))
    assert clock.stages["speak"] == [2.0, 2.0]
