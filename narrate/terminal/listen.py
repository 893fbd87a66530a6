"""A reading at a terminal, for an ear or into a file: the screen follows the events, the keys work the transport."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from narrate.checking.verdict import Verdict
from narrate.engines import Engine
from narrate.engines.batched import Rows
from narrate.engines.choose import open_engine
from narrate.errors import InputError
from narrate.folders import home
from narrate.playback.bookmark import Bookmarks
from narrate.playback.sleep import SleepTimer
from narrate.reading.export import (
    FileOptions,
    KnownVerdict,
    are_finished,
    check_files,
    file_openers,
    is_unfinished_split,
    length_warning,
)
from narrate.reading.session import Began, Done, Doubted, Failed, Notice, Progress, Session
from narrate.settings.choices import Speaking
from narrate.sinks import Opener
from narrate.sinks.speaker import Speaker
from narrate.store.in_memory import MemoryTakes
from narrate.store.store import Store
from narrate.store.takes import Takes
from narrate.synthesis.exchange import Exchange
from narrate.synthesis.load import Load
from narrate.terminal.controls import Controls
from narrate.terminal.display import Display, open_display
from narrate.terminal.examining import SharedExaminer
from narrate.terminal.keys import Keys
from narrate.terminal.naming import Naming, check_patterns, has_patterns
from narrate.terminal.price import may_be_sent
from narrate.terminal.suspend import suspendable
from narrate.terminal.wording import broken_off_line, closing_line, doubt
from narrate.text.book import Book, TextOptions, book_of_text, open_book
from narrate.text.document import Chunk
from narrate.voice import Voice

POLL_SECONDS = 0.1  # between two looks at the keyboard and at the figures
LISTENING_CACHE_BYTES = 64 << 20  # takes in memory while somebody listens: about ten minutes
WRITING_CACHE_BYTES = 8 << 20  # and while a file is written: only what is said again and again
NOT_ALL_SPOKEN = 3  # exit code


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """What the listener asked for: plain data from the command line.

    `source` is a file, or "-" for standard input; `literal` is text to be read instead of one.
    `start` is where to begin: None where the ear stopped, "" at the beginning, else a chapter or a time ("12:30").
    `sleep` is when to stop: after so many minutes, after the "chapter", or None.
    `store` is the folder for takes, None for none. `check`: every take is judged, with what `recogniser` names, and the
    best of so many `takes` is kept. `rows` says how many chunks the engine takes at once.
    `spoken_in` says who speaks in the language of the book, once that is known; None if that is the same for all.
    """

    source: str = "-"
    literal: str | None = None
    text: TextOptions = field(default_factory=TextOptions)
    voice: Voice = field(default_factory=Voice)
    speed: float = 1.0
    engine: str = "auto"
    engine_options: Mapping[str, object] = field(default_factory=dict)
    rows: Rows = None
    files: FileOptions = field(default_factory=FileOptions)
    play: bool = False
    start: str | None = None
    device: str | None = None
    store: Path | None = None
    fresh_takes: bool = False
    sleep: float | str | None = None
    check: bool = False
    recogniser: str | None = None
    takes: int = 1
    quiet: bool = False
    verbose: bool = False
    spoken_in: Callable[[str], Speaking] | None = None

    @property
    def listening(self) -> bool:
        return self.play or not self.files.outputs


@dataclass(slots=True)
class Run:
    """What the readings of one run of the program share: which of how many books this is, names, engine, recogniser.

    `together`: several readings at a time speak with the engine, the books with the lowest numbers first; what concerns
    all of them goes to `say`. Use it as a context manager: leaving it closes engine, store and recogniser.
    """

    number: int = 1
    count: int = 1
    together: bool = False
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)
    naming: Naming = field(default_factory=Naming)
    examiner: SharedExaminer = field(default_factory=SharedExaminer)
    _store: ExitStack = field(default_factory=ExitStack)
    _stored: Store | None = None
    _open: ExitStack = field(default_factory=ExitStack)
    _engine: Engine | None = None
    _exchange: Exchange | None = None
    _chosen: tuple[object, ...] = ()  # what decided for the engine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.examiner.close()
        with self._store:
            self._open.__exit__(kind, error, trace)

    @contextmanager
    def saying(self, say: Callable[[str], None]) -> Iterator[None]:
        """Within the block what concerns all readings is said there."""
        before, self.say = self.say, say
        try:
            yield
        finally:
            self.say = before

    def has_engine(self, options: ReadingOptions, language: str) -> bool:
        """True if the engine of the book before is the one for this book too."""
        return self._engine is not None and self._chosen == _choice(options, language)

    def engine(self, options: ReadingOptions, language: str, stack: ExitStack) -> tuple[Engine, str | None]:
        """The engine for the language, and why that one. The one of the book before is kept if it is the same.

        What the reading alone holds of it is given back by the `stack`.
        """
        why = None if self.has_engine(options, language) else self._open_engine(options, language)
        assert self._engine is not None
        if self._exchange is None:
            return self._engine, why
        return stack.enter_context(closing(self._exchange.seat(place=self.number))), why

    @property
    def load(self) -> Load | None:
        """How busy the engine is that readings share; None without one."""
        return None if self._exchange is None else self._exchange.load

    def store(self, folder: Path, memory_bytes: int) -> Store:
        """The takes that are kept in the folder, which is the same for all books of a run."""
        if self._stored is None:
            store = Store(folder, memory_bytes=memory_bytes, say=lambda line: self.say(line))
            self._stored = self._store.enter_context(store)
        return self._stored

    def _open_engine(self, options: ReadingOptions, language: str) -> str | None:
        self._open.close()
        engine, why = open_engine(
            options.engine,
            options.voice,
            language,
            rows=options.rows,
            options=options.engine_options,
            mixed=options.text.mixed,
        )
        self._engine, self._chosen = engine, _choice(options, language)
        if self.together:
            self._exchange = self._open.enter_context(Exchange(engine))
        else:
            self._open.enter_context(closing(engine))
        return why


def _choice(options: ReadingOptions, language: str) -> tuple[object, ...]:
    return options.engine, options.voice, language, options.rows, options.engine_options, options.text.mixed


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reading ended. `stopped`: before the end of the book, because the listener wanted it. `skipped`: its files
    were there already."""

    code: int = 0
    stopped: bool = False
    skipped: bool = False


