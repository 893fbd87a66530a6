"""Takes that slow judges turn down are recalled: taken again, the best kept, and each chunk comes out exactly once."""

from __future__ import annotations

import threading
from contextlib import closing
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.checking.verdict import Verdict, read_verdict, written
from narrate.clip import Clip, join
from narrate.clock import Simulated
from narrate.engines import Request
from narrate.engines.tone import ToneStream
from narrate.store.in_memory import MemoryTakes
from narrate.synthesis import recall
from narrate.synthesis.narrator import Narrator
from narrate.synthesis.recall import PLENTY_SECONDS
from narrate.synthesis.retry import ATTEMPTS, Again, HandOn, Split, next_try
from narrate.synthesis.trial import MOST_SECONDS, Trial
from narrate.text.document import Chunk
from tests.speech import a_chunk, chunks
from tests.trials import HALVES, RATE, Judge, Takes, a_narrator, attempt_of, copy_of, key_of, take_of


def read(
    script: list[Chunk], engine: Takes, judge: Judge, *, takes: int = 1, kept: MemoryTakes | None = None
) -> tuple[list[Clip], Narrator]:
    with closing(Trial(judge, takes)) as trial:
        narrator = a_narrator(engine, trial, kept)
        return list(narrator.clips(script)), narrator


def stored(narrator: Narrator, chunk: Chunk) -> tuple[int, Verdict | None]:
    """Which attempt is kept, and what was found about it."""
    take = narrator.takes.get(key_of(chunk))
    assert take is not None
    return attempt_of(take.samples), read_verdict(narrator.takes.verdict(key_of(chunk)))


@pytest.mark.parametrize(
    ("tries", "good", "wanted", "divisible", "deterministic", "step"),
    [
        (1, True, 1, True, False, HandOn()),
        (1, False, 1, True, False, Again(1)),
        (2, False, 1, True, False, Again(2)),
        (3, False, 1, True, False, Split()),
        (3, False, 1, False, False, HandOn()),
        (2, True, 1, True, False, HandOn()),
        # Best of so many
        (1, True, 3, True, False, Again(1)),
        (2, True, 3, True, False, Again(2)),
        (3, True, 3, True, False, HandOn()),
        (3, False, 5, True, False, Again(3)),
        (5, False, 5, True, False, Split()),
        # One that would say the same again is not asked again.
        (1, False, 1, True, True, HandOn()),
        (1, True, 3, True, True, HandOn()),
    ],
)
def test_the_next_try(tries: int, good: bool, wanted: int, divisible: bool, deterministic: bool, step: Any) -> None:
    found = next_try(tries - 1, tries, good=good, wanted=wanted, divisible=divisible, deterministic=deterministic)
    assert found == step


def test_good_takes_pass_and_what_was_found_is_kept_with_them() -> None:
    script, engine, judge = chunks(30), Takes(), Judge()
    clips, narrator = read(script, engine, judge)
    assert [clip.index for clip in clips] == list(range(30))
    assert sorted(judge.judged) == [(index, 0) for index in range(30)]
    assert len(engine.asked) == 30
    assert (narrator.stats.checked, narrator.stats.doubtful, narrator.stats.retaken) == (30, [], 0)
    assert [stored(narrator, chunk) for chunk in script] == [(0, Verdict("", "heard 0", "judge", 0.0))] * 30


def test_several_takes_are_judged_together_and_no_more_than_the_judge_likes() -> None:
    judge = Judge(batch=3)
    judge.gate.clear()
    threading.Timer(0.2, judge.gate.set).start()
    read(chunks(20), Takes(rows=20), judge)
    assert max(judge.batches) == 3


def test_a_bad_take_is_taken_again_with_another_attempt() -> None:
    script = chunks(12)
    judge = Judge(lambda chunk, attempt: 0.9 if chunk.index == 5 and attempt == 0 else 0.0)
    clips, narrator = read(script, Takes(), judge)
    assert [attempt_of(clip.samples) for clip in clips] == [1 if index == 5 else 0 for index in range(12)]
    assert stored(narrator, script[5]) == (1, Verdict("", "heard 1", "judge", 0.0, tries=2))
    assert (narrator.stats.checked, narrator.stats.doubtful, narrator.stats.retaken) == (12, [], 1)


