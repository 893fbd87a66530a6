"""Open JTalk: its loudness, its silence about what it cannot say, and its limits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.engines.openjtalk import GAIN, KNEE, OpenJTalk, soften
from tests.speech import a_chunk, a_request, requests

levels = st.lists(st.floats(-150_000, 150_000, width=32), min_size=1, max_size=50)


@given(levels)
def test_softened_sound_is_within_full_scale_and_keeps_its_order(wave: list[float]) -> None:
    soft = soften(np.array(wave))
    assert np.abs(soft).max() <= 1.0
    order = np.argsort(wave)
    assert (np.diff(soft[order]) >= 0).all()


@given(levels, levels)
def test_a_sample_is_softened_alike_whatever_is_around_it(wave: list[float], other: list[float]) -> None:
    together = soften(np.array(wave + other))
    assert np.array_equal(together, np.concatenate([soften(np.array(wave)), soften(np.array(other))]))


@given(st.floats(-KNEE / GAIN, KNEE / GAIN))
def test_what_is_not_too_loud_is_only_scaled(level: float) -> None:
    assert soften(np.array([level]))[0] == np.float32(level * GAIN)


@pytest.fixture
def openjtalk() -> Iterator[OpenJTalk]:
    pytest.importorskip("pyopenjtalk")
    engine = OpenJTalk()
    yield engine
    engine.close()


def test_kanji_are_read(openjtalk: OpenJTalk) -> None:
    texts = ["東京都に住む", "とうきょうとにすむ"]
    kanji, kana = openjtalk.synthesize_batch(requests(a_chunk(i, text, language="ja") for i, text in enumerate(texts)))
    assert 0.8 < kanji.seconds / kana.seconds < 1.25


@pytest.mark.parametrize("text", ["。", "……", "「」", "ー", "！？", "。ー！", "☆♪", "привет"])
def test_nothing_to_say_is_a_failure_with_a_name(
    openjtalk: OpenJTalk, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    [clip] = openjtalk.synthesize_batch([a_request(a_chunk(3, text, language="ja"))])
    assert (clip.index, len(clip.samples), clip.failure) == (3, 0, "nothing to say")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", ["ーっと、猫だ。", "あ。ーい", "！え？", "ーーー待て！？ー"])
def test_marks_it_cannot_say_are_left_out_without_a_word(
    openjtalk: OpenJTalk, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    [clip] = openjtalk.synthesize_batch([a_request(a_chunk(0, text, language="ja"))])
    assert clip.failure is None
    assert clip.seconds > 0.5
    assert capfd.readouterr() == ("", "")


def test_leaving_marks_out_changes_nothing_in_real_sentences(books: Path) -> None:
    package = pytest.importorskip("pyopenjtalk")
    from narrate.engines.openjtalk import _sayable

    text = (books / "melos.sjis.txt").read_bytes().decode("cp932")
    for sentence in filter(str.strip, text.replace("\r\n", "").split("。")):
        features = package.run_frontend(sentence)
        assert package.make_label(_sayable(features)) == package.make_label(features)


def test_a_text_too_long_for_it_is_a_failure_and_the_next_is_spoken(openjtalk: OpenJTalk) -> None:
    chunks = [a_chunk(0, "長い話" * 2000, language="ja"), a_chunk(1, "短い話", language="ja")]
    long, short = openjtalk.synthesize_batch(requests(chunks))
    assert "too long" in str(long.failure)
    assert short.failure is None


def test_a_cancelled_request_is_left_out(openjtalk: OpenJTalk) -> None:
    both = requests([a_chunk(0, "長い話", language="ja"), a_chunk(1, "短い話", language="ja")])
    openjtalk.cancel([":0:0"])
    assert [clip.index for clip in openjtalk.synthesize_batch(both)] == [1]
    assert [clip.index for clip in openjtalk.synthesize_batch(both)] == [0, 1]  # no id is remembered for ever


def test_loading_it_writes_nothing_where_the_sound_may_go() -> None:
    pytest.importorskip("pyopenjtalk")
    program = """
from narrate.clock import OFF
from narrate.engines.openjtalk import OpenJTalk
from narrate.voice import Voice
from tests.speech import a_chunk, a_request
engine = OpenJTalk()
engine.prepare(Voice(), OFF)
assert len(engine.synthesize_batch([a_request(a_chunk(0, "何を言うか。", language="ja"))])[0].samples)
"""
    folder = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=folder, check=True)
    assert (done.stdout, done.stderr) == ("", "")
