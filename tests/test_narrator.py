"""The contract of narration: every chunk once and in order, as sound or as silence that names its failure."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from narrate.clip import Clip, to_int16
from narrate.engines.batched import Batched
from narrate.engines.tone import Tone, ToneStream
from narrate.errors import EngineError
from narrate.store.in_memory import MemoryTakes
from narrate.store.key import take_key
from narrate.synthesis.judge import longest_seconds
from narrate.synthesis.narrator import Narrator
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.speech import a_chunk, chunks, speech_like

Make = Callable[..., Any]


@pytest.fixture(params=[Tone, ToneStream], ids=["batches", "stream"])
def make(request: pytest.FixtureRequest) -> Make:
    """Both kinds of engine, with no waiting."""

    def build(**options: Any) -> Any:
        if request.param is ToneStream:
            options.pop("rows", None)
            options = {"pieces": 1, "slots": 4, **options}
            return ToneStream(**{"sleep": lambda _: None, **options})
        return batched(**options)

    return build


def batched(*, rows: int | None = None, **options: Any) -> Batched:
    return Batched(Tone(**{"sleep": lambda _: None, **options}), rows)


def narrator(engine: Any, **options: Any) -> Narrator:
    voice = Voice()
    return Narrator(
        engine, voice, MemoryTakes(1 << 30), lambda chunk: take_key(engine.fingerprint, voice, chunk), **options
    )


def spoken(script: list[Chunk], engine: Any) -> tuple[list[Clip], Narrator]:
    teller = narrator(engine)
    return list(teller.clips(script)), teller


def samples(clips: list[Clip]) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    for clip in clips:
        found.setdefault(clip.index, []).append(clip.samples.tobytes())
    return {index: [b"".join(parts)] for index, parts in found.items()}


def test_every_chunk_once_in_order(make: Make) -> None:
    clips, teller = spoken(chunks(57), make())
    assert [clip.index for clip in clips] == list(range(57))
    assert all(clip.final and clip.failure is None and len(clip.samples) for clip in clips)
    assert teller.stats.made == 57


def test_an_engine_may_answer_out_of_order() -> None:
    clips, _ = spoken(chunks(40), batched(order="reverse"))
    assert [clip.index for clip in clips] == list(range(40))


def test_pieces_of_a_chunk_come_out_as_they_come_in() -> None:
    clips, teller = spoken(chunks(20), ToneStream(pieces=4, slots=3, sleep=lambda _: None))
    assert [clip.index for clip in clips] == [index for index in range(20) for _ in range(4)]
    whole, _ = spoken(chunks(20), ToneStream(pieces=1, sleep=lambda _: None))
    assert samples(clips) == samples(whole)
    kept = [teller.takes.get(teller.key(chunk)) for chunk in chunks(20)]
    assert [take and take.samples.tobytes() for take in kept] == [clip.samples.tobytes() for clip in whole]


def test_what_is_stored_comes_before_the_engine_is_asked(make: Make) -> None:
    asked: list[float] = []
    script = chunks(30)
    teller = narrator(make(a=1.0, sleep=asked.append))
    for chunk in [*script[:12], *script[13:20]]:
        teller.takes.put(teller.key(chunk), speech_like(chunk), 24_000)
    clips = teller.clips(script)
    assert [next(clips).index for _ in range(12)] == list(range(12))
    assert asked == []
    assert [clip.index for clip in clips] == list(range(12, 30))
    assert teller.stats.made == 11


def test_a_batch_is_kept_before_its_first_clip_is_heard() -> None:
    """Whoever hears it may pause: a kill costs nothing then, and others have it."""
    teller = narrator(batched())
    script = chunks(30)
    next(teller.clips(script))
    assert sum(teller.takes.get(teller.key(chunk)) is not None for chunk in script) == 10


def test_what_another_process_is_slow_to_make_is_waited_for_within_bounds() -> None:
    class Busy(MemoryTakes):
        """Somebody else has claimed chunk 5, and makes it when we have gone far enough."""

        def claim(self, key: str) -> bool:
            if key == theirs and len(took) > 150 and not grew():
                self.put(key, speech_like(script[5]), 24_000)
            return key != theirs

    took: list[int] = []
    seen: list[int] = []

    def grew() -> bool:
        seen.append(len(took))
        return len(seen) < 2 or seen[-1] != seen[-2]

    def source() -> Iterator[Chunk]:
        for chunk in script:
            took.append(chunk.index)
            yield chunk

    script = chunks(600)
    teller = narrator(batched(), wait_for_others=True)
    teller.takes, theirs = Busy(1 << 30), teller.key(script[5])
    clips = teller.clips(source())
    assert [next(clips).index for _ in range(6)] == list(range(6))
    assert len(took) <= 5 + 200 + 40
    assert [clip.index for clip in clips] == list(range(6, 600))


def test_a_listener_takes_what_others_made_meanwhile_and_claims_only_what_is_in_hand(make: Make) -> None:
    claimed: set[str] = set()

    class Shared(MemoryTakes):
        def claim(self, key: str) -> bool:
            claimed.add(key)
            return True

    script, teller = chunks(60), narrator(make())
    teller.takes = Shared(1 << 30)
    clips = teller.clips(script, buffered=lambda: 0.0)
    assert next(clips).index == 0
    assert len(claimed) <= 10, "and not all that the planner looks at"
    for chunk in script[20:]:
        teller.takes.put(teller.key(chunk), speech_like(chunk), 24_000)
    assert [clip.index for clip in clips] == list(range(1, 60))
    assert teller.stats.made <= 20
    assert teller.stats.made + teller.stats.reused == 60


def test_what_is_heard_is_on_the_16_bit_grid(make: Make) -> None:
    clips, _ = spoken(chunks(3), make())
    for clip in clips:
        assert np.array_equal(clip.samples, to_int16(clip.samples) / np.float32(32768))


@pytest.mark.parametrize("trouble", [{"fail": {3, 7}}, {"raise_": {3, 7}}, {"lose": {3, 7}}], ids=str)
def test_what_cannot_be_spoken_is_silence_with_a_name(make: Make, trouble: dict[str, set[int]]) -> None:
    clips, teller = spoken(chunks(30), make(**{name: frozenset(at) for name, at in trouble.items()}))
    assert [clip.index for clip in clips] == list(range(30))
    failed = [clip for clip in clips if clip.failure]
    assert [clip.index for clip in failed] == [3, 7]
    assert all(clip.seconds > 0.2 and not clip.samples.any() for clip in failed)
    assert [chunk.index for chunk, _ in teller.stats.failed] == [3, 7]
    assert teller.stats.made == 28


@pytest.mark.parametrize("flaw", ["silent", "long"])
def test_bad_takes_are_taken_again(make: Make, flaw: str) -> None:
    clips, teller = spoken(chunks(30), make(**{flaw: frozenset({0, 4, 29})}))
    assert [clip.failure for clip in clips] == [None] * 30
    assert teller.stats.retaken == 3
    assert teller.stats.retaken_seconds > 0
    for chunk, clip in zip(chunks(30), clips, strict=True):
        assert clip.seconds <= longest_seconds(chunk.spoken, "en")


def test_one_percent_of_bad_takes_in_a_thousand_chunks(make: Make) -> None:
    clips, teller = spoken(chunks(1000), make(bad=0.01))
    assert [clip.index for clip in clips] == list(range(1000))
    assert not teller.stats.failed
    assert 1 <= teller.stats.retaken <= 40
    script = chunks(1000)
    assert all(clip.seconds <= longest_seconds(script[clip.index].spoken, "en") for clip in clips)


def test_an_engine_that_always_makes_bad_takes_ends_in_named_failures(make: Make) -> None:
    clips, teller = spoken(chunks(5), make(bad=1.0))
    assert [clip.index for clip in clips] == list(range(5))
    assert all(clip.failure for clip in clips)
    assert len(teller.stats.failed) == 5


def test_an_engine_that_always_raises_is_given_up(make: Make) -> None:
    with pytest.raises(EngineError, match="again and again.*told to raise"):
        spoken(chunks(200), make(raise_=frozenset(range(200))))


def test_good_clips_come_before_the_error(make: Make) -> None:
    """The contract of the pipeline: an engine that dies for good is reported after what it made."""
    heard = []
    with pytest.raises(EngineError):
        for clip in narrator(make(raise_=frozenset(range(20, 300)))).clips(chunks(300), buffered=lambda: 0.0):
            heard.append(clip.index)
    assert heard[:20] == list(range(20))


def test_an_equal_sentence_is_made_once(make: Make) -> None:
    script = [a_chunk(index, "Yes." if index % 3 else "No, he said.") for index in range(30)]
    clips, teller = spoken(script, make())
    assert [clip.index for clip in clips] == list(range(30))
    assert teller.stats.made == 2
    assert teller.stats.reused == 28
    assert clips[1].samples.tobytes() == clips[2].samples.tobytes() != clips[0].samples.tobytes()


def test_what_is_kept_is_not_made_again(make: Make) -> None:
    teller = narrator(make())
    first = list(teller.clips(chunks(50)))
    again = list(teller.clips(chunks(80)))
    assert teller.stats.made == 80
    assert teller.stats.reused == 50
    assert samples(again[:50]) == samples(first)


def test_a_take_does_not_depend_on_company_or_interruption(make: Make) -> None:
    script = chunks(40)
    clips, _ = spoken(script, make())
    order = random.Random(3)
    for index in order.sample(range(40), 10):
        alone = list(narrator(make()).clips([script[index]], first=index))
        assert alone[0].samples.tobytes() == clips[index].samples.tobytes()


def test_text_that_has_not_arrived_yet_holds_nothing_back(make: Make) -> None:
    arrived: list[int] = []

    def slowly() -> Iterator[Chunk | None]:
        for chunk in chunks(5):
            yield chunk
            while chunk.index not in arrived:  # nothing more comes before this one was heard
                yield None

    for clip in narrator(make()).clips(slowly()):
        arrived.append(clip.index)
    assert arrived == list(range(5))


def test_interrupting_ends_the_clips_without_complaint(make: Make) -> None:
    teller = narrator(make(rows=4))
    clips = teller.clips(chunks(100))
    heard = [next(clips).index for _ in range(3)]
    teller.interrupt()
    rest = [clip.index for clip in clips]
    assert heard + rest == list(range(len(heard + rest)))
    assert len(rest) < 50


def test_an_interrupted_narrator_can_begin_elsewhere(make: Make) -> None:
    teller = narrator(make())
    list(next(teller.clips(chunks(100))).samples[:1])
    teller.interrupt()
    script = chunks(100)
    assert [clip.index for clip in teller.clips(script[60:], first=60)] == list(range(60, 100))


def test_a_take_that_another_process_makes_is_waited_for_when_sharing(make: Make) -> None:
    class Shared(MemoryTakes):
        """Chunk 1's take is being made elsewhere, and arrives at the third look."""

        looks = 0

        def claim(self, key: str) -> bool:
            if key != elsewhere or self.has(key):
                return True
            self.looks += 1
            if self.looks == 3:
                self.put(key, np.full(24_000, 0.25, np.float32), 24_000)
            return False

    teller = narrator(make(), wait_for_others=True)
    elsewhere = teller.key(a_chunk(1))
    teller.takes = Shared()
    clips = list(teller.clips(chunks(6)))
    assert [clip.index for clip in clips] == list(range(6))
    assert set(clips[1].samples) == {np.float32(0.25)}
    assert teller.stats.made == 5


