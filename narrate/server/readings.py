"""Readings that browsers follow. Each is a session like that of a terminal, with a page instead of a loudspeaker.

A reading outlives its sessions: it rests when nobody listens any more, and goes on from the same sentence.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import isfinite
from typing import Any, Literal

from narrate.errors import InputError, NarrateError
from narrate.pipeline import Background, LazyList
from narrate.playback.sleep import SleepTimer
from narrate.playback.start import chunk_at, find_start
from narrate.reading.session import Done, Event, Failed, Notice, Progress, Session
from narrate.server.documents import Documents, Entry
from narrate.server.events import Log
from narrate.server.hls import PLAYLIST, PageSink, Run, Runs, Segment, Sentence, Told
from narrate.server.service import Service
from narrate.settings.choices import Speaking
from narrate.text.book import Book
from narrate.text.document import Chunk

_log = logging.getLogger(__name__)

AHEAD_SECONDS = 60.0  # of sound are made before it is heard: so much in the page's reach, and the rest before it
UNHEARD_SECONDS = 40.0
LOOK_SECONDS = 0.25  # between two looks at a reading
TELL_SECONDS = 0.5  # between two words about its progress
GONE_SECONDS = 60.0  # without a word of the ear and without a browser that follows, nobody listens
LEFT_SECONDS = 900.0  # the same while a browser has the page open, and the listener paused
MOST_READINGS = 200
END_SECONDS = 15.0  # how long a session may take to end

State = Literal["playing", "paused", "resting", "finished", "failed"]


class NoSuchReading(InputError):
    """No reading has this id."""


class TooManyReadings(NarrateError):
    """More people listen than this server has room for."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a jump leads: to `seconds` of a run that has the sentence; `run` is None if its sound must be made first,
    which begins a new run."""

    chunk: int
    run: int | None = None
    seconds: float | None = None


class Reading:
    """One text that somebody hears. Any thread may call it."""

    def __init__(
        self, service: Service, documents: Documents, entry: Entry, wishes: Mapping[str, object], identity: str
    ) -> None:
        """Raises `InputError` for a text that cannot be read aloud, and for wishes that cannot be followed."""
        self.id, self.entry = identity, entry
        self.wishes = dict(wishes)
        self.log = Log()
        self.runs = Runs(documents.folder / identity, self._told)
        self.sleep = SleepTimer()
        self.state: State = "resting"
        self.why = ""
        """Why it has failed, in a sentence; "" if it has not."""
        self.progress: Progress | None = None
        self.first_sound_seconds: float | None = None
        """How long the listener waited for the sound after the last jump to where there was none."""
        self._service, self._documents = service, documents
        self._lock = threading.RLock()
        self._session: Session | None = None
        self._attending: Background[None] | None = None
        self._leave = threading.Event()  # the session is to end
        self._left = threading.Event()  # it ends now
        self._offset: int | None = None  # where the ear was when the last session ended
        self._changing = False  # the session ends only to begin anew
        self._aim: int | None = None  # the chunk that the listener waits for
        self._asked = 0.0
        self._touched = time.monotonic()
        self.book, self.speaking = self._read(self.wishes)
        self.speed = self.speaking.speed
        """How fast it is played. The page's player does that, so that it needs no new sound."""
        self.script: LazyList[Chunk] = LazyList(())
        self.engine_name = self.speaking.engine

    def _read(self, wishes: Mapping[str, object]) -> tuple[Book, Speaking]:
        book = self._documents.open_book(self.entry, self._service.text_options(wishes))
        return book, self._service.speaking(wishes, book.language)

    @property
    def last_touched(self) -> float:
        """When somebody last showed that they listen, by the monotonic clock."""
        return max(self._touched, self.runs.last_word)

    @property
    def awake(self) -> bool:
        return self._session is not None and not self._left.is_set()

    @property
    def is_waiting(self) -> bool:
        """The listener waits for sound that has not begun to be written."""
        return self._aim is not None

    @property
    def chunk(self) -> Chunk | None:
        """The sentence at the ear, or where it goes."""
        if self._aim is not None:
            return self.script.get(self._aim)
        sounding = self.runs.ear.chunk
        return self.script.get(sounding.index) if sounding else None

    # -- what a listener may do ---------------------------------------------------------------------------------------

    def play(self) -> None:
        """Go on where the ear is."""
        with self._lock:
            self._touch()
            self._wake()
            if self._session is not None:
                self._session.transport.play()
            self._change_state("playing")

    def pause(self) -> None:
        """The place is kept, and nothing new is made."""
        with self._lock:
            self._touch()
            if self.awake and self._session is not None:
                self._session.transport.pause()
                self._change_state("paused")

    def seek(self, *, chunk: int | None = None, chapter: int | None = None, seconds: float | None = None) -> Where:
        """Go to a chunk, to the beginning of a chapter, or to a time of the book, and play. Raises `InputError`."""
        with self._lock:
            self._touch()
            index = self._index_of(chunk, chapter, seconds)
            run = self.runs.current
            sentence = run.of(index) if run is not None and self._aim is None and self.awake else None
            if run is not None and sentence is not None:
                self.runs.hears(run.number, sentence.start)
                self.play()
                return Where(index, run.number, sentence.start)
            self._aim, self._asked = index, time.monotonic()
            self.runs.break_off()
            if self.awake and self._session is not None:
                self._session.transport.seek(index)
            else:
                self._wake(index)
            self._change_state("playing")
            return Where(index)

    def _index_of(self, chunk: int | None, chapter: int | None, seconds: float | None) -> int:
        if chunk is not None:
            if self.script.get(chunk) is None:
                raise InputError(f"The text has no sentence {chunk}.")
            return chunk
        if chapter is not None:
            return self.first_of_chapter(chapter)
        return self._find(_clock(seconds or 0.0))

    def first_of_chapter(self, number: int) -> int:
        """The chunk with which a chapter begins. Raises `InputError`."""
        position = 0
        while (chunk := self.script.get(position)) is not None:
            if chunk.chapter == number:
                return position
            position += 1
        raise InputError(f"The text has no chapter {number}.")

    def _find(self, where: str) -> int:
        if self.awake and self._session is not None:
            return self._session.find(where)
        return find_start(self.script, where)

    def hears(self, run: int, seconds: float, *, playing: bool) -> bool:
        """The page says where its ear is. False if that run is not the current one any more."""
        if not isfinite(seconds):
            return False
        known = self.runs.hears(run, seconds, self.speed)
        if known and self.awake and self._session is not None and self._session.transport.paused == playing:
            (self.play if playing else self.pause)()
        return known

    def set_speed(self, speed: float) -> None:
        self.speed = speed
        self._touch()
        self._tell_state()

    def set_sleep(self, choice: float | str | None) -> None:
        """Stop after so many minutes of listening, after the "chapter", or not."""
        self._touch()
        chunk = self._session.player.chunk if self._session else None
        self.sleep.set(choice, chunk, self.runs.heard_seconds)
        self._tell_state()

    def change(self, wishes: Mapping[str, object]) -> None:
        """Go on from the same sentence with another voice, another engine or another language. Raises `InputError`."""
        with self._lock:
            self._touch()
            wanted = {**self.wishes, **wishes}
            book, speaking = self._read({name: value for name, value in wanted.items() if value is not None})
            self._service.seat(speaking, book.language, mixed=book.options.mixed).close()
            was = self.state
            self._changing = True
            try:
                self.rest()
            finally:
                self._changing = False
            self.wishes, self.book, self.speaking = wanted, book, speaking
            self._asked = time.monotonic()
            self._wake()
            if was == "paused" and self._session is not None:
                self._session.transport.pause()
            self.log.tell("reset", {})
            self._change_state("paused" if was == "paused" else "playing")

    def _touch(self) -> None:
        self._touched = time.monotonic()

    # -- sessions -----------------------------------------------------------------------------------------------------

    def _open(self, stack: ExitStack, index: int | None = None) -> Session:
        session = self._service.open_session(
            self.book,
            replace(self.speaking, speed=1.0),
            [partial(PageSink, self.runs)],
            stack,
            listening=True,
            keeps_place=self.entry.kind != "text",
        )
        session.sleep = self.sleep
        player = session.player
        player.unheard_seconds, player.ahead_seconds = UNHEARD_SECONDS, AHEAD_SECONDS - UNHEARD_SECONDS
        player.asked_seconds = AHEAD_SECONDS
        if index is not None:
            player.index = index
        elif (offset := self._place()) is not None:
            player.index = chunk_at(player.script, offset)
        return session

    def _place(self) -> int | None:
        """The offset in the text where the ear is; None at the beginning."""
        if self._offset is not None or self.book.document is None or self.entry.kind == "text":
            return self._offset
        place = self._service.bookmarks.load(self.book.identity, self.book.document.source)
        return place.start if place is not None and place.fraction < 1.0 else None

    def _wake(self, index: int | None = None) -> None:
        """Begin a session, at the chunk `index` or where the ear is. Raises `InputError`."""
        if self.awake:
            return
        self._wait_for_end()
        stack = ExitStack()
        try:
            session = self._open(stack, index)
        except BaseException:
            stack.close()
            raise
        self.runs.break_off()
        self.script, self.engine_name = session.player.script, session.engine.name
        self.why, self._session = "", session
        self._aim = session.player.index
        self._asked = time.monotonic()
        self._leave.clear()
        self._left.clear()
        self._attending = Background(partial(self._attend, session, stack), "narrate-reading")

    def rest(self) -> None:
        """End the session. The place is kept."""
        with self._lock:
            self._leave.set()
            self._wait_for_end()
            self._change_state("resting")

    def _wait_for_end(self) -> None:
        if self._attending is not None and not self._attending.wait(END_SECONDS):
            _log.warning("A reading of %s does not end.", self.book.title)

    def _attend(self, session: Session, stack: ExitStack) -> None:
        """Follow the session to its end, in a thread of its own."""
        told, ended = 0.0, False
        try:
            with stack:
                with session:
                    while not (ended := session.wait(LOOK_SECONDS)) and not self._is_left():
                        if time.monotonic() - told >= TELL_SECONDS:
                            told = time.monotonic()
                            self._tell(session)
                    self._left.set()
                self._tell(session)
        except NarrateError as error:
            self._fail(str(error))
        except Exception as error:
            _log.exception("A reading of %s has failed.", self.book.title)
            self._fail(f"This is a defect of narrate ({type(error).__name__}: {error}).")
        else:
            self._end(session, finished=ended and not session.transport.stopped)
        finally:
            self._left.set()
            self._session = None

    def _end(self, session: Session, *, finished: bool) -> None:
        chunk = session.player.chunk
        self._offset = None if finished or chunk is None else chunk.start
        if session.slept:
            self.sleep.set(None, None, 0.0)
            self.log.tell("notice", {"text": "Good night. The sleep timer has stopped the reading."})
        self._change_state("finished" if finished else "resting")
        if finished:
            self.log.tell("done", {"stopped": False})

    def _fail(self, why: str) -> None:
        self.why = why
        with suppress(Exception):
            self._offset = self._session.player.chunk.start if self._session and self._session.player.chunk else None
        self._change_state("failed")

    def _is_left(self) -> bool:
        quiet = time.monotonic() - self.last_touched
        return self._leave.is_set() or quiet > (LEFT_SECONDS if self.log.followers else GONE_SECONDS)

    def close(self) -> None:
        """End for good: the place is kept, the sound is thrown away, and those who follow are told."""
        self.rest()
        self.log.close()
        self.runs.drop()

    # -- what is told -------------------------------------------------------------------------------------------------

    def _tell(self, session: Session) -> None:
        for event in session.events():
            self._tell_event(event)

    def _tell_event(self, event: Event) -> None:
        match event:
            case Failed(chunk, why):
                self.log.tell("failed", {"chunk": chunk.index, "text": chunk.text, "why": why})
            case Notice(text):
                self.log.tell("notice", {"text": text})
            case Progress():
                self.progress = event
                self.log.mention("progress", self.statistics())
            case Done():
                pass
            case _:
                pass

    def statistics(self) -> dict[str, Any]:
        """The figures of this moment, see `Progress`; shares are of what is read, 0 … 1."""
        progress, run = self.progress, self.runs.current
        front = run.sentences[-1].chunk if run is not None and run.sentences else None
        figures = asdict(replace(progress, chunk=None)) if progress is not None else {}
        figures.pop("chunk", None)
        chunk = progress.chunk if progress is not None else None
        return {
            **figures,
            "chunk": chunk.index if chunk else None,
            "chapter": chunk.chapter if chunk else None,
            "ready_share": self.book.share(front) if front else None,
            "first_sound_seconds": self.first_sound_seconds,
        }

    def _told(self, told: Told) -> None:
        run = told.run
        match told.item:
            case Sentence() as sentence:
                if sentence.chunk.index == self._aim:
                    self._aim = None
                self.log.tell("text", {"run": run.number, **of_sentence(sentence)})
            case Segment() as segment:
                if segment.index == 0:
                    self.first_sound_seconds = round(time.monotonic() - self._asked, 3)
                self.log.tell("audio", {"run": run.number, **self.of_segment(run, segment)})
            case None if told.kind == "run":
                self.log.tell("run", {"run": run.number, "url": self.address(run, PLAYLIST)})
            case None:
                self.log.tell("complete", {"run": run.number, "seconds": run.ready})

    def address(self, run: Run, name: str) -> str:
        """The address of a file of a run."""
        return f"/api/readings/{self.id}/runs/{run.number}/{name}"

    def of_segment(self, run: Run, segment: Segment) -> dict[str, Any]:
        """A segment as a browser sees it."""
        url = self.address(run, segment.name)
        return {"index": segment.index, "url": url, "start": segment.start, "end": segment.end}

    def _change_state(self, state: State) -> None:
        if not self._changing:
            self.state = state
            self._tell_state()

    def _tell_state(self) -> None:
        self.log.tell("state", {"state": self.state, "why": self.why, "speed": self.speed, "sleep": self.sleep.choice})


