"""Batches: every request once, the one that is due first in the next, a quick start, no gap that could be spared.

Most of it goes through `Batched`, as in life: a stand-in for an engine lets simulated time pass, and an ear hears.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.clip import Clip
from narrate.clock import Clock, Recorder, Simulated
from narrate.engines import Abilities, Request, never
from narrate.engines.batched import Batched
from narrate.engines.planner import Cost, Planner, _least
from narrate.pace import chunk_seconds
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.speech import a_chunk, a_request, chunks, clips_of

Costs = Callable[[Sequence[float]], float]

lengths = st.lists(st.integers(1, 60), max_size=80)
weights = st.tuples(st.floats(0, 2), st.floats(0.05, 2), st.floats(0.01, 0.5))

# Engines that are quicker than speech even with one row: whoever listens to them need not hear a gap.
QUICK: dict[str, Costs] = {
    "by all its sound": lambda rows: 0.25 * sum(rows),
    "by the longest row": lambda rows: 0.1 + 0.45 * max(rows) + 0.05 * len(rows),
    "very quick": lambda rows: 0.05 + 0.2 * max(rows) + 0.02 * len(rows),
}
# Ten rows of 7 s take 17 s, one row takes twice as long as its sound.
SLOW_ALONE: Costs = lambda rows: 0.3 + 1.86 * max(rows) + 0.37 * len(rows)  # noqa: E731


def of_lengths(words: Sequence[int]) -> list[Chunk]:
    return [a_chunk(index, "word " * count) for index, count in enumerate(words)]


def seconds_of(batch: Iterable[Request]) -> list[float]:
    return [chunk_seconds(request.chunk) for request in batch]


@dataclass
class StandIn:
    """A batch engine that lets time pass, as long as `costs` says, and remembers its batches."""

    costs: Costs
    time: Simulated = field(default_factory=Simulated)
    heard: Callable[[Request], object] = lambda request: None
    batches: list[list[Request]] = field(default_factory=list)
    name = "stand-in"
    abilities = Abilities(frozenset({"en"}))
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    sample_rate = 100

    def check(self, voice: Voice) -> None: ...

    def prepare(self, voice: Voice, clock: Clock) -> None: ...

    def synthesize_batch(self, requests: list[Request]) -> list[Clip]:
        self.time.sleep(self.costs(seconds_of(requests)))
        self.batches.append(requests)
        for request in requests:
            self.heard(request)
        return [request.clip(np.zeros(1, np.float32), 100) for request in requests]

    def cancel(self, ids: object) -> None: ...

    def close(self) -> None: ...


def batches_of(planner: Planner, asked: Iterable[Request | None], engine: StandIn) -> list[list[Request]]:
    """The batches in which an engine makes what is asked for."""
    batched = Batched(engine)
    batched.planner = planner
    batched.prepare(Voice(), Recorder(engine.time.now))
    assert all(clip.failure is None for clip in clips_of(batched, asked))
    return engine.batches


def indexes(batches: Iterable[Iterable[Request]]) -> list[list[int]]:
    return [[request.chunk.index for request in batch] for batch in batches]


@dataclass
class Ear:
    """Hears chunks at normal speed as they are ready, and counts its silence."""

    book: Sequence[Chunk]
    time: Simulated
    end: float = 0.0  # when the sound so far is over
    first: float = inf
    silences: list[float] = field(default_factory=list)
    made: set[int] = field(default_factory=set)
    next: int = 0

    def due(self, index: int) -> float:
        before = self.book[self.next : index]
        return max(self.time.now(), self.end) + sum(chunk_seconds(chunk) + chunk.pause for chunk in before)

    def hear(self, request: Request) -> None:
        self.made.add(request.chunk.index)
        while self.next in self.made:
            chunk, now = self.book[self.next], self.time.now()
            self.first = min(self.first, now)
            if self.end and now > self.end:
                self.silences.append(now - self.end)
            self.end = max(self.end, now) + chunk_seconds(chunk) + chunk.pause
            self.next += 1


def listen(planner: Planner, book: Sequence[Chunk], costs: Costs) -> Ear:
    """What is heard of a book whose batches take as long as `costs` says, each whole at its end."""
    time = Simulated()
    ear = Ear(book, time)
    asked = [a_request(chunk, due=lambda index=chunk.index: ear.due(index)) for chunk in book]  # type: ignore[misc]
    batches_of(planner, asked, StandIn(costs, time, heard=ear.hear))
    assert ear.next == len(book)
    return ear


def cuts(count: int, first: int, size: int) -> Iterator[list[tuple[int, int]]]:
    """All ways to cut so many requests into batches of at most `size`, and `first` in the first: begins and ends."""
    for number in range(count):
        for inner in combinations(range(1, count), number):
            edges = [0, *inner, count]
            plan = list(zip(edges, edges[1:], strict=False))
            if plan[0][1] <= first and all(end - begin <= size for begin, end in plan):
                yield plan


def least_wait(book: Sequence[Chunk], costs: Costs, size: int) -> float:
    """The least silence before and within the book, however it is cut into batches in order: all ways are tried."""
    rows = [chunk_seconds(chunk) for chunk in book]
    heard = [0.0]
    for row, chunk in zip(rows, book, strict=True):
        heard.append(heard[-1] + row + chunk.pause)
    least = inf
    for plan in cuts(len(book), size, size):
        ready = wait = 0.0
        for begin, end in plan:
            ready += costs(rows[begin:end])
            wait = max(wait, ready - heard[begin])
        least = min(least, wait)
    return least


@given(lengths, st.integers(1, 12), st.integers(1, 5), st.floats(0, 300) | st.just(inf), weights)
def test_every_request_is_in_exactly_one_batch(
    words: list[int], rows: int, ahead: int, wait: float, engine: tuple[float, float, float]
) -> None:
    stand_in = StandIn(lambda lengths: engine[0] + engine[1] * max(lengths) + engine[2] * sum(lengths))
    asked = [a_request(chunk, due=lambda: stand_in.time.now() + wait) for chunk in of_lengths(words)]
    batches = batches_of(Planner(rows=rows, look_ahead=ahead), asked, stand_in)
    made = [request for batch in batches for request in batch]
    assert sorted(made, key=lambda request: request.chunk.index) == asked
    assert all(1 <= len(batch) <= rows for batch in batches)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A planner that has learned, and requests with the seconds in which they are due, in any order."""

    planner: Planner
    requests: list[Request]
    due: dict[str, float]

    def ordered(self, now: float) -> list[Request]:
        """The requests in the order in which they are due, and that of the book where it is all the same."""
        return sorted(self.requests, key=lambda request: (self.due[request.id] - now, request.chunk.index))


