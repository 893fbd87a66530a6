"""The store of takes: a take is made once, and what was heard is what is exported.

store/takes/ab/ab12….flac   one file per take, sealed: it proves itself whole (store/shelf.py, store/flac.py)
store/index.sqlite          size, last use and book of every take; can be lost (store/ledger.py)
store/open/                 who is using the store now (store/session.py)
"""

from __future__ import annotations

import errno
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, TypeVar

from narrate.clip import Samples
from narrate.errors import NarrateError
from narrate.store import flac, memory
from narrate.store.files import Shelf
from narrate.store.index import Fault, Ledger, Size, Use, broken
from narrate.store.memory import Memory, Take, exact
from narrate.store.presence import Session

LIMIT = 20 << 30  # bytes on disk: about twenty long novels
ROOM = 0.05  # of the limit is made free at once when it is reached
FLUSH_AFTER = 256  # takes heard: then their last use is entered in the ledger

T = TypeVar("T")


class Health(NamedTuple):
    """What `Store.verify` found: the takes that are whole, and the keys of those that were not (removed)."""

    whole: Size
    damaged: list[str]


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


class Store:
    """Takes in `folder`, for as long as the `with` block lasts. Any thread may use it, and any number of processes.

    `book` names the book in hand: its takes are never removed to make room for others. When takes can no longer be
    kept (disk full, folder read-only or deleted) `say` gets one line, once, and the takes of the last minutes live in
    memory; with `must_keep` a `NarrateError` is raised instead, and the takes kept so far stay.
    """

    damaged = 0
    """Takes found broken and removed since the store was opened."""

    def __init__(
        self,
        folder: Path,
        *,
        limit_bytes: int = LIMIT,
        book: str | None = None,
        must_keep: bool = False,
        memory_bytes: int = memory.LIMIT,
        say: Callable[[str], None] = _to_stderr,
    ) -> None:
        self.folder, self._limit, self._book = folder, limit_bytes, book or ""
        self._must_keep, self._say, self._said = must_keep, say, False
        self._one_at_a_time = threading.RLock()
        self._memory, self._shelf = Memory(memory_bytes), Shelf(folder)
        self._ledger: Ledger | None = None
        self._session: Session | None = None
        self._shut: OSError | None = None  # why the folder cannot be written at all
        self._uses: dict[str, Use] = {}  # not yet in the ledger
        self._bytes = 0  # on disk, about: other processes write too
        self._full = limit_bytes  # bytes at which room is made

    def __enter__(self) -> Store:
        try:
            self._shelf.build()
            self._session = Session(self.folder)
        except OSError as error:
            self._shut = error
            if self._must_keep:
                self._not_kept(error)
            return self
        self._open_ledger()
        for name in self._session.bury_the_dead():
            self._leave(name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._one_at_a_time:
            self._flush()
            self._shelf.sync(at_most=1.0)
            if self._session is not None:
                self._leave(self._session.name)
                self._session.close()
            self._close_ledger()
            self._session, self._shut = None, OSError(errno.EBADF, "the store was closed")

    def get(self, key: str) -> Take | None:
        """The take, or None if it must be made: never stored, removed, or damaged (then it is removed now)."""
        with self._one_at_a_time:
            take = self._memory.get(key)
            if take is not None:
                self._used(key)
                return take
            try:
                data = self._shelf.path(key).read_bytes()
                take = exact(*flac.unseal(data, key))
            except flac.Damaged:
                self._discard([key])
                self.damaged += 1
                return None
            except OSError:  # not there; or unreadable, then it is made again, and writing it tells what is wrong
                return None
            self._memory.hold(key, take)
            self._used(key, len(data))
            return take

    def has(self, key: str) -> bool:
        """True if the take is there; only `get` knows whether it is whole."""
        with self._one_at_a_time:
            return self._memory.has(key) or self._shelf.path(key).exists()

    def seconds(self, key: str) -> float | None:
        """How long the take is, from the head of its file; None if there is none."""
        with suppress(OSError, flac.Damaged), self._shelf.path(key).open("rb") as file:
            return flac.seconds(file.read(flac.LABEL_WITHIN))
        return None

    def put(self, key: str, samples: Samples, sample_rate: int) -> None:
        """Keep a take, in the place of an earlier one if there is one. A take without a sample is not kept."""
        if not len(samples):
            return
        with self._one_at_a_time:
            take = exact(samples, sample_rate)
            self._memory.hold(key, take)
            data = flac.seal(take.samples, sample_rate, flac.Label(key, self._book))
            try:
                self._write(key, data)
            except OSError as error:
                self._not_kept(error)
                return
            self._bytes += len(data)
            if self._bytes > self._full:
                self._make_room()
        self._shelf.sync()  # meanwhile others may ask: the ear does not wait for the disk

    def _write(self, key: str, data: bytes) -> None:
        """Into its place, then into the ledger: who gets our claim must find the take. A kill in between leaves a file
        that the ledger learns of when it is heard."""
        if self._session is None:
            raise self._shut or OSError(errno.EBADF, "the store is not open")
        part = self._session.part
        try:
            part.write_bytes(data)
            self._shelf.place(key, part)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise
        uses = self._uses
        uses[key] = self._use(len(data))
        if self._ask(lambda ledger, session: ledger.kept(session, key, uses), otherwise=False):
            self._uses = {}

    def claim(self, key: str) -> bool:
        """True if the take is ours to make; False if another process is making it: `get` has it soon, or already.

        A claim ends with `put`, `release`, its process, or two minutes after its process last kept a take. It saves
        work and promises nothing: a take made twice does no harm.
        """
        with self._one_at_a_time:
            for _ in range(2):
                owner = self._ask(lambda ledger, session: ledger.claim(key, session), otherwise="")
                if not owner or self._session is None:
                    return True
                if owner == self._session.name:
                    return not self._made_meanwhile(key)
                if self._session.lives(owner):
                    return False
                self._leave(owner)
            return True

    def _made_meanwhile(self, key: str) -> bool:
        """True if another process kept the take, and so ended its claim, after we looked for it in vain."""
        made = self.get(key) is not None
        if made:
            self.release(key)
        return made

    def release(self, key: str) -> None:
        """Give a claim back: the take will not be made after all."""
        with self._one_at_a_time:
            self._ask(lambda ledger, session: ledger.release(key, session), otherwise=None)

    def size(self) -> Size:
        """Takes and bytes on disk."""
        sizes = self.books().values()
        return Size(sum(size.takes for size in sizes), sum(size.bytes for size in sizes))

    def books(self) -> dict[str, Size]:
        """Size by book ("" for no book); a take that several books share counts for the one that used it last."""
        with self._one_at_a_time:
            self._flush()
            known = self._ask(lambda ledger, _: ledger.books(), otherwise=None)
            return _by_book(self._entries().values()) if known is None else known

    def verify(self) -> Health:
        """Read every take, remove the damaged ones, and put the ledger right."""
        with self._one_at_a_time:
            self._flush()
            whole, damaged = {}, []
            for key, use in self._entries().items():
                try:
                    whole[key] = use._replace(book=flac.check(self._shelf.path(key).read_bytes(), key).book)
                except flac.Damaged:
                    damaged.append(key)
                except OSError:
                    continue  # removed meanwhile, or not ours to read
            self._discard(damaged)
            self.damaged += len(damaged)
            known = self._ask(lambda ledger, _: ledger.keys(), otherwise=set[str]())
            gone = [key for key in known - whole.keys() if not self._shelf.path(key).exists()]
            missing = {key: use for key, use in whole.items() if key not in known}
            self._ask(lambda ledger, _: ledger.forget(gone), otherwise=None)
            self._ask(lambda ledger, _: ledger.record(missing), otherwise=None)
            return Health(Size(len(whole), sum(use.size for use in whole.values())), damaged)

    def clear(self, book: str | None = None) -> Size:
        """Remove all takes, or those of one book; says how much. Nothing but takes is ever removed."""
        with self._one_at_a_time:
            self._flush()
            entries = self._entries()
            if book is not None:
                chosen = self._ask(lambda ledger, _: ledger.of_book(book), otherwise=list[str]())
                entries = {key: entries[key] for key in chosen if key in entries}
            self._discard(entries)
            return Size(len(entries), sum(use.size for use in entries.values()))

    def _make_room(self) -> None:
        """Below the limit again, with some room for the next takes; what open books need stays, whatever its size."""
        self._flush()
        self._bytes = self._ask(lambda ledger, _: ledger.total().bytes, otherwise=0)
        if self._bytes > self._limit:
            unused = self._ask(lambda ledger, _: ledger.least_recently_used(), otherwise=list[tuple[str, int]]())
            going = []
            for key, size in unused:
                if self._bytes <= self._limit * (1 - ROOM):
                    break
                going.append(key)
                self._bytes -= size
            self._discard(going)
        # With nothing left to remove, not at every take again.
        self._full = self._limit if self._bytes <= self._limit else self._bytes + self._limit // 100

    def _discard(self, keys: Iterable[str]) -> None:
        keys = list(keys)
        for key in keys:
            self._memory.drop(key)
            self._uses.pop(key, None)
            self._shelf.remove(key)
        self._ask(lambda ledger, _: ledger.forget(keys), otherwise=None)

    def _used(self, key: str, size: int | None = None) -> None:
        """Note that a take was heard; the ledger gets such notes in bundles, losing some does no harm."""
        if size is not None or key in self._uses:
            self._uses[key] = self._use(size or self._uses[key].size)
        if len(self._uses) >= FLUSH_AFTER:
            self._flush()

    def _use(self, size: int) -> Use:
        return Use(size, time.time(), self._book)

    def _flush(self) -> None:
        uses = self._uses
        if self._ask(lambda ledger, _: ledger.record(uses), otherwise=False):
            self._uses = {}

    def _entries(self) -> dict[str, Use]:
        try:
            return {entry.key: Use(entry.size, entry.written) for entry in self._shelf.entries()}
        except OSError:
            return {}

    def _from_files(self) -> dict[str, Use]:
        """What a new ledger must hold: each file says itself for which book it was made."""
        entries = self._entries()
        for key, use in entries.items():
            with suppress(OSError, flac.Damaged), self._shelf.path(key).open("rb") as file:
                entries[key] = use._replace(book=flac.label(file.read(flac.LABEL_WITHIN)).book)
        return entries

    def _open_ledger(self, *, anew: bool = False) -> None:
        """Without a ledger (it cannot be written, or is busy for long) takes are kept all the same, without limit."""
        try:
            self._ledger = Ledger(self.folder / "index.sqlite", self._from_files, anew=anew)
        except (*Fault, OSError):
            self._ledger = None
        self._ask(lambda ledger, session: ledger.arrive(session, self._book), otherwise=None)
        self._bytes = self._ask(lambda ledger, _: ledger.total().bytes, otherwise=0)

    def _close_ledger(self) -> None:
        if self._ledger is not None:
            with suppress(*Fault):
                self._ledger.close()
            self._ledger = None

    def _ask(self, question: Callable[[Ledger, str], T], otherwise: T) -> T:
        """The ledger's answer; `otherwise` if it has none now. One that is broken is written anew from the files."""
        if self._ledger is None or self._session is None:
            return otherwise
        try:
            return question(self._ledger, self._session.name)
        except Fault as error:
            if broken(error):
                self._close_ledger()
                self._open_ledger(anew=True)
            return otherwise

    def _leave(self, session: str) -> None:
        self._ask(lambda ledger, _: ledger.leave(session), otherwise=None)

    def _not_kept(self, error: OSError) -> None:
        what, todo = _reason(error, self.folder)
        if self._must_keep:
            kept = "" if error.errno == errno.ENOENT else "Takes stored so far stay; "
            advice = f"{kept}{todo}, and run the same command again."
            raise NarrateError(f"{what}. {advice[0].upper()}{advice[1:]}") from error
        if not self._said:
            self._said = True
            self._say(f"{what}. Reading goes on without storing; to store takes, {todo}.")


def _reason(error: OSError, folder: Path) -> tuple[str, str]:
    """What happened, and what to do about it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full: {folder} takes no more", "free some space or choose another disk with --store DIR"
    if error.errno == errno.ENOENT:
        return f"The store {folder} was deleted while in use", "leave it in place or choose another with --store DIR"
    why = error.strerror or str(error)
    return f"Takes cannot be written to {folder} ({why})", "choose another place with --store DIR"


def _by_book(uses: Iterable[Use]) -> dict[str, Size]:
    sizes: dict[str, Size] = {}
    for use in uses:
        takes, total = sizes.get(use.book, (0, 0))
        sizes[use.book] = Size(takes + 1, total + use.size)
    return sizes
