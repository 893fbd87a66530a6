"""Many readings at one engine: each hears what it would hear alone, and nothing of the others is left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from narrate.clip import Clip
from narrate.clock import OFF
from narrate.engines import Engine, Request
from narrate.engines.batched import Batched
from narrate.engines.tone import Tone, ToneStream
from narrate.errors import EngineError
from narrate.pipeline import Background
from narrate.store.in_memory import MemoryTakes
from narrate.store.key import take_key
from narrate.synthesis.exchange import Exchange
from narrate.synthesis.narrator import Narrator
from narrate.synthesis.seat import Seat
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.speech import a_chunk, a_request, clips_of, whole

Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("narrate-"):
            thread.join(5.0)
    assert threading.active_count() == before


@pytest.fixture(params=["batches", "stream"])
def make(request: pytest.FixtureRequest) -> Make:
    """Both kinds of engine, with no waiting."""

    def build(**options: Any) -> Any:
        options = {"sleep": lambda _: None, **options}
        return ToneStream(**options) if request.param == "stream" else Batched(Tone(**options))

    return build


def narrator(engine: Engine, takes: MemoryTakes | None = None, voice: Voice | None = None) -> Narrator:
    voice = voice or Voice()
    return Narrator(
        engine, voice, takes or MemoryTakes(1 << 30), lambda chunk: take_key(engine.fingerprint, voice, chunk)
    )


def sentences(count: int, book: int = 0) -> list[Chunk]:
    return [
        a_chunk(index, f"Book {book} says {'so ' * (index * 7 % 11)}in sentence {index}.") for index in range(count)
    ]


def heard(clips: list[Clip]) -> list[tuple[int, bytes]]:
    """What is heard of every chunk, in the order in which it is heard."""
    found: dict[int, bytes] = {}
    for clip in clips:
        found[clip.index] = found.get(clip.index, b"") + clip.samples.tobytes()
    return list(found.items())


def test_many_readings_hear_what_each_hears_alone(make: Make) -> None:
    books = [sentences(15, book) for book in range(6)]
    alone = [heard(list(narrator(make()).clips(book))) for book in books]
    with Exchange(make()) as exchange:
        running = in_background(exchange, books)
        assert [heard(each.result()) for each in running] == alone
        assert exchange.load.waiting == exchange.load.in_hand == 0
        assert exchange.load.readings == 6


class Held(Tone):
    """It makes nothing before the gate is opened, and remembers what it was asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.gate = threading.Event()
        self.asked: list[Request] = []

    def synthesize_batch(self, requests: list[Request]) -> list[Clip]:
        self.asked += requests
        self.gate.wait()
        return super().synthesize_batch(requests)


def until(happened: Callable[[], bool]) -> None:
    """Wait for other threads."""
    while not happened():
        time.sleep(0.001)


def in_background(exchange: Exchange, books: list[list[Chunk]]) -> list[Background[list[Clip]]]:
    return [Background(partial(_read, exchange.seat(), book)) for book in books]


def _read(seat: Seat, book: list[Chunk]) -> list[Clip]:
    return list(narrator(seat).clips(book))


def test_the_same_sentence_of_several_readings_is_made_once() -> None:
    engine, book = Held(), sentences(8)
    with Exchange(Batched(engine)) as exchange:
        first = in_background(exchange, [sentences(1, book=7)])
        until(lambda: exchange.load.rows == 1)
        running = in_background(exchange, [book] * 5)
        until(lambda: all(len(seat.reading.out) == len(book) for seat in list(exchange._seats.values())[1:]))
        assert exchange.load.waiting == len(book)
        engine.gate.set()
        results = [each.result() for each in (*first, *running)]
    assert len({str(heard(clips)) for clips in results[1:]}) == 1
    assert [clip.index for clip in results[1]] == list(range(8))
    assert len(engine.asked) == 9


def test_a_closed_exchange_lets_nobody_wait(make: Make) -> None:
    gate = threading.Event()
    engine = make(a=0.1, sleep=lambda _: gate.wait(0.01))
    exchange = Exchange(engine)
    running = in_background(exchange, [sentences(50)] * 3)
    until(lambda: exchange.load.in_hand > 0)
    exchange.close()
    exchange.close()
    for each in running:
        with pytest.raises(EngineError, match="closed"):
            each.result()
    with pytest.raises(EngineError, match="closed"):
        exchange.seat()


def test_an_engine_that_can_do_no_more_ends_every_reading(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(ToneStream):
        def synthesize(self, requests: Any) -> Iterator[list[Clip]]:
            yield []
            raise EngineError("The voice is gone.")

    with Exchange(Broken()) as exchange:
        running = in_background(exchange, [sentences(5)] * 3)
        for each in running:
            with pytest.raises(EngineError, match="gone"):
                each.result()
        with pytest.raises(EngineError, match="gone"):
            clips_of(exchange.seat(), [a_request(a_chunk(0))])
        assert exchange.load.failure == "The voice is gone."
        assert not exchange.has_room()


def test_an_error_over_several_is_found_to_be_one_readings_alone() -> None:
    class Fragile(ToneStream):
        def _take(self, request: Request) -> Any:
            if "poison" in request.chunk.spoken:
                raise ZeroDivisionError("it cannot be")
            return super()._take(request)

    with Exchange(Fragile(sleep=lambda _: None, slots=6)) as exchange:
        good, bad = exchange.seat(), exchange.seat()
        poison = [a_request(a_chunk(index, "poison" if index == 3 else None), reading="bad") for index in range(9)]
        fine = [a_request(a_chunk(index), reading="good") for index in range(40)]
        other = Background(lambda: whole(clips_of(good, fine)))
        mine = whole(clips_of(bad, poison))
        assert {name for name, clip in mine.items() if clip.failure} == {"bad:3:0"}
        assert mine["bad:3:0"].raised
        assert mine["bad:3:0"].failure == "ZeroDivisionError: it cannot be"
        assert all(clip.failure is None for clip in other.result().values())
        assert len(other.result()) == 40


def test_what_the_engine_loses_has_failed(make: Make) -> None:
    with Exchange(make(lose=frozenset([2]))) as exchange:
        clips = whole(clips_of(exchange.seat(), [a_request(a_chunk(index)) for index in range(5)]))
    assert {clip.index: clip.failure for clip in clips.values() if clip.failure} == {2: "the engine returned nothing"}
    assert len(clips) == 5


def test_an_error_while_a_voice_is_prepared_is_told_to_who_asked(make: Make) -> None:
    with Exchange(make()) as exchange:
        one, other = exchange.seat(), exchange.seat()
        with pytest.raises(Exception, match="nobody"):
            one.prepare(Voice(name="nobody"), OFF)
        other.prepare(Voice(name="high"), OFF)
        assert len(clips_of(other, [a_request(a_chunk(0), Voice(name="high"))])) > 0


def test_a_voice_is_prepared_while_others_are_read(make: Make) -> None:
    with Exchange(make()) as exchange:
        busy = Background(lambda: list(narrator(exchange.seat()).clips(sentences(25))))
        for number in range(8):
            exchange.seat().prepare(Voice(name="high", reference_text=None, seed=number), OFF)
        assert heard(busy.result()) == heard(list(narrator(make()).clips(sentences(25))))
