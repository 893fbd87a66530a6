"""A reading without a screen: its events, its remote control, its end; and narrate as a library."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

import narrate
from narrate.clip import Clip, join
from narrate.engines.table import load_engine
from narrate.errors import InputError, NarrateError, SinkError
from narrate.playback.bookmark import Bookmarks, Place
from narrate.playback.player import Aborted
from narrate.playback.sleep import SleepTimer
from narrate.reading.session import Began, Done, Event, Failed, Notice, Progress, Session
from narrate.sinks import Sink
from narrate.store.in_memory import MemoryTakes
from narrate.text.book import TextOptions, open_book
from narrate.text.document import Chunk
from narrate.voice import Voice

TEXT = "\n\n".join(f"This is paragraph {number} of the story." for number in range(12))
SECONDS = 60.0


class Ear(Sink):
    """Hears everything at once. `hears` is called with every chunk that begins."""

    def __init__(self, hears: Callable[[int], object] = lambda _: None) -> None:
        self.clips: list[Clip] = []
        self.left: BaseException | None | str = "not yet"
        self._hears = hears

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self.left = error

    def begin(self, chunk: Chunk) -> None:
        self._hears(chunk.index)

    def write(self, clip: Clip) -> None:
        self.clips.append(clip)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "story.txt"
    path.write_text(TEXT)
    return path


def a_session(book: Path, ear: Sink, spec: str = "tone:rate=8000", **options: Any) -> Session:
    opened = open_book(str(book), TextOptions(language="en"))
    engine = load_engine(spec)
    return Session(opened, engine, Voice(), MemoryTakes(), [lambda _: ear], **options)


def read_through(session: Session) -> list[Event]:
    events: list[Event] = []
    deadline = time.monotonic() + SECONDS
    with session:
        while not session.wait(0.01):
            assert time.monotonic() < deadline
            events += session.events()
        events += session.events()
    return events


def test_the_events_tell_the_whole_reading(book: Path) -> None:
    session = a_session(book, ear := Ear())
    events = read_through(session)
    began = [event.chunk.index for event in events if isinstance(event, Began)]
    assert began == list(range(12))
    assert events[-1] == Done(stopped=False)
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[-1].share == pytest.approx(1.0)
    assert progress[-1].written_seconds == pytest.approx(sum(clip.seconds for clip in ear.clips))
    assert (progress[-1].made, progress[-1].failed, progress[-1].gaps) == (12, 0, 0)
    assert session.wall_seconds > 0
    assert ear.left is None


def test_what_cannot_be_spoken_is_an_event_once(book: Path) -> None:
    events = read_through(a_session(book, Ear(), "tone:rate=8000,fail=3+7"))
    assert [(event.chunk.index, event.why) for event in events if isinstance(event, Failed)] == [
        (3, "told to fail"),
        (7, "told to fail"),
    ]


def test_a_reader_with_no_screen_can_pause_seek_and_stop(book: Path) -> None:
    def steer(index: int) -> None:
        if index == 2:
            session.transport.seek(8)
        if index == 9:
            session.transport.stop()

    session = a_session(book, ear := Ear(steer), listening=True)
    events = read_through(session)
    assert [event.chunk.index for event in events if isinstance(event, Began)] == [0, 1, 2, 8, 9]
    assert events[-1] == Done(stopped=True)
    assert ear.left is None, "what was written is finished properly"


def test_leaving_with_an_error_breaks_the_reading_off(book: Path) -> None:
    began = threading.Event()
    session = a_session(book, ear := Ear(lambda _: began.set()), "tone:rate=8000,rtf=0.2")
    with pytest.raises(KeyboardInterrupt), session:
        assert began.wait(SECONDS)
        raise KeyboardInterrupt
    assert isinstance(ear.left, Aborted), "what is not complete is thrown away"


def test_what_goes_wrong_in_the_background_is_raised_when_the_block_is_left(book: Path) -> None:
    def unplug(index: int) -> None:
        if index == 3:
            raise SinkError("the device went away")

    with pytest.raises(SinkError, match="went away"):
        read_through(a_session(book, Ear(unplug)))


def test_the_place_is_kept_and_found_again(book: Path, home: Path) -> None:
    places = Bookmarks(home / "places")
    session = a_session(
        book, Ear(lambda index: index == 5 and session.transport.stop()), listening=True, bookmarks=places
    )
    read_through(session)
    again = a_session(book, Ear(), listening=True, bookmarks=places)
    events = read_through(again)
    assert [event.chunk.index for event in events if isinstance(event, Began)] == list(range(5, 12))
    assert any(isinstance(event, Notice) and "Going on" in event.text for event in events)
    anew = a_session(book, Ear(), listening=True, bookmarks=places, start="")
    assert anew.player.index == 0
    anew.engine.close()


CHAPTERS = "\n\n".join(f"Chapter {number}\n\n{TEXT}" for number in (1, 2, 3, 4))


@pytest.fixture
def novel(tmp_path: Path) -> Path:
    path = tmp_path / "novel.txt"
    path.write_text(CHAPTERS)
    return path


def chosen(novel: Path, chapters: str | None, ear: Sink, places: Bookmarks) -> Session:
    session = a_session(novel, ear, listening=True, bookmarks=places)
    session.engine.close()
    book = open_book(str(novel), TextOptions(language="en", chapters=chapters))
    return Session(
        book, load_engine("tone:rate=8000"), Voice(), MemoryTakes(), [lambda _: ear], listening=True, bookmarks=places
    )


def test_who_hears_one_chapter_has_read_as_much_of_the_book(novel: Path, home: Path) -> None:
    places = Bookmarks(home / "places")
    read_through(chosen(novel, "2", Ear(), places))
    [reading] = places.books()
    assert reading.place is not None
    assert reading.place.chapter == 2
    assert reading.place.fraction == pytest.approx(0.5, abs=0.03)
    whole = chosen(novel, None, Ear(), places)
    whole.engine.close()
    chunk = whole.player.script.get(whole.player.index)
    assert chunk is not None
    assert (chunk.chapter, chunk.text) == (2, "This is paragraph 11 of the story.")


def test_the_progress_is_of_the_chosen_chapters_and_the_place_of_the_book(novel: Path, home: Path) -> None:
    places = Bookmarks(home / "places")
    session = chosen(novel, "3", Ear(lambda index: index == 11 and session.transport.stop()), places)
    events = read_through(session)
    shares = [event.share for event in events if isinstance(event, Progress) and event.share is not None]
    assert shares[-1] == pytest.approx(0.9, abs=0.06)
    assert session.player.chunk is not None
    assert session.share_of_book(session.player.chunk) == pytest.approx(0.75, abs=0.03)
    mark = session.mark(session.player.chunk)
    assert mark is not None
    assert mark.place.fraction == pytest.approx(0.75, abs=0.03)
    again = chosen(novel, None, Ear(), places)
    again.engine.close()
    [notice] = [event.text for event in again.events() if isinstance(event, Notice)]
    assert re.search(r"in “Chapter 3”, 7\d% into the book", notice)


def test_a_second_reader_of_a_book_is_told(book: Path, home: Path) -> None:
    places = Bookmarks(home / "places")
    with a_session(book, Ear(), "tone:rate=8000,rtf=0.5", listening=True, bookmarks=places) as first:
        told = [event for event in first.events() if isinstance(event, Notice)]
        with a_session(book, Ear(), listening=True, bookmarks=places) as second:
            notices = [event.text for event in second.events() if isinstance(event, Notice)]
            second.transport.stop()
        first.transport.stop()
    assert told == []
    assert [text for text in notices if "Another narrate is reading this book" in text] == notices != []
    third = a_session(book, Ear(), listening=True, bookmarks=places, start="")
    assert not any(isinstance(event, Notice) for event in read_through(third))
    assert not list((home / "places").glob("*.ear"))


def test_a_reading_of_which_nothing_sounded_is_no_reading(book: Path, home: Path) -> None:
    def no_device(sample_rate: int) -> Sink:
        raise SinkError("no device")

    places = Bookmarks(home / "places")
    session = a_session(book, Ear(), listening=True, bookmarks=places)
    session.player.openers = [no_device]
    with pytest.raises(SinkError):
        read_through(session)
    assert places.books() == []
    read_through(a_session(book, Ear(), bookmarks=places))
    assert [reading.place for reading in places.books()] == [None], "written to a file it is listed"


def test_a_device_that_hangs_does_not_keep_the_place_nor_the_end(
    book: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung, let_go = threading.Event(), threading.Event()

    class Hanging(Ear):
        def write(self, clip: Clip) -> None:
            super().write(clip)
            if clip.index == 3:
                hung.set()
                let_go.wait()

        def abort(self) -> None:
            places.append(Bookmarks(home / "places").books()[0].place)
            let_go.wait()

    places: list[Place | None] = []
    monkeypatch.setattr("narrate.reading.session.SILENCE_SECONDS", 0.1)
    session = a_session(book, Hanging(), listening=True, bookmarks=Bookmarks(home / "places"))
    try:
        with pytest.raises(KeyboardInterrupt), session:
            assert hung.wait(SECONDS)
            raise KeyboardInterrupt
        [place] = places
        assert place is not None
        assert "paragraph 3" in place.sentence
        [file] = (home / "places").glob("*.json")
        assert not file.name.endswith(".now.json"), "it is on the disk for good"
    finally:
        let_go.set()


def test_who_stops_a_reading_whose_device_hangs_is_told(
    book: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()

    class Hanging(Ear):
        hangs = True

        def write(self, clip: Clip) -> None:
            session.transport.stop()
            let_go.wait()

    monkeypatch.setattr("narrate.reading.session.ABORT_SECONDS", 0.1)
    session = a_session(book, Hanging(), listening=True, bookmarks=Bookmarks(home / "places"))
    try:
        with pytest.raises(SinkError, match="does not answer"):
            read_through(session)
    finally:
        let_go.set()


def test_the_sink_learns_the_sample_rate_from_the_engine(book: Path) -> None:
    rates: list[int] = []
    session = a_session(book, Ear())

    def opener(sample_rate: int) -> Ear:
        rates.append(sample_rate)
        return Ear()

    session.player.openers = [opener, opener]
    read_through(session)
    assert rates == [8000, 8000]


def test_the_public_names() -> None:
    assert sorted(narrate.__all__) == [
        "Chunk",
        "Clip",
        "Document",
        "NarrateError",
        "Voice",
        "__version__",
        "read",
        "synthesize",
    ]
    assert all(getattr(narrate, name) is not None for name in narrate.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        narrate.nothing  # noqa: B018


def test_a_book_is_read_as_clips_in_order(book: Path) -> None:
    clips = list(narrate.read(book, engine="tone:rate=8000"))
    assert [clip.index for clip in clips if clip.final] == list(range(12))
    assert [clip.index for clip in clips if clip.pause] == list(range(12))
    session = a_session(book, ear := Ear())
    read_through(session)
    assert np.array_equal(join(clip.samples for clip in clips), join(clip.samples for clip in ear.clips))


def test_a_text_becomes_samples() -> None:
    samples, sample_rate = narrate.synthesize("It was a dark night.\n\nThe lamp was lit.", engine="tone", voice="high")
    assert sample_rate == 24_000
    assert samples.dtype == np.float32
    assert 2.0 < len(samples) / sample_rate < 10.0
    assert 0.1 < np.abs(samples).max() <= 1.0
    with pytest.raises(InputError):
        narrate.synthesize("")
    with pytest.raises(NarrateError, match=r"could not be spoken \(told to fail\): The lamp"):
        narrate.synthesize("It was a dark night.\n\nThe lamp was lit.", engine="tone:fail=1")


@pytest.mark.parametrize("verb", ["read", "synthesize"])
def test_the_examples_of_the_documentation_run(verb: str, tmp_path: Path) -> None:
    """As they stand in the docstrings, each in a program of its own."""
    (tmp_path / "novel.txt").write_text(TEXT)
    said = getattr(narrate, verb).__doc__
    example = "\n".join(line.removeprefix("        ") for line in said.splitlines() if line.startswith("        "))
    assert f"narrate.{verb}(" in example
    root = str(Path(narrate.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", f"import narrate\n{example}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_place_and_the_length_are_told_from_the_first_sound_on(book: Path) -> None:
    session = a_session(book, Ear(), listening=True)
    progress = [event for event in read_through(session) if isinstance(event, Progress) and event.chunk]
    assert all(moment.total_seconds is not None for moment in progress)
    assert [moment.position_seconds for moment in progress] == sorted(moment.position_seconds for moment in progress)
    last = progress[-1]
    assert last.position_seconds == pytest.approx(session.player.written_seconds)
    assert last.total_seconds == pytest.approx(session.player.written_seconds, rel=0.01)
    assert last.chapter_left_seconds == pytest.approx(0.0, abs=0.5)


def test_what_is_left_of_a_file_is_known_while_a_large_batch_is_in_hand(book: Path) -> None:
    """Nothing arrives for a while, and time passes all the same: what is left does not grow."""
    session = a_session(book, Ear(), "tone:rate=8000,rtf=0.1")
    left: list[float] = []
    with session:
        while not session.wait(0.02):
            for event in session.events():
                if isinstance(event, Progress) and event.left_seconds is not None:
                    left.append(event.left_seconds)
    assert left, "it was told before the end"
    assert max(left) < 3 * session.wall_seconds


@pytest.mark.parametrize("writing", [False, True])
def test_the_sleep_timer_ends_the_listening_and_no_file(book: Path, writing: bool) -> None:
    timer = SleepTimer()
    timer.set(1e-3, None, 0.0)
    session = a_session(book, ear := Ear(), listening=True, writing=writing, sleep=timer)
    read_through(session)
    assert session.slept
    assert session.transport.stopped is not writing
    assert len({clip.index for clip in ear.clips}) == (12 if writing else 1)
    assert not (writing and session.listening)