def read_aloud(options: ReadingOptions, stderr: TextIO = sys.stderr) -> int:
    """Read the book aloud, or into a file. Returns the exit code: 0, or 3 if chunks could not be spoken."""
    check_options(options)
    with Run() as run:
        return read_one(options, run, stderr).code


def check_options(options: ReadingOptions) -> None:
    """Raise `InputError` for what cannot be done, as far as that is known before the book is opened."""
    if has_patterns(options.files):
        check_patterns(options.files)
    else:
        check_files(options.files)
    if options.sleep is not None and not options.listening:
        raise InputError("--sleep is for listening, and -o writes a file to its end. Add --play to do both.")
    if options.files.in_folders and options.listening:
        name = "--loudness acx" if options.files.acx else "--split"
        raise InputError(f"{name} needs -o, and goes without --play: a listener may go back to an earlier chapter.")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A book that is open, and what is to be done with it."""

    options: ReadingOptions
    book: Book
    title: str


def prepare(options: ReadingOptions, run: Run) -> Prepared:
    """Open one of the books of a run, and give it names for its files. Raises `InputError` if it cannot be read."""
    options, book = open_what_is_read(options)
    files = run.naming.files_for(options.files, book, run.number, run.count)
    title = f"{book.title} · {book.author}" if book.author else book.title
    if run.count > 1:
        title = f"{run.number} of {run.count} · {title}"
    return Prepared(replace(options, files=files), book, title)


def is_there(prepared: Prepared, run: Run, display: Display) -> bool:
    """True, and said so, if there are several books and the files of this one are there already."""
    files = prepared.options.files
    if run.count == 1 or not files.outputs or files.force or not are_finished(files):
        return False
    display.note(f"{files.named} is there already. Write it again with --force.")
    return True


def begin(prepared: Prepared, run: Run, display: Display, stack: ExitStack) -> Session | None:
    """The reading, which has not begun; None if it costs money and the listener does not want that."""
    files = prepared.options.files
    if run.count > 1 and is_unfinished_split(files):
        files = replace(files, force=True)
    check_files(files)
    options = replace(prepared.options, files=files)
    if (warning := length_warning(files, prepared.book, options.speed)) is not None:
        display.note(warning)
    session = open_session(options, prepared.book, display, stack, run)
    return session if may_be_sent(session, display, writing=not options.listening) else None


def read_one(options: ReadingOptions, run: Run, stderr: TextIO = sys.stderr) -> Outcome:
    """Read one of the books of a run. If there are several, the files that are there already are left as they are."""
    prepared = prepare(options, run)
    options, listening = prepared.options, options.listening
    with (
        open_display(
            stderr,
            prepared.title,
            quiet=options.quiet,
            hint="? for keys" if listening else "",
            writing=not listening,
            verbose=options.verbose,
        ) as display,
        log_on(display),
    ):
        if is_there(prepared, run, display):
            return Outcome(skipped=True)
        with ExitStack() as stack:
            session = begin(prepared, run, display, stack)
            if session is None:
                return Outcome(stopped=True)
            stack.enter_context(suspendable(display, session.transport if listening else None))
            keys = stack.enter_context(Keys()) if listening else None
            with telling_where_it_stopped(options, session, display):
                attend(session, display, keys)
        display.note(how_it_ended(prepared, session))
    return Outcome(exit_code(session), session.transport.stopped)


def exit_code(session: Session) -> int:
    """Of a reading that has ended: 0, or 3 if chunks could not be spoken."""
    return NOT_ALL_SPOKEN if session.stats.failed else 0


def how_it_ended(prepared: Prepared, session: Session) -> str:
    options = prepared.options
    return closing_line(session, options.files, source=_quoted(options.source), verbose=options.verbose)


def open_what_is_read(options: ReadingOptions) -> tuple[ReadingOptions, Book]:
    """The book, and the options as they are for its language. Raises InputError for what cannot be read."""
    if options.literal is not None:
        book = book_of_text(options.literal, options.text)
    else:
        book = open_book(options.source, options.text)
    if options.spoken_in is None:
        return options, book
    who = options.spoken_in(book.language)
    spoken = {each.name: getattr(who, each.name) for each in fields(who)}
    return replace(options, **spoken), book


@contextmanager
def telling_where_it_stopped(
    options: ReadingOptions, session: Session, display: Display, title: str = ""
) -> Iterator[None]:
    """Ctrl-C, and being ended by another program: say where the reading was, and how it goes on.

    The `title` tells of several books which.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        with suppress(OSError):  # the terminal was closed
            kept = options.store is not None
            source = _quoted(options.source)
            line = broken_off_line(session, options.files, source=source, kept=kept)
            display.note(f"{title}: {line}" if title else line)
        raise


