"""How long speech is expected to take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.pace import expected_seconds, letters


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(["ja", "zh", "en", "ko", "ru"]))
def test_more_to_say_takes_no_less_time(one: str, other: str, language: str) -> None:
    assert expected_seconds(one + other, language) >= expected_seconds(one, language) >= 0.3


@pytest.mark.parametrize(
    ("text", "language", "seconds"),
    [
        ("Call me Ishmael.", "en", 1.1),
        ("吾輩は猫である。名前はまだ無い。", "ja", 2.7),
        ("话说天下大势，分久必合，合久必分。", "zh", 4.1),
        ("그는 아무 말도 하지 않고 바다를 바라보았다.", "ko", 3.0),
        ("Все счастливые семьи похожи друг на друга.", "ru", 2.5),
    ],
)
def test_a_sentence_takes_about_as_long_as_a_reader_needs(text: str, language: str, seconds: float) -> None:
    assert expected_seconds(text, language) == pytest.approx(seconds, rel=0.2)


def test_letters_are_what_can_be_said() -> None:
    assert letters("「あ、A1！」—") == 3