def test_an_engine_that_is_not_needed_is_not_even_loaded(make: Make) -> None:
    teller = narrator(make())
    list(teller.clips(chunks(30)))
    teller.engine = make(delay=1.0)  # what loading would cost
    asked: list[float] = []
    teller.engine.sleep = asked.append
    assert len(list(teller.clips(chunks(30)))) == 30
    assert asked == []


def test_interrupting_cancels_what_the_engine_has_in_hand_and_nothing_else(make: Make) -> None:
    class Witness:
        """Any engine, with a note of what it was told to drop."""

        def __init__(self, engine: Any) -> None:
            self.engine, self.asked, self.dropped = engine, [], []

        def __getattr__(self, name: str) -> Any:
            return getattr(self.engine, name)

        def synthesize(self, requests: Any) -> Any:
            return self.engine.synthesize(self._seen(requests))

        def _seen(self, requests: Any) -> Iterator[Any]:
            for request in requests:
                self.asked += [request.id] if request else []
                yield request

        def cancel(self, ids: Any) -> None:
            self.dropped += ids
            self.engine.cancel(ids)

    def work(_: float) -> None:
        if teller.stats.made >= 8 and not witness.dropped:
            teller.interrupt()

    witness = Witness(make(a=0.01, sleep=work))
    teller = narrator(witness)
    heard = list(teller.clips(chunks(100), buffered=lambda: 0.0))
    assert 8 <= len(heard) < 30
    assert witness.dropped
    assert set(witness.dropped) < set(witness.asked)


def test_chunks_an_engine_raised_over_are_forgiven_when_it_speaks_again(make: Make) -> None:
    """Ten bad chunks in a novel do not end it; six in a row with nothing made in between do."""
    bad = frozenset(range(5, 200, 20))
    clips, teller = spoken(chunks(200), make(raise_=bad))
    assert [clip.index for clip in clips if clip.failure] == sorted(bad)
    assert len(teller.stats.failed) == len(bad) > 6
