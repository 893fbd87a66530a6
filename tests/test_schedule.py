"""Who is next: ears by when they run dry, files in turn, nobody starves, and what cannot be carried waits."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from narrate.clip import Clip
from narrate.engines import Request
from narrate.synthesis.load import Meter
from narrate.synthesis.schedule import LEAST_WINDOW, NOTHING, STARVED_SECONDS, WINDOW, Job, Reading, Schedule
from narrate.text.document import Chunk
from narrate.voice import Voice
from tests.speech import a_chunk


def asked(reading: Reading, index: int, due: float = inf, *, key: str = "", chunk: Chunk | None = None) -> Request:
    return Request(f"{reading.number}:{index}", chunk or a_chunk(index), Voice(), key=key, due=lambda: due)


def order(schedule: Schedule, now: float = 0.0) -> list[str]:
    """The requests in the order in which the engine gets them, by their first asker's id."""
    given = []
    while (job := schedule.next(now)) is not None:
        given.append(next(iter(job.asked)))
    return given


def made(job: Job, *, final: bool = True, samples: int = 4) -> Clip:
    return Clip(job.request.chunk, np.ones(samples, np.float32), 4, final=final, request_id=job.id)


def begun(schedule: Schedule, now: float = 0.0) -> Job:
    job = schedule.next(now)
    assert job is not None
    assert schedule.begin(job, now)
    return job


def test_the_ear_that_runs_dry_first_is_first_and_files_are_last() -> None:
    schedule = Schedule()
    file, late, soon = schedule.open(), schedule.open(), schedule.open()
    schedule.add(file, asked(file, 0), 0.0)
    schedule.add(late, asked(late, 0, 20.0), 0.0)
    schedule.add(soon, asked(soon, 0, 5.0), 0.0)
    assert order(schedule) == ["2:0", "1:0", "0:0"]


def test_files_come_in_turn_wherever_in_their_books_they_are() -> None:
    schedule = Schedule()
    one, other = schedule.open(), schedule.open()
    for index in range(3):
        schedule.add(one, asked(one, 500 + index, chunk=a_chunk(500 + index, "the same length.")), 0.0)
    for index in range(3):
        schedule.add(other, asked(other, index, chunk=a_chunk(index, "the same length.")), 0.0)
    assert order(schedule) == ["0:500", "1:0", "0:501", "1:1", "0:502", "1:2"]


def test_a_file_that_comes_later_has_nothing_to_make_up_for() -> None:
    schedule = Schedule()
    one, other = schedule.open(), schedule.open()
    for index in range(10):
        schedule.add(one, asked(one, index, chunk=a_chunk(index, "the same length.")), 0.0)
    for _ in range(6):
        begun(schedule)
    for index in range(4):
        schedule.add(other, asked(other, index, chunk=a_chunk(index, "the same length.")), 0.0)
    assert order(schedule).count("0:6") == 1
    assert abs(one.share - other.share) < 1e-9


def test_what_starves_is_next_once() -> None:
    schedule = Schedule()
    file, ear = schedule.open(), schedule.open()
    for index in range(2):
        schedule.add(file, asked(file, index), 0.0)
    now = STARVED_SECONDS + 50
    for index in range(2):
        schedule.add(ear, asked(ear, index, now + 1 + index), now)
    assert begun(schedule, now).request.chunk.index == 0
    assert next(iter(begun(schedule, now).asked)) == "1:0"
    assert order(schedule, now) == ["1:1", "0:1"]


def test_before_it_starves_a_file_waits() -> None:
    schedule = Schedule()
    file, ear = schedule.open(), schedule.open()
    schedule.add(file, asked(file, 0), 0.0)
    schedule.add(ear, asked(ear, 0, STARVED_SECONDS + 5), 0.0)
    assert order(schedule, STARVED_SECONDS - 1) == ["1:0", "0:0"]


def test_when_the_ears_want_more_than_there_is_the_last_to_come_waits() -> None:
    schedule = Schedule()
    schedule.capacity = 2.2
    ears = [schedule.open() for _ in range(3)]
    for ear, due in zip(ears, (30.0, 20.0, 10.0), strict=True):
        schedule.add(ear, asked(ear, 0, due), 0.0)
    assert order(schedule) == ["1:0", "0:0", "2:0"]
    assert [ear.later for ear in ears] == [False, False, True]