def test_the_best_of_three_bad_takes_is_kept_then_cut_then_reported() -> None:
    script = chunks(8)
    rates = {0: 0.5, 1: 0.3, 2: 0.4, HALVES: 0.6}
    engine = Takes()
    clips, narrator = read(script, engine, Judge(lambda chunk, attempt: rates[attempt] if chunk.index == 3 else 0.0))
    asked = [(attempt, spoken) for index, attempt, spoken in engine.asked if index == 3]
    assert [attempt for attempt, _ in asked] == [0, 1, 2, 0, 0]
    assert f"{asked[3][1]} {asked[4][1]}" == script[3].spoken
    assert attempt_of(clips[3].samples) == 1
    attempt, verdict = stored(narrator, script[3])
    assert attempt == 1
    assert verdict is not None
    assert (verdict.rate, verdict.heard, verdict.tries) == (0.3, "heard 1", 4)
    assert narrator.stats.doubtful == [(script[3], verdict)]
    assert narrator.stats.failed == []


def test_halves_that_are_good_are_kept() -> None:
    script = chunks(4)
    judge = Judge(lambda chunk, attempt: 0.5 if chunk.index == 2 and attempt < HALVES else 0.0)
    clips, narrator = read(script, Takes(), judge)
    assert narrator.stats.doubtful == []
    take = narrator.takes.get(key_of(script[2]))
    assert take is not None
    assert np.array_equal(take.samples, clips[2].samples)
    assert stored(narrator, script[2])[0] == HALVES


def test_a_deterministic_engine_is_not_asked_again() -> None:
    engine = Takes(deterministic=True)
    script = chunks(6)
    clips, narrator = read(script, engine, Judge(lambda chunk, *_: 0.9 if chunk.index == 2 else 0.0))
    assert len(engine.asked) == len(clips) == 6
    assert [chunk.index for chunk, _ in narrator.stats.doubtful] == [2]


def test_the_best_of_several_takes_is_kept_where_that_is_wanted() -> None:
    script = chunks(9)
    best = {chunk.index: chunk.index % 3 for chunk in script}
    judge = Judge(lambda chunk, attempt: 0.05 if attempt == best[chunk.index] else 0.1)
    engine = Takes()
    clips, narrator = read(script, engine, judge, takes=3)
    assert len(engine.asked) == 27
    assert [attempt_of(clip.samples) for clip in clips] == list(best.values())
    assert [stored(narrator, chunk)[0] for chunk in script] == list(best.values())


@pytest.mark.parametrize("raised", [False, True])
def test_a_retake_that_fails_costs_nothing_but_itself(raised: bool) -> None:
    def spoil(request: Request, clip: Clip) -> Clip | None:
        return request.failed("a fault", RATE, raised=raised) if request.attempt else clip

    script = chunks(5)
    judge = Judge(lambda chunk, *_: 0.9 if chunk.index == 1 else 0.0)
    clips, narrator = read(script, Takes(spoil=spoil), judge)
    assert [clip.failure for clip in clips] == [None] * 5
    assert narrator.stats.failed == []
    assert [chunk.index for chunk, _ in narrator.stats.doubtful] == [1]
    assert attempt_of(clips[1].samples) == 0


def test_halves_that_fail_are_not_asked_for_again_and_again() -> None:
    def spoil(request: Request, clip: Clip) -> Clip | None:
        return request.failed("a fault", RATE) if request.chunk.spoken != request.chunk.text else clip

    script, engine = chunks(3), Takes(spoil=spoil)
    clips, narrator = read(script, engine, Judge(lambda chunk, *_: 0.9 if chunk.index == 1 else 0.0))
    assert [attempt for index, attempt, _ in engine.asked if index == 1] == [0, 1, 2, 0]
    assert len(clips) == 3
    assert [chunk.index for chunk, _ in narrator.stats.doubtful] == [1]


def test_an_engine_that_loses_a_retake_costs_nothing_but_it() -> None:
    script = chunks(5)
    engine = Takes(spoil=lambda request, clip: None if request.attempt else clip)
    clips, narrator = read(script, engine, Judge(lambda chunk, *_: 0.9 if chunk.index == 1 else 0.0))
    assert [clip.failure for clip in clips] == [None] * 5
    assert [chunk.index for chunk, _ in narrator.stats.doubtful] == [1]


