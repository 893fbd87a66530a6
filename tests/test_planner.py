"""Batches: every chunk once, the earliest never left waiting, a quick start, no gap that could be spared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.engines.planner import Cost, Planner
from narrate.pace import chunk_seconds
from narrate.text.document import Chunk
from tests.speech import a_chunk, chunks

Engine = Callable[[Sequence[float]], float]

lengths = st.lists(st.integers(1, 60), max_size=80)
weights = st.tuples(st.floats(0, 2), st.floats(0.05, 2), st.floats(0.01, 0.5))

# Engines that are quicker than speech even with one row: whoever listens to them need not hear a gap.
QUICK = {
    "by all its sound": lambda rows: 0.25 * sum(rows),
    "by the longest row": lambda rows: 0.1 + 0.45 * max(rows) + 0.05 * len(rows),
    "very quick": lambda rows: 0.05 + 0.2 * max(rows) + 0.02 * len(rows),
}
# Ten rows of 7 s take 17 s, one row takes twice as long as its sound.
SLOW_ALONE: Engine = lambda rows: 0.3 + 1.86 * max(rows) + 0.37 * len(rows)  # noqa: E731


def of_lengths(words: Sequence[int]) -> list[Chunk]:
    return [a_chunk(index, "word " * count) for index, count in enumerate(words)]


def seconds_of(batch: Sequence[Chunk]) -> list[float]:
    return [chunk_seconds(chunk) for chunk in batch]


@dataclass
class Ear:
    """Hears chunks at normal speed as they are ready, and counts its silence."""

    now: float = 0.0
    end: float = 0.0  # when the sound so far is over
    first: float = inf
    silences: list[float] = field(default_factory=list)

    def buffered(self) -> float:
        return max(0.0, self.end - self.now)

    def hear(self, chunk: Chunk) -> None:
        self.first = min(self.first, self.now)
        if self.end and self.now > self.end:
            self.silences.append(self.now - self.end)
        self.end = max(self.end, self.now) + chunk_seconds(chunk) + chunk.pause


def listen(planner: Planner, book: Sequence[Chunk], engine: Engine) -> Ear:
    """What is heard of a book whose batches take as long as `engine` says, each whole at its end."""
    ear = Ear()
    planner.buffered = ear.buffered
    made: set[int] = set()
    due = 0
    for batch in planner.batches(book):
        seconds = engine(seconds_of(batch))
        planner.learn(batch, seconds)
        ear.now += seconds
        made.update(chunk.index for chunk in batch)
        while due in made:
            ear.hear(book[due])
            due += 1
    assert due == len(book)
    return ear


def least_wait(book: Sequence[Chunk], engine: Engine, size: int) -> float:
    """The least silence before and within the book, however it is cut into batches in order: all ways are tried."""
    rows = seconds_of(book)
    least = inf
    for count in range(len(book)):
        for cuts in combinations(range(1, len(book)), count):
            edges = [0, *cuts, len(book)]
            if max(end - begin for begin, end in zip(edges, edges[1:], strict=False)) > size:
                continue
            ready = wait = sound = 0.0
            for begin, end in zip(edges, edges[1:], strict=False):
                ready += engine(rows[begin:end])
                wait = max(wait, ready - sound)
                sound += sum(rows[begin:end]) + sum(chunk.pause for chunk in book[begin:end])
            least = min(least, wait)
    return least


@given(lengths, st.integers(1, 12), st.integers(1, 5), st.floats(0, 300) | st.just(inf), weights)
def test_every_chunk_is_in_exactly_one_batch(
    words: list[int], size: int, ahead: int, buffered: float, engine: tuple[float, float, float]
) -> None:
    book = of_lengths(words)
    planner = Planner(batch_size=size, look_ahead=ahead, buffered=lambda: buffered)
    batches = []
    for batch in planner.batches(book):
        planner.learn(batch, engine[0] + engine[1] * max(seconds_of(batch)) + engine[2] * sum(seconds_of(batch)))
        batches.append(batch)
    assert sorted((chunk for batch in batches for chunk in batch), key=lambda chunk: chunk.index) == book
    assert all(1 <= len(batch) <= size for batch in batches)
    assert all(batch == sorted(batch, key=lambda chunk: chunk.index) for batch in batches)


@given(lengths, st.floats(0, 300) | st.just(inf))
def test_the_earliest_chunk_is_always_in_the_next_batch(words: list[int], buffered: float) -> None:
    book = of_lengths(words)
    done: set[int] = set()
    planner = Planner(buffered=lambda: buffered)
    for batch in planner.batches(book):
        earliest = next(chunk.index for chunk in book if chunk.index not in done)
        assert earliest in {chunk.index for chunk in batch}
        done.update(chunk.index for chunk in batch)
        planner.learn(batch, 0.3 * sum(seconds_of(batch)))


def test_the_first_batch_is_the_first_chunk_alone() -> None:
    asked = []

    def source() -> Iterator[Chunk]:
        for chunk in chunks(50):
            asked.append(chunk.index)
            yield chunk

    assert [chunk.index for chunk in next(Planner().batches(source()))] == [0]
    assert asked == [0]


def test_batches_are_full_from_the_first_on_if_nobody_waits() -> None:
    sizes = [len(batch) for batch in Planner(buffered=lambda: inf).batches(chunks(60))]
    assert sizes == [10] * 6


def test_nothing_more_has_arrived_so_what_is_in_hand_goes() -> None:
    first, second, third = chunks(3)
    planner = Planner(buffered=lambda: inf)
    assert list(planner.batches([first, None, second, None, None, third])) == [[first], [second], [third]]


@pytest.mark.parametrize("engine", QUICK.values(), ids=QUICK.keys())
def test_no_gap_where_the_engine_is_quick_enough(engine: Engine) -> None:
    book = of_lengths([8, 9, 7, 15, 30, 20, *(20 + 7 * index % 45 for index in range(300))])
    ear = listen(Planner(), book, engine)
    assert not ear.silences
    assert ear.first == engine(seconds_of(book[:1]))


@given(st.lists(st.integers(2, 60), min_size=6, max_size=11))
def test_with_known_costs_the_silence_is_the_least_there_can_be(words: list[int]) -> None:
    """Of plans that are made at once; later ones may do a little better, as they see what was not foreseen."""
    book = of_lengths(words)
    planner = Planner(batch_size=5)
    for batch in (book[:1], book[1:4], book[:5], book[2:6], book[:2]):
        planner.learn(batch, SLOW_ALONE(seconds_of(batch)))
    ear = listen(planner, book, SLOW_ALONE)
    assert ear.first + sum(ear.silences) <= 1.25 * least_wait(book, SLOW_ALONE, 5) + 1.0


def test_what_a_slow_engine_makes_its_listener_wait_is_little_more_than_it_must_be() -> None:
    book = of_lengths([3, 9, 8, 15, 30, 20, 40, 35, 25, 38, 41, 36, 44, 30])
    ear = listen(Planner(), book, SLOW_ALONE)
    assert ear.first == SLOW_ALONE(seconds_of(book[:1]))
    assert ear.first + sum(ear.silences) < 1.5 * least_wait(book, SLOW_ALONE, 10)


@given(weights, st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=10), min_size=1, max_size=8))
def test_what_was_seen_often_is_foreseen(engine: tuple[float, float, float], seen: list[list[float]]) -> None:
    """However alike the batches were, and whatever the very first, which loads a model, took."""
    a, b, c = engine
    cost = Cost()
    cost.learn([1.0], 30.0)
    for rows in seen * 20:
        cost.learn(rows, a + b * max(rows) + c * sum(rows))
    for rows in seen:
        assert cost.of(rows) == pytest.approx(a + b * max(rows) + c * sum(rows), rel=0.15)
    assert min(cost.weights) >= 0


def test_what_was_never_seen_is_foreseen_from_what_was() -> None:
    cost = Cost()
    for count in range(1, 30):
        rows = [1.0 + (count * 7 + row * 5) % 11 for row in range(1 + count % 5)]
        cost.learn(rows, 0.5 + 1.2 * max(rows) + 0.1 * sum(rows))
    assert cost.of([9.0] * 10) == pytest.approx(0.5 + 10.8 + 9.0, rel=0.05)
    assert cost.of([1.0]) == pytest.approx(1.8, rel=0.1)


def test_like_lengths_share_a_batch_when_nothing_is_urgent() -> None:
    """Against batches in reading order on the same chunks: less of every batch is padding."""

    def padding(batches: list[list[Chunk]]) -> float:
        padded = sum(len(batch) * max(seconds_of(batch)) for batch in batches)
        return 1 - sum(sum(seconds_of(batch)) for batch in batches) / padded

    book = of_lengths([(7 * index) % 50 + 3 for index in range(400)])
    planner = Planner(buffered=lambda: 1000.0)
    planned = []
    for batch in planner.batches(book):
        planner.learn(batch, 0.2 * max(seconds_of(batch)))
        planned.append(batch)
    in_order = [book[start : start + 10] for start in range(0, len(book), 10)]
    assert padding(planned) < 0.6 * padding(in_order)
