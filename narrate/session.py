"""One reading of a book, from what the listener asked for to the last sample. Listening and export differ in sinks."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Literal, TextIO

from narrate.clock import hms
from narrate.engines import BATCH, BatchEngine, Engine, choose_engine, engine_lengths, find_engine, load_engine
from narrate.engines.planner import Planner
from narrate.engines.tuning import best_batch_size
from narrate.errors import InputError
from narrate.folders import home
from narrate.pipeline import Beside
from narrate.playback.bookmark import Bookmarks, place_of
from narrate.playback.player import Player
from narrate.playback.start import chunk_at, find_start
from narrate.sinks import Sink, check_target, open_sink
from narrate.sinks.speaker import Speaker
from narrate.store.in_memory import MemoryTakes
from narrate.store.key import take_key
from narrate.store.store import BookTakes, Store
from narrate.synthesis.narrator import Narrator
from narrate.synthesis.queue import Takes
from narrate.terminal.controls import Hand
from narrate.terminal.display import Display, Progress, open_display
from narrate.terminal.keys import Keys
from narrate.text.book import Book, TextOptions, open_book
from narrate.text.document import Chunk
from narrate.text.language import LANGUAGES
from narrate.voice import Voice

ROWS = ("batch_size", "slots")  # what engines call the number of chunks they take at once
GLANCE = 0.1  # seconds between two looks at the keyboard and at the figures
MINUTES_AT_HAND = 64 << 20  # bytes of takes in memory while listening: about ten minutes
PHRASES_AT_HAND = 8 << 20  # and while writing a file
NOT_ALL_SPOKEN = 3  # exit code
NEARLY = 0.999  # of a book is read while its last sentence sounds


@dataclass(frozen=True, slots=True)
class Request:
    """What the listener asked for: plain data from the command line.

    `start` is where to begin: None where the ear stopped, "" at the beginning, else a chapter or a time ("12:30").
    `store`: the folder for takes, None for none. `batch_size` "auto" is what suits the engine
    here, None nothing in particular.
    """

    source: str
    text: TextOptions = field(default_factory=TextOptions)
    voice: Voice = field(default_factory=Voice)
    engine: str = "auto"
    engine_options: Mapping[str, object] = field(default_factory=dict)
    output: str | None = None
    play: bool = False
    force: bool = False
    start: str | None = None
    batch_size: int | Literal["auto"] | None = None
    device: str | None = None
    store: Path | None = None
    fresh_takes: bool = False
    quiet: bool = False

    @property
    def listening(self) -> bool:
        return self.play or self.output is None

    @property
    def heard(self) -> bool:
        """True if somebody may be waiting for the next sound: what reads our standard output may be a player."""
        return self.listening or self.output == "-"


def read(request: Request, stderr: TextIO = sys.stderr) -> int:
    """Read the book aloud, or into a file. Returns the exit code: 0, or 3 if chunks could not be spoken."""
    if request.output is not None:
        check_target(request.output, force=request.force)
    book = open_book(request.source, request.text)
    with open_display(stderr, quiet=request.quiet) as display, _overheard(display):
        with ExitStack() as stack:
            reading = _begin(request, book, display, stack)
            reading.attend(stack.enter_context(Keys()) if request.output is None else None)
        return reading.conclude()


@contextmanager
def _overheard(display: Display) -> Iterator[None]:
    """What modules below have to report, such as a voice that was started again, is said on the display."""

    class Saying(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            display.note(record.getMessage())

    handler = Saying(logging.WARNING)
    logger = logging.getLogger("narrate")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _begin(request: Request, book: Book, display: Display, stack: ExitStack) -> _Reading:
    """Everything that must be there before the first sound; the loudspeaker is opened beside the rest."""
    engine = stack.enter_context(closing(_engine(request, book, display)))
    opening = Beside(partial(Speaker, engine.sample_rate, request.device)) if request.listening else None
    if opening is not None:  # whatever fails meanwhile: PortAudio hides stderr as it starts, and must not be cut off
        stack.callback(opening.wait, 10.0)
    voice = replace(request.voice, language=book.language)
    narrator = Narrator(
        engine,
        voice,
        _takes(request, book, stack, display),
        partial(take_key, engine.fingerprint, voice),
        Planner(_batch_size(engine, request.batch_size)),
        share=not request.listening,
    )
    script = book.script(engine_lengths(engine.name), fresh_takes=request.fresh_takes and not engine.repeats)
    player = Player(script, narrator, [], listening=request.listening)
    if not request.heard:
        player.buffer = lambda: inf
    reading = _Reading(request, book, player, display)
    reading.beginning()
    reading.open_sinks(stack, stack.enter_context(opening.result()) if opening else None)
    return reading


def _engine(request: Request, book: Book, display: Display) -> Engine | BatchEngine:
    """The engine for the book, checked against the voice that was asked for."""
    for warning in book.document.warnings if book.document else ():
        display.say(warning)
    spec = request.engine
    if spec == "auto":
        spec, why = choose_engine(book.language)
        display.note(f"Voice: {why}.")
    options = _engine_options(request, spec.partition(":")[0])
    engine = load_engine(spec, **options)
    if request.batch_size == "auto" and (rows := best_batch_size(engine.fingerprint)) is not None:
        engine = load_engine(spec, **{**options, **{name: rows for name in ROWS if name in options}})
    engine.check(replace(request.voice, language=book.language))
    return _mixed(engine) if request.text.mixed else engine


def _engine_options(request: Request, name: str) -> dict[str, object]:
    """What was asked of the engine: in words, and by the kind of voice."""
    options = dict(request.engine_options)
    known = find_engine(name).load().OPTIONS
    if request.batch_size is not None:
        rows = None if request.batch_size == "auto" else request.batch_size
        options.update((option, rows) for option in ROWS if option in known)
    if "model" in known and "model" not in options:
        kind = "base" if request.voice.reference else "voicedesign" if request.voice.describe else None
        options.update({"model": kind} if kind else {})
    return options


def _batch_size(engine: Engine | BatchEngine, wanted: int | Literal["auto"] | None) -> int:
    """Chunks at once: what the engine itself has room for, what was asked for, or what was measured to be best here."""
    own: int | None = getattr(engine, "batch_size", None)
    if own is not None:
        return own
    return (best_batch_size(engine.fingerprint) if wanted == "auto" else wanted) or BATCH


def _mixed(engine: Engine | BatchEngine) -> Engine | BatchEngine:
    """The engine, helped out by another for a language it does not speak, if there is one here that does."""
    if engine.languages >= LANGUAGES.keys() or hasattr(engine, "synthesize"):
        return engine
    from narrate.engines.mixed import Mixed

    foreign = "en" if "en" not in engine.languages else "ja"
    try:
        second = load_engine(choose_engine(foreign)[0])
    except InputError:  # no such engine here: what is quoted in that language, if anything is, fails by name
        return engine
    return Mixed(engine, second)  # type: ignore[arg-type]


def _takes(request: Request, book: Book, stack: ExitStack, display: Display) -> Takes:
    """Where takes are kept. An ear may go back to the last minutes; a file only wants what is said again and again."""
    at_hand = MINUTES_AT_HAND if request.listening else PHRASES_AT_HAND
    if request.store is None:
        return MemoryTakes(at_hand)
    store = stack.enter_context(Store(request.store, memory_bytes=at_hand, say=display.say))
    return store.for_book(book.identity.content, must_keep=not request.listening)


@dataclass(slots=True)
class _Reading:
    """A player at work: its beginning, what the listener sees and presses meanwhile, and its end."""

    request: Request
    book: Book
    player: Player
    display: Display
    speaker: Speaker | None = None
    bookmarks: Bookmarks | None = None
    _started: float = field(default_factory=time.monotonic)
    _done: float = 0.0  # share of the book that was played, jumps apart
    _took: float = 0.0  # wall seconds until the last chunk began
    _failures: int = 0
    _kept: tuple[Chunk | None, bool] = (None, False)  # the chunk at the ear, and if it paused there

    def __post_init__(self) -> None:
        if self.book.document is not None:
            self.bookmarks = Bookmarks(home() / "places", say=self.display.say)
            self.bookmarks.meet(self.book.identity)
        self.player.on_chunk = self._on_chunk
        self.player.wishes.speed = self.request.voice.speed

    def beginning(self) -> None:
        """Go to the chunk to begin with: where the listener says, or where the ear stopped."""
        script, start = self.player.script, self.request.start
        if start:
            marks = self.bookmarks.marks(self.book.identity, self._source) if self.bookmarks else ()
            speed = self.request.voice.speed
            self.player.place = find_start(script, start, marks=marks, known=self._seconds_of, speed=speed)
        elif self.request.listening and self.bookmarks is not None:
            place = self.bookmarks.load(self.book.identity, self._source)
            if start is None and place is not None and place.fraction < 1.0:
                self.player.place = chunk_at(script, place.start)
                if self.player.place:
                    where = f"in “{place.title}”, " if place.title else ""
                    self.display.note(f"Going on {where}{place.fraction:.0%} into the book (--from-start begins anew).")

    @property
    def _source(self) -> str:
        return self.book.document.source if self.book.document else ""

    def _seconds_of(self, chunk: Chunk) -> float | None:
        """How long the chunk's take is, if it is stored."""
        takes = self.player.narrator.takes
        return takes.seconds(self.player.narrator.key(chunk)) if isinstance(takes, BookTakes) else None

    def open_sinks(self, stack: ExitStack, speaker: Speaker | None) -> None:
        sinks: list[Sink] = []
        if speaker is not None:
            self.speaker = speaker
            self.player.rest = speaker.rest
            sinks.append(speaker)
        if self.request.output is not None:
            tags = {"title": self.book.title, "artist": self.book.author, "language": self.book.language}
            rate = self.player.narrator.engine.sample_rate
            sinks.append(stack.enter_context(open_sink(self.request.output, rate, force=self.request.force, tags=tags)))
        self.player.sinks = sinks

    def attend(self, keys: Keys | None) -> None:
        """Play to the end in a thread beside this one; meanwhile show how it goes and do what the keys say."""
        hand = Hand(self.player, self._mark, self.display.say)
        finished = False
        self._started = time.monotonic()
        playing = Beside(self.player.play, "narrate-playing")
        try:
            while not playing.wait(0.0 if keys and keys.present else GLANCE):
                key = keys.wait(GLANCE) if keys and keys.present else None
                if key is not None:
                    hand.press(key)
                self._keep_place()
                self._show()
            playing.result()
            finished = not self.player.wishes.stopping
        except BaseException:
            self.player.wishes.stop()
            if self.speaker is not None:
                self.speaker.abort()
            self.player.narrator.interrupt()
            playing.wait(10.0)
            raise
        finally:
            self._keep_place(at_end=True, finished=finished)
        self._show()

    def conclude(self) -> int:
        """Say what came of it; the exit code."""
        tally, seconds = self.player.narrator.tally, self.player.written_seconds
        wall = time.monotonic() - self._started
        what = "Heard" if self.request.output is None else f"Wrote {self.request.output}:"
        parts = [f"{what} {hms(seconds)} in {hms(wall)}"]
        if tally.rtf is not None:
            parts.append(f"RTF {tally.rtf:.3g}")
        total = tally.made + tally.reused
        if total:
            parts.append(f"{tally.made} takes made, {tally.reused} reused ({tally.reused / total:.1%})")
        if tally.retaken:
            parts.append(f"{tally.retaken} taken again")
        if self.speaker is not None and self.speaker.underflows:
            parts.append(f"{self.speaker.underflows} gaps")
        takes = self.player.narrator.takes
        if isinstance(takes, BookTakes) and takes.damaged:
            parts.append(f"{takes.damaged} damaged takes made again")
        if tally.failed:
            parts.append(f"{len(tally.failed)} not spoken")
        if self.player.wishes.stopping and self.player.chunk is not None:
            parts.append(f"the place is kept, {self.book.share(self.player.chunk) or 0:.0%} into the book")
        self.display.note(" · ".join(parts))
        return NOT_ALL_SPOKEN if tally.failed else 0

    def _show(self) -> None:
        player, tally = self.player, self.player.narrator.tally
        for chunk, wrong in tally.failed[self._failures :]:
            self._failures += 1
            text = " ".join(chunk.text.split())
            self.display.say(f"narrate: not spoken, silence in its place ({wrong}): “{text}”")
        share = self.book.share(player.chunk) if player.chunk else None
        self.display.show(
            Progress(
                title=f"{self.book.title} · {self.book.author}" if self.book.author else self.book.title,
                engine=f"{player.narrator.engine.name} · {self.book.language}",
                chunk=player.chunk,
                share=share,
                done_seconds=player.written_seconds,
                buffered_seconds=player.buffered_seconds,
                left_seconds=self._left(share),
                rtf=tally.rtf,
                made=tally.made,
                reused=tally.reused,
                failed=len(tally.failed),
                underruns=self.speaker.underflows if self.speaker else 0,
                paused=player.wishes.paused,
                speed=player.wishes.speed,
                hint="? for keys" if self.request.output is None else "",
            )
        )

    def _left(self, share: float | None) -> float | None:
        """Wall seconds until the end, if the rest of the book takes as long in proportion as what is done."""
        if share is None or self._done < 0.005:
            return None
        return (self.player.written_seconds if self.request.listening else self._took) / self._done * (1 - share)

    def _on_chunk(self, chunk: Chunk) -> None:
        first, last = self.book.extent
        self._done += (chunk.end - chunk.start) / max(1, last - first)
        self._took = time.monotonic() - self._started

    def _keep_place(self, *, at_end: bool = False, finished: bool = False) -> None:
        """Note where the ear is, at every sentence; for good (see `Bookmarks.save`) where it may stay for a while."""
        player, before = self.player, self._kept
        aim = player.wishes.aim
        chunk = player.chunk if aim is None else player.script.get(aim)
        now = (chunk, player.wishes.paused)
        if chunk is None or not (at_end or now != before) or not self.request.listening:
            return
        self._kept = now
        if self.bookmarks is not None and self.book.document is not None:
            place = place_of(self.book.document, chunk)
            if not finished:
                place = replace(place, fraction=min(place.fraction, NEARLY))
            lasting = at_end or player.wishes.paused or (before[0] or chunk).chapter != chunk.chapter
            self.bookmarks.save(self.book.identity, place, lasting=lasting)

    def _mark(self, chunk: Chunk) -> str:
        if self.bookmarks is None or self.book.document is None:
            return "this text has no places to keep"
        return self.bookmarks.mark(self.book.identity, place_of(self.book.document, chunk)).name