def test_equal_sentences_get_the_take_that_is_kept() -> None:
    script = [a_chunk(0), copy_of(a_chunk(0), 1), a_chunk(2), copy_of(a_chunk(0), 3)]
    judge = Judge(lambda chunk, attempt: 0.9 if attempt < 2 else 0.0)
    engine = Takes()
    clips, _ = read(script, engine, judge)
    assert [attempt_of(clip.samples) for clip in clips] == [2, 2, 2, 2]
    assert len(engine.asked) == 6


def test_takes_that_cannot_be_judged_are_handed_on() -> None:
    clips, narrator = read(chunks(7), Takes(), Judge(lambda *_: None))
    assert len(clips) == 7
    assert (narrator.stats.checked, narrator.stats.doubtful) == (0, [])


def test_a_judge_with_a_defect_stops_nothing_and_is_told_at_the_end() -> None:
    class Broken(Judge):
        def examine(self, cases: Any) -> Any:
            if len(self.batches) == 2:
                raise ZeroDivisionError("in the judge")
            return super().examine(cases)

    trial = Trial(Broken())
    clips = list(a_narrator(Takes(), trial).clips(chunks(40)))
    assert len(clips) == 40
    with pytest.raises(ZeroDivisionError, match="in the judge"):
        trial.close()


# What is stored already


def test_stored_takes_that_nobody_judged_are_judged() -> None:
    script, kept = chunks(10), MemoryTakes(1 << 30)
    list(a_narrator(Takes(), None, kept).clips(script))
    engine, judge = Takes(), Judge(lambda chunk, attempt: 0.9 if chunk.index == 4 and not attempt else 0.0)
    clips, narrator = read(script, engine, judge, kept=kept)
    assert engine.asked == [(4, 1, script[4].spoken)]
    assert [attempt_of(clip.samples) for clip in clips] == [1 if index == 4 else 0 for index in range(10)]
    assert (narrator.stats.made, narrator.stats.reused, narrator.stats.checked) == (0, 10, 10)

    again = Judge(lambda *_: 1.0)
    clips, narrator = read(script, Takes(), again, kept=kept)
    assert again.judged == []  # what was found once is known
    assert len(clips) == 10


def test_a_stored_take_that_was_heard_too_early_to_be_recalled_is_taken_again() -> None:
    script, kept = chunks(4), MemoryTakes(1 << 30)
    list(a_narrator(Takes(), None, kept).clips(script))
    for index, tries in ((1, 1), (2, ATTEMPTS)):
        take = kept.get(key_of(script[index]))
        assert take is not None
        kept.put_verdict(key_of(script[index]), take.samples, written(Verdict("bad", "", "judge", 0.9, tries=tries)))
    engine = Takes()
    clips, narrator = read(script, engine, Judge(), kept=kept)
    assert engine.asked == [(1, 1, script[1].spoken)]
    assert [attempt_of(clip.samples) for clip in clips] == [0, 1, 0, 0]
    assert [chunk.index for chunk, _ in narrator.stats.doubtful] == [2]  # it had its chances


def test_a_stored_take_that_was_only_measured_is_heard_once_there_is_a_recogniser() -> None:
    script, kept = chunks(3), MemoryTakes(1 << 30)
    measured = Judge(hears=False)
    measured.examine = lambda cases: [Verdict(measures={"level": 1.0}) for _ in cases]  # type: ignore[method-assign]
    read(script, Takes(), measured, kept=kept)
    for hears in (False, True):
        judge = Judge(hears=hears)
        read(script, Takes(), judge, kept=kept)
        assert len(judge.judged) == 3 * hears


# For an ear


def test_the_first_sound_waits_for_no_judge() -> None:
    judge = Judge()
    judge.gate.clear()
    with closing(Trial(judge)) as trial:
        clips = a_narrator(Takes(), trial).clips(chunks(200), buffered=lambda: 0.0)
        assert [next(clips).index for _ in range(200)] == list(range(200))
        assert judge.judged == []


def test_at_first_the_ear_has_the_machine_to_itself() -> None:
    judge = Judge()
    with closing(Trial(judge, begin_seconds=600.0)) as trial:
        assert len(list(a_narrator(Takes(), trial).clips(chunks(30), buffered=lambda: 0.0))) == 30
    assert judge.judged == []