@st.composite
def waiting(draw: st.DrawFn, most: int = 8) -> Waiting:
    planner = Planner(rows=draw(st.integers(1, most)), look_ahead=2)
    a, b, c = draw(weights)
    for size in draw(st.lists(st.integers(1, planner.rows), max_size=4)):
        rows = of_lengths(draw(st.lists(st.integers(1, 60), min_size=size, max_size=size)))
        batch = [a_request(chunk) for chunk in rows]
        planner.learn(batch, a + b * max(seconds_of(batch)) + c * sum(seconds_of(batch)))
    words = draw(st.lists(st.integers(1, 60), min_size=1, max_size=most))
    times = draw(st.lists(st.floats(-20, 200) | st.just(inf), min_size=len(words), max_size=len(words)))
    asked = [
        a_request(chunk, due=lambda time=time: time)  # type: ignore[misc]
        for chunk, time in zip(of_lengths(words), times, strict=True)
    ]
    due = {request.id: time for request, time in zip(asked, times, strict=True)}
    return Waiting(planner, draw(st.permutations(asked)), due)


@given(waiting(), st.floats(0, 50))
def test_the_request_that_is_due_first_is_in_the_next_batch_in_whatever_order_they_came(
    given: Waiting, now: float
) -> None:
    batch = given.planner.choose(given.requests, now)
    order = given.ordered(now)
    assert batch[0] is order[0]
    assert batch == [request for request in order if request in batch]
    assert batch == given.planner.choose(given.requests[::-1], now)