def test_one_ear_alone_is_never_one_too_many() -> None:
    schedule = Schedule()
    schedule.capacity = 0.5
    ear = schedule.open()
    schedule.add(ear, asked(ear, 0, 1.0), 0.0)
    order(schedule)
    assert not ear.later


def test_a_first_sound_gives_way_to_an_ear_that_would_fall_silent() -> None:
    schedule = Schedule()
    old = schedule.open()
    schedule.add(old, asked(old, 0, 0.0), 0.0)
    job = begun(schedule)
    schedule.answer([made(job)], 2.0)  # it takes two seconds to make something
    new = schedule.open()
    schedule.add(new, asked(new, 0, 2.0), 2.0)
    schedule.add(old, asked(old, 1, 3.0), 2.0)
    assert order(schedule, 2.0) == ["0:1", "1:0"]


def test_a_first_sound_comes_first_if_nobody_falls_silent() -> None:
    schedule = Schedule()
    old = schedule.open()
    schedule.add(old, asked(old, 0, 0.0), 0.0)
    schedule.answer([made(begun(schedule))], 2.0)
    new = schedule.open()
    schedule.add(old, asked(old, 1, 60.0), 2.0)
    schedule.add(new, asked(new, 0, 2.0), 2.0)
    assert order(schedule, 2.0) == ["1:0", "0:1"]


def test_the_window_is_shared_and_never_too_small() -> None:
    schedule = Schedule()
    one = schedule.open()
    assert schedule.room(one) == WINDOW
    schedule.add(one, asked(one, 0), 0.0)
    assert schedule.room(one) == WINDOW - 1
    begun(schedule)
    assert schedule.room(one) == WINDOW
    others = [schedule.open() for _ in range(40)]
    for other in others:
        schedule.add(other, asked(other, 0), 0.0)
    assert schedule.room(one) == LEAST_WINDOW


def test_the_same_take_is_made_once_for_all_who_ask_until_it_is_put_away() -> None:
    schedule = Schedule()
    one, two, three, four, five = (schedule.open() for _ in range(5))
    schedule.add(one, asked(one, 7, 1.0, key="k", chunk=a_chunk(7, "same")), 0.0)
    schedule.add(two, asked(two, 3, key="k", chunk=a_chunk(3, "same")), 0.0)
    job = begun(schedule)
    assert schedule.next(0.0) is None
    first = schedule.answer([made(job, final=False)], 0.0)
    assert [(each.request.id, clip.index, clip.final) for each, clip in first] == [("0:7", 7, False)]
    _, ready = schedule.add(three, asked(three, 5, 1.0, key="k", chunk=a_chunk(5, "same")), 0.0)
    assert [(clip.index, clip.final, len(clip.samples)) for clip in ready] == [(5, False, 4)]
    last = schedule.answer([made(job)], 0.0)
    assert [(clip.request_id, clip.index, len(clip.samples)) for _, clip in last] == [
        ("0:7", 7, 4), ("1:3", 3, 8), ("2:5", 5, 4),
    ]  # fmt: skip
    _, ready = schedule.add(four, asked(four, 1, key="k", chunk=a_chunk(1, "same")), 0.0)
    assert [(clip.request_id, clip.final, len(clip.samples)) for clip in ready] == [("3:1", True, 8)]
    schedule.settle(["0:7", "1:3", "2:5", "3:1"])
    assert schedule.add(five, asked(five, 0, key="k", chunk=a_chunk(0, "same")), 0.0)[1] == []
    assert schedule.waiting == 1


def test_whoever_leads_may_leave() -> None:
    schedule = Schedule()
    one, two = schedule.open(), schedule.open()
    schedule.add(one, asked(one, 0, key="k", chunk=a_chunk(0, "same")), 0.0)
    schedule.add(two, asked(two, 0, key="k", chunk=a_chunk(0, "same")), 0.0)
    job = begun(schedule)
    assert schedule.close(one) == []
    assert [clip.request_id for _, clip in schedule.answer([made(job)], 0.0)] == ["1:0"]


