"""One reading of a book, with no screen and no keyboard. Events come out, the transport goes in.

A terminal, a benchmark and a server are readers of the same events (`Session.events`) and hold the same remote control
(`Session.transport`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from narrate.checking.examiner import Examiner
from narrate.checking.verdict import Verdict, read_verdict
from narrate.clip import Clip, Samples, join, silence
from narrate.engines import Engine
from narrate.engines.choose import open_engine
from narrate.engines.table import engine_lengths
from narrate.errors import NarrateError, SinkError
from narrate.files import HeldFile
from narrate.pipeline import Background
from narrate.playback.bookmark import Bookmarks, Mark, place_of
from narrate.playback.eta import Eta
from narrate.playback.forecast import Forecast, Outlook
from narrate.playback.player import Aborted, Player
from narrate.playback.sleep import SleepTimer
from narrate.playback.start import chunk_at, find_start
from narrate.playback.transport import Transport
from narrate.sinks import Opener
from narrate.store.in_memory import MemoryTakes
from narrate.store.key import take_key
from narrate.store.takes import Takes
from narrate.synthesis.narrator import Narrator
from narrate.synthesis.stats import Stats
from narrate.synthesis.trial import Trial
from narrate.text.book import Book, TextOptions, book_of_text, open_book
from narrate.text.document import Chunk
from narrate.voice import Voice

LAST_SENTENCE_SHARE = 0.999  # while its last sentence sounds, a book counts as read so far, and not as finished
LOOK_AHEAD_SECONDS = 0.015  # of wall time, at each look at the events, to find out how long the book is
CATCH_UP_SECONDS = 0.2  # the same, as long as it was not looked as far as the ear is
FIRST_SOUND_SECONDS = 1.0  # after the first take was made, before anybody judges takes
ABORT_SECONDS = 10.0  # how long a reading that is broken off may take to end
SILENCE_SECONDS = 3.0  # how long the sinks may take to be silent; a device that hangs would take for ever
TWO_READERS = "Another narrate is reading this book aloud now. The place of the one that stops last will be kept."


@dataclass(frozen=True, slots=True)
class Began:
    """The sound of a chunk begins."""

    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Failed:
    """A chunk could not be spoken; there is silence in its place."""

    chunk: Chunk
    why: str


@dataclass(frozen=True, slots=True)
class Doubted:
    """What was said of a chunk may be wrong, and no take was better."""

    chunk: Chunk
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for the listener."""

    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a reading. Seconds are of sound at the speed of the moment unless they say otherwise; None is not
    known yet.

    `share` of the text has been heard or written, 0 … 1. `position_seconds` have sounded since the beginning of the
    book, of `total_seconds` in all, and the chapter has `chapter_left_seconds` left. `left_seconds` is wall time until
    the end. `finished_share`, 0 … 1, is how far files are completed after their last sound; None while there is sound.
    `sleep_seconds`: the sleep timer ends the reading after them, at `sleep_at_chapter_end` after the chapter. `pace`:
    so many seconds of sound are made in a second of wall time; None while somebody listens.
    """

    chunk: Chunk | None
    share: float | None
    written_seconds: float
    ready_seconds: float
    left_seconds: float | None
    rtf: float | None
    made: int
    reused: int
    failed: int
    gaps: int
    paused: bool
    speed: float
    position_seconds: float = 0.0
    total_seconds: float | None = None
    chapter_left_seconds: float | None = None
    finished_share: float | None = None
    sleep_seconds: float | None = None
    sleep_at_chapter_end: bool = False
    pace: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The reading has ended. `stopped`: before the end of the book, because the listener wanted it."""

    stopped: bool


Event = Began | Failed | Doubted | Notice | Progress | Done


