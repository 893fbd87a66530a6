"""`narrate -e qwen` as a program: a text into a file, then the same takes into a recorded loudspeaker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrate.clip import to_int16
from tests.qwen_checkpoint import Kind
from tests.recorded import alsa_recorder

pytest_plugins = ("tests.qwen_fixtures",)
pytestmark = pytest.mark.slow

TEXT = "傘\n\n　雨が降っていた。誰も傘を持っていなかった。\n　「帰ろう」と彼は言った。\n"


def run(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "narrate", *arguments], capture_output=True, text=True, env=env, timeout=250, check=False
    )


def test_a_text_is_exported_and_then_heard_with_the_same_takes(
    checkpoint: Callable[[Kind], Path], home: Path, tmp_path: Path
) -> None:
    book, file = tmp_path / "umbrella.txt", tmp_path / "umbrella.wav"
    book.write_text(TEXT, encoding="utf-8")
    engine = ("-e", "qwen", "--model", str(checkpoint("custom_voice")), "--device", "cpu", "--seed", "3")
    quiet = {**os.environ, "NARRATE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    done = run(str(book), *engine, "-o", str(file), env=quiet)
    assert done.returncode == 0, done.stderr
    assert not any(word in done.stderr for word in ("SoX", "flash", "Warning", "Setting `pad"))
    exported, rate = soundfile.read(file, dtype="int16")
    assert rate == 24_000
    assert 3 < len(exported) / rate < 60
    recorder = alsa_recorder(tmp_path, paced=False)
    done = run(str(book), *engine, "--from-start", env={**recorder.env, "NARRATE_HOME": str(home)})
    assert done.returncode == 0, done.stderr
    heard = to_int16(recorder.read())
    assert np.array_equal(heard[: len(exported)], exported)
    assert not heard[len(exported) :].any()
