"""The store of takes: a take is made once, and what was heard is what is exported.

store/takes/ab/ab12….flac   one file per take, sealed: it proves itself whole (take_files.py, flac.py)
store/takes/ab/ab12….json   what was found about the take, if it was checked
store/index.sqlite          size, last use and book of every take; can be lost (index.py)
store/open/                 who is using the store now (presence.py)

A process opens the store once, and has a light view of it for every book it reads.
"""

from __future__ import annotations

import errno
import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from narrate.clip import Samples
from narrate.errors import NarrateError
from narrate.files import open_private
from narrate.store import flac, in_memory
from narrate.store.in_memory import MemoryTakes
from narrate.store.index import Index, NoIndex, Size, Use, open_index, presence_of
from narrate.store.presence import Presence
from narrate.store.take_files import TakeFiles
from narrate.store.takes import Take, as_stored
from narrate.text.characters import with_capital

LIMIT_BYTES = 20_000_000_000  # on disk: about twenty long novels
ROOM_SHARE = 0.05  # of the limit is made free at once when it is reached


class Health(NamedTuple):
    """What `Store.verify` found: the takes that are whole, and the keys of those that were not (removed)."""

    whole: Size
    damaged: list[str]


@dataclass(frozen=True, slots=True)
class _Filed(Take):
    """A take in memory whose file is on the disk, and the book that used it last."""

    size_bytes: int
    book: str


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


