"""The policies between chunks and an engine: what is asked for, what is kept, what is reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.clip import Clip, join
from narrate.clock import Recorder, Simulated
from narrate.engines import Request
from narrate.errors import EngineError
from narrate.pace import chunk_seconds
from narrate.store.in_memory import MemoryTakes
from narrate.synthesis.elsewhere import AT_ONCE, INDEXES_PAST, Elsewhere
from narrate.synthesis.judge import Judge, flaw, judges
from narrate.synthesis.queue import BROKE_OFF, WorkQueue
from narrate.synthesis.stats import Stats
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.speech import a_chunk, chunks, speech_like

RATE = 8000


class Ledger(MemoryTakes):
    """Takes in memory, and who claimed and released what."""

    def __init__(self) -> None:
        super().__init__(1 << 30)
        self.claimed: list[str] = []
        self.released: list[str] = []
        self.asked: list[str] = []

    def get(self, key: str) -> Any:
        self.asked.append(key)
        return super().get(key)

    def claim(self, key: str) -> bool:
        self.claimed.append(key)
        return True

    def release(self, key: str) -> None:
        self.released.append(key)


def a_queue(script: Iterable[Chunk | None], takes: MemoryTakes | None = None, **options: Any) -> WorkQueue:
    options = {"voice": Voice(), "judges": judges(deterministic=False), "stats": Stats(), **options}
    takes = Ledger() if takes is None else takes
    return WorkQueue(script, key=lambda chunk: chunk.spoken, takes=takes, sample_rate=lambda: RATE, **options)


def good(request: Request, **changes: Any) -> Clip:
    return replace(request.clip(speech_like(request.chunk, RATE), RATE), **changes)


def silent(request: Request) -> Clip:
    return request.clip(np.zeros(RATE, np.float32), RATE)


def begun(queue: WorkQueue, requests: Iterator[Request | None]) -> Request:
    request = next(requests)
    assert request is not None
    assert request.begin()
    return request


def test_a_bad_take_is_asked_for_again_with_the_next_attempt_then_in_halves() -> None:
    queue = a_queue([a_chunk(0, "One half of a sentence, and the other half of it.")])
    requests, seen = queue.requests(), []
    for _ in range(3):
        request = begun(queue, requests)
        seen.append((request.attempt, request.chunk.spoken))
        assert queue.accept(silent(request)) == []
    for _ in range(2):
        request = begun(queue, requests)
        seen.append((request.attempt, request.chunk.spoken))
        clips = queue.accept(good(request))
    whole = "One half of a sentence, and the other half of it."
    halves = [(0, "One half of a sentence,"), (0, "and the other half of it.")]
    assert seen == [(attempt, whole) for attempt in range(3)] + halves
    assert [(clip.chunk.spoken, clip.failure, clip.final) for clip in clips] == [(whole, None, True)]
    assert next(requests, "the end") == "the end"


def test_ids_are_never_the_same_not_even_of_two_queues() -> None:
    seen = set()
    for queue in (a_queue(chunks(3)), a_queue(chunks(3))):
        seen |= {
            request.id for request in queue.requests() if request is not None for _ in [queue.accept(good(request))]
        }
    assert len(seen) == 6


def test_halves_are_not_looked_for_in_the_store() -> None:
    takes = Ledger()
    queue = a_queue([a_chunk(0, "One half of a sentence, and the other half of it.")], takes)
    requests = queue.requests()
    for _ in range(3):
        queue.accept(silent(begun(queue, requests)))
    takes.put("One half of a sentence, and the other half of it.", np.ones(10, np.float32), RATE)
    request = next(requests)
    assert request is not None
    assert request.begin(), "the whole is in the store now, but a half was asked for"


def test_a_chunk_that_is_given_up_gives_its_claim_back() -> None:
    takes = Ledger()
    queue = a_queue([a_chunk(0, "No.")], takes)
    for request in queue.requests():
        assert request is not None
        assert request.begin()
        queue.accept(silent(request))
    assert takes.claimed[-1:] == takes.released == ["No."]


def test_what_is_made_gives_no_claim_back() -> None:
    takes = Ledger()
    queue = a_queue(chunks(2), takes)
    for request in queue.requests():
        assert request is not None
        queue.accept(good(request))
    assert takes.released == []


def test_a_failure_after_a_first_piece_was_heard_is_reported_and_not_kept() -> None:
    takes, stats = Ledger(), Stats()
    queue = a_queue(chunks(1), takes, stats=stats)
    requests = queue.requests()
    request = begun(queue, requests)
    (piece,) = queue.accept(good(request, final=False))
    (last,) = queue.accept(request.failed("ran past 9 s", RATE))
    assert (piece.final, last.final, last.failure) == (False, True, "ran past 9 s")
    assert [(chunk.index, why) for chunk, why in stats.failed] == [(0, "ran past 9 s")]
    assert takes.released == [request.key]
    assert not takes.has(request.key)
    assert next(requests, "the end") == "the end"


@pytest.mark.parametrize("ending", ["raised", "missing"])
def test_a_chunk_whose_beginning_was_heard_is_never_begun_anew(ending: str) -> None:
    """Its first words would be heard twice, and stored twice."""
    stats = Stats()
    queue = a_queue(chunks(3), stats=stats)
    requests = queue.requests()
    first, second = begun(queue, requests), begun(queue, requests)
    queue.accept(good(first, final=False))
    clips = queue.raised("RuntimeError: no") if ending == "raised" else queue.missing()
    assert [(clip.index, clip.failure) for clip in clips] == [(0, BROKE_OFF)]
    assert [(chunk.index, why) for chunk, why in stats.failed] == [(0, BROKE_OFF)]
    again = next(queue.requests())
    assert again is not None
    assert (again.chunk.index, second.chunk.index) == (1, 1)


def test_after_an_error_over_several_each_goes_alone() -> None:
    queue = a_queue(chunks(6))
    requests = queue.requests()
    for _ in range(3):
        begun(queue, requests)
    assert queue.raised("RuntimeError: one of them") == []
    requests = queue.requests()
    for index in range(3):
        request = begun(queue, requests)
        assert request.chunk.index == index
        assert next(requests) is None, "nothing else until it is back"
        assert len(queue.accept(good(request))) == 1
    assert begun(queue, requests).chunk.index == 3


def test_a_request_that_raised_alone_goes_once_more_alone_then_in_halves() -> None:
    queue = a_queue([a_chunk(0, "One half of a sentence, and the other half of it."), a_chunk(1)])
    requests = queue.requests()
    seen = []
    request = begun(queue, requests)
    while request.chunk.index == 0:
        seen.append((request.attempt, request.chunk.spoken[:8]))
        clips = queue.accept(request.failed("RuntimeError: no", RATE, raised=True))
        request = begun(queue, requests)
    assert seen == [(0, "One half"), (2, "One half"), (2, "One half"), (2, "and the ")]
    assert [clip.failure for clip in clips] == ["RuntimeError: no"]


def test_equal_sentences_are_asked_for_once_and_fail_together() -> None:
    stats = Stats()
    queue = a_queue([a_chunk(index, "No.") for index in range(3)], stats=stats)
    clips = []
    for request in queue.requests():
        if request is not None:
            clips += queue.accept(silent(request))
    assert [clip.index for clip in clips] == [0, 1, 2]
    assert len(stats.failed) == 3
    assert all(clip.failure and clip.seconds == pytest.approx(chunk_seconds(clip.chunk), abs=1e-3) for clip in clips)


def test_a_round_that_has_ended_stays_ended_and_another_can_begin() -> None:
    arrived: list[Chunk | None] = [a_chunk(0), None, a_chunk(1)]
    queue = a_queue(arrived)
    requests = queue.requests()
    queue.accept(good(begun(queue, requests)))
    assert [next(requests, "the end") for _ in range(3)] == ["the end"] * 3
    assert not queue.done
    queue.accept(good(begun(queue, queue.requests())))
    assert next(queue.requests(), "the end") == "the end"
    assert queue.done


def test_an_answer_that_nobody_asked_for_is_a_defect() -> None:
    queue = a_queue(chunks(1))
    stranger = Request("a stranger", a_chunk(0), Voice())
    with pytest.raises(EngineError, match="not given"):
        queue.accept(good(stranger))
    queue.cancel()
    assert queue.accept(good(stranger)) == [], "what was cancelled may still come"


def test_every_judge_is_asked_and_the_first_fault_counts() -> None:
    heard: list[int] = []

    def strict(samples: Any, sample_rate: int, chunk: Chunk) -> str | None:
        heard.append(chunk.index)
        return "another word was said"

    stats, hearing = Stats(), (flaw, strict)
    queue = a_queue([a_chunk(0, "No.")], judges=hearing, stats=stats)
    for request in queue.requests():
        assert request is not None
        queue.accept(good(request))
    assert [why for _, why in stats.failed] == ["another word was said"]
    assert heard == [0, 0, 0]


def test_due_follows_the_sound_that_waits_to_be_heard() -> None:
    time = Simulated()
    buffered = [10.0]
    queue = a_queue(chunks(4), buffered=lambda: buffered[0], clock=Recorder(time.now))
    requests = queue.requests()
    first, second, third = (begun(queue, requests) for _ in range(3))
    length = [chunk_seconds(chunk) + chunk.pause for chunk in chunks(3)]
    assert (first.due(), second.due()) == (10.0, pytest.approx(10.0 + length[0]))
    time.sleep(3.0)
    buffered[0] = 7.0
    assert third.due() == pytest.approx(10.0 + length[0] + length[1]), "the ear has come nearer by as much"
    buffered[0] = 50.0
    assert first.due() == 53.0
    queue.accept(good(first))
    assert second.due() == 53.0, "now it is the first that is not there"
    buffered[0] = inf
    assert second.due() == inf


@given(st.lists(st.sampled_from(["good", "silent", "fails", "raises", "pieces", "lost"]), min_size=1, max_size=60))
def test_whatever_the_engine_does_every_chunk_comes_out_once(fates: list[str]) -> None:
    """With two requests in hand at a time, in an order of its own."""
    stats = Stats()
    script = [a_chunk(index, "Yes." if index % 5 == 4 else None) for index in range(12)]
    queue = a_queue(script, stats=stats)
    fate = iter(fates * 1000)
    clips: list[Clip] = list(queue.from_store())
    while not queue.done:
        hand: list[Request] = []
        requests, arriving = queue.requests(), True
        while hand or arriving:
            request = next(requests, "the end") if arriving and len(hand) < 2 else None
            arriving = arriving and request != "the end"
            if isinstance(request, Request):
                if request.begin():
                    hand.append(request)
                continue
            if not hand:
                break
            clips += _answered(queue, hand.pop(), next(fate))
        clips += queue.missing() + queue.take_ready()
    whole = [clip for clip in clips if clip.final]
    assert sorted(clip.index for clip in whole) == list(range(12))
    assert sorted(chunk.index for chunk, _ in stats.failed) == sorted(clip.index for clip in whole if clip.failure)
    assert stats.made + stats.reused + len(stats.failed) == 12
    sounds: dict[int, list[Any]] = {}
    for clip in clips:
        sounds.setdefault(clip.index, []).append(clip.samples)
    assert all(len(join(parts)) > 0 for parts in sounds.values())


def _answered(queue: WorkQueue, request: Request, fate: str) -> list[Clip]:
    if fate == "pieces":
        return queue.accept(good(request, final=False)) + queue.accept(good(request))
    if fate == "lost":
        return []
    answers = {
        "good": good(request),
        "silent": silent(request),
        "fails": request.failed("told to fail", RATE),
        "raises": request.failed("told to raise", RATE, raised=True),
    }
    return queue.accept(answers[fate])


def test_what_others_make_is_waited_for_but_not_without_limit() -> None:
    waiting: Elsewhere[str] = Elsewhere()
    assert not waiting
    waiting.add("first", 10)
    for index in range(11, 10 + INDEXES_PAST):
        waiting.reached(index)
        assert not waiting.full
    waiting.reached(10 + INDEXES_PAST)
    assert waiting.full
    assert waiting.take(lambda item: False) is None
    assert waiting.take(lambda item: item == "first") == "first"
    assert not waiting.full
    for number in range(AT_ONCE):
        assert not waiting.full
        waiting.add(str(number), 10 + INDEXES_PAST)
    assert waiting.full


def test_a_judge_is_a_plain_function() -> None:
    hearing: Judge = flaw
    assert hearing(np.zeros(0, np.float32), RATE, a_chunk(0)) == "no sound"