def test_what_nobody_wants_the_engine_drops_and_what_it_then_says_is_not_heard() -> None:
    schedule = Schedule()
    one, two = schedule.open(), schedule.open()
    schedule.add(one, asked(one, 0), 0.0)
    schedule.add(two, asked(two, 0), 0.0)
    job, other = begun(schedule), begun(schedule)
    assert schedule.drop(two, ["0:0"]) == []  # it is not theirs
    assert schedule.drop(one, ["0:0", "nobody"]) == [job.id]
    assert schedule.answer([made(job)], 0.0) == []
    assert [clip.request_id for _, clip in schedule.answer([made(other)], 0.0)] == ["1:0"]


def test_when_the_engine_is_to_rest_what_it_has_not_begun_comes_back() -> None:
    schedule = Schedule()
    one = schedule.open()
    schedule.add(one, asked(one, 0), 0.0)
    job = schedule.next(0.0)
    assert job is not None
    schedule.resting = True
    assert not schedule.begin(job, 0.0)
    assert schedule.next(0.0) is None
    assert schedule.in_hand == []
    schedule.resting = False
    assert schedule.next(0.0) is job
    assert one.share == pytest.approx(order_share(job))


def order_share(job: Job) -> float:
    from narrate.pace import chunk_seconds

    return chunk_seconds(job.request.chunk)


def test_after_an_error_each_goes_alone_and_what_was_heard_is_broken_off() -> None:
    schedule = Schedule()
    ear, file = schedule.open(), schedule.open()
    schedule.add(ear, asked(ear, 0, 1.0), 0.0)
    for index in range(2):
        schedule.add(file, asked(file, index), 0.0)
    heard, one, two = begun(schedule), begun(schedule), begun(schedule)
    schedule.answer([made(heard, final=False)], 0.0)
    answers = schedule.raised("bang", 4, 0.0)
    assert [(clip.request_id, clip.raised, clip.final) for _, clip in answers] == [("0:0", True, True)]
    assert begun(schedule) is one
    assert schedule.next(0.0) is None
    answers = schedule.raised("bang", 4, 0.0)
    assert [(clip.request_id, clip.failure, clip.raised) for _, clip in answers] == [("1:0", "bang", True)]
    assert begun(schedule) is two


def test_what_is_not_answered_when_the_engine_rests_has_failed() -> None:
    schedule = Schedule()
    one = schedule.open()
    for index in range(3):
        schedule.add(one, asked(one, index), 0.0)
    first, _ = begun(schedule), begun(schedule)
    schedule.answer([made(first)], 0.0)
    assert [(clip.request_id, clip.failure) for _, clip in schedule.missing(4, 0.0)] == [("0:1", NOTHING)]
    assert schedule.waiting == 1


def test_a_request_that_all_others_overtake_is_lost() -> None:
    schedule = Schedule()
    one = schedule.open()
    schedule.add(one, asked(one, 0), 0.0)
    begun(schedule)
    for index in range(1, 70):
        assert not schedule.lost
        schedule.add(one, asked(one, index), 0.0)
        schedule.answer([made(begun(schedule))], 0.0)
    assert schedule.lost


def test_capacity_is_known_only_of_a_time_in_which_the_engine_had_all_it_could_take() -> None:
    meter = Meter()
    meter.works(0.0, True)
    meter.made(10.0, 50.0, full=False)
    assert meter.capacity is None
    meter.made(14.0, 40.0, full=True)
    assert meter.capacity is None  # too short to be sure
    meter.made(16.0, 20.0, full=True)
    assert meter.capacity == pytest.approx(10.0)
    assert meter.busy.rate == 1.0


def test_what_cannot_be_whole_when_it_is_due_is_due_at_once() -> None:
    schedule = Schedule()
    ear = schedule.open()
    schedule.add(ear, asked(ear, 0, 0.0), 0.0)
    schedule.answer([made(begun(schedule))], 2.0)  # it took two seconds
    schedule.add(ear, asked(ear, 1, 3.0), 2.0)
    schedule.add(ear, asked(ear, 2, 60.0), 2.0)
    hurried, easy = begun(schedule, 2.0), begun(schedule, 2.0)
    assert schedule.due(hurried, 2.0) == 2.0
    assert schedule.due(easy, 2.0) == 60.0
    schedule.answer([made(hurried, final=False)], 2.5)
    assert schedule.due(hurried, 2.5) == 3.0