def of_sentence(sentence: Sentence) -> dict[str, Any]:
    """A sentence of a run as a browser sees it."""
    chunk = sentence.chunk
    return {
        "chunk": chunk.index,
        "chapter": chunk.chapter,
        "text": chunk.text,
        "start": sentence.start,
        "end": sentence.end,
    }


def _clock(seconds: float) -> str:
    whole = int(max(0.0, seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


class Readings:
    """All readings of a server. Closing it keeps all places."""

    def __init__(self, service: Service, documents: Documents) -> None:
        self._service, self.documents = service, documents
        self._lock = threading.Lock()
        self._readings: dict[str, Reading] = {}
        self._closed = False

    def create(self, document: str, wishes: Mapping[str, object]) -> Reading:
        """Begin to read a document. Raises `InputError`, and `TooManyReadings`."""
        self._make_room()
        entry = self.documents.find(document)
        reading = Reading(self._service, self.documents, entry, wishes, secrets.token_urlsafe(12))
        if self._service.retry_seconds(reading.speaking, reading.book.language, mixed=reading.book.options.mixed):
            raise TooManyReadings("As many people listen now as this machine can speak for. Try again in a while.")
        reading.play()
        with self._lock:
            if not self._closed:
                self._readings[reading.id] = reading
                return reading
        reading.close()
        raise TooManyReadings("The server is being stopped.")

    def _make_room(self) -> None:
        """Drop the reading that rests longest, if there are too many."""
        with self._lock:
            if len(self._readings) < MOST_READINGS:
                return
            idle = [reading for reading in self._readings.values() if not reading.awake]
            if not idle:
                raise TooManyReadings("All places of this server are taken. Try again in a while.")
            oldest = min(idle, key=lambda reading: reading.last_touched)
            del self._readings[oldest.id]
        oldest.close()

    def find(self, identity: str) -> Reading:
        """Raises `NoSuchReading`."""
        with self._lock:
            if identity in self._readings:
                return self._readings[identity]
        raise NoSuchReading("There is no such reading. Choose the text again: its place is kept.")

    def list(self) -> list[Reading]:
        """All, the one that was touched last first."""
        with self._lock:
            return sorted(self._readings.values(), key=lambda reading: -reading.last_touched)

    def delete(self, identity: str) -> None:
        """End a reading. Its place is kept. Raises `NoSuchReading`."""
        reading = self.find(identity)
        with self._lock:
            self._readings.pop(identity, None)
        reading.close()

    def say_goodbye(self) -> None:
        """Let all event streams end. May be called from any thread, and by a signal's handler."""
        for reading in list(self._readings.values()):
            reading.log.close()

    def close(self) -> None:
        """End all readings, at the same time."""
        with self._lock:
            self._closed = True
            readings = list(self._readings.values())
            self._readings.clear()
        ending = [Background(reading.close, "narrate-closing") for reading in readings]
        for each in ending:
            each.wait(END_SECONDS)
