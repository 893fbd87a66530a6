"""The course of a voice: what is odd is found and said in plain words, what is natural is let pass."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.checking.course import FEWEST, REMEMBERED, Course, Courses
from narrate.checking.measures import BANDS_HZ, measure
from tests.speech import a_chunk

EVEN = {
    "seconds": 8.0,
    "loudness_lufs": -20.0,
    "peak_dbfs": -3.0,
    "pitch_hz": 120.0,
    "pitch_median_hz": 119.0,
    "pitch_range_semitones": 4.0,
    "pace_times": 1.0,
    "tilt_db_per_octave": -1.0,
    **{f"band_{low}_hz_db": -8.0 for low in BANDS_HZ[:-1]},
    "noise_dbfs": -80.0,
    "end_db": -60.0,
    "clipped_share": 0.0,
    "clicks": 0.0,
    "longest_silence_seconds": 0.4,
}


def take(luck: Random, **changed: float) -> dict[str, float]:
    """A take of an even voice, which varies as speech does."""
    return {
        **EVEN,
        "seconds": luck.uniform(2, 14),
        "loudness_lufs": -20 + luck.gauss(0, 0.4),
        "pitch_hz": 120 * 2 ** (luck.gauss(0, 0.25) / 12),
        "pace_times": 2 ** luck.gauss(0, 0.06),
        **{name: value + luck.gauss(0, 0.7) for name, value in EVEN.items() if name.startswith("band_")},
        **changed,
    }


@pytest.fixture
def course() -> Course:
    luck = Random(5)
    found = Course()
    for _ in range(60):
        found.add(take(luck))
    return found


def odd(course: Course, **changed: float) -> tuple[str, ...]:
    return course.odd({**EVEN, **changed})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"loudness_lufs": -11.0}, "9 dB louder than the takes before it"),
        ({"loudness_lufs": -26.0}, "6 dB softer than the takes before it"),
        ({"pitch_hz": 120 * 2 ** (2.1 / 12)}, "2.1 semitones higher than the takes before it"),
        ({"pitch_hz": 120 * 2 ** (-2.5 / 12)}, "2.5 semitones lower than the takes before it"),
        ({"pace_times": 2 / 3}, "a third slower than the takes before it"),
        ({"pace_times": 0.5}, "half as quick as the takes before it"),
        ({"pace_times": 1.45}, "44% quicker than the takes before it"),
        ({"pace_times": 2.0}, "twice as quick as the takes before it"),
        ({"noise_dbfs": -50.0}, "30 dB more noise than the takes before it"),
        ({"band_800_hz_db": -14.0, "band_1600_hz_db": -1.0, "band_400_hz_db": -15.0}, "it sounds like another voice"),
        ({"end_db": -8.0}, "it breaks off at the end"),
        ({"clicks": 1.0}, "a click"),
        ({"clicks": 3.0}, "3 clicks"),
        ({"clipped_share": 0.02}, "2.0% of it is clipped"),
        ({"longest_silence_seconds": 2.4}, "a silence of 2.4 s inside"),
    ],
)
def test_what_is_odd_is_said(course: Course, changed: Mapping[str, float], words: str) -> None:
    assert odd(course, **changed) == (words,)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"pitch_hz": 120 * 2 ** (1.0 / 12), "pitch_range_semitones": 9.0},  # a question
        {"seconds": 0.9, "loudness_lufs": -12.0, "pitch_hz": 160.0},  # a short shout
        {"seconds": 1.6, "loudness_lufs": -16.0, "pitch_hz": 120 * 2 ** (1.7 / 12)},
        {"loudness_lufs": -22.5},
        {"pace_times": 1.2},
        {"longest_silence_seconds": 1.6},
        {"noise_dbfs": -61.0},  # nobody hears that
        {"noise_dbfs": -40.0, "seconds": 5.0},  # no pause in it
        {"noise_dbfs": -100.0},
        {"end_db": -100.0},
        {"clipped_share": 0.0005},
        {"pitch_hz": 0.0},  # whispered
    ],
)
def test_what_is_natural_passes(course: Course, changed: Mapping[str, float]) -> None:
    assert odd(course, **changed) == ()


def test_a_voice_is_judged_once_a_few_takes_are_known_and_faults_of_the_signal_at_once() -> None:
    course = Course()
    for _ in range(FEWEST - 1):
        course.add(EVEN)
    assert odd(course, loudness_lufs=-5.0) == ()
    assert odd(course, clicks=1.0) == ("a click",)
    course.add(EVEN)
    assert odd(course, loudness_lufs=-5.0) == ("15 dB louder than the takes before it",)


def test_short_takes_are_not_what_a_voice_is_known_by() -> None:
    course = Course()
    for _ in range(5 * FEWEST):
        course.add({**EVEN, "seconds": 1.4})
    assert not course.usual
    for _ in range(FEWEST):
        course.add({**EVEN, "seconds": 1.5})
    assert course.usual["pitch_hz"] == 120


def test_a_voice_that_ends_loudly_breaks_nothing_off() -> None:
    course = Course()
    for number in range(40):
        course.add({**EVEN, "end_db": -60.0 if number % 5 else -8.0})
    assert odd(course, end_db=-8.0) == ()


def test_a_lively_voice_is_allowed_more_than_an_even_one() -> None:
    luck, course = Random(5), Course()
    for _ in range(60):
        course.add(take(luck, pitch_hz=120 * 2 ** (luck.gauss(0, 0.8) / 12)))
    assert odd(course, pitch_hz=120 * 2 ** (2.1 / 12)) == ()


def test_a_few_bad_takes_change_nothing_and_a_lasting_change_is_the_voice() -> None:
    luck, course = Random(5), Course()
    for number in range(REMEMBERED):
        course.add(take(luck, **({"loudness_lufs": -5.0} if number % 5 == 0 else {})))
    assert odd(course, loudness_lufs=-11.0)
    assert not odd(course)
    for _ in range(REMEMBERED):
        course.add(take(luck, loudness_lufs=-11.0 + luck.gauss(0, 0.4)))
    assert not odd(course, loudness_lufs=-11.0)
    assert odd(course, loudness_lufs=-20.0)


@given(st.integers(0, 10_000))
def test_an_even_voice_is_hardly_ever_odd(seed: int) -> None:
    luck, course = Random(seed), Course()
    for _ in range(30):
        course.add(take(luck))
    assert sum(bool(course.odd(take(luck))) for _ in range(20)) <= 3


def test_medians_are_those_of_the_takes_that_are_remembered() -> None:
    luck, course = Random(5), Course(remembered=20)
    takes = [take(luck) for _ in range(50)]
    for each in takes:
        course.add(each)
    assert course.usual["loudness_lufs"] == median(each["loudness_lufs"] for each in takes[-20:])


def test_each_language_has_a_course_of_its_own() -> None:
    courses = Courses()
    times = np.arange(48_000) / 24_000
    low, high = (np.sin(2 * np.pi * hz * times).astype(np.float32) / 4 for hz in (100, 300))
    for index in range(FEWEST + 1):
        assert courses.follow(low, 24_000, a_chunk(index))[1] == ""
        assert courses.follow(high, 24_000, a_chunk(index, "猫が走る。", language="ja"))[1] == ""
    measures, why = courses.follow(high, 24_000, a_chunk(99))
    assert "19.0 semitones higher than the takes before it" in why
    assert measures == measure(high, 24_000, a_chunk(99))
