"""Two engines as one, for a book that quotes another language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, count, repeat

import numpy as np
import pytest

from narrate.clip import Clip
from narrate.clock import OFF
from narrate.engines import Abilities, Engine, Request
from narrate.engines.batched import Batched
from narrate.engines.mixed import FOREIGN_AT_HAND, Mixed
from narrate.engines.tone import Tone, ToneStream
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.speech import a_chunk, a_request, chunks, clips_of, requests, whole

JAPANESE = Abilities(frozenset({"ja"}))
RATE = 48_000


class JapaneseTone(Tone):
    abilities = JAPANESE


class JapaneseToneStream(ToneStream):
    abilities = replace(JAPANESE, streams=True)


def second() -> Tone:
    return Tone(rate=22_050)


@pytest.fixture(params=["batched", "streaming"])
def engine(request: pytest.FixtureRequest) -> Mixed:
    first: Engine = Batched(JapaneseTone(rate=RATE)) if request.param == "batched" else JapaneseToneStream(rate=RATE)
    return Mixed(first, Batched(second()))


def japanese(index: int) -> Chunk:
    return a_chunk(index, f"これは{index}番目の文です。", language="ja")


def book(languages: str) -> list[Chunk]:
    """A chunk for each letter: j is Japanese, e English."""
    return [japanese(index) if letter == "j" else a_chunk(index) for index, letter in enumerate(languages)]


def in_seconds(seconds: float) -> float:
    return OFF.now() + seconds


def test_each_language_goes_to_the_engine_that_speaks_it(engine: Mixed) -> None:
    clips = whole(clips_of(engine, requests(book("jej"))))
    assert sorted(clip.index for clip in clips.values()) == [0, 1, 2]
    assert {clip.sample_rate for clip in clips.values()} == {RATE}
    assert engine.abilities.languages == {"ja", *second().abilities.languages}
    (alone,) = second().synthesize_batch(requests([a_chunk(1)]))
    assert clips[":1:0"].seconds == pytest.approx(alone.seconds, abs=0.001)


def test_resampling_keeps_the_pitch(engine: Mixed) -> None:
    asked = requests([a_chunk(1, "This is a longer English sentence, to be heard at another rate.")])
    (clip,) = clips_of(engine, asked)
    (alone,) = second().synthesize_batch(asked)

    def loudest(samples: np.ndarray, rate: int) -> float:
        return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))

    assert loudest(clip.samples, RATE) == pytest.approx(loudest(alone.samples, 22_050), rel=0.01)


def test_a_second_engine_that_streams_is_resampled_as_a_whole() -> None:
    """A resampler that began anew with every piece would click between them."""
    chunk = a_chunk(0, "A sentence in English.")
    pieces = Mixed(Batched(JapaneseTone(rate=RATE)), ToneStream(rate=22_050, pieces=7))
    at_once = Mixed(Batched(JapaneseTone(rate=RATE)), Batched(second()))
    (one,), (other,) = (clips_of(engine, requests([chunk])) for engine in (pieces, at_once))
    assert np.array_equal(one.samples, other.samples)


def test_the_second_engine_speaks_with_its_own_voice(engine: Mixed) -> None:
    asked = a_request(a_chunk(0), Voice(name="high", seed=3))
    (clip,) = clips_of(engine, [asked])
    (plain,) = clips_of(engine, [a_request(a_chunk(0), Voice(seed=3))])
    assert np.array_equal(clip.samples, plain.samples)


def test_the_key_of_a_take_knows_both_engines(engine: Mixed) -> None:
    assert set(engine.fingerprint) > set(engine.first.fingerprint)
    assert Mixed(engine.first, Batched(Tone(rate=8_000))).fingerprint != engine.fingerprint


def test_a_book_in_the_other_language_is_not_read_to_its_end_first(engine: Mixed) -> None:
    pulled = count()

    def source() -> Iterator[Request]:
        for request in requests(chunks(100)):
            next(pulled)
            yield request

    for clips in engine.synthesize(source()):
        if clips:
            break
    assert next(pulled) <= FOREIGN_AT_HAND


def final_order(clips: list[Clip]) -> list[int]:
    return [clip.index for clip in clips if clip.final]


def test_a_listener_hears_both_engines_in_order(engine: Mixed) -> None:
    """Whoever is due first is spoken first, although the first engine looks far ahead before it begins."""
    languages = "jjejjejeej"
    asked = [
        a_request(chunk, due=lambda chunk=chunk: in_seconds(5.0 * chunk.index))  # type: ignore[misc]
        for chunk in book(languages)
    ]
    order = final_order(clips_of(engine, asked))
    assert sorted(order) == list(range(10))
    for place, index in enumerate(order):
        if languages[index] == "e":
            assert not [native for native in order[place:] if native < index and languages[native] == "j"]
            assert not [later for later in order[:place] if later > index + 4]


def test_none_is_not_the_end_while_something_is_in_hand(engine: Mixed) -> None:
    one, two, three = requests(book("jej"))
    source = chain([one, None, two, None, three], repeat(None))
    assert sorted(final_order(clips_of(engine, source))) == [0, 1, 2]
    assert clips_of(engine, source) == []


def test_cancelled_requests_are_dropped_in_both_engines(engine: Mixed) -> None:
    asked = requests(book("jejejejeje"))
    gone = {":2:0", ":3:0"}
    clips: list[Clip] = []
    for each in engine.synthesize(asked):
        if not clips:
            engine.cancel(gone)
        clips += each
    answered = set(whole(clip for clip in clips if clip.request_id not in gone))
    assert answered == {request.id for request in asked} - gone
    assert not {clip.request_id for clip in clips if clip.final} & gone


def test_what_the_second_engine_is_speaking_can_be_cancelled() -> None:
    engine = Mixed(Batched(JapaneseTone(rate=RATE)), ToneStream(rate=22_050, pieces=5))
    made = engine.synthesize(requests(book("ee")))
    assert next(made) == []  # the first pieces, which are kept until all is there
    engine.cancel([":0:0"])
    assert [clip.index for clips in made for clip in clips] == [1]


def test_a_request_that_does_not_begin_holds_up_no_other(engine: Mixed) -> None:
    asked = [
        a_request(chunk, due=lambda chunk=chunk: in_seconds(chunk.index), begin=lambda chunk=chunk: chunk.index != 0)  # type: ignore[misc]
        for chunk in book("jejeje")
    ]
    order = final_order(clips_of(engine, asked))
    assert sorted(order) == [1, 2, 3, 4, 5]
    assert order.index(1) < order.index(4)
