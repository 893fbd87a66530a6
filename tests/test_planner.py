"""Batches: every chunk once, the earliest never left waiting, a quick start, like lengths together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from narrate.planner import Planner, chunk_seconds
from narrate.text.document import Chunk
from tests.speech import a_chunk, chunks

lengths = st.lists(st.integers(1, 60), max_size=80)


def of_lengths(words: list[int]) -> list[Chunk]:
    return [a_chunk(index, "word " * count) for index, count in enumerate(words)]


@given(lengths, st.integers(1, 12), st.integers(1, 5), st.floats(0, 300))
def test_every_chunk_is_in_exactly_one_batch(words: list[int], size: int, ahead: int, buffered: float) -> None:
    book = of_lengths(words)
    planner = Planner(batch_size=size, look_ahead=ahead, buffered=lambda: buffered)
    batches = []
    for batch in planner.batches(book):
        planner.learn(batch, 0.4 * sum(map(chunk_seconds, batch)))
        batches.append(batch)
    assert sorted((chunk for batch in batches for chunk in batch), key=lambda chunk: chunk.index) == book
    assert all(1 <= len(batch) <= size for batch in batches)


@given(lengths, st.floats(0, 300))
def test_the_earliest_chunk_is_always_in_the_next_batch(words: list[int], buffered: float) -> None:
    book = of_lengths(words)
    done: set[int] = set()
    for batch in Planner(buffered=lambda: buffered).batches(book):
        earliest = next(chunk.index for chunk in book if chunk.index not in done)
        assert earliest in {chunk.index for chunk in batch}
        done.update(chunk.index for chunk in batch)


def test_the_first_batch_is_the_first_chunk_and_batches_grow() -> None:
    sizes = [len(batch) for batch in Planner().batches(chunks(60))]
    assert sizes[0] == 1
    assert sizes == sorted(sizes[:-1]) + sizes[-1:]
    assert max(sizes) == 10


def test_after_a_restart_it_begins_small_again() -> None:
    planner = Planner()
    list(planner.batches(chunks(40)))
    planner.restart()
    assert len(next(planner.batches(chunks(40)))) == 1


def test_nothing_more_has_arrived_so_what_is_in_hand_goes() -> None:
    first, second, third = chunks(3)
    planner = Planner(ramp=10)
    assert list(planner.batches([first, None, second, None, None, third])) == [[first], [second], [third]]


def test_no_more_is_asked_for_than_the_quick_start_needs() -> None:
    asked = []

    def source() -> object:
        for chunk in chunks(50):
            asked.append(chunk.index)
            yield chunk

    next(Planner().batches(source()))
    assert asked == [0]


def test_like_lengths_share_a_batch_when_nothing_is_urgent() -> None:
    """Against batches in reading order on the same chunks: less of every batch is padding."""

    def padding(batches: list[list[Chunk]]) -> float:
        padded = sum(len(batch) * max(map(chunk_seconds, batch)) for batch in batches)
        return 1 - sum(chunk_seconds(chunk) for batch in batches for chunk in batch) / padded

    book = of_lengths([(7 * index) % 50 + 3 for index in range(400)])
    planner = Planner(buffered=lambda: 1000.0)
    planned = []
    for batch in planner.batches(book):
        planner.learn(batch, 0.2 * max(map(chunk_seconds, batch)))
        planned.append(batch)
    in_order = [book[start : start + 10] for start in range(0, len(book), 10)]
    assert padding(planned) < 0.6 * padding(in_order)