@dataclass(slots=True)
class Session:
    """A reading of `book` with `engine` and `voice`, whose takes are kept in `takes`, into the sinks of `openers`.

    `start` is where to begin: None where the ear stopped, "" at the beginning, else a chapter, a mark or a time
    ("12:30"). `bookmarks` None keeps no place. `listening`: somebody hears it and may change their mind; `writing`: it
    goes into files, which are to be whole; `streaming`: what reads the sound may be a player, so it should begin soon.
    `examiner` judges every take, if it is not None; the best of `takes_of_each` is kept of every chunk.
    Use it as a context manager: the reading runs in the background inside the block. Leaving the block raises what went
    wrong; leaving it with an error breaks the reading off.
    """

    book: Book
    engine: Engine
    voice: Voice
    takes: Takes
    openers: Sequence[Opener]
    listening: bool = False
    writing: bool = False
    streaming: bool = False
    start: str | None = None
    speed: float = 1.0
    fresh_takes: bool = False
    examiner: Examiner | None = None
    takes_of_each: int = 1
    bookmarks: Bookmarks | None = None
    sleep: SleepTimer = field(default_factory=SleepTimer)
    player: Player = field(init=False)
    forecast: Forecast = field(init=False)
    slept: bool = field(default=False, init=False)
    """The sleep timer has ended the reading."""
    wall_seconds: float = field(default=0.0, init=False)
    """Wall time from the start of the reading to its end."""
    _events: deque[Event] = field(default_factory=deque, init=False)
    _playing: Background[None] | None = field(default=None, init=False)
    _started: float = field(default_factory=time.monotonic, init=False)
    _eta: Eta = field(default_factory=Eta, init=False)
    _failures: int = field(default=0, init=False)  # that were told
    _doubts: int = field(default=0, init=False)  # that were told
    _trial: Trial | None = field(default=None, init=False)
    _kept: tuple[Chunk | None, bool] = field(default=(None, False), init=False)  # the place kept last, and if paused
    _listed: bool = field(default=False, init=False)  # the book is among those that were read
    _ear: HeldFile | None = field(default=None, init=False)  # tells other programs that somebody listens

    def __post_init__(self) -> None:
        self.voice = replace(self.voice, language=self.book.language)
        abilities = self.engine.abilities
        key = partial(take_key, self.engine.fingerprint, self.voice, uses_seed=abilities.uses_seed)
        if self.examiner is not None:
            begin_seconds = FIRST_SOUND_SECONDS if self.listening or self.streaming else 0.0
            self._trial = Trial(self.examiner, self.takes_of_each, begin_seconds=begin_seconds)
        narrator = Narrator(
            self.engine, self.voice, self.takes, key, wait_for_others=not self.listening, trial=self._trial
        )
        script = self.book.script(
            engine_lengths(self.engine.name), fresh_takes=self.fresh_takes and not abilities.deterministic
        )
        self.player = Player(script, narrator, self.openers, Transport(self.speed), listening=self.listening)
        if self.streaming:
            self.player.buffered = lambda: self.player.ready_seconds
        self.player.on_chunk = self._on_chunk
        self.forecast = Forecast(script, self._known_seconds, self.book.share)
        if self.book.document is None:
            self.bookmarks = None
        self._go_to_start()

    @property
    def transport(self) -> Transport:
        return self.player.transport

    @property
    def stats(self) -> Stats:
        return self.player.narrator.stats

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        if self.listening and self.bookmarks is not None:
            if self.bookmarks.is_listened_to(self.book.identity):
                self._events.append(Notice(TWO_READERS))
            self._ear = self.bookmarks.listen(self.book.identity)
        try:
            self._playing = Background(self._play, "narrate-playing")
        except BaseException:
            self._break_off()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        finished = False
        try:
            if error is not None or self._playing is None:
                self._break_off()
                return
            if not self._playing.wait(0.0):
                self.transport.stop()
            self._playing.result()
            finished = not self.transport.stopped
        except BaseException:
            self._break_off()
            raise
        finally:
            self.wall_seconds = time.monotonic() - self._started
            self._keep_place(at_end=True, finished=finished)
            if self._ear is not None:
                self._ear.discard()
            if self._trial is not None:
                self._trial.close()

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`; True once the reading has ended. Keeps the listener's place meanwhile.

        Raises `SinkError` if the reading was stopped and cannot end, because a device hangs.
        """
        ended = self._playing is not None and self._playing.wait(seconds)
        if self.slept and self.writing and self.listening:
            self.stop_listening()
        self._keep_place()
        if not ended and self.transport.stopped and self.player.hangs:
            raise SinkError("The sound device does not answer. Check it, and start again.")
        return ended

    @property
    def asked_for_all(self) -> bool:
        """True if nothing is left that the engine was not asked for."""
        return self.player.narrator.asked_for_all

    def events(self) -> Iterator[Event]:
        """What has happened since the last call; a `Progress` of this moment is last, after the end `Done`."""
        failed = self.stats.failed
        while self._failures < len(failed):
            self._events.append(Failed(*failed[self._failures]))
            self._failures += 1
        doubtful = self.stats.doubtful
        while self._doubts < len(doubtful):
            self._events.append(Doubted(*doubtful[self._doubts]))
            self._doubts += 1
        while self._events:
            yield self._events.popleft()
        yield self._progress()
        if self._playing is not None and self._playing.wait(0.0):
            yield Done(self.transport.stopped)

    def mark(self, chunk: Chunk) -> Mark | None:
        """Keep the chunk's place as a mark; None if this text has no places to keep."""
        if self.bookmarks is None or self.book.document is None:
            return None
        return self.bookmarks.mark(self.book.identity, place_of(self.book.document.source, self.book.whole, chunk))

    def verdict(self, chunk: Chunk) -> Verdict | None:
        """What was found about the take that is stored of the chunk; None if nothing was."""
        return read_verdict(self.takes.verdict(self.player.narrator.key(chunk)))

    def share_of_book(self, chunk: Chunk) -> float:
        """Which share of the whole book, not only of the chosen chapters, lies before the chunk's end.

        It is 0 for a text that is still being written.
        """
        return place_of("", self.book.whole, chunk).fraction if self.book.document else 0.0

    def find(self, where: str) -> int:
        """The index of the chunk where a chapter, a mark or a time begins. Raises `InputError` naming what there is."""
        return find_start(
            self.player.script,
            where,
            marks=self.marks(),
            known=self._known_seconds,
            speed=self.transport.speed,
            chosen=self.book.options.chapters,
        )

    def marks(self) -> tuple[Mark, ...]:
        """The marked places of the book, in its order."""
        return self.bookmarks.marks(self.book.identity, self._source) if self.bookmarks else ()

    def stop_listening(self) -> None:
        """The listener has heard enough: the place is kept, and the files are written to their end."""
        self._keep_place(at_end=True)
        self.listening = False
        self.player.hush()

    def _play(self) -> None:
        with suppress(Aborted):
            self.player.play()

    def _break_off(self) -> None:
        """Be silent and end. The place is kept first, and nobody waits for a device that hangs."""
        self._keep_place(at_end=True)
        silenced = Background(self.player.abort, "narrate-abort")
        if not silenced.wait(SILENCE_SECONDS):
            self.player.narrator.interrupt()
            return
        with suppress(Exception):  # why the reading is broken off is what must be told, not what came of it
            silenced.result()
        if self._playing is not None:
            self._playing.wait(ABORT_SECONDS)

    def _go_to_start(self) -> None:
        """Go to the chunk to begin with: where the listener says, or where the ear stopped."""
        script, identity = self.player.script, self.book.identity
        if self.start:
            self.player.index = self.find(self.start)
        elif self.listening and self.bookmarks is not None and self.start is None:
            place = self.bookmarks.load(identity, self._source)
            if place is not None and place.fraction < 1.0:
                self.player.index = chunk_at(script, place.start)
                if self.player.index:
                    where = f"in “{place.title}”, " if place.title else ""
                    self._events.append(
                        Notice(f"Going on {where}{place.fraction:.0%} into the book (--from-start starts over).")
                    )

    @property
    def _source(self) -> str:
        return self.book.document.source if self.book.document else ""

    def _known_seconds(self, chunk: Chunk) -> float | None:
        """How long the chunk's take is, if it is stored."""
        return self.takes.seconds(self.player.narrator.key(chunk))

    def _on_chunk(self, chunk: Chunk) -> None:
        if self.listening and self.sleep.is_due(chunk, self.player.ear.heard_seconds):
            self.slept = True
            if not self.writing:
                self.transport.stop()
        self._events.append(Began(chunk))

    def _progress(self) -> Progress:
        player, stats, ear = self.player, self.stats, self.player.ear
        outlook = self._outlook()
        speed = player.transport.speed
        self._eta.tell(time.monotonic() - self._started, player.written_seconds + player.ready_seconds / speed)
        position = outlook.start / speed + ear.into_seconds
        total = None if outlook.end is None else max(position, outlook.end / speed)
        return Progress(
            chunk=player.chunk,
            share=self.book.share(player.chunk) if player.chunk else None,
            written_seconds=player.written_seconds,
            ready_seconds=player.ready_seconds + ear.unheard_seconds,
            left_seconds=None if total is None else self._left_seconds(total - position),
            rtf=stats.rtf,
            made=stats.made,
            reused=stats.reused,
            failed=len(stats.failed),
            gaps=player.gaps,
            paused=player.transport.paused,
            speed=speed,
            position_seconds=position,
            total_seconds=total,
            chapter_left_seconds=(
                None if outlook.chapter_end is None else max(0.0, outlook.chapter_end / speed - position)
            ),
            finished_share=player.finished_share,
            sleep_seconds=self.sleep.left_seconds(ear.heard_seconds),
            sleep_at_chapter_end=self.sleep.choice == "chapter",
            pace=None if self.listening else self._eta.pace(self._engine_pace),
        )

    def _outlook(self) -> Outlook:
        """What is foreseen from the chunk that sounds on. Nothing is looked at before the first sound."""
        chunk = self.player.chunk
        if chunk is None or self.book.document is None:
            return Outlook(0.0, None, None)
        behind = self.forecast.seen <= chunk.index  # the reading began in the middle of the book
        self.forecast.look_ahead(CATCH_UP_SECONDS if behind else LOOK_AHEAD_SECONDS)
        self.forecast.learn(chunk.index)
        return self.forecast.at(chunk.index)

    def _left_seconds(self, sound_seconds: float) -> float | None:
        """Wall seconds until the end of so much sound: as long as it, or as long as it takes to make it."""
        if self.listening:
            return sound_seconds
        unmade = sound_seconds - self.player.ready_seconds / self.transport.speed
        return self._eta.left_seconds(time.monotonic() - self._started, unmade, self._engine_pace)

    @property
    def _engine_pace(self) -> float | None:
        return 1 / (self.stats.rtf * self.transport.speed) if self.stats.rtf else None

    def _keep_place(self, *, at_end: bool = False, finished: bool = False) -> None:
        """Note where the ear is, at every sentence; for good (see `Bookmarks.save`) where it may stay for a while."""
        player, before = self.player, self._kept
        aim = player.transport.aim
        chunk = player.chunk if aim is None else player.script.get(aim)
        now = (chunk, player.transport.paused)
        if chunk is not None and self.bookmarks is not None and not self._listed:
            self._listed = True
            self.bookmarks.meet(self.book.identity)
        if chunk is None or not (at_end or now != before) or not self.listening:
            return
        self._kept = now
        if self.bookmarks is not None and self.book.document is not None:
            place = place_of(self.book.document.source, self.book.whole, chunk)
            if not finished:
                place = replace(place, fraction=min(place.fraction, LAST_SENTENCE_SHARE))
            lasting = at_end or player.transport.paused or (before[0] or chunk).chapter != chunk.chapter
            self.bookmarks.save(self.book.identity, place, lasting=lasting)


def read(
    path: str | Path, *, voice: str | Voice | None = None, engine: str = "auto", text: TextOptions | None = None
) -> Iterator[Clip]:
    """The book at `path` as clips in reading order: the sound of each chunk, then the pause after it.

    `voice` is the name of a voice, or a `Voice`; `engine` as `--engine` takes it; `text` says how the book is read. A
    chunk that could not be spoken comes as silence with its `failure`. Raises `InputError` for what cannot be read.

        for clip in narrate.read("novel.txt", engine="espeak"):
            print(clip.chunk.text, clip.seconds)
    """
    return _clips(open_book(str(path), text or TextOptions()), _voice(voice), engine)


def synthesize(
    text: str, *, voice: str | Voice | None = None, engine: str = "auto", language: str | None = None
) -> tuple[Samples, int]:
    """The sound of a text, pauses within it too: float32 samples, mono, within [-1, 1], and the sample rate in Hz.

    Raises `InputError` for a text without a word, and `NarrateError` if a part of it could not be spoken.

        samples, sample_rate = narrate.synthesize("It was a dark night.", engine="espeak")
    """
    clips = list(_clips(book_of_text(text, TextOptions(language=language)), _voice(voice), engine))
    for clip in clips:
        if clip.failure:
            raise NarrateError(f"A part of the text could not be spoken ({clip.failure}): {clip.chunk.text}")
    return join(clip.samples for clip in clips), clips[0].sample_rate


def _voice(voice: str | Voice | None) -> Voice:
    return voice if isinstance(voice, Voice) else Voice(name=voice)


def _clips(book: Book, voice: Voice, spec: str) -> Iterator[Clip]:
    engine, _ = open_engine(spec, voice, book.language)
    with closing(engine):
        session = Session(book, engine, voice, MemoryTakes(), [])
        for clip in session.player.narrator.clips(session.player.script.since(0)):
            yield clip
            if clip.final and clip.chunk.pause > 0:
                quiet = silence(clip.chunk.pause, clip.sample_rate)
                yield replace(clip, samples=quiet, final=False, pause=True, failure=None)