MARGIN = 1.15  # a batch may take so many times longer than foreseen, without a gap


@given(waiting(), st.floats(0, 50))
def test_of_all_ways_to_cut_the_requests_into_batches_one_with_the_least_silence_is_begun(
    given: Waiting, now: float
) -> None:
    """Every way is tried. Where the planner does not follow the order, it must be able to afford it."""
    planner = given.planner
    ordered = given.ordered(now)
    rows, due = seconds_of(ordered), [given.due[request.id] - now for request in ordered]
    batch = planner.choose(given.requests, now)
    most = planner.rows if due[0] == inf else min(planner.rows, max(1, 2 * planner._largest))
    assert 1 <= len(batch) <= most

    def foreseen(lengths: Sequence[float]) -> float:
        return MARGIN * planner.cost.of(lengths) if planner.cost.known else 0.0

    ready, chosen = foreseen(seconds_of(batch)), {request.id for request in batch}
    rest = [request for request in ordered if request.id not in chosen][: planner.rows]
    in_time = ready <= due[0]
    then = ready + foreseen(seconds_of(rest)) <= given.due[rest[0].id] - now if rest else True
    if len(batch) == min(most, len(ordered)) and in_time and then:
        return  # nothing is urgent: it is full, and the others are made in time after it
    assert batch == ordered[: len(batch)]
    if most == 1:
        return

    def outcome(plan: list[tuple[int, int]]) -> tuple[float, float]:
        """The silence, and when all is made."""
        end = silence = 0.0
        for begin, stop in plan:
            end += foreseen(rows[begin:stop])
            silence = max(silence, end - due[begin])
        return silence, end

    outcomes = {tuple(plan): outcome(plan) for plan in cuts(len(ordered), most, planner.rows)}
    allowed = _least(lambda silence: min(lost for lost, _ in outcomes.values()) <= silence)
    ends: dict[int, float] = {}
    for plan, (lost, end) in outcomes.items():
        if lost <= allowed:
            ends[plan[0][1]] = min(end, ends.get(plan[0][1], inf))
    assert len(batch) == max(first for first, end in ends.items() if end <= 1.02 * min(ends.values()))


@given(st.floats(0, 1e6))
def test_the_least_number_that_is_enough_is_found_to_within_a_twentieth(enough: float) -> None:
    assert enough <= _least(lambda number: number >= enough) <= max(enough / 0.95, enough + 0.001)


def test_a_batch_that_is_foreseen_to_be_ready_just_in_time_is_not_trusted_to_be() -> None:
    """For both together ten seconds are foreseen, and the first is due in eleven: it had better go alone."""

    def sizes(seconds_left: float) -> list[int]:
        planner = Planner(rows=2)
        one = a_request(a_chunk(0, "word " * 20), due=lambda: seconds_left)
        other = a_request(a_chunk(1, "word " * 20), due=lambda: seconds_left + 6.0)
        length = seconds_of([one])[0]
        for _ in range(50):
            planner.learn([one], 5.0)
            planner.learn([one, other], 10.0)
        assert planner.cost.of([length, length]) == pytest.approx(10.0, rel=0.01)
        return [request.chunk.index for request in planner.choose([other, one], 0.0)]

    assert sizes(11.0) == [0]
    assert sizes(12.0) == [0, 1]