def test_what_was_handed_on_is_only_reported() -> None:
    judge = Judge(lambda chunk, *_: 0.9 if chunk.index == 3 else 0.0)
    engine = Takes()
    with closing(Trial(judge)) as trial:
        narrator = a_narrator(engine, trial)
        for clip in narrator.clips(chunks(50), buffered=lambda: 0.0):
            until = threading.Event()
            if clip.index == 20:
                while (3, 0) not in judge.judged:
                    until.wait(0.01)
    assert len(engine.asked) == 50
    assert [chunk.index for chunk, _ in narrator.stats.doubtful] == [3]
    verdict = read_verdict(narrator.takes.verdict(key_of(a_chunk(3))))
    assert verdict is not None
    assert verdict.why == "it is bad"


def test_where_there_is_plenty_to_hear_takes_wait_for_their_judges_until_it_runs_short() -> None:
    judge = Judge()
    judge.gate.clear()
    buffered = [PLENTY_SECONDS + 100]
    heard: list[int] = []
    with closing(Trial(judge)) as trial:
        clips = a_narrator(Takes(), trial).clips(chunks(8), buffered=lambda: buffered[0])
        reading = threading.Thread(target=lambda: heard.extend(clip.index for clip in clips))
        reading.start()
        reading.join(0.5)
        assert heard == []
        buffered[0] = PLENTY_SECONDS - 1
        reading.join(30)
        assert heard == list(range(8))


def test_a_bad_take_is_taken_again_while_there_is_plenty_to_hear() -> None:
    judge = Judge(lambda chunk, attempt: 0.9 if chunk.index == 3 and not attempt else 0.0)
    with closing(Trial(judge)) as trial:
        narrator = a_narrator(Takes(), trial)
        clips = list(narrator.clips(chunks(10), buffered=lambda: 500.0))
    assert [attempt_of(clip.samples) for clip in clips] == [1 if index == 3 else 0 for index in range(10)]
    assert narrator.stats.doubtful == []


def test_a_retake_that_would_make_the_ear_wait_is_given_up() -> None:
    """The take that there is goes out, and what the engine gives later is not heard a second time."""
    buffered = [500.0]
    judge = Judge(lambda chunk, attempt: 0.9 if chunk.index == 3 and not attempt else 0.0)

    def spoil(request: Request, clip: Clip) -> Clip:
        if request.attempt:
            buffered[0] = 1.0  # while the engine is at work
        return clip

    with closing(Trial(judge)) as trial:
        narrator = a_narrator(Takes(spoil=spoil), trial)
        clips = list(narrator.clips(chunks(10), buffered=lambda: buffered[0]))
    assert [clip.index for clip in clips] == list(range(10))
    kept = narrator.takes.get(key_of(a_chunk(3)))
    assert kept is not None
    assert np.array_equal(clips[3].samples, kept.samples)


@pytest.mark.parametrize(("pause", "plenty"), [(10.0, True), (40.0, False)])
def test_a_slow_engine_holds_nothing_back_that_its_ear_may_need(pause: float, plenty: bool) -> None:
    """What is held back can be handed on only between two batches."""
    clock = Simulated()
    held = recall.Recall(
        Trial(Judge()),
        MemoryTakes(),
        a_narrator(Takes(), None).stats,
        deterministic=False,
        buffered=lambda: PLENTY_SECONDS + 50.0,
        clock=clock,
    )
    assert held.has_time
    list(held.look())
    clock.sleep(pause)
    assert held.has_time is plenty  # the engine has been at work for so long
    list(held.look())
    for _ in range(100):
        list(held.look())
    assert held.has_time is plenty  # and may be again
    for _ in range(round(recall.RECENT_SECONDS) + 1):
        clock.sleep(1.0)
        list(held.look())
    assert held.has_time  # that was long ago


# How much is held


def test_no_more_is_held_back_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "HELD_SECONDS", 20.0)
    judge = Judge()
    judge.gate.clear()
    engine = Takes(rows=4)
    with closing(Trial(judge)) as trial:
        clips = a_narrator(engine, trial).clips(chunks(100))
        heard: list[int] = []
        reading = threading.Thread(target=lambda: heard.extend(clip.index for clip in clips))
        reading.start()
        reading.join(0.5)
        made = len(engine.asked)
        assert sum(len(take_of(a_chunk(index), 0)) / RATE for index in range(made)) < 20.0 + 6 * 4
        assert made < 30
        judge.gate.set()
        reading.join(60)
        assert heard == list(range(100))


