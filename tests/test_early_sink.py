"""A sink that takes sound before it is heard: place, progress, sleep timer and engine follow the ear."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from narrate.clip import Clip
from narrate.engines.batched import Batched
from narrate.engines.table import load_engine
from narrate.engines.tone import Tone
from narrate.pipeline import Background, LazyList
from narrate.playback.bookmark import Bookmarks
from narrate.playback.player import BLOCK_SECONDS, Player
from narrate.playback.sleep import SleepTimer
from narrate.reading.session import Began, Progress, Session
from narrate.sinks import Ear, Sink
from narrate.store.in_memory import MemoryTakes
from narrate.store.key import take_key
from narrate.synthesis.exchange import Exchange
from narrate.synthesis.narrator import Narrator
from narrate.text.book import TextOptions, open_book
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.speech import chunks

RATE = 8000
PATIENCE = 60.0  # seconds


class Buffer(Sink):
    """Takes sound at once. A test says how far it was heard, in seconds from the beginning of what was written last."""

    is_heard = True

    def __init__(self) -> None:
        self.began: list[tuple[float, Chunk]] = []
        self.written = self.heard = 0.0
        self.drained = 0

    def begin(self, chunk: Chunk) -> None:
        self.began.append((self.written, chunk))

    def write(self, clip: Clip) -> None:
        self.written += clip.seconds

    def drain(self) -> None:
        self.drained += 1

    @property
    def ear(self) -> Ear:
        now = [(start, chunk) for start, chunk in list(self.began) if start <= self.heard]
        start, chunk = now[-1] if now else (0.0, None)
        return Ear(chunk, self.heard - start, self.heard, self.written - self.heard)

    def start_of(self, index: int) -> float:
        return next(start for start, chunk in reversed(self.began) if chunk.index == index)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def playing(script: list[Chunk], buffer: Buffer, most_unheard: float) -> Iterator[tuple[Player, Background[None]]]:
    engine = Batched(Tone(rate=RATE, sleep=lambda _: None))
    narrator = Narrator(engine, Voice(), MemoryTakes(), lambda chunk: take_key(engine.fingerprint, Voice(), chunk))
    player = Player(LazyList(script), narrator, [lambda _: buffer], listening=True, unheard_seconds=most_unheard)
    background = Background(player.play, "narrate-playing")
    try:
        yield player, background
    finally:
        player.transport.stop()
        background.result()


def is_full(buffer: Buffer, most_unheard: float) -> bool:
    return buffer.written - buffer.heard >= most_unheard


def test_sound_is_written_so_far_ahead_of_the_ear_and_no_farther() -> None:
    buffer = Buffer()
    with playing(chunks(40), buffer, 5.0) as (player, _):
        for _ in range(3):
            until(lambda: is_full(buffer, 5.0))
            time.sleep(0.2)
            assert 5.0 <= player.ear.unheard_seconds <= 5.0 + 2 * BLOCK_SECONDS
            buffer.heard += 3.0


def test_the_chunk_that_sounds_is_the_one_at_the_ear() -> None:
    buffer, heard = Buffer(), list[int]()
    with playing(chunks(40), buffer, 20.0) as (player, _):
        player.on_chunk = lambda chunk: heard.append(chunk.index)
        until(lambda: len(buffer.began) > 4)
        until(lambda: player.chunk is not None)
        for index in (1, 2, 3):
            buffer.heard = buffer.start_of(index) + 0.01
            until(lambda index=index: player.chunk is not None and player.chunk.index == index)
        assert buffer.began[-1][1].index > 3
    assert heard[-3:] == [1, 2, 3]
    assert heard in ([0, 1, 2, 3], [1, 2, 3])


def test_a_jump_is_followed_while_the_writer_waits_for_the_ear() -> None:
    buffer = Buffer()
    with playing(chunks(60), buffer, 5.0) as (player, _):
        until(lambda: is_full(buffer, 5.0))
        player.transport.seek(50)
        until(lambda: buffer.began[-1][1].index == 50)


def test_the_end_waits_for_the_ear_and_a_listener_may_still_go_back() -> None:
    buffer = Buffer()
    with playing(chunks(6), buffer, 1000.0) as (player, background):
        until(lambda: buffer.drained)
        assert not background.wait(0.3)
        player.transport.seek(2)
        until(lambda: buffer.began[-1][1].index == 5 and len(buffer.began) == 10)
        until(lambda: buffer.drained == 2)
        assert not background.wait(0.1)
        buffer.heard = buffer.written
        assert background.wait(PATIENCE)
        assert [chunk.index for _, chunk in buffer.began] == [0, 1, 2, 3, 4, 5, 2, 3, 4, 5]
        assert not player.transport.stopped


def test_the_ear_may_move_within_what_is_written_while_the_player_pauses() -> None:
    buffer = Buffer()
    with playing(chunks(40), buffer, 30.0) as (player, _):
        until(lambda: len(buffer.began) > 3)
        player.transport.pause()
        buffer.heard = buffer.start_of(2) + 0.01
        until(lambda: player.chunk is not None and player.chunk.index == 2)
        assert player.transport.paused


def test_the_engine_is_told_what_lies_before_the_ear() -> None:
    buffer, told = Buffer(), list[float]()
    script = chunks(40)
    with playing(script, buffer, 8.0) as (player, _):
        until(lambda: is_full(buffer, 8.0))
        told.append(player._buffered())
        assert told[0] >= 8.0 + player.ready_seconds


def test_an_idle_engine_is_asked_for_so_much_and_no_more() -> None:
    exchange = Exchange(Batched(Tone(rate=RATE, sleep=lambda _: None)))
    engine, script, buffer = exchange.seat(), chunks(200), Buffer()
    narrator = Narrator(engine, Voice(), MemoryTakes(), lambda chunk: take_key(engine.fingerprint, Voice(), chunk))
    player = Player(LazyList(script), narrator, [lambda _: buffer], listening=True)
    player.unheard_seconds, player.ahead_seconds, player.asked_seconds = 10.0, 5.0, 20.0
    background = Background(player.play, "narrate-playing")
    try:
        for _ in range(3):
            until(lambda: is_full(buffer, 10.0))
            time.sleep(0.3)
            assert 10.0 < narrator.stats.made_seconds - buffer.heard < 30.0
            buffer.heard += 8.0
    finally:
        player.transport.stop()
        background.result()
        engine.close()
        exchange.close()


def a_session(tmp_path: Path, buffer: Buffer, **options: object) -> Session:
    path = tmp_path / "story.txt"
    path.write_text("\n\n".join(f"This is paragraph {number} of the story." for number in range(40)))
    book = open_book(str(path), TextOptions(language="en"))
    places = Bookmarks(tmp_path / "places")
    engine = load_engine(f"tone:rate={RATE}")
    return Session(
        book, engine, Voice(), MemoryTakes(), [lambda _: buffer], listening=True, bookmarks=places, **options
    )  # type: ignore[arg-type]


def test_the_place_that_is_kept_is_the_ears(tmp_path: Path) -> None:
    buffer = Buffer()
    session = a_session(tmp_path, buffer)
    with session:
        until(lambda: buffer.written > 30)
        buffer.heard = buffer.start_of(3) + 0.1
        until(lambda: session.player.chunk is not None and session.player.chunk.index == 3)
        session.wait(0.0)
        assert session.bookmarks is not None
        assert session.book.document is not None
        place = session.bookmarks.load(session.book.identity, session.book.document.source)
        assert place is not None
        assert place.sentence == "This is paragraph 3 of the story."
        progress = [event for event in session.events() if isinstance(event, Progress)][-1]
        assert progress.chunk is not None
        assert progress.chunk.index == 3
        assert progress.ready_seconds >= buffer.written - buffer.heard - 0.1
        expected = buffer.heard
        assert abs(progress.position_seconds - expected) < 0.5
    again = a_session(tmp_path, Buffer())
    assert again.player.index == 3


def test_the_sleep_timer_counts_what_was_heard(tmp_path: Path) -> None:
    buffer = Buffer()
    timer = SleepTimer()
    timer.set(10 / 60, None, 0.0)
    session = a_session(tmp_path, buffer, sleep=timer)
    slept = threading.Event()
    with session:
        until(lambda: buffer.written > 40)
        assert not session.wait(0.2)
        list(session.events())
        buffer.heard = next(start for start, _ in buffer.began if start > 5.0) + 0.01
        assert not session.wait(0.2)
        began = [event.chunk.index for event in session.events() if isinstance(event, Began)]
        assert began
        buffer.heard = next(start for start, _ in buffer.began if start > 10.0) + 0.01
        until(lambda: session.wait(0.01) and (slept.set() or True))
    assert session.slept
    assert slept.is_set()