class Store:
    """Takes in `folder`, for as long as the `with` block lasts. Any thread may use it, and any number of processes.

    `for_book` gives what reads and keeps takes. All the views share one connection to the index and `memory_bytes` of
    memory for the takes of the last minutes. On disk there are at most `limit_bytes`, unless open books need more. When
    takes can no longer be kept (disk full, folder read-only or deleted), `say` gets one line, once.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit_bytes: int = LIMIT_BYTES,
        memory_bytes: int = in_memory.LIMIT_BYTES,
        say: Callable[[str], None] = _to_stderr,
    ) -> None:
        self.folder, self._limit_bytes = folder, limit_bytes
        self._say, self._said = say, False
        self._lock = threading.RLock()
        self._memory, self._files = MemoryTakes(memory_bytes), TakeFiles(folder)
        self._index: Index | NoIndex = NoIndex(self._stored)
        self._presence: Presence | None = None
        self._unwritable: OSError | None = OSError(errno.EBADF, "the store is not open")
        self._views = itertools.count(1)
        self._bytes = 0  # on disk, about: other processes write too
        self._evict_above_bytes = limit_bytes

    def __enter__(self) -> Store:
        try:
            self._files.build()
            self._presence = Presence(self.folder)
        except OSError as error:
            self._unwritable = error
            return self
        self._unwritable = None
        self._index = open_index(self.folder / "index.sqlite", self._stored, self._say)
        self._bytes = self._index.known_bytes()
        self._reap(self._presence)
        return self

    def _reap(self, presence: Presence) -> None:
        """Forget the views and claims of processes that ended without closing the store."""
        ended = set(presence.reap())
        ended.update(name for name in self._index.presences() if not presence.lives(name))
        for name in ended:
            self._index.leave(name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._index.flush()
            self._files.sync(at_most_seconds=1.0)
            if self._presence is not None:
                self._index.leave(self._presence.name)
                self._presence.close()
            self._index.close()
            self._index, self._presence = NoIndex(self._stored), None
            self._unwritable = OSError(errno.EBADF, "the store was closed")

    def for_book(self, book: str, *, must_keep: bool = False) -> BookTakes:
        """A view for the book in hand ("" for none): until it is closed the book's takes never make room for others.

        With `must_keep` a take that cannot be kept raises `NarrateError`, here already if none can be; the takes kept
        so far stay. Without it reading goes on, and `say` is told.
        """
        with self._lock:
            if must_keep and self._unwritable is not None:
                self._not_kept(self._unwritable, must_keep)
            presence = self._presence.name if self._presence else ""
            view = BookTakes(self, book, f"{presence}/{next(self._views)}", must_keep)
            if book:
                self._index.arrive(view.name, book)
            return view

    # What every book's view asks for

    def _get(self, key: str, view: BookTakes) -> Take | None:
        with self._lock:
            take = self._memory.get(key)
            if take is None:
                return self._read(key, view)
            if isinstance(take, _Filed) and take.book != view.book:
                return self._heard(key, take, take.size_bytes, view)
            return take

    def _read(self, key: str, view: BookTakes) -> Take | None:
        try:
            data = self._files.path(key).read_bytes()
            take = as_stored(*flac.unseal(data, key))
        except flac.Damaged:
            self._discard([key])
            view.damaged += 1
            return None
        except OSError:
            # It is not there. Or it cannot be read; then it is made again, and writing it tells what is wrong.
            return None
        return self._heard(key, take, len(data), view)

    def _heard(self, key: str, take: Take, size_bytes: int, view: BookTakes) -> Take:
        filed = _Filed(take.samples, take.sample_rate, size_bytes, view.book)
        self._memory.hold(key, filed)
        self._index.heard(key, Use(size_bytes, time.time(), view.book))
        return filed

    def _has(self, key: str) -> bool:
        with self._lock:
            return self._memory.has(key) or self._files.path(key).exists()

    def _seconds(self, key: str) -> float | None:
        with suppress(OSError, flac.Damaged):
            return flac.seconds(self._files.head(key))
        return None

    def _put(self, key: str, samples: Samples, sample_rate: int, view: BookTakes) -> None:
        take = as_stored(samples, sample_rate)
        data = flac.seal(take.samples, sample_rate, flac.Label(key, view.book))
        with self._lock:
            try:
                self._write(key, data)
            except OSError as error:
                self._memory.hold(key, take)
                self._not_kept(error, view.must_keep)
                return
            self._memory.hold(key, _Filed(take.samples, sample_rate, len(data), view.book))
            # The file is in its place before the index knows: whoever gets our claim must find the take. After a kill
            # in between, the index learns of the file when it is heard.
            self._index.kept(key, Use(len(data), time.time(), view.book), view.name)
            self._bytes += len(data)
            if self._bytes > self._evict_above_bytes:
                self._make_room()
        self._files.sync()  # Meanwhile others may ask: the ear does not wait for the disk.

    def _write(self, key: str, data: bytes) -> None:
        part = self._part(data)
        try:
            self._files.place(key, part)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise

    def _part(self, data: bytes) -> Path:
        """A file with these bytes that waits for its name."""
        if self._presence is None:
            raise self._unwritable or OSError(errno.EBADF, "the store is not open")
        part = self._presence.part
        try:
            with open(part, "wb", opener=open_private) as file:
                file.write(data)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise
        return part

    def _verdict(self, key: str) -> str | None:
        with suppress(OSError, ValueError):
            sound, text = self._files.verdict(key).read_text(encoding="utf-8").split("\n", 1)
            if sound == flac.content(self._files.head(key)):
                return text
        return None

    def _put_verdict(self, key: str, samples: Samples, verdict: str) -> None:
        """Where it cannot be kept it is found out again."""
        sound = flac.content_of(samples)
        with self._lock, suppress(OSError):
            if sound == flac.content(self._files.head(key)):
                self._part(f"{sound}\n{verdict}".encode()).replace(self._files.verdict(key))

    def _claim(self, key: str, view: BookTakes) -> bool:
        with self._lock:
            for _ in range(2):
                owner = self._index.claim(key, view.name)
                if owner == view.name or self._presence is None:
                    return not self._made_meanwhile(key, view)
                if self._presence.lives(presence_of(owner)):
                    return False
                self._index.leave(presence_of(owner))
            return True

    def _made_meanwhile(self, key: str, view: BookTakes) -> bool:
        """True if somebody else kept the take, and so ended his claim, after we looked for it in vain."""
        made = self._get(key, view) is not None
        if made:
            self._index.release(key, view.name)
        return made

    def _release(self, key: str, view: BookTakes) -> None:
        with self._lock:
            self._index.release(key, view.name)

    def _close_view(self, view: BookTakes) -> None:
        with self._lock:
            self._index.leave(view.name)

    # The store as a whole

    def size(self) -> Size:
        """Takes and bytes on disk."""
        sizes = self.books().values()
        return Size(sum(size.takes for size in sizes), sum(size.bytes for size in sizes))

    def books(self) -> dict[str, Size]:
        """Size by book ("" for no book); a take that several books share counts for the one that used it last."""
        with self._lock:
            return self._index.books()

    def verify(self) -> Health:
        """Read every take, remove the damaged ones, and put the index right."""
        with self._lock:
            whole, damaged = {}, []
            for key, use in self._by_name().items():
                try:
                    whole[key] = use._replace(book=flac.check(self._files.path(key).read_bytes(), key).book)
                except flac.Damaged:
                    damaged.append(key)
                except OSError:
                    continue  # it was removed meanwhile, or is not ours to read
            self._discard(damaged)
            self._files.sweep_verdicts()
            known = self._index.keys()
            self._index.forget(key for key in known - whole.keys() if not self._files.path(key).exists())
            self._index.record({key: use for key, use in whole.items() if key not in known})
            return Health(Size(len(whole), sum(use.size_bytes for use in whole.values())), damaged)

    def clear(self, book: str | None = None) -> Size:
        """Remove all takes, or those of one book; says how much. Nothing but takes is ever removed."""
        with self._lock:
            going = self._by_name()
            if book is not None:
                going = {key: going[key] for key in self._index.of_book(book) if key in going}
            self._discard(going)
            return Size(len(going), sum(use.size_bytes for use in going.values()))

    def _make_room(self) -> None:
        """Get below the limit again, with some room for the next takes; what open books need stays, whatever its size.

        When nothing is left to remove, this is not tried at every take again.
        """
        self._bytes = self._index.known_bytes()
        if self._bytes > self._limit_bytes:
            going = []
            for key, size_bytes in self._index.least_recently_used():
                if self._bytes <= self._limit_bytes * (1 - ROOM_SHARE):
                    break
                going.append(key)
                self._bytes -= size_bytes
            self._discard(going)
        fits = self._bytes <= self._limit_bytes
        self._evict_above_bytes = self._limit_bytes if fits else self._bytes + self._limit_bytes // 100

    def _discard(self, keys: Iterable[str]) -> None:
        keys = list(keys)
        for key in keys:
            self._memory.drop(key)
            self._files.remove(key)
        self._index.forget(keys)

    def _by_name(self) -> dict[str, Use]:
        """Every take on the disk, by the names of the files alone: which book they are of stays open."""
        with suppress(OSError):
            return {file.key: Use(file.size_bytes, file.written) for file in self._files.files()}
        return {}

    def _stored(self) -> dict[str, Use]:
        """Every take on the disk: each file says itself for which book it was made."""
        uses = self._by_name()
        for key, use in uses.items():
            with suppress(OSError, flac.Damaged):
                uses[key] = use._replace(book=flac.label(self._files.head(key)).book)
        return uses

    def _not_kept(self, error: OSError, must_keep: bool) -> None:
        opened = self._presence is not None
        what, todo = _reason(error, self.folder, opened)
        if must_keep:
            kept = "Takes stored so far stay; " if opened and error.errno != errno.ENOENT else ""
            advice = f"{kept}{todo}, and run the same command again."
            raise NarrateError(f"{what}. {with_capital(advice)}") from error
        if not self._said:
            self._said = True
            self._say(f"{what}. Reading goes on without storing; to store takes, {todo}.")


class BookTakes:
    """The store as one book sees it (see `Store.for_book`): it satisfies `Takes`, and any thread may use it.

    It costs no memory and no connection of its own. Once it is closed it may still be asked, but its claims have ended
    and its book's takes may make room for others.
    """

    def __init__(self, store: Store, book: str, name: str, must_keep: bool) -> None:
        self.book, self.name, self.must_keep = book, name, must_keep
        self.damaged = 0
        self._store = store

    def __enter__(self) -> BookTakes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._store._close_view(self)

    def get(self, key: str) -> Take | None:
        """The take, or None if it must be made: never stored, removed, or damaged (then it is removed now)."""
        return self._store._get(key, self)

    def has(self, key: str) -> bool:
        """True if the take is there; only `get` knows whether it is whole."""
        return self._store._has(key)

    def seconds(self, key: str) -> float | None:
        """How long the take is, from the head of its file; None if there is none."""
        return self._store._seconds(key)

    def put(self, key: str, samples: Samples, sample_rate: int) -> None:
        """Keep a take, in the place of an earlier one if there is one. A take without a sample is not kept."""
        if len(samples):
            self._store._put(key, samples, sample_rate, self)

    def verdict(self, key: str) -> str | None:
        """What was found about the take that is kept now; None if nothing was."""
        return self._store._verdict(key)

    def put_verdict(self, key: str, samples: Samples, verdict: str) -> None:
        """Keep what was found about the take beside it, if these samples are still the take. It goes with the take."""
        self._store._put_verdict(key, samples, verdict)

    def claim(self, key: str) -> bool:
        """True if the take is ours to make; False if somebody else is making it: `get` has it soon, or already.

        A claim ends with `put`, `release`, its view, its process, or two minutes after its view last kept a take. It
        saves work and promises nothing: a take made twice does no harm.
        """
        return self._store._claim(key, self)

    def release(self, key: str) -> None:
        """Give a claim back: the take will not be made after all."""
        self._store._release(key, self)


def _reason(error: OSError, folder: Path, opened: bool) -> tuple[str, str]:
    """What happened, and what to do about it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full: {folder} takes no more", "free some space or choose another disk with --store DIR"
    if error.errno == errno.ENOENT and opened:
        return f"The store {folder} was deleted while in use", "leave it in place or choose another with --store DIR"
    dangling = folder.is_symlink() and not folder.exists()
    why = "the link leads nowhere" if dangling else (error.strerror or str(error)).lower()
    todo = "choose another place with --store DIR, or keep no takes with --no-store"
    return f"Takes cannot be kept in {folder} ({why})", todo
