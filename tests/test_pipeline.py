"""The threads: order, bounds, errors after the good items, nothing left behind."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.pipeline import Background, LazyList, Prefetch, in_order
from narrate.playback.transport import Transport


@dataclass(frozen=True)
class Item:
    index: int
    final: bool = True
    part: int = 0


def narrate_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("narrate")]


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 10  # a thread that has done its work may be a moment in ending
    while narrate_threads() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert narrate_threads() == []


@given(st.permutations(range(30)))
def test_in_order_restores_any_order(indexes: list[int]) -> None:
    assert [item.index for item in in_order(Item(index) for index in indexes)] == list(range(30))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_in_order_keeps_the_pieces_of_one_index_together(pieces: list[int], order: random.Random) -> None:
    rows = [[Item(index, part == count - 1, part) for part in range(count)] for index, count in enumerate(pieces)]
    expected = [item for row in rows for item in row]
    mixed = []
    while rows:  # interleave the rows, each in its own order, as an engine with several slots does
        row = order.choice(rows)
        mixed.append(row.pop(0))
        if not row:
            rows.remove(row)
    assert list(in_order(mixed)) == expected


def test_in_order_lets_pieces_pass_before_their_chunk_is_complete() -> None:
    def pieces() -> Iterator[Item]:
        yield Item(0, final=False)
        raise RuntimeError("the second piece is not made yet")

    ordered = in_order(pieces())
    assert next(ordered) == Item(0, final=False)


def test_in_order_names_what_is_missing() -> None:
    with pytest.raises(LookupError, match="item 1 is missing"):
        list(in_order([Item(0), Item(2), Item(3)]))


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_prefetch_gives_the_same_items(limit: int) -> None:
    with Prefetch(range(1000), limit) as ahead:
        assert list(ahead) == list(range(1000))


def test_prefetch_holds_no_more_than_its_limit_and_one_item() -> None:
    most = 0.0
    ahead = Prefetch((7.0 for _ in range(200)), 20, weight=lambda seconds: seconds)
    with ahead:
        for _ in ahead:
            most = max(most, ahead.held)
    assert most <= 27


def test_the_error_comes_after_the_good_items_with_its_traceback() -> None:
    def produce() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third")

    seen = []
    with pytest.raises(ValueError, match="the third") as caught, Prefetch(produce(), 1) as ahead:
        for item in ahead:
            seen.append(item)
    assert seen == [1, 2]
    assert caught.traceback[-1].name == "produce"


def test_a_failing_reader_stops_and_closes_the_producer() -> None:
    closed = threading.Event()

    def produce() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.set()

    with pytest.raises(RuntimeError, match="device gone"), Prefetch(produce(), 2) as ahead:
        for item in ahead:
            if item == 5:
                raise RuntimeError("device gone")
    assert closed.is_set()


def test_leaving_interrupts_an_item_in_the_making() -> None:
    cut_short = threading.Event()

    def produce() -> Iterator[int]:
        yield 1
        cut_short.wait()  # an engine in the middle of a batch: only `interrupt` ends it

    with Prefetch(produce(), 5, interrupt=cut_short.set) as ahead:
        assert ahead.take() == 1
    assert cut_short.is_set()


def test_take_gives_up_after_its_timeout() -> None:
    more = threading.Event()

    def produce() -> Iterator[int]:
        more.wait()
        yield 1

    with Prefetch(produce(), 5, interrupt=more.set) as ahead:
        assert ahead.take(0.01) is None
        assert not ahead.exhausted
        more.set()
        assert ahead.take() == 1
        assert ahead.take() is None
        assert ahead.exhausted


def test_interrupt_from_the_keyboard_leaves_no_thread() -> None:
    with pytest.raises(KeyboardInterrupt), Prefetch(range(10**9), 2) as ahead:
        for item in ahead:
            if item == 3:
                raise KeyboardInterrupt


def test_background_work_returns_and_raises() -> None:
    assert Background(lambda: 42).result() == 42
    with pytest.raises(ZeroDivisionError):
        Background(lambda: 1 // 0).result()


def test_a_lazy_list_reads_only_as_far_as_somebody_looks() -> None:
    read = []

    def source() -> Iterator[int]:
        for number in range(10):
            read.append(number)
            yield number

    numbers = LazyList(source())
    assert numbers.get(3) == 3
    assert read == [0, 1, 2, 3]
    assert list(numbers.since(8)) == [8, 9]
    assert numbers.get(10) is None


def test_a_lazy_list_passes_on_that_nothing_has_arrived_yet() -> None:
    numbers = LazyList([1, None, 2])
    assert list(numbers.since(0)) == [1, None, 2]
    assert list(numbers.since(0)) == [1, 2]


def test_a_lazy_list_is_read_by_two_threads_without_loss() -> None:
    numbers = LazyList(iter(range(20_000)))
    other = Background(lambda: list(numbers.since(0)))
    assert list(numbers.since(0)) == list(range(20_000)) == other.result()


def test_a_seek_wakes_a_paused_player() -> None:
    transport = Transport()
    transport.pause()
    player = Background(transport.wait_while_paused)
    assert not player.wait(0.01)
    transport.seek(7)
    player.result()
    assert transport.take_aim() == 7
    assert transport.take_aim() is None


def test_a_wait_that_a_signal_breaks_off_does_not_take_a_living_thread_for_ended() -> None:
    """`Thread.join` does, on Python 3.11 and 3.12: then a file was closed under the thread that wrote it."""
    gate = threading.Event()
    work = Background(gate.wait, "narrate-work")
    before = signal.signal(signal.SIGALRM, _interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            work.wait(10.0)
        assert not work.wait(0.0)
    finally:
        signal.signal(signal.SIGALRM, before)
        gate.set()
    assert work.result()


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
