"""Feeding an ear: every number of rows weighed, the first sound only when no gap follows, files without any wait."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count as numbers_from
from math import ceil, inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.bench import measure
from narrate.clock import Recorder, Simulated
from narrate.engines import Request
from narrate.engines.feed import Feed, Pending, RoundCost
from narrate.engines.tone import ToneStream
from narrate.pace import chunk_seconds, expected_seconds
from narrate.text.book import TextOptions
from narrate.voice import Voice
from tests.speech import a_chunk, a_request, clips_of

ROUND = 0.32  # seconds: four frames
# What a round took on two cores, with 0.6 billion weights in bfloat16: 269 ms a frame alone, 520 with ten rows.
TWO_CORES = (0.964, 0.112)
SLOW = (3.0, 0.4)  # slower than speech however many rows there are, up to ten

lefts = st.lists(st.floats(0.1, 20), max_size=8)
costs = st.tuples(st.floats(0.01, 3), st.floats(0.001, 1))


def a_feed(slots: int = 10, cost: tuple[float, float] = TWO_CORES, seat: float = 0.0) -> Feed:
    return Feed(slots, ROUND, RoundCost(*cost), seat)


def ready_by_rounds(feed: Feed, working: Sequence[float], waiting: Sequence[float], rows: int) -> list[float]:
    """When each is made, round by round: the long way round."""
    seconds, ready = 0.0, [0.0] * (len(working) + len(waiting))
    left = {number: ceil(each / ROUND) for number, each in enumerate([*working, *waiting])}
    seated, following = list(range(len(working))), len(working)
    while seated or following < len(ready):
        while following < len(ready) and len(seated) < max(1, rows):
            seconds += feed.seat_seconds
            seated.append(following)
            following += 1
        seconds += feed.cost.of(len(seated))
        for number in seated:
            left[number] -= 1
            if not left[number]:
                ready[number] = seconds
        seated = [number for number in seated if left[number]]
    return ready


@given(lefts, lefts, st.integers(1, 8), costs, st.floats(0, 1))
def test_when_each_will_be_ready_is_foreseen_as_if_every_round_were_counted(
    working: list[float], waiting: list[float], rows: int, cost: tuple[float, float], seat: float
) -> None:
    feed = a_feed(8, cost, seat)
    assert feed._ready(working, waiting, rows) == pytest.approx(ready_by_rounds(feed, working, waiting, rows))


pendings = st.lists(st.builds(Pending, st.floats(0.1, 20), st.floats(-5, 200) | st.just(inf)), max_size=6)


@given(pendings, pendings, st.integers(1, 12), costs)
def test_the_most_rows_with_which_nothing_comes_late_are_worked_on(
    working: list[Pending], waiting: list[Pending], slots: int, cost: tuple[float, float]
) -> None:
    feed = a_feed(slots, cost)
    working = working[:slots]
    rows = feed.rows(working, waiting)
    assert len(working) <= rows <= slots
    heard = any(each.due < inf for each in (*working, *waiting))
    if feed.quick or not heard or len(working) == slots:
        assert rows == slots
        return
    sustaining = [n for n in range(1, slots + 1) if feed.cost.of(n) <= 0.9 * n * ROUND]
    allowed = range(max(1, len(working), min(sustaining, default=slots)), slots + 1)
    late = {n: feed.late(working, waiting, n) for n in allowed}
    least = max(0.0, min(late.values()))
    assert late[rows] <= 1.02 * least
    assert all(late[n] > 1.02 * least for n in allowed if n > rows)


def test_rows_that_cannot_keep_up_with_the_ear_are_not_considered_if_more_rows_can() -> None:
    """Four rows make 0.91 s of sound a second, five 1.05, six 1.17: seven are the fewest with a tenth to spare."""
    one = [Pending(1.0, 0.0)]
    many = [Pending(20.0, 200.0 + 20 * number) for number in range(10)]
    rows = a_feed().rows([], [*one, *many])
    assert rows >= next(n for n in range(1, 11) if a_feed().cost.of(n) <= 0.9 * n * ROUND)
    assert a_feed(cost=SLOW).rows([], [*one, *many]) == 10


def test_an_engine_that_is_quicker_than_speech_with_all_rows_is_never_held_back() -> None:
    late = [Pending(20.0, -100.0)] * 5
    assert a_feed(cost=(0.1, 0.02)).rows([], late) == 10
    assert a_feed(cost=(0.1, 0.02)).quick
    assert not a_feed(cost=(0.1, 0.03)).quick
    assert Feed(10, ROUND).quick  # nothing is known yet
    assert Feed(10, ROUND).rows([], late) == 1
    assert Feed(10, ROUND).rows(late[:2], late) == 2
    assert Feed(10, ROUND).rows([], [Pending(20.0)]) == 10  # for a file


@given(st.lists(st.integers(1, 20), min_size=3, max_size=30), costs)
def test_what_rounds_cost_is_learned(rows: list[int], cost: tuple[float, float]) -> None:
    a, c = cost
    learned = RoundCost()
    for count in rows:
        learned.learn(count, a + c * count)
        assert learned.known
        assert min(learned.a, learned.c) >= 0
    for count in {*rows[1:]}:
        assert learned.of(count) == pytest.approx(a + c * count, rel=0.2)


def test_of_one_number_of_rows_a_further_row_is_supposed_to_cost_a_tenth() -> None:
    cost = RoundCost()
    cost.learn(1, 1.1)
    assert cost.of(1) == pytest.approx(1.1)
    assert 1.1 < cost.of(10) < 2.5
    cost.learn(1, 5.0)  # the first round counts for little: this is what rounds cost
    assert cost.of(1) == pytest.approx(5.0, rel=0.05)


def test_beginning_rows_costs_time_too() -> None:
    feed = a_feed()
    feed.learn_seats(2, 1.0)
    assert feed.seat_seconds == 0.5
    feed.learn_seats(1, 1.0)
    assert feed.seat_seconds == pytest.approx(0.6)
    assert a_feed(seat=2.0).late([], [Pending(1.0, 0.0)], 1) - a_feed().late([], [Pending(1.0, 0.0)], 1) > 2.0


# -- what a listener hears --------------------------------------------------------------------------------------------


@dataclass
class Ear:
    """Hears clips at normal speed as they come, in order, and counts its silence."""

    time: Simulated
    first: float = inf
    end: float = 0.0
    silences: list[float] = field(default_factory=list)

    def hear(self, seconds: float, pause: float) -> None:
        now = self.time.now()
        if self.first == inf:
            self.first = now
        elif now > self.end + 1e-9:
            self.silences.append(now - self.end)
        self.end = max(self.end, now) + seconds + pause

    def buffered(self) -> float:
        return max(0.0, self.end - self.time.now()) if self.first < inf else 0.0


def listen(words: Sequence[int], *, cost: tuple[float, float], slots: int = 10, listening: bool = True) -> Ear:
    """What is heard of chunks with so many words from the engine of tones, in simulated time."""
    time = Simulated()
    ear = Ear(time)
    engine = ToneStream(a=cost[0], c=cost[1], piece=ROUND, slots=slots, sleep=time.sleep)
    engine.prepare(Voice(), Recorder(time.now))
    book = [a_chunk(index, "word " * count) for index, count in enumerate(words)]
    offsets = [0.0]
    for chunk in book:
        offsets.append(offsets[-1] + chunk_seconds(chunk) + chunk.pause)
    done: set[int] = set()

    def due(index: int) -> float:
        front = min(set(range(len(book))) - done, default=index)
        return time.now() + ear.buffered() + offsets[index] - offsets[front] if listening else inf

    def asked() -> Iterator[Request]:
        for chunk in book:
            yield a_request(chunk, due=lambda index=chunk.index: due(index))  # type: ignore[misc]

    early: dict[int, list[tuple[float, bool]]] = {}
    following = 0
    for clips in engine.synthesize(asked()):
        for clip in clips:
            early.setdefault(clip.index, []).append((clip.seconds, clip.final))
            if clip.final:
                done.add(clip.index)
        while following in early:
            pieces = early.pop(following)
            for seconds, final in pieces:
                ear.hear(seconds, book[following].pause if final else 0.0)
            if not pieces[-1][1]:
                break
            following += 1
    assert following == len(book)
    return ear


BOOK = [6, 12, 20, 15, 25, 30, 22, 28, 16, 30, 24, 18, 30, 26, 21] * 6


def test_where_a_row_is_slower_than_speech_and_ten_are_quicker_nothing_breaks_off() -> None:
    ear = listen(BOOK, cost=TWO_CORES)
    assert ear.silences == []
    assert 2.0 < ear.first < 60.0


@pytest.mark.parametrize("seed", range(3))
def test_nothing_breaks_off_though_a_voice_is_slower_or_quicker_than_expected(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    luck = random.Random(seed)
    moods = cache(lambda text, index: luck.uniform(0.8, 1.3))
    numbers = numbers_from()
    monkeypatch.setattr(
        "narrate.engines.tone.expected_seconds",
        lambda text, language: expected_seconds(text, language) * moods(text, next(numbers)),
    )
    assert listen(BOOK, cost=TWO_CORES).silences == []


def test_a_quick_engine_gives_the_first_piece_at_once() -> None:
    ear = listen(BOOK, cost=(0.05, 0.01))
    assert ear.first == pytest.approx(0.06)  # a round with the first row alone
    assert ear.silences == []


def test_a_quicker_machine_is_heard_sooner() -> None:
    firsts = [listen(BOOK, cost=(0.964 / speed, 0.112 / speed)).first for speed in (1, 2, 4)]
    assert firsts == sorted(firsts, reverse=True)
    assert firsts[2] < firsts[0] / 4


def test_where_all_rows_are_slower_than_speech_the_gaps_are_few_and_long() -> None:
    """One row makes 0.09 s a second here, ten 0.46: a gap cannot be spared, but it need not come at every chunk."""
    ear = listen(BOOK, cost=SLOW)
    assert 3 <= len(ear.silences) <= len(BOOK) / 8
    assert ear.first < 300


def test_a_listener_to_an_engine_that_cannot_keep_up_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    listen(BOOK[:40], cost=SLOW)
    (said,) = caplog.messages
    assert said.startswith("This machine takes 2.2 s for a second of speech with this voice: listening has gaps.")
    assert "-o FILE, and begin to listen 71 min later for each hour" in said
    caplog.clear()
    listen(BOOK[:40], cost=SLOW, listening=False)
    listen(BOOK[:40], cost=TWO_CORES)
    assert caplog.messages == []


def test_nothing_is_said_of_gaps_before_it_is_clear() -> None:
    feed = Feed(10, ROUND)
    for number in range(8):
        assert feed.head_start == 0.0, number
        feed.cost.learn(10, 7.0)
    assert feed.head_start == pytest.approx(7.0 / 3.2 - 1)
    assert a_feed(cost=SLOW).head_start == pytest.approx(7.0 / 3.2 - 1)  # it was known before
    assert a_feed().head_start == 0.0


def test_for_a_file_all_slots_are_filled_from_the_first_round_on() -> None:
    ear = listen([20] * 10, cost=(1.0, 0.0), listening=False)
    rounds = ceil(chunk_seconds(a_chunk(0, "word " * 20)) / ROUND)
    assert ear.first == pytest.approx(rounds)
    assert ear.time.now() == pytest.approx(rounds)


def test_for_a_file_the_longest_of_the_rest_goes_first() -> None:
    """In reading order the long one would begin last, and be computed alone."""
    words = [10] * 9 + [60]
    long, short = (ceil(chunk_seconds(a_chunk(0, "word " * count)) / ROUND) for count in (60, 10))
    engine_seconds = listen(words, cost=(1.0, 0.0), slots=4, listening=False).time.now()
    assert engine_seconds == pytest.approx(max(long, 3 * short))


def test_takes_that_nobody_wants_any_more_are_not_kept_back_for_ever() -> None:
    time = Simulated()
    engine = ToneStream(a=TWO_CORES[0], c=TWO_CORES[1], piece=ROUND, slots=4, sleep=time.sleep)
    engine.prepare(Voice(), Recorder(time.now))
    asked = [a_request(a_chunk(index, "word " * 20), due=lambda: 0.0) for index in range(4)]
    clips = []
    for number, ready in enumerate(engine.synthesize(asked)):
        clips += ready
        if number == 8:
            engine.cancel([asked[0].id, asked[1].id])
    assert {clip.request_id for clip in clips if clip.final} == {asked[2].id, asked[3].id}


@pytest.mark.parametrize(("book", "chapters"), [("wagahai.sjis.txt", "1")])
def test_a_chapter_is_heard_without_a_gap_on_two_cores(books: Path, book: str, chapters: str) -> None:
    """Through the narrator and the player, in simulated time: the figures are those of `narrate bench --simulate`."""
    spec = f"tone-stream:piece={ROUND},a={TWO_CORES[0]},c={TWO_CORES[1]},slots=10"
    workload = measure.open_workload(str(books / book), spec, TextOptions(chapters=chapters), simulate=True)
    found = measure.run(workload)
    assert found.complete
    assert list(found.gaps) == []
    assert found.first is not None
    assert found.first < 60
    assert found.speech > 900


def test_requests_that_wait_are_seen_before_they_begin() -> None:
    begun: list[int] = []

    def begin(index: int) -> bool:
        begun.append(index)
        return True

    time = Simulated()
    engine = ToneStream(a=TWO_CORES[0], c=TWO_CORES[1], piece=ROUND, slots=2, sleep=time.sleep)
    engine.prepare(Voice(), Recorder(time.now))
    asked = [
        a_request(a_chunk(index, "word " * 20), begin=lambda index=index: begin(index))  # type: ignore[misc]
        for index in range(9)
    ]
    answers = engine.synthesize(asked)
    next(answers)
    assert begun == [0, 1]
    assert len(clips_of(engine, [])) == 0
