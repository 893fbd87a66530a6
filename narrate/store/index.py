"""The index of a store: how big every take is, when it was last used and for which book; who is making what now.

Nothing in it is needed to read a take, and the files can tell again what matters of it: a lost or broken index is
simply written anew. It is an SQLite file in WAL mode, so several processes may read and write it, and a killed one
breaks nothing. Where SQLite cannot answer, `NoIndex` does; so nothing here raises.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, NoReturn, ParamSpec, TypeVar

from narrate.files import open_private
from narrate.store.key import is_key

LEASE_SECONDS = 120.0  # a claim holds for so long after its owner last kept a take
LOCK_WAIT_SECONDS = 1.0  # how long to wait for another process that is writing; it takes milliseconds
IMPATIENT_SECONDS = 60.0  # once that was in vain, for so long nobody is waited for
FLUSH_AFTER_USES = 256  # uses of takes are entered in bundles of so many
_VERSION = 1
# A session is an open view of the store. Earlier versions write one row per process; both read what the other wrote.
_TABLES = """
CREATE TABLE take (key TEXT PRIMARY KEY, size INTEGER, used REAL, book TEXT) WITHOUT ROWID;
CREATE TABLE session (name TEXT PRIMARY KEY, book TEXT) WITHOUT ROWID;
CREATE TABLE claim (key TEXT PRIMARY KEY, session TEXT, since REAL) WITHOUT ROWID;
"""
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_NAME = re.compile(r"\d+-[0-9a-f]+(/\d+)?")  # of a presence or a view


class _Nonsense(Exception):
    """The file could be read, but what it says was never written."""


_FAULTS = (sqlite3.Error, UnicodeDecodeError, _Nonsense)
"""What asking a damaged file may raise; the second where its text, or the complaint about it, is not UTF-8."""

P = ParamSpec("P")
T = TypeVar("T")


class Size(NamedTuple):
    takes: int
    bytes: int


class Use(NamedTuple):
    """A take was made or heard at `when` (seconds since 1970). `book` "" leaves it to the book it was of."""

    size_bytes: int
    when: float
    book: str = ""


def open_index(
    path: Path, stored: Callable[[], Mapping[str, Use]], say: Callable[[str], object] = lambda _: None
) -> Index | NoIndex:
    """The index in the file `path`. Where that is missing or broken it is written anew from `stored`, all the takes.

    Where there can be none, because the file cannot be written or is busy for long, `NoIndex`. `say` gets one line when
    another process holds the index.
    """
    try:
        return Index(path, stored, say)
    except (*_FAULTS, OSError) as fault:
        if _is_busy(fault):
            say(_held(path))
        return NoIndex(stored)


def _held(path: Path) -> str:
    return f"Another program holds {path}. Takes are kept all the same, and reading goes on without the index."


class NoIndex:
    """Stands in for an index: it tells from the files what they can tell, and otherwise that nothing is known.

    So takes are kept and found, but none is removed to make room, and no claim keeps anybody from making a take.
    """

    def __init__(self, stored: Callable[[], Mapping[str, Use]]) -> None:
        self._stored = stored

    def close(self) -> None: ...

    def kept(self, key: str, use: Use, view: str) -> None: ...

    def heard(self, key: str, use: Use) -> None: ...

    def flush(self) -> None: ...

    def record(self, uses: Mapping[str, Use]) -> None: ...

    def forget(self, keys: Iterable[str]) -> None: ...

    def keys(self) -> set[str]:
        return set(self._stored())

    def known_bytes(self) -> int:
        return 0

    def books(self) -> dict[str, Size]:
        sizes: dict[str, Size] = {}
        for use in self._stored().values():
            takes, total = sizes.get(use.book, (0, 0))
            sizes[use.book] = Size(takes + 1, total + use.size_bytes)
        return sizes

    def of_book(self, book: str) -> list[str]:
        return [key for key, use in self._stored().items() if use.book == book]

    def least_recently_used(self) -> list[tuple[str, int]]:
        return []

    def arrive(self, view: str, book: str) -> None: ...

    def leave(self, name: str) -> None: ...

    def presences(self) -> set[str]:
        return set()

    def claim(self, key: str, view: str) -> str:
        return view

    def release(self, key: str, view: str) -> None: ...


def _answered(method: Callable[Concatenate[Index, P], T]) -> Callable[Concatenate[Index, P], T]:
    """Have an index that is found broken written anew and asked again; where it has no answer, `NoIndex` answers."""

    @wraps(method)
    def answer(self: Index, /, *arguments: P.args, **options: P.kwargs) -> T:
        try:
            self._gather_patience()
            return method(self, *arguments, **options)
        except _FAULTS as fault:
            broken = _is_broken(fault)
            if _is_busy(fault):
                self._lose_patience()
        if broken:
            with contextlib.suppress(*_FAULTS, OSError):
                self.rebuild()
                return method(self, *arguments, **options)
        instead: Any = getattr(NoIndex(self.stored), method.__name__)
        answered: T = instead(*arguments, **options)
        return answered

    return answer


class Index:
    """The SQLite file. A view of the store is called `<presence>/<number>`; names of presences have no slash.

    Opening it may raise `_FAULTS` and `OSError` (see `open_index`), what follows nothing.
    """

    def __init__(
        self,
        path: Path,
        stored: Callable[[], Mapping[str, Use]],
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._path, self.stored, self._say = path, stored, say
        self._impatient_until: float | None = None
        self._uses: dict[str, Use] = {}  # not yet entered
        self._views: dict[str, str] = {}  # those that arrived here, and their books
        try:
            self._connection = self._open()
        except _FAULTS as fault:
            if not _is_broken(fault):
                raise
            self._write_anew()

    def rebuild(self) -> None:
        """Write a broken index anew. Raises `_FAULTS` and `OSError`; then the index is closed."""
        self.close()
        self._write_anew()
        with _transaction(self._connection):
            self._connection.executemany("INSERT OR REPLACE INTO session VALUES (?, ?)", list(self._views.items()))

    def _write_anew(self) -> None:
        for ending in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        with contextlib.suppress(FileExistsError), open(self._path, "xb", opener=open_private):
            pass  # SQLite would let everybody read it, and gives the files beside it the same rights
        connection = sqlite3.connect(
            self._path, timeout=LOCK_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _to_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")  # a power cut costs the last rows, never the file
            self._prepare(connection)
            connection.execute("SELECT key, size, used, book FROM take LIMIT 1").fetchall()
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables if they are not those of this version."""
        if _version(connection) == _VERSION:
            return
        uses = self.stored()  # This may take seconds, during which others need not wait.
        with _transaction(connection):
            if _version(connection) == _VERSION:  # another process was faster
                return
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                connection.execute(f"DROP TABLE {table}")
            for statement in _TABLES.strip().split("\n"):
                connection.execute(statement)
            _record(connection, uses)
            connection.execute(f"PRAGMA user_version = {_VERSION}")

    def _lose_patience(self) -> None:
        """Another process holds the index, perhaps one that was stopped. For a while nobody waits for it."""
        if self._impatient_until is None:
            self._say(_held(self._path))
        self._impatient_until = time.monotonic() + IMPATIENT_SECONDS
        self._connection.execute("PRAGMA busy_timeout = 0")

    def _gather_patience(self) -> None:
        if self._impatient_until is not None and time.monotonic() > self._impatient_until:
            self._impatient_until = time.monotonic() + IMPATIENT_SECONDS
            self._connection.execute(f"PRAGMA busy_timeout = {round(1000 * LOCK_WAIT_SECONDS)}")

    def close(self) -> None:
        """What is asked of it from now on, `NoIndex` answers."""
        with contextlib.suppress(*_FAULTS):
            self._connection.close()

    # The takes that are stored

    @_answered
    def kept(self, key: str, use: Use, view: str) -> None:
        """A take was made: enter it; the view's claim on it is fulfilled, and its other claims are renewed."""
        self._uses[key] = use
        with _transaction(self._connection):
            _record(self._connection, self._uses)
            self._connection.execute("DELETE FROM claim WHERE key = ?", (key,))
            self._connection.execute("UPDATE claim SET since = ? WHERE session = ?", (time.time(), view))
        self._uses.clear()

    def heard(self, key: str, use: Use) -> None:
        """A take was heard: note it, to enter it with others. To lose such notes does no harm."""
        self._uses[key] = use
        if len(self._uses) >= FLUSH_AFTER_USES:
            self.flush()

    @_answered
    def flush(self) -> None:
        """Enter what was noted."""
        if self._uses:
            with _transaction(self._connection):
                _record(self._connection, self._uses)
            self._uses.clear()

    @_answered
    def record(self, uses: Mapping[str, Use]) -> None:
        """Enter takes that it does not know yet."""
        if uses:
            with _transaction(self._connection):
                _record(self._connection, uses)

    @_answered
    def forget(self, keys: Iterable[str]) -> None:
        """The takes were removed."""
        keys = list(keys)
        for key in keys:
            self._uses.pop(key, None)
        if keys:
            with _transaction(self._connection):
                self._connection.executemany("DELETE FROM take WHERE key = ?", [(key,) for key in keys])

    @_answered
    def keys(self) -> set[str]:
        self.flush()
        return {_key(key) for (key,) in self._connection.execute("SELECT key FROM take")}

    @_answered
    def known_bytes(self) -> int:
        """The size of all takes it knows of."""
        self.flush()
        return _number(self._connection.execute("SELECT coalesce(sum(size), 0) FROM take").fetchone()[0])

    @_answered
    def books(self) -> dict[str, Size]:
        """Size by book; a take that several books share counts for the one that used it last."""
        self.flush()
        rows = self._connection.execute("SELECT book, count(*), sum(size) FROM take GROUP BY book")
        return {_text(book): Size(takes, _number(size)) for book, takes, size in rows}

    @_answered
    def of_book(self, book: str) -> list[str]:
        """The keys of a book's takes."""
        self.flush()
        return [_key(key) for (key,) in self._connection.execute("SELECT key FROM take WHERE book = ?", (book,))]

    @_answered
    def least_recently_used(self) -> list[tuple[str, int]]:
        """Keys and sizes of the takes that no open book needs, those that were not used for longest first."""
        self.flush()
        open_books = "SELECT book FROM session WHERE book <> ''"
        query = f"SELECT key, size FROM take WHERE book NOT IN ({open_books}) ORDER BY used"
        return [(_key(key), _number(size)) for key, size in self._connection.execute(query)]

    # Who is here, and makes what

    @_answered
    def arrive(self, view: str, book: str) -> None:
        """A view was opened: until it leaves, its book's takes are needed."""
        self._views[view] = book
        self._connection.execute("INSERT OR REPLACE INTO session VALUES (?, ?)", (view, book))

    @_answered
    def leave(self, name: str) -> None:
        """A view was closed, or a presence ended with all its views; their claims end too."""
        self._views.pop(name, None)
        with _transaction(self._connection):
            for table, column in (("claim", "session"), ("session", "name")):
                named = f"{column} = :name OR instr({column}, :name || '/') = 1"
                self._connection.execute(f"DELETE FROM {table} WHERE {named}", {"name": name})

    @_answered
    def presences(self) -> set[str]:
        """The names of all that have views or claims here, dead ones too."""
        rows = self._connection.execute("SELECT name FROM session UNION SELECT session FROM claim")
        return {presence_of(_name(name)) for (name,) in rows}

    @_answered
    def claim(self, key: str, view: str) -> str:
        """Claim the making of a take for a view; returns the view that has the claim now, this one or another."""
        now = time.time()
        self._connection.execute(
            "INSERT INTO claim VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
            " SET session = excluded.session, since = excluded.since"
            " WHERE session = excluded.session OR since NOT BETWEEN ? AND ?",
            (key, view, now, now - LEASE_SECONDS, now + LEASE_SECONDS),
        )
        row = self._connection.execute("SELECT session FROM claim WHERE key = ?", (key,)).fetchone()
        return view if row is None or row[0] == view else _name(row[0])

    @_answered
    def release(self, key: str, view: str) -> None:
        """The take will not be made after all."""
        self._connection.execute("DELETE FROM claim WHERE key = ? AND session = ?", (key, view))