def knowing(rows: int, costs: Costs) -> Planner:
    """A planner that has seen what batches of all kinds cost."""
    planner = Planner(rows=rows)
    for words in range(10, 60, 7):
        for count in range(1, rows + 1):
            batch = [a_request(chunk) for chunk in of_lengths([words, *[10] * (count - 1)])]
            planner.learn(batch, costs(seconds_of(batch)))
    return planner


def due_in(words_and_seconds: Sequence[tuple[int, float]]) -> list[Request]:
    """Requests of so many words, each due in so many seconds."""
    book = of_lengths([words for words, _ in words_and_seconds])
    return [
        a_request(chunk, due=lambda seconds=seconds: seconds)  # type: ignore[misc]
        for chunk, (_, seconds) in zip(book, words_and_seconds, strict=True)
    ]


def test_a_like_chunk_is_preferred_only_if_the_one_it_passes_can_still_be_made_in_time() -> None:
    """Every batch takes ten seconds here; what passes another must leave time for one more batch before that is due."""
    planner = knowing(2, lambda rows: 10.0)
    hurried = due_in([(20, 20.0), (40, 21.0), (20, 60.0), (20, 1000.0)])
    relaxed = due_in([(20, 20.0), (40, 25.0), (20, 60.0), (20, 1000.0)])
    assert indexes([planner.choose(hurried, 0.0)]) == [[0, 1]]
    assert indexes([planner.choose(relaxed, 0.0)]) == [[0, 2]]


def test_batches_stay_full_where_several_listeners_share_the_engine() -> None:
    """Small ones would win a moment for the first, and cost all of them the sound that full ones make meanwhile."""
    planner = knowing(3, lambda rows: 2.0 + max(rows))
    late = due_in([(5, -3.0), (40, 4.0), (40, 4.0), (5, 60.0)])
    assert indexes([planner.choose(late, 0.0)]) == [[0]]
    of_several = [replace(request, reading=number % 2) for number, request in enumerate(late)]
    assert indexes([planner.choose(of_several, 0.0)]) == [[0, 1, 2]]
    with_files = [replace(late[0], reading=1), *(replace(each, due=never, reading=2) for each in late[1:])]
    assert indexes([planner.choose(with_files, 0.0)]) == [[0]]  # who does not listen does not count
    relaxed = due_in([(5, 50.0), (40, 60.0), (40, 60.0), (5, 90.0), (5, 900.0)])
    at_ease = [replace(request, reading=number % 2) for number, request in enumerate(relaxed)]
    assert indexes([planner.choose(at_ease, 0.0)]) == [[0, 3, 4]]  # alike in length


