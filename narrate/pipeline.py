"""The threads of narrate, all of them: an iterator read ahead, work in the background, a list that threads share.

Knows nothing of speech. Stages elsewhere are plain iterators that run the same with or without a thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from types import TracebackType
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
_OURS = "narrate-"  # begins the name of every thread


class Numbered(Protocol):
    """Something with a place in the order; several with one `index` follow one another until the `final` one."""

    @property
    def index(self) -> int: ...

    @property
    def final(self) -> bool: ...


N = TypeVar("N", bound=Numbered)


def in_order(items: Iterable[N], first: int = 0) -> Iterator[N]:
    """Hold back early items until those before them have passed. Raises `LookupError` if one never comes."""
    due = first
    early: dict[int, list[N]] = {}
    for item in items:
        early.setdefault(item.index, []).append(item)
        while due in early:
            ready = early.pop(due)
            yield from ready
            if not ready[-1].final:
                break
            due += 1
    if early:
        raise LookupError(f"item {due} is missing, and {len(early)} after it are waiting for it")


class Prefetch(Generic[T]):
    """Iterate `items` in a thread, at most `limit` of `weight` ahead of the reader.

    The reader gets the items in order, then the error if there was one, with its traceback. Leaving the block stops the
    thread and waits for it; `interrupt` is called until it has ended, so that an item in the making can be cut short.
    One item may pass the limit, so that an item heavier than the limit passes too.
    """

    def __init__(
        self,
        items: Iterable[T],
        limit: float,
        weight: Callable[[T], float] = lambda _: 1.0,
        interrupt: Callable[[], object] = lambda: None,
    ) -> None:
        self._items, self._limit, self._weight, self._interrupt = items, limit, weight, interrupt
        self._ready: deque[T] = deque()
        self._held = 0.0
        self._done = self._stopping = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._ended = threading.Event()  # not Thread.join: see Background

    @property
    def held(self) -> float:
        """The weight of what is ready and not yet read."""
        return self._held

    @property
    def exhausted(self) -> bool:
        """True once no more items will become ready."""
        return self._done

    def __enter__(self) -> Prefetch[T]:
        _start(self._run, "narrate-prefetch")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        while not self._ended.is_set():
            self._interrupt()
            self._ended.wait(0.05)

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._offer(item):
                    break
        except BaseException as error:
            self._error = error
        finally:
            try:
                close = getattr(self._items, "close", None)
                if close is not None:
                    close()
            except BaseException as error:
                self._error = self._error or error
            with self._changed:
                self._done = True
                self._changed.notify_all()
            self._ended.set()

    def _offer(self, item: T) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._held < self._limit or self._stopping)
            if self._stopping:
                return False
            self._ready.append(item)
            self._held += self._weight(item)
            self._changed.notify_all()
            return True

    def take(self, timeout: float | None = None) -> T | None:
        """The next item; None if there is none within `timeout` seconds, or none any more (see `exhausted`)."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._ready) or self._done, timeout)
            if self._ready:
                item = self._ready.popleft()
                self._held -= self._weight(item)
                if not self._ready:
                    self._held = 0.0  # no drift from adding and subtracting floats
                self._changed.notify_all()
                return item
            if self._done and self._error is not None:
                raise self._error
            return None

    def __iter__(self) -> Iterator[T]:
        while (item := self.take()) is not None:
            yield item


class Background(Generic[T]):
    """Run `work` in a thread beside the caller; `result` gives what it returned or raises what it raised.

    It waits for an event and not for the thread: when a signal handler raises within `Thread.join`, Python 3.11 and
    3.12 take a living thread for ended from then on.
    """

    def __init__(self, work: Callable[[], T], name: str = "narrate-background") -> None:
        self._work = work
        self._result: T | None = None
        self._error: BaseException | None = None
        self._ended = threading.Event()
        _start(self._run, name)

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait at most `seconds`; True once the work has ended."""
        return self._ended.wait(seconds)

    def result(self) -> T:
        self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]


def _start(work: Callable[[], None], name: str) -> None:
    """What the starting thread's context variables say, such as which request it is about, holds in the new one too."""
    threading.Thread(target=copy_context().run, args=(work,), name=name, daemon=True).start()


def any_thread_hangs() -> bool:
    """True if a thread of narrate is still at work. Once all is done and said it hangs, in a sound device perhaps."""
    return any(thread.name.startswith(_OURS) for thread in threading.enumerate())


class LazyList(Generic[T]):
    """A list that is read from an iterator as far as somebody looks, by any thread.

    None from the iterator says that nothing has arrived yet.
    """

    def __init__(self, items: Iterable[T | None]) -> None:
        self._source = iter(items)
        self._items: list[T] = []
        self._complete = False
        self._waiting = False
        self._lock = threading.Lock()

    @property
    def waiting(self) -> bool:
        """True if the last look found that the next item has not arrived yet."""
        return self._waiting

    def get(self, position: int) -> T | None:
        """The item at `position` ≥ 0; None past the end, or if it has not arrived yet."""
        while position >= len(self._items) and not self._complete:
            with self._lock:
                if position < len(self._items) or self._complete:
                    break
                try:
                    item = next(self._source)
                except StopIteration:
                    self._complete = True
                    break
                self._waiting = item is None
                if item is None:
                    break
                self._items.append(item)
        return self._items[position] if position < len(self._items) else None

    def since(self, position: int) -> Iterator[T | None]:
        """The items from `position` on, with None where the next one has not arrived yet."""
        while True:
            item = self.get(position)
            if item is None and self._complete and position >= len(self._items):
                return
            position += item is not None
            yield item
