"""A library is written: while the last chunks of a book are made, the next one begins, so that the engine never waits.

With many slots, with several GPUs or a cluster, the end of a book leaves most of them with nothing to do: its last
chunk may take half a minute, and what completes its file longer. The books before are made first.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TextIO

from narrate.errors import InputError
from narrate.reading.session import Progress, Session
from narrate.terminal.display import Display, open_display
from narrate.terminal.listen import (
    POLL_SECONDS,
    Prepared,
    ReadingOptions,
    Run,
    begin,
    exit_code,
    how_it_ended,
    is_there,
    log_on,
    prepare,
    show,
    telling_where_it_stopped,
)
from narrate.terminal.suspend import suspendable

AT_ONCE = 4  # books: short ones may end faster than their files are completed
LEAST_WAITING = 4  # takes: what an engine with one slot makes while the next book is opened


@dataclass(slots=True)
class Written:
    """How the books ended: their exit codes, how many files were there already, and the sources that cannot be read."""

    codes: list[int] = field(default_factory=list)
    there: int = 0
    unread: list[str] = field(default_factory=list)


def write_library(
    books: Sequence[str], options_for: Callable[[str], ReadingOptions], run: Run, stderr: TextIO = sys.stderr
) -> Written:
    """Write all books, each with its own options and into files of its own, several at a time (`run.together`).

    A book that cannot be read is named and left out. Whatever else goes wrong ends all: what is written stays.
    """
    options = options_for(books[0])
    with (
        open_display(stderr, "", quiet=options.quiet, writing=True, verbose=options.verbose) as screen,
        log_on(screen),
        suspendable(screen, None),
        run.saying(screen.say),
    ):
        # One recogniser hears one book.
        at_once = 1 if options.check else AT_ONCE
        library = _Library(deque(enumerate(books, 1)), options_for, run, screen, at_once)
        try:
            while library.goes_on():
                library.look()
        except BaseException as error:
            library.break_off(error)
            raise
    return library.written


class _Library:
    def __init__(
        self,
        books: deque[tuple[int, str]],
        options_for: Callable[[str], ReadingOptions],
        run: Run,
        screen: Display,
        at_once: int,
    ) -> None:
        self._at_once = at_once
        self._books, self._options_for, self._run, self._screen = books, options_for, run, screen
        self._next: Prepared | None = None  # open, and not yet begun
        self._writing: list[_Writing] = []
        self.written = Written()

    def goes_on(self) -> bool:
        """Begin what can begin. False once all books are written."""
        while self._has_room() and self._opens():
            pass
        return bool(self._writing)

    def look(self) -> None:
        """Show how far the books are, and put away those that are written."""
        self._writing[0].session.wait(POLL_SECONDS)
        for each in list(self._writing):
            if each.has_ended():
                self._writing.remove(each)
                self._finish(each)
        if self._writing:
            first, *others = self._writing
            self._screen.title, self._screen.engine = first.prepared.title, first.display.engine
            self._screen.others = [other.line for other in others]
            if first.display.progress is not None:
                self._screen.show(first.display.progress)

    def _finish(self, writing: _Writing) -> None:
        try:
            writing.stack.close()
        except InputError as error:
            self._leave_out(writing.prepared.options.source, error)
            return
        self._screen.note(how_it_ended(writing.prepared, writing.session))
        self.written.codes.append(exit_code(writing.session))

    def break_off(self, error: BaseException) -> None:
        """Something went wrong, or the listener has had enough: end what is being written."""
        for each in self._writing:
            each.stack.__exit__(type(error), error, error.__traceback__)

    def _has_room(self) -> bool:
        """True if the engine has no more than its next takes to make, and all of the last book's are among them."""
        if not self._writing:
            return True
        if len(self._writing) == self._at_once or not self._writing[-1].session.asked_for_all:
            return False
        load = self._run.load
        return load is not None and load.waiting <= max(LEAST_WAITING, load.rows)

    def _opens(self) -> bool:
        """Begin the next book, or leave it out. False if there is none, or it must wait for those that are written."""
        if self._next is None:
            if not self._books:
                return False
            self._next = self._prepared(*self._books.popleft())
        if self._next is not None:
            if self._writing and not self._run.has_engine(self._next.options, self._next.book.language):
                return False  # it needs another engine
            prepared, self._next = self._next, None
            self._begin(prepared)
        return True

    def _prepared(self, number: int, source: str) -> Prepared | None:
        """The book, open; None if it cannot be read, or is there already."""
        self._run.number = number
        try:
            prepared = prepare(self._options_for(source), self._run)
        except InputError as error:
            self._leave_out(source, error)
            return None
        if is_there(prepared, self._run, self._screen):
            self.written.there += 1
            return None
        return prepared

    def _begin(self, prepared: Prepared) -> None:
        display = _Behind(self._screen, prepared.title)
        with ExitStack() as stack:
            try:
                session = begin(prepared, self._run, display, stack)
            except InputError as error:
                self._leave_out(prepared.options.source, error)
                return
            if session is None:  # it costs money, and so do those after it
                self._books.clear()
                return
            stack.enter_context(telling_where_it_stopped(prepared.options, session, self._screen, prepared.title))
            stack.enter_context(session)
            self._writing.append(_Writing(prepared, session, display, stack.pop_all()))

    def _leave_out(self, source: str, error: InputError) -> None:
        self._screen.say(f"narrate: {error}")
        self.written.unread.append(source)


@dataclass(slots=True)
class _Behind:
    """The display of one of several books: what is said goes on the screen, how far it is is kept."""

    screen: Display
    title: str
    others: Sequence[str] = ()
    engine: str = ""
    prompt: str | None = None
    progress: Progress | None = None

    def show(self, progress: Progress) -> None:
        self.progress = progress

    def say(self, line: str) -> None:
        self.screen.say(f"{line} ({self.title})")

    def note(self, line: str) -> None:
        self.screen.note(line)

    def appear(self) -> None:
        self.screen.appear()

    def vanish(self) -> None:
        self.screen.vanish()


@dataclass(slots=True)
class _Writing:
    """A book that is being written. The `stack` holds its session, and ends it."""

    prepared: Prepared
    session: Session
    display: _Behind
    stack: ExitStack

    @property
    def line(self) -> str:
        progress = self.display.progress
        share = (progress.finished_share or progress.share or 0.0) if progress is not None else 0.0
        return f"{self.prepared.title} · {share:.0%}"

    def has_ended(self) -> bool:
        ended = self.session.wait(0.0)
        show(self.session, self.display)
        return ended
