"""The scheduler without a model: lengths take the place of speech."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.engines.qwen.guard import allowance
from narrate.engines.qwen.scheduler import Row, Scheduler
from narrate.pace import expected_seconds
from narrate.text.chunking.chunks import cut
from narrate.text.document import Chunk
from narrate.text.readers import read_file

BLOCK = 4
ENDLESS = 10**9


@dataclass(frozen=True, slots=True)
class Length:
    """What stands for a chunk: how many frames it takes to say, and how many it is allowed."""

    frames: int
    limit: int = ENDLESS


def table(slots: int, at_once: int = 8) -> Scheduler[Length]:
    return Scheduler(slots, lambda item: item.limit, at_once=at_once)


Rows = list[Row[Length]]


def play(scheduler: Scheduler[Length], items: Iterator[Length | None]) -> Iterator[tuple[Rows, Rows]]:
    """For each block the rows seated and the rows that ended or were given up. A row's end is a step of its own."""
    steps: dict[int, int] = {}
    while not scheduler.done:
        seated = scheduler.admit(items)
        steps.update({row.slot: 0 for row in seated})
        if not scheduler.rows:
            continue
        for slot in scheduler.rows:
            steps[slot] += BLOCK
        scheduler.advance({slot: min(steps[slot], row.item.frames) for slot, row in scheduler.rows.items()}, BLOCK)
        over = [row for row in scheduler.rows.values() if steps[row.slot] > row.item.frames or row.overdue]
        for row in over:
            scheduler.retire(row)
        yield seated, over


lengths = st.builds(Length, st.integers(2, 60))


@given(st.lists(st.none() | lengths, max_size=80), st.integers(1, 64), st.integers(1, 9))
def test_every_chunk_has_one_seat_in_reading_order(items: list[Length | None], slots: int, at_once: int) -> None:
    scheduler = table(slots, at_once)
    seated: Rows = []
    ended: Rows = []
    for new, over in play(scheduler, iter(items)):
        seated += new
        ended += over
        assert len(new) <= at_once
        assert scheduler.width <= slots
    asked = [item for item in items if item is not None]
    assert [row.item for row in seated] == asked
    assert sorted(map(id, ended)) == sorted(map(id, seated))
    assert scheduler.work.made == sum(item.frames for item in asked)
    assert scheduler.work.made + scheduler.work.late <= scheduler.work.computed


@given(st.lists(lengths, min_size=1, max_size=80), st.integers(1, 16))
def test_nobody_waits_while_a_slot_is_free(items: list[Length], slots: int) -> None:
    """Once the first row has begun alone, every block but the last ones finds all slots taken."""
    scheduler = table(slots, at_once=slots)
    waiting = len(items)
    for block, (new, over) in enumerate(play(scheduler, iter(items))):
        waiting -= len(new)
        assert waiting == 0 or len(scheduler.rows) + len(over) == (slots if block else 1)


def test_lower_slots_are_taken_first() -> None:
    scheduler = table(8)
    items = iter([Length(5)] * 9)
    assert [row.slot for row in scheduler.admit(items)] == [0]
    assert [row.slot for row in scheduler.admit(iter([Length(5), Length(5), None]))] == [1, 2]
    scheduler.retire(scheduler.rows[1])
    assert [row.slot for row in scheduler.admit(iter([Length(5), None]))] == [1]
    assert scheduler.width == 3


def test_a_row_is_overdue_with_the_last_frame_it_may_have() -> None:
    row = Row(Length(60, limit=9), slot=0, limit=9)
    assert [frames for frames in range(12) if replace(row, frames=frames).overdue] == [9, 10, 11]


@given(st.integers(1, 60))
def test_a_row_without_an_end_is_given_up_in_the_block_in_which_it_reaches_its_limit(limit: int) -> None:
    (_, (over,)), *_ = (step for step in play(table(1), iter([Length(ENDLESS, limit)])) if step[1])
    assert limit <= over.frames < limit + BLOCK


def test_none_is_not_the_end() -> None:
    scheduler = table(4)
    items = iter([None, Length(7), None])
    assert scheduler.admit(items) == []
    assert not scheduler.done
    (row,) = scheduler.admit(items)
    assert scheduler.admit(items) == []
    assert scheduler.admit(items) == []
    assert not scheduler.done  # the row is still at work
    scheduler.retire(row)
    assert scheduler.done


@pytest.mark.parametrize("frames", [0, 3])
@given(limit=st.integers(1, 60))
def test_a_row_whose_frames_do_not_advance_is_given_up_within_two_blocks_of_its_limit(frames: int, limit: int) -> None:
    """A device that computes nothing says that nothing has ended."""
    scheduler = table(1)
    (row,) = scheduler.admit(iter([Length(ENDLESS, limit)]))
    blocks = 0
    while not (row.overdue or row.stuck):
        scheduler.advance({0: frames}, BLOCK)
        blocks += 1
    assert frames >= limit or limit < blocks * BLOCK <= limit + 2 * BLOCK


