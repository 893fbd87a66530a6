"""The ledger of a store: how big every take is, when it was last used, for which book; who is making what now.

Nothing in it is needed to read a take, and what matters of it can be had from the files again: a lost or broken ledger
is simply written anew. sqlite in WAL mode: several processes may read and write, and a killed one breaks nothing.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

LEASE = 120.0  # seconds a claim holds after its owner last kept a take
PATIENCE = 2.0  # seconds to wait for another process that is writing
_VERSION = 1
_TABLES = """
CREATE TABLE take (key TEXT PRIMARY KEY, size INTEGER, used REAL, book TEXT) WITHOUT ROWID;
CREATE TABLE session (name TEXT PRIMARY KEY, book TEXT) WITHOUT ROWID;
CREATE TABLE claim (key TEXT PRIMARY KEY, session TEXT, since REAL) WITHOUT ROWID;
"""
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


class Size(NamedTuple):
    takes: int
    bytes: int


class Use(NamedTuple):
    """A take was made or heard. `book` "" leaves it to the book it was of."""

    size: int
    used: float
    book: str = ""


Fault = (sqlite3.Error, UnicodeDecodeError)
"""What a ledger may raise; the second where text in a damaged file, or sqlite's complaint about it, is not UTF-8."""


def broken(error: Exception) -> bool:
    """True if the file is damaged; otherwise it is only busy, or the disk is full."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # Python found it, not sqlite: text that is none
        return isinstance(error, (UnicodeDecodeError, sqlite3.OperationalError))
    return code & 0xFF in _BROKEN


class Ledger:
    """`path` is the sqlite file. Where it is missing, broken or to be written `anew`, `takes` is asked what is stored.

    Every method may raise a `Fault`, the first one `OSError` as well.
    """

    def __init__(self, path: Path, takes: Callable[[], Mapping[str, Use]], *, anew: bool = False) -> None:
        self._path, self._takes = path, takes
        if not anew:
            try:
                self._connection = self._open()
                return
            except Fault as error:
                if not broken(error):
                    raise
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
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
        if _version(connection) == _VERSION:
            return
        takes = self._takes()  # may take seconds: not while others wait
        with _transaction(connection):
            if _version(connection) == _VERSION:  # another process was faster
                return
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                connection.execute(f"DROP TABLE {table}")
            for statement in _TABLES.strip().split("\n"):
                connection.execute(statement)
            _record(connection, takes)
            connection.execute(f"PRAGMA user_version = {_VERSION}")

    def close(self) -> None:
        self._connection.close()

    def record(self, uses: Mapping[str, Use]) -> bool:
        """Enter takes, or that they were used again. True: it is done."""
        if uses:
            with _transaction(self._connection):
                _record(self._connection, uses)
        return True

    def kept(self, session: str, key: str, uses: Mapping[str, Use]) -> bool:
        """`record`, and the session's claim on `key` is fulfilled, its others renewed."""
        with _transaction(self._connection):
            _record(self._connection, uses)
            self._connection.execute("DELETE FROM claim WHERE key = ?", (key,))
            self._connection.execute("UPDATE claim SET since = ? WHERE session = ?", (time.time(), session))
        return True

    def forget(self, keys: Iterable[str]) -> None:
        with _transaction(self._connection):
            self._connection.executemany("DELETE FROM take WHERE key = ?", [(key,) for key in keys])

    def keys(self) -> set[str]:
        return {key for (key,) in self._connection.execute("SELECT key FROM take")}

    def total(self) -> Size:
        return Size(*self._connection.execute("SELECT count(*), coalesce(sum(size), 0) FROM take").fetchone())

    def books(self) -> dict[str, Size]:
        """Size by book; a take that several books share counts for the one that used it last."""
        rows = self._connection.execute("SELECT book, count(*), sum(size) FROM take GROUP BY book")
        return {book: Size(takes, size) for book, takes, size in rows}

    def of_book(self, book: str) -> list[str]:
        return [key for (key,) in self._connection.execute("SELECT key FROM take WHERE book = ?", (book,))]

    def least_recently_used(self) -> list[tuple[str, int]]:
        """Keys and sizes of takes that no open book needs, longest unused first."""
        in_hand = "SELECT book FROM session WHERE book <> ''"
        query = f"SELECT key, size FROM take WHERE book NOT IN ({in_hand}) ORDER BY used"
        return self._connection.execute(query).fetchall()

    def arrive(self, session: str, book: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO session VALUES (?, ?)", (session, book))

    def leave(self, session: str) -> None:
        with _transaction(self._connection):
            self._connection.execute("DELETE FROM claim WHERE session = ?", (session,))
            self._connection.execute("DELETE FROM session WHERE name = ?", (session,))

    def claim(self, key: str, session: str) -> str:
        """Claim the making of a take; the session that has the claim now, this one or another."""
        now = time.time()
        self._connection.execute(
            "INSERT INTO claim VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
            " SET session = excluded.session, since = excluded.since"
            " WHERE session = excluded.session OR since NOT BETWEEN ? AND ?",
            (key, session, now, now - LEASE, now + LEASE),
        )
        row = self._connection.execute("SELECT session FROM claim WHERE key = ?", (key,)).fetchone()
        return row[0] if row else session

    def release(self, key: str, session: str) -> None:
        self._connection.execute("DELETE FROM claim WHERE key = ? AND session = ?", (key, session))


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _record(connection: sqlite3.Connection, uses: Mapping[str, Use]) -> None:
    connection.executemany(
        "INSERT INTO take VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET size = excluded.size, used = max(used, excluded.used),"
        " book = iif(excluded.book = '', book, excluded.book)",
        [(key, use.size, use.used, use.book) for key, use in uses.items()],
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
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
