"""What a listener is told, in a listener's words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from narrate.reading.session import Progress
from narrate.terminal.wording import chapter_title, counted, duration, moment, rounded
from tests.speech import chunks

PROGRESS = Progress(
    chunk=chunks(1)[0],
    share=0.3,
    written_seconds=125.0,
    ready_seconds=36.0,
    left_seconds=5750.0,
    rtf=0.0712,
    made=3,
    reused=9,
    failed=0,
    gaps=0,
    paused=False,
    speed=1.0,
    position_seconds=2690.0,
    total_seconds=8440.0,
)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "44:50 of 2:20:40 · 1:35:50 left"),
        ({"total_seconds": None, "left_seconds": None}, "44:50"),
        ({"paused": True}, "paused · 44:50 of 2:20:40 · 1:35:50 left"),
        ({"speed": 1.3}, "44:50 of 2:20:40 · 1:35:50 left · speed 1.3"),
        ({"gaps": 1}, "44:50 of 2:20:40 · 1:35:50 left · 1 gap"),
        ({"gaps": 2, "failed": 1}, "44:50 of 2:20:40 · 1:35:50 left · 2 gaps · 1 not spoken"),
        ({"sleep_seconds": 890.0}, "44:50 of 2:20:40 · 1:35:50 left · sleep in 14:50"),
        ({"sleep_at_chapter_end": True}, "44:50 of 2:20:40 · 1:35:50 left · sleep after the chapter"),
        ({"finished_share": 0.45}, "Completing the file: 45%"),
    ],
)
def test_the_moment(changes: dict[str, object], words: str) -> None:
    assert moment(replace(PROGRESS, **changes), writing=False) == words  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pace", "words"),
    [
        (5.0, " · 5.0 times as fast as speech"),
        (25.4, " · 25 times as fast as speech"),
        (0.25, " · 0.2 times the pace of speech"),
        (None, ""),
    ],
)
def test_how_fast_a_file_is_made_is_said_once_that_is_known(pace: float | None, words: str) -> None:
    said = moment(replace(PROGRESS, pace=pace), writing=True)
    assert said == f"44:50 of 2:20:40 · 1:35:50 left{words}"


def test_figures_for_those_who_ask() -> None:
    assert moment(PROGRESS, writing=False, verbose=True).endswith("left · 36 s ahead · RTF 0.0712 · 9 reused")


def test_one_is_one() -> None:
    assert (counted(1, "gap"), counted(0, "gap"), counted(2, "take")) == ("1 gap", "0 gaps", "2 takes")


@pytest.mark.parametrize(
    ("times", "said"), [(0.04, "0.0"), (1.98, "2.0"), (9.94, "9.9"), (9.96, "10"), (2345.6, "2346")]
)
def test_numbers_of_times_have_few_digits_and_no_exponent(times: float, said: str) -> None:
    assert rounded(times) == said


def test_how_long_something_takes() -> None:
    assert [duration(seconds) for seconds in (0.2, 6.4, 59.4, 59.6, 3725)] == ["1 s", "6 s", "59 s", "1:00", "1:02:05"]


def test_what_stands_before_the_first_chapter_is_said_to() -> None:
    assert chapter_title(0, "") == "(before the first chapter)"
    assert chapter_title(3, "") == "(no title)"
    assert chapter_title(0, "Preface") == "Preface"


def test_no_remedy_names_a_package_that_no_index_has() -> None:
    """Somebody else might take its name."""
    modules = Path(__file__).resolve().parents[1].joinpath("narrate").rglob("*.py")
    assert not [path for path in modules if "install 'narrate-aloud" in path.read_text(encoding="utf-8")]