@given(st.integers(1, 60))
def test_a_row_that_advances_is_never_taken_for_stuck(limit: int) -> None:
    for _, (over,) in (step for step in play(table(1), iter([Length(ENDLESS, limit)])) if step[1]):
        assert over.overdue
        assert not over.stuck


def test_an_eighth_of_many_slots_is_taken_at_once() -> None:
    seated = {}
    for slots in (4, 8, 64, 128, 256):
        scheduler = Scheduler(slots, lambda item: item.limit)
        endless = iter(lambda: Length(5), None)
        seated[slots] = [len(scheduler.admit(endless)) for _ in range(3)]
    assert seated == {4: [1, 3, 0], 8: [1, 7, 0], 64: [1, 8, 8], 128: [1, 16, 16], 256: [1, 32, 32]}


def novel(path: Path) -> list[Chunk]:
    return list(cut(read_file(path)))[:1500]


def spoken(chunks: list[Chunk]) -> list[Length]:
    """As long as a voice with moods takes: half as long again, or two thirds, is not rare."""
    luck = random.Random(1)
    seconds = [expected_seconds(chunk.spoken, chunk.language) * luck.lognormvariate(0, 0.25) for chunk in chunks]
    limits = [allowance(chunk).limit for chunk in chunks]
    return [Length(max(2, round(12.5 * long)), limit) for long, limit in zip(seconds, limits, strict=True)]


@pytest.mark.parametrize("book", ["alice.txt", "wagahai.sjis.txt", "sanguo.txt"])
@pytest.mark.parametrize("slots", [8, 32, 64])
def test_slots_live_through_a_novel(books: Path, book: str, slots: int) -> None:
    items = spoken(novel(books / book))
    scheduler = table(slots)
    made = computed = 0
    for _ in play(scheduler, iter(items)):
        if scheduler.arriving:  # what comes after is the drain
            made, computed = scheduler.work.made, scheduler.work.computed
    frames = [item.frames for item in items]
    batches = [frames[start : start + slots] for start in range(0, len(frames), slots)]
    fixed = sum(frames) / sum(slots * (max(batch) + 1) for batch in batches)
    print(f"{book}, {slots} slots: {made / computed:.1%} alive; in fixed batches {fixed:.1%}")
    assert made / computed >= 0.95
    assert fixed < 0.75


@pytest.fixture(scope="module")
def novels(books: Path) -> list[list[Length]]:
    return [
        spoken(list(cut(read_file(books / name)))[:5000]) for name in ("alice.txt", "wagahai.sjis.txt", "sanguo.txt")
    ]


@pytest.mark.parametrize("mean", [None, 60], ids=["own lengths", "60 frames"])
@pytest.mark.parametrize("slots", [64, 128, 256])
def test_many_slots_live_through_a_novel(novels: list[list[Length]], slots: int, mean: int | None) -> None:
    """Once all have been taken, and until the chunks run out."""
    luck = random.Random(2)
    for items in novels:
        if mean is not None:
            items = [Length(max(2, round(mean * luck.lognormvariate(0, 0.25)))) for _ in items]
        scheduler: Scheduler[Length] = Scheduler(slots, lambda item: item.limit)
        ramp = made = computed = 0
        for _ in play(scheduler, iter(items)):
            work = scheduler.work
            if not ramp:
                made_in_ramp, computed_in_ramp = work.made, work.computed
                ramp = len(scheduler.rows) > 0.95 * slots
            if scheduler.arriving:
                made, computed = work.made, work.computed
        steady = (made - made_in_ramp) / (computed - computed_in_ramp)
        print(f"{len(items)} chunks, {slots} slots: {steady:.1%} alive, with the beginning {made / computed:.1%}")
        assert steady >= 0.95


@pytest.mark.parametrize("book", ["alice.txt", "wagahai.sjis.txt", "sanguo.txt"])
def test_a_row_in_a_hundred_without_an_end_costs_three_in_a_hundred(books: Path, book: str) -> None:
    """Nothing pushes such a row towards its end here, and then its chunk is made again: the worst there is."""
    items = spoken(novel(books / book))
    unlucky = set(random.Random(2).sample(range(len(items) - 100), len(items) // 100))
    with_runaways: list[Length] = []
    for number, item in enumerate(items):
        if number in unlucky:
            with_runaways.append(Length(ENDLESS, item.limit))
        with_runaways.append(item)

    def blocks(work: list[Length]) -> int:
        return sum(1 for _ in play(table(16), iter(work)))

    assert blocks(with_runaways) <= 1.03 * blocks(items)
