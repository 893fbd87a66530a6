"""What `auto` takes with and without a GPU, weights and packages, and the line that says how to get a better voice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from narrate.engines.choose import Choice, choose_engine, open_engine
from narrate.engines.qwen import Qwen, trial
from narrate.engines.table import EngineEntry, find_engine
from narrate.engines.tuning import Speed, keep_speed, speed_of
from narrate.voice import Voice
from tests.hub import COMMIT
from tests.qwen_checkpoint import Kind

pytest_plugins = ("tests.qwen_fixtures",)
needs_qwen = pytest.mark.skipif(find_engine("qwen").missing() is not None, reason="the qwen extra is not installed")
SMALL = "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice"

WITHOUT_GPU = EngineEntry(
    "big", "json:x", ("en",), "a voice", wants_gpu=True, processor="tests.test_choose"
)  # with `not_chosen` below


def not_chosen(*, measure: bool) -> str | None:
    return None if measure else "its speed is not known"


def test_an_engine_that_wants_a_gpu_is_asked_whether_the_processor_is_quick_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("narrate.engines.choose.without_gpu", lambda: "it needs a GPU")
    here = EngineEntry("good", "json:x", ("en",), "a voice")
    assert choose_engine("en", [WITHOUT_GPU, here]) == (
        "good",
        "good (a voice) reads English",
        "big (a voice) would read it better, but its speed is not known.",
    )
    assert choose_engine("en", [WITHOUT_GPU, here], measure=True).name == "big"
    never = replace(WITHOUT_GPU, processor=None)
    assert (
        choose_engine("en", [never, here], measure=True).better
        == "big (a voice) would read it better, but it needs a GPU."
    )
    monkeypatch.setattr("narrate.engines.choose.without_gpu", lambda: None)
    assert choose_engine("en", [never, here]).name == "big"


def test_how_to_get_a_better_voice_is_said_once(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    def choice(better: str | None) -> Callable[..., Choice]:
        return lambda *_, **__: Choice("espeak", "espeak reads English", better)

    def said() -> str | None:
        engine, why = open_engine("auto", Voice(), "en")
        engine.close()
        return why

    monkeypatch.setattr("narrate.engines.choose.choose_engine", choice("A fine voice would read it better: buy it."))
    assert said() == "espeak reads English. A fine voice would read it better: buy it"
    assert said() == "espeak reads English"
    monkeypatch.setattr("narrate.engines.choose.choose_engine", choice("A fine voice would read it better: sell it."))
    assert said() == "espeak reads English. A fine voice would read it better: sell it"
    assert said() == "espeak reads English"
    (home / "said.json").write_text("{")
    assert said() == "espeak reads English. A fine voice would read it better: sell it"
    monkeypatch.setattr("narrate.engines.choose.choose_engine", choice(None))
    assert said() == "espeak reads English"


@pytest.fixture
def no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No GPU, and an empty cache of the hub."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def weights(no_gpu: Path, checkpoint: Callable[[Kind], Path]) -> Path:
    """A tiny model in the place of the small released one."""
    kept = no_gpu / f"models--{SMALL.replace('/', '--')}"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text(COMMIT)
    return Path(shutil.copytree(checkpoint("custom_voice"), kept / "snapshots" / COMMIT))


@needs_qwen
def test_without_weights_the_embedded_voice_reads_and_the_command_that_fetches_them_is_named(no_gpu: Path) -> None:
    choice = choose_engine("en", measure=True)
    assert choice.name == "espeak"
    assert choice.better == (
        "qwen (Qwen3-TTS, a neural voice) would read it better, but its weights are not here yet; `narrate setup` "
        "fetches them (2.5 GB)."
    )


def test_without_the_package_it_is_named(no_gpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrate.engines.table._installed", lambda package: package not in ("torch", "qwen_tts"))
    choice = choose_engine("en", measure=True)
    assert choice.name == "espeak"
    assert "qwen needs torch and qwen_tts: pip install torch 'qwen-tts>=0.1.1'" in (choice.better or "")
    assert "narrate-aloud" not in (choice.better or "")  # it is not to be had under that name


@needs_qwen
@pytest.mark.slow
@pytest.mark.parametrize(
    ("speed", "name", "said"),
    [
        (None, "espeak", "how quick it is here is not known yet, `narrate setup` measures it"),
        (Speed(0.66, 10), "qwen", None),
        (Speed(0.79, 10), "qwen", None),
        (Speed(0.8, 10), "espeak", "it takes 0.8 s for a second of speech here; -e qwen -o FILE"),
        (Speed(3.36, 1), "espeak", "it takes 3.4 s for a second of speech here; -e qwen -o FILE"),
        (Speed(trial.FAILED, 1), "espeak", "a trial of it failed here, `narrate setup` tries it again"),
    ],
    ids=str,
)
def test_with_weights_it_is_a_matter_of_speed(speed: Speed | None, name: str, said: str | None, weights: Path) -> None:
    if speed is not None:
        keep_speed(Qwen(device="cpu", runtime="fast").fingerprint, speed)
    choice = choose_engine("en")
    assert choice.name == name
    assert (said or "") in (choice.better or "")
    assert (choice.better is None) == (said is None)


@needs_qwen
@pytest.mark.slow
def test_what_is_not_known_is_measured_once(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def try_out(model: str) -> Speed:
        tried.append(model)
        return Speed(0.5, 8, 0.1, 0.01)

    monkeypatch.setattr(trial, "try_out", try_out)
    assert [choose_engine("en", measure=True).name for _ in range(3)] == ["qwen"] * 3
    assert tried == [SMALL]
    assert speed_of(Qwen(device="cpu", runtime="fast").fingerprint) == Speed(0.5, 8, 0.1, 0.01)


@needs_qwen
@pytest.mark.slow
def test_a_trial_runs_the_model_in_a_process_of_its_own(weights: Path) -> None:
    speed = trial.try_out(SMALL)
    assert 0 < speed.rtf < trial.FAILED
    assert speed.rows >= 1
    assert speed.a + speed.c * speed.rows == pytest.approx(speed.rtf * speed.rows * 0.32)
    (weights / "model.safetensors").write_bytes(b"spoiled")
    assert trial.try_out(SMALL) == Speed(trial.FAILED, 1)


@needs_qwen
@pytest.mark.slow
def test_a_reading_by_the_chosen_engine_says_so_in_one_line(weights: Path, tmp_path: Path) -> None:
    keep_speed(Qwen(device="cpu", runtime="fast").fingerprint, Speed(0.5, 8, 0.1, 0.01))
    (tmp_path / "book.txt").write_text("The lamp was lit.")
    command = [sys.executable, "-m", "narrate", str(tmp_path / "book.txt"), "-o", str(tmp_path / "book.wav")]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("Voice: qwen (Qwen3-TTS, a neural voice) reads English.\n")