def _quoted(source: str) -> str:
    """The source as one types it."""
    return shlex.quote(source)


@contextmanager
def log_on(display: Display) -> Iterator[None]:
    """What modules below have to report, such as a voice process that was started again, is said on the display."""

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


def open_session(options: ReadingOptions, book: Book, display: Display, stack: ExitStack, run: Run) -> Session:
    """A reading that has not begun. What it holds is closed by the `stack`, its engine with the `run`."""
    for warning in book.document.warnings if book.document else ():
        display.say(warning)
    engine, why = run.engine(options, book.language, stack)
    if why is not None:
        display.note(f"Voice: {why}.")
    display.engine = f"{engine.name} · {book.language}"

    def known(chunk: Chunk) -> Verdict | None:
        return session.verdict(chunk)

    session = Session(
        book,
        engine,
        options.voice,
        _takes(options, book, stack, display, run),
        _openers(options, book, engine.name, display, known),
        listening=options.listening,
        writing=bool(options.files.outputs),
        streaming="-" in options.files.outputs,
        start=_start(options),
        speed=options.speed,
        fresh_takes=options.fresh_takes,
        examiner=run.examiner.open(options.recogniser, book.language, display.note) if options.check else None,
        takes_of_each=options.takes,
        bookmarks=None if options.literal is not None else Bookmarks(home() / "places", say=display.say),
        sleep=_sleep_timer(options.sleep),
    )
    return session


def _sleep_timer(choice: float | str | None) -> SleepTimer:
    timer = SleepTimer()
    timer.set(choice, None, 0.0)
    return timer


def _start(options: ReadingOptions) -> str | None:
    """Where to begin. A file holds all that was asked for, wherever the ear stopped."""
    return "" if options.start is None and options.files.outputs else options.start


def _takes(options: ReadingOptions, book: Book, stack: ExitStack, display: Display, run: Run) -> Takes:
    cache = LISTENING_CACHE_BYTES if options.listening else WRITING_CACHE_BYTES
    if options.store is None:
        return MemoryTakes(cache)
    if run.together:
        store = run.store(options.store, cache)
    else:
        store = stack.enter_context(Store(options.store, memory_bytes=cache, say=display.say))
    return stack.enter_context(store.for_book(book.identity.content, must_keep=not options.listening))


def _openers(options: ReadingOptions, book: Book, engine: str, display: Display, known: KnownVerdict) -> list[Opener]:
    speaker = [partial(Speaker, device=options.device)] if options.listening else []
    return [*speaker, *file_openers(options.files, book, options.voice.name or engine, display.note, known)]


def attend(session: Session, display: Display, keys: Keys | None) -> None:
    """Let the session read to the end; meanwhile show how it goes and do what the keys say."""
    controls = Controls(session, display)
    with session:
        while not session.wait(0.0 if keys and keys.present else POLL_SECONDS):
            key = keys.wait(POLL_SECONDS) if keys and keys.present else None
            if key is not None:
                controls.press(key)
            show(session, display)
    show(session, display)


def show(session: Session, display: Display) -> None:
    """Show what has happened in the reading since the last time."""
    for event in session.events():
        match event:
            case Failed(chunk, why):
                text = " ".join(chunk.text.split())
                display.say(f"narrate: not spoken, silence in its place ({why}): “{text}”")
            case Doubted(chunk, verdict):
                display.say(f"narrate: {doubt(chunk, verdict)}")
            case Notice(text):
                display.note(text)
            case Progress():
                display.show(event)
            case Began() | Done():
                pass  # the figures show it
