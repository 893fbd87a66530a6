"""What all listeners of a server share: the engines, the takes, the places and the settings."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from narrate.clock import OFF, Clock
from narrate.engines import Engine
from narrate.engines.choose import open_engine
from narrate.errors import EngineError
from narrate.folders import home
from narrate.playback.bookmark import Bookmarks
from narrate.reading.session import Session
from narrate.settings.choices import Speaking, speaking, text_options
from narrate.settings.layers import of_request
from narrate.settings.values import Values
from narrate.sinks import Opener
from narrate.store.in_memory import MemoryTakes
from narrate.store.store import Store
from narrate.store.takes import Takes
from narrate.synthesis.exchange import Exchange
from narrate.text.book import Book, TextOptions

_log = logging.getLogger(__name__)

MOST_ENGINES = 4  # at once: a request may change what shapes an engine's sound, and each such engine has a model
CACHE_BYTES = 64 << 20  # takes in memory


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """`values` are the settings of the server itself; a request may change those that are open to requests.

    `store` is the folder for takes, None for none; `library` a folder of books, None for none.
    """

    values: Values
    store: Path | None = None
    library: Path | None = None


class Service:
    """One for all listeners. Use it as a context manager: leaving it closes the engines and the store.

    Any thread may call it.
    """

    def __init__(self, options: ServiceOptions) -> None:
        self.options = options
        self.bookmarks = Bookmarks(home() / "places", say=_log.warning)
        self.clock: Clock = OFF
        """Is told where the time goes of all that is spoken."""
        self.on_end: Callable[[Session], object] = lambda _: None
        """Hears of every reading when it has ended, in the thread that ended it."""
        self._lock = threading.Lock()
        self._exchanges: dict[object, Exchange] = {}
        self._store: Store | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self.options.store is not None:
            store = Store(self.options.store, memory_bytes=CACHE_BYTES, say=_log.warning)
            self._store = self._open.enter_context(store)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            for exchange in self._exchanges.values():
                exchange.close()
            self._exchanges.clear()
        self._open.close()

    def values(self, wishes: Mapping[str, object]) -> Values:
        """The settings for a request with these wishes, by their names in the table of settings. Raises InputError."""
        return self.options.values.under(of_request(wishes))

    def text_options(self, wishes: Mapping[str, object]) -> TextOptions:
        """How a text is read for a request with these wishes. Raises InputError."""
        return text_options(self.values(wishes))

    def speaking(self, wishes: Mapping[str, object], language: str) -> Speaking:
        """Who speaks, and how, for a request with these wishes and a text in this language. Raises InputError."""
        return speaking(self.values(wishes), language)

    def seat(self, who: Speaking, language: str, *, mixed: bool = False) -> Engine:
        """An engine for one reading; readings that want the same engine share it. Close it when the reading ends."""
        return self._exchange(who, language, mixed=mixed).seat(who.speed)

    def retry_seconds(self, who: Speaking, language: str, *, mixed: bool = False) -> float:
        """0 if one more can listen without gaps for those who do; otherwise when to ask again."""
        return self._exchange(who, language, mixed=mixed).retry_seconds(who.speed)

    def _exchange(self, who: Speaking, language: str, *, mixed: bool) -> Exchange:
        """Where readings that want this engine meet. One whose engine can do no more is given up for a new one."""
        engine, _ = open_engine(who.engine, who.voice, language, rows=who.rows, options=who.engine_options, mixed=mixed)
        key = (engine.name, tuple(sorted(engine.fingerprint.items())), who.rows)
        broken = None
        with self._lock:
            found = self._exchanges.get(key)
            if found is not None and found.load.failure is not None:
                broken, found = found, None
            if found is None:
                if len(self._exchanges) >= MOST_ENGINES and broken is None:
                    broken = self._exchanges.pop(self._idle_key(engine))
                found = Exchange(engine, self.clock)
            else:
                engine.close()
            self._exchanges.pop(key, None)
            self._exchanges[key] = found  # as the one that was used last
        if broken is not None:
            broken.close()
        return found

    def _idle_key(self, engine: Engine) -> object:
        """The engine that nobody uses now, and has not for the longest time. Raises `EngineError` for the new one."""
        for key, exchange in self._exchanges.items():
            if not exchange.load.readings:
                return key
        engine.close()
        raise EngineError("So many different engines cannot speak at once. Try again in a while.")

    @property
    def exchanges(self) -> list[Exchange]:
        with self._lock:
            return list(self._exchanges.values())

    def takes(self, book: Book, stack: ExitStack, *, must_keep: bool = False) -> Takes:
        """Where the takes of a reading of this book are kept; given back when the `stack` is closed."""
        if self._store is None:
            return MemoryTakes(CACHE_BYTES)
        return stack.enter_context(self._store.for_book(book.identity.content, must_keep=must_keep))

    def open_session(
        self,
        book: Book,
        who: Speaking,
        openers: Sequence[Opener],
        stack: ExitStack,
        *,
        listening: bool = False,
        writing: bool = False,
        keeps_place: bool = True,
    ) -> Session:
        """A reading from the beginning that has not begun. What it holds is given back when the `stack` is closed."""
        engine = self.seat(who, book.language, mixed=book.options.mixed)
        stack.callback(engine.close)
        session = Session(
            book,
            engine,
            who.voice,
            self.takes(book, stack, must_keep=writing),
            openers,
            listening=listening,
            writing=writing,
            streaming=not (listening or writing),
            start="",
            speed=who.speed,
            bookmarks=self.bookmarks if listening and keeps_place else None,
        )
        session.player.narrator.clock = self.clock
        stack.callback(lambda: self.on_end(session))
        return session
