"""The genuine Qwen3-ASR of transformers 5 on random weights, in an environment of its own.

NARRATE_TEST_QWEN_ASR names the Python of an environment with transformers 5; without it, these tests need it here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest

from narrate.checking import child
from narrate.checking.process import ProcessRecogniser
from narrate.checking.recogniser import RecogniserError, Sound
from narrate.pipeline import Background

PYTHON = os.environ.get("NARRATE_TEST_QWEN_ASR", sys.executable)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessRecogniser]:
    model = tmp_path_factory.mktemp("model")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    script = Path(__file__).with_name("qwen_asr_checkpoint.py")
    built = subprocess.run(
        [PYTHON, str(script), str(model)], capture_output=True, text=True, check=False, env=environment
    )
    if built.returncode:
        pytest.skip(f"transformers 5 with Qwen3-ASR is not here ({built.stderr.strip().splitlines()[-1]})")
    # As a file, and not as a module: the other environment has no narrate.
    with closing(ProcessRecogniser([PYTHON, child.__file__, "qwen-asr", str(model), "--device", "cpu"])) as recogniser:
        yield recogniser


def tones(*hertz: float, seconds: float = 0.6, language: str = "en") -> list[Sound]:
    time = np.arange(round(24_000 * seconds)) / 24_000
    return [Sound((0.3 * np.sin(2 * np.pi * each * time)).astype(np.float32), 24_000, language) for each in hertz]


def process(recogniser: ProcessRecogniser) -> psutil.Process:
    (found,) = [each for each in psutil.Process().children() if child.__file__ in each.cmdline()]
    return found


def test_it_hears_takes_together_as_it_hears_each_alone(qwen: ProcessRecogniser) -> None:
    sounds = [*tones(100, 700), *tones(300, language="ja"), *tones(2000, language="zh")]
    together = qwen.hear(sounds)
    assert all(together)
    assert len(set(together)) == 4
    assert [qwen.hear([sound])[0] for sound in sounds[:2]] == together[:2]
    assert qwen.starts == 1


def test_one_that_is_killed_is_started_again_and_hears_all(qwen: ProcessRecogniser) -> None:
    before = qwen.hear(tones(100, 700))
    process(qwen).kill()
    assert qwen.hear(tones(100, 700)) == before
    assert qwen.starts == 2


def test_it_is_cancelled_soon_and_hears_again(qwen: ProcessRecogniser) -> None:
    before = qwen.hear(tones(300))
    many = tones(*range(100, 900, 100), seconds=3)
    hearing = Background(lambda: qwen.hear(many))
    while not hearing.wait(0.1):
        qwen.cancel()
    with pytest.raises(RecogniserError, match="stopped"):
        hearing.result()
    assert qwen.hear(tones(300)) == before


def test_its_memory_does_not_grow(qwen: ProcessRecogniser) -> None:
    for _ in range(2):
        qwen.hear(tones(100, 700, 900, 1100))
    hears = process(qwen)
    before = hears.memory_info().rss
    for _ in range(4):
        qwen.hear(tones(100, 700, 900, 1100))
    assert hears.memory_info().rss < before + (60 << 20)
    assert process(qwen).pid == hears.pid