def presence_of(name: str) -> str:
    """The presence a view belongs to."""
    return name.partition("/")[0]


def _is_busy(fault: Exception) -> bool:
    return getattr(fault, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _is_broken(fault: Exception) -> bool:
    """True if the file is damaged; otherwise it is only busy, or the disk is full, or the index was closed."""
    code = getattr(fault, "sqlite_errorcode", None)
    if code is None:  # It was not SQLite that found it.
        return isinstance(fault, (UnicodeDecodeError, _Nonsense, sqlite3.OperationalError))
    return code & 0xFF in _BROKEN


def _key(value: object) -> str:
    return value if isinstance(value, str) and is_key(value) else _nonsense(value)


def _name(value: object) -> str:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else _nonsense(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else _nonsense(value)


def _number(value: object) -> int:
    return value if isinstance(value, int) else _nonsense(value)


def _nonsense(value: object) -> NoReturn:
    raise _Nonsense(f"{value!r} was never written into an index")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _record(connection: sqlite3.Connection, uses: Mapping[str, Use]) -> None:
    connection.executemany(
        "INSERT INTO take VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET size = excluded.size, used = max(used, excluded.used),"
        " book = iif(excluded.book = '', book, excluded.book)",
        [(key, use.size_bytes, use.when, use.book) for key, use in uses.items()],
    )


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, and the only writer meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _to_wal(connection: sqlite3.Connection) -> None:
    """Only the first process ever has something to do here; the others that start with it must wait for it."""
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
