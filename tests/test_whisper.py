"""The genuine faster-whisper on random weights: it loads, hears takes together, is cancelled, dies and returns."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from narrate.checking.process import ProcessRecogniser
from narrate.checking.recogniser import RecogniserError, Sound, open_recogniser
from narrate.pipeline import Background

pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
pytest.importorskip("transformers", reason="transformers, which makes the model, is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    program = [sys.executable, str(Path(__file__).with_name("whisper_checkpoint.py")), str(folder)]
    subprocess.run(program, check=True, capture_output=True)
    return folder / "whisper"


@pytest.fixture(scope="module")
def whisper(model: Path) -> Iterator[ProcessRecogniser]:
    recogniser = open_recogniser(f"faster-whisper:{model}")
    assert isinstance(recogniser, ProcessRecogniser)
    with closing(recogniser):
        yield recogniser


def tones(*hertz: float, seconds: float = 1.0, language: str = "en") -> list[Sound]:
    time = np.arange(round(24_000 * seconds)) / 24_000
    return [Sound((0.3 * np.sin(2 * np.pi * each * time)).astype(np.float32), 24_000, language) for each in hertz]


def child(recogniser: ProcessRecogniser) -> psutil.Process:
    found = []
    for each in psutil.Process().children():
        with suppress(psutil.Error):  # another test's, that has just ended
            if "narrate.checking.child" in " ".join(each.cmdline()):
                found.append(each)
    (only,) = found
    return only


def test_it_loads_when_it_is_needed_and_hears_takes_together_as_it_hears_each_alone(
    whisper: ProcessRecogniser,
) -> None:
    sounds = tones(100, 300, 700, 2000, 5000)
    together = whisper.hear(sounds)
    assert whisper.name == "faster-whisper whisper"
    assert whisper.batch >= 4
    assert len(set(together)) == 5
    assert all(together)
    assert [whisper.hear([sound])[0] for sound in sounds] == together
    assert whisper.starts == 1


def test_a_take_of_more_than_half_a_minute_is_heard_in_parts(whisper: ProcessRecogniser) -> None:
    (long,) = whisper.hear(tones(300, seconds=31))
    (half,) = whisper.hear(tones(300, seconds=15.5))
    assert long is not None
    assert half is not None
    assert long.startswith(half[:60])
    assert len(long) > 1.5 * len(half)


def test_languages_may_be_mixed(whisper: ProcessRecogniser) -> None:
    english, japanese = tones(300), tones(300, language="ja")
    assert whisper.hear([*english, *japanese, *tones(700)])[1] == whisper.hear(japanese)[0]


def test_one_that_is_killed_is_started_again_and_hears_all(whisper: ProcessRecogniser) -> None:
    sounds = tones(*range(100, 900, 100))
    before = whisper.hear(sounds)
    starts = whisper.starts
    process = child(whisper)
    hearing = Background(lambda: whisper.hear(sounds))
    time.sleep(0.1)
    process.kill()
    assert hearing.result() == before
    assert whisper.hear(sounds) == before
    assert whisper.starts == starts + 1


def test_it_is_cancelled_soon_and_hears_again(whisper: ProcessRecogniser) -> None:
    before = whisper.hear(tones(300))
    many = tones(*range(100, 2000, 50), seconds=10)
    hearing = Background(lambda: whisper.hear(many))
    while not hearing.wait(0.1):  # a cancel that comes before it has begun is not for it
        whisper.cancel()
    with pytest.raises(RecogniserError, match="stopped"):
        hearing.result()
    assert whisper.hear(tones(300)) == before


def test_its_memory_does_not_grow(whisper: ProcessRecogniser) -> None:
    whisper.hear(tones(*range(100, 500, 100)))
    process = child(whisper)
    before = process.memory_info().rss
    for _ in range(12):
        whisper.hear(tones(*range(100, 500, 100)))
    assert process.memory_info().rss < before + (40 << 20)
    assert child(whisper).pid == process.pid


def test_a_model_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    recogniser = open_recogniser(f"faster-whisper:{tmp_path}")
    with closing(recogniser), pytest.raises(RecogniserError, match=r"cannot start: .*model\.bin"):
        recogniser.prepare()


def test_a_book_is_checked_with_it(model: Path, tmp_path: Path) -> None:
    """It hears nonsense, so that every sentence is in doubt, and the book is whole all the same."""
    command = [sys.executable, "-m", "narrate", "-t", "One lamp. Two gulls cried.", "-o", str(tmp_path / "book.wav")]
    how = ["-e", "espeak", "--check", "--recogniser", f"faster-whisper:{model}"]
    done = subprocess.run(
        [*command, *how], capture_output=True, text=True, check=False, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert "in doubt" in done.stderr
    assert "heard: “word" in done.stderr
    assert (tmp_path / "book.wav").stat().st_size > 10_000