def test_of_several_files_that_which_came_first_is_finished_first() -> None:
    planner = knowing(2, lambda rows: 1.0)
    files = [
        replace(request, due=never, reading=2 - number // 2) for number, request in enumerate(due_in([(9, 0.0)] * 4))
    ]
    assert indexes([planner.choose(files, 0.0)]) == [[2, 3]]


def test_of_plans_that_end_nearly_together_the_one_with_the_larger_first_batch_is_begun() -> None:
    """It teaches more about what batches cost."""
    planner = knowing(2, lambda rows: max(rows))
    nearly = due_in([(58, -9000.0), (60, 9000.0), (60, 9000.0)])
    clearly = due_in([(40, -9000.0), (60, 9000.0), (60, 9000.0)])
    assert indexes([planner.choose(nearly, 0.0)]) == [[0, 1]]
    assert indexes([planner.choose(clearly, 0.0)]) == [[0]]


def test_a_chunk_that_is_taken_again_goes_before_those_that_are_due_later() -> None:
    planner = Planner(rows=3)
    asked = [a_request(chunk, due=lambda index=chunk.index: 5.0 * index) for chunk in chunks(9)]  # type: ignore[misc]
    for size in (1, 2, 3):
        planner.learn(asked[:size], 3.0 * size)
    again = a_request(asked[2].chunk, attempt=1, due=lambda: 10.0)
    assert again in planner.choose([*asked[3:], again], 0.0)


def test_the_first_batch_is_the_first_chunk_alone() -> None:
    asked = []

    def source() -> Iterator[Request]:
        for chunk in chunks(50):
            asked.append(chunk.index)
            yield a_request(chunk, due=lambda: 0.0)

    engine = StandIn(SLOW_ALONE, heard=lambda request: seen.append(list(asked)))
    seen: list[list[int]] = []
    assert indexes(batches_of(Planner(), source(), engine))[0] == [0]
    assert seen[0] == [0]


def test_batches_are_full_from_the_first_on_if_nobody_waits() -> None:
    asked = [a_request(chunk, due=never) for chunk in chunks(60)]
    assert [len(batch) for batch in batches_of(Planner(), asked, StandIn(SLOW_ALONE))] == [10] * 6


def test_nothing_more_has_arrived_so_what_is_in_hand_goes() -> None:
    first, second, third = (a_request(chunk) for chunk in chunks(3))
    source = iter([first, None, second, None, None, third])
    assert batches_of(Planner(), source, StandIn(SLOW_ALONE)) == [[first], [second]]
    assert batches_of(Planner(), source, StandIn(SLOW_ALONE)) == [[third]]


def test_a_listener_comes_before_a_file() -> None:
    """The file was there first; from then on it takes what is left."""
    time = Simulated()
    file = [a_request(chunk, reading="file") for chunk in chunks(8)]
    ear = [a_request(chunk, reading="ear", due=time.now) for chunk in chunks(2)]
    planner = Planner(rows=3)
    planner.learn(file[:1], 5.0)
    first, second = batches_of(planner, [*file, *ear], StandIn(SLOW_ALONE, time))[:2]
    assert first[0] is ear[0]
    assert ear[1] in [*first, *second]


@pytest.mark.parametrize("costs", QUICK.values(), ids=QUICK.keys())
def test_no_gap_where_the_engine_is_quick_enough(costs: Costs) -> None:
    book = of_lengths([8, 9, 7, 15, 30, 20, *(20 + 7 * index % 45 for index in range(300))])
    ear = listen(Planner(), book, costs)
    assert not ear.silences
    assert ear.first == costs([chunk_seconds(book[0])])


@given(st.lists(st.integers(2, 60), min_size=6, max_size=11))
def test_with_known_costs_the_silence_is_the_least_there_can_be(words: list[int]) -> None:
    """Of plans that are made at once; later ones may do a little better, as they see what was not foreseen."""
    book = of_lengths(words)
    planner = Planner(rows=5)
    for part in (book[:1], book[1:4], book[:5], book[2:6], book[:2]):
        batch = [a_request(chunk) for chunk in part]
        planner.learn(batch, SLOW_ALONE(seconds_of(batch)))
    ear = listen(planner, book, SLOW_ALONE)
    assert ear.first + sum(ear.silences) <= 1.25 * least_wait(book, SLOW_ALONE, 5) + 1.0


def test_what_a_slow_engine_makes_its_listener_wait_is_little_more_than_it_must_be() -> None:
    book = of_lengths([3, 9, 8, 15, 30, 20, 40, 35, 25, 38, 41, 36, 44, 30])
    ear = listen(Planner(), book, SLOW_ALONE)
    assert ear.first == SLOW_ALONE([chunk_seconds(book[0])])
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

    def padding(batches: Sequence[Sequence[Request]]) -> float:
        padded = sum(len(batch) * max(seconds_of(batch)) for batch in batches)
        return 1 - sum(sum(seconds_of(batch)) for batch in batches) / padded

    asked = [a_request(chunk, due=lambda: 1e6) for chunk in of_lengths([(7 * index) % 50 + 3 for index in range(400)])]
    planned = batches_of(Planner(), asked, StandIn(lambda rows: 0.2 * max(rows)))
    in_order = [asked[start : start + 10] for start in range(0, len(asked), 10)]
    assert padding(planned) < 0.6 * padding(in_order)