def test_takes_that_nobody_waits_for_are_left_out_when_the_judge_is_slow() -> None:
    judge = Judge()
    judge.gate.clear()
    count = 3 * round(MOST_SECONDS)
    with closing(Trial(judge)) as trial:
        narrator = a_narrator(Takes(rows=50), trial)
        heard = list(narrator.clips(chunks(count), buffered=lambda: 0.0))
        assert len(heard) == count
        assert trial.waiting_seconds < MOST_SECONDS + 10


# Pieces


@pytest.mark.parametrize("pieces", [1, 4])
def test_a_streaming_engine_is_judged_as_a_whole_for_a_file(pieces: int) -> None:
    engine = ToneStream(pieces=pieces, slots=3, sleep=lambda _: None)
    seen: list[float] = []

    class Listening(Judge):
        def examine(self, cases: Any) -> Any:
            seen.extend(case.seconds for case in cases)
            return [Verdict(rate=0.0) for _ in cases]

    with closing(Trial(Listening())) as trial:
        narrator = a_narrator(engine, trial)
        clips = list(narrator.clips(chunks(12)))
    assert [clip.index for clip in clips] == list(range(12))
    plain = list(a_narrator(ToneStream(pieces=1, sleep=lambda _: None), None).clips(chunks(12)))
    for one, other in zip(clips, plain, strict=True):
        assert np.array_equal(one.samples, other.samples)
        take = narrator.takes.get(key_of(one.chunk))
        assert take is not None
        assert np.array_equal(take.samples, one.samples)
    assert sorted(seen) == sorted(clip.seconds for clip in plain)


def test_a_streaming_engine_gives_its_pieces_to_an_ear_at_once() -> None:
    judge = Judge()
    judge.gate.clear()
    with closing(Trial(judge)) as trial:
        narrator = a_narrator(ToneStream(pieces=4, slots=3, sleep=lambda _: None), trial)
        clips = list(narrator.clips(chunks(6), buffered=lambda: 0.0))
    assert [clip.index for clip in clips] == [index for index in range(6) for _ in range(4)]
    for index in range(6):
        take = narrator.takes.get(key_of(a_chunk(index)))
        assert take is not None
        assert np.array_equal(take.samples, join(clip.samples for clip in clips if clip.index == index))


# Whatever happens


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[int, dict[Any, float | None], set[Any], int, int, list[float]]:
    count = draw(st.integers(1, 12))
    places = [(index, attempt) for index in range(count) for attempt in range(4)]
    rates = {place: draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, None])) for place in places}
    lost = set(draw(st.lists(st.sampled_from(places), max_size=8)))
    levels = st.lists(st.sampled_from([0.0, 40.0, 500.0]), min_size=1, max_size=6)
    buffered = draw(levels | st.just([inf]))
    return count, rates, lost, draw(st.integers(1, 3)), draw(st.integers(1, 5)), buffered


@given(_worlds())
@settings(max_examples=60, deadline=None)
def test_every_chunk_comes_out_once_and_as_it_is_stored(world: Any) -> None:
    count, rates, lost, wanted, rows, levels = world
    script = [copy_of(a_chunk(index // 2 * 2), index) if index % 5 == 1 else a_chunk(index) for index in range(count)]

    def spoil(request: Request, clip: Clip) -> Clip:
        failed = (request.chunk.index, request.attempt) in lost
        return request.failed("lost", RATE) if failed else clip

    turns = iter(range(10**9))

    def buffered() -> float:
        return levels[next(turns) // 7 % len(levels)]

    judge = Judge(lambda chunk, attempt: rates.get((chunk.index, attempt), 0.0))
    with closing(Trial(judge, wanted)) as trial:
        narrator = a_narrator(Takes(rows=rows, spoil=spoil), trial)
        clips = list(narrator.clips(script, buffered=buffered))
    assert [clip.index for clip in clips] == list(range(count))
    for clip in clips:
        take = narrator.takes.get(key_of(clip.chunk))
        if clip.failure is None:
            assert take is not None
            assert np.array_equal(take.samples, clip.samples)
    failed = sorted(chunk.index for chunk, _ in narrator.stats.failed)
    assert failed == [clip.index for clip in clips if clip.failure is not None]
