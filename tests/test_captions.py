"""Captions: a chunk's text in lines that fit, nothing lost; their times by the silences in real speech."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import narrate
from narrate.clip import Samples, join, silence
from narrate.sinks.captions import LINE_COLUMNS, Silence, captions, columns, pieces, place, sentences, silences, wrapped

RATE = 1000
JAPANESE = "吾輩は猫である。名前はまだ無い。「どこで生れたかとんと見当がつかぬ。」と云った。"
ENGLISH = ["Alice was beginning to get very tired.", "She had nothing to do, and sat on the bank.", "So she slept."]


def letters(text: str) -> str:
    return "".join(text.split())


def hum(seconds: float, rate: int = RATE) -> Samples:
    return (0.3 * np.sin(np.arange(round(seconds * rate)))).astype(np.float32)


def test_sentences_are_whole_and_lines_are_not_joined() -> None:
    assert sentences("One came. Two\n went home.", "en") == ["One came.", "Two", "went home."]
    assert sentences(JAPANESE, "ja")[:2] == ["吾輩は猫である。", "名前はまだ無い。"]
    assert sentences(" \n", "en") == []


texts = st.text(st.sampled_from("a bc,。、「」吾輩は猫である. —\n"), max_size=300)


@given(texts, st.sampled_from(["en", "ja", "zh"]))
def test_captions_lose_nothing_and_fit_into_two_lines(text: str, language: str) -> None:
    found = captions(text, language, hum(5), RATE)
    assert letters("".join(caption.text for caption in found)) == letters(text)
    for caption in found:
        lines = wrapped(caption.text, language)
        assert len(lines) <= 2
        assert all(columns(line) <= LINE_COLUMNS for line in lines)
        assert letters("".join(lines)) == letters(caption.text)


@given(texts, st.sampled_from(["en", "ja", "zh"]), st.lists(st.floats(0.05, 0.6), max_size=6))
def test_captions_follow_one_another_within_the_sound(text: str, language: str, gaps: list[float]) -> None:
    sound = join([part for gap in gaps for part in (hum(0.5), silence(gap, RATE))] + [hum(0.5)])
    found = captions(text, language, sound, RATE)
    edges = [edge for caption in found for edge in caption[1:]]
    assert edges == sorted(edges)
    if found:
        assert (edges[0], edges[-1]) == (0, len(sound))


@pytest.mark.parametrize(
    ("sentence", "language", "cut"),
    [
        ("He ran as fast as he could, for it was late.", "en", "He ran as fast as he could,|for it was late."),
        (
            "彼は出来るだけ速く走った、もう遅かったからである。",
            "ja",
            "彼は出来るだけ速く走った、|もう遅かったからである。",
        ),
    ],
)
def test_a_long_sentence_is_cut_where_it_hurts_least(sentence: str, language: str, cut: str) -> None:
    assert "|".join(pieces(sentence, language, columns(sentence) - 5)) == cut


def test_silences_are_those_between_sounds_and_not_too_short() -> None:
    sound = join(
        [silence(0.5, RATE), hum(1), silence(0.05, RATE), hum(1), silence(0.2, RATE), hum(1), silence(1, RATE)]
    )
    (found,) = silences(sound, RATE)
    assert found.start == pytest.approx(2550, abs=10)
    assert found.end == pytest.approx(2750, abs=10)
    assert silences(silence(1, RATE), RATE) == []
    assert silences(hum(0), RATE) == []


def test_the_near_silence_is_taken_and_of_near_ones_the_long_one() -> None:
    comma, stop, far = Silence(1900, 2000), Silence(2200, 2600), Silence(3600, 4000)
    assert place([1, 1], [comma, stop, far], 4200, RATE) == [(0, 2200), (2600, 4200)]
    assert place([1, 1], [far], 4200, RATE) == [(0, 2100), (2100, 4200)], "too far away to be it"
    assert place([1, 1, 1], [Silence(1300, 1500)], 4200, RATE)[1][0] == 1500
    assert place([1], [comma], 4200, RATE) == [(0, 4200)]


def test_where_a_silence_is_found_the_others_are_counted_from_it() -> None:
    first, second, third = place([1, 1, 1], [Silence(1990, 2010)], 3000, RATE)
    assert second[1] == 1990
    assert first[1] == pytest.approx(1000, abs=10)
    assert third == (2010, 3000)


@pytest.mark.parametrize("gap", [0.12, 0.3])
def test_sentences_of_real_speech_are_found_within_80_ms(gap: float) -> None:
    """Sentences spoken one by one, with commas in them, and joined: the places are known."""
    spoken = [narrate.synthesize(text, engine="espeak", language="en") for text in ENGLISH]
    rate = spoken[0][1]
    sounds = [trimmed(samples) for samples, _ in spoken]
    sound = join([part for each in sounds for part in (each, silence(gap, rate))][:-1])
    found = captions(" ".join(ENGLISH), "en", sound, rate)
    assert [caption.text for caption in found] == ENGLISH
    at = 0
    for caption, after, samples in zip(found, found[1:], sounds, strict=False):
        at += len(samples)
        assert caption.end / rate == pytest.approx(at / rate, abs=0.08)
        at += round(gap * rate)
        assert after.start / rate == pytest.approx(at / rate, abs=0.08)


def trimmed(samples: Samples) -> Samples:
    """Without the silence before and after."""
    (sounding,) = np.nonzero(np.abs(samples) > 0.02)
    return samples[sounding[0] : sounding[-1] + 1]
