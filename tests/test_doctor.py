"""The report about this very machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from narrate.cli.doctor import summary
from narrate.cli.findings import Finding, everything, gpu
from narrate.cli.main import run
from narrate.engines.driver import TorchBuild
from narrate.engines.table import ENGINES
from narrate.packages import how_to_install
from tests.recorded import pulse_recorder


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    return list(everything(seconds=0.2))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finding]:
    """The ten lines, by what they are about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANG", "en_US.UTF-8")
        patch.setenv("NARRATE_HOME", str(tmp_path_factory.mktemp("home")))
        return {finding.what: finding for finding in summary(seconds=0.2)}


def test_ten_lines_and_few_remedies(told: dict[str, Finding]) -> None:
    assert [*told] == [
        "narrate", "processor", "GPU", "neural voice", "English", "Japanese", "others", "sound", "kept", "tried",
    ]  # fmt: skip
    assert sum(len(finding.rows()) for finding in told.values()) <= 15
    assert all(finding.answer for finding in told.values())
    assert re.fullmatch(r"espeak, [\d.]+ times as fast as speech", told["English"].answer)


def test_it_tries_a_sentence_and_says_where_its_sound_went(told: dict[str, Finding]) -> None:
    tried = told["tried"].answer
    made = re.match(r"a sentence of ([\d.]+) s was made in [\d.]+ s and ", tried)
    assert made is not None
    assert float(made[1]) > 2
    played = told["sound"].answer.startswith("the device ")
    assert tried.endswith("written to a file; no device played it") != (played and " and played on " in tried)


def test_the_sentence_it_tries_is_heard_on_a_device() -> None:
    with pulse_recorder() as recorder:
        env = {**recorder.env, "LANG": "en_US.UTF-8"}
        done = subprocess.run([sys.executable, "-m", "narrate", "doctor"], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        line = " ".join(done.stdout.split())
        seconds = re.search(r"a sentence of ([\d.]+) s was made in [\d.]+ s and played on '", line)
        assert seconds is not None, done.stdout
        loud = np.flatnonzero(np.abs(np.fromfile(recorder.raw, dtype="<f4")) > 0.02)
    assert abs((loud[-1] - loud[0]) / 24000 - float(seconds[1])) < 1.5


def test_a_home_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARRATE_HOME", "/proc/nohome")
    kept = next(finding for finding in summary(seconds=0.1) if finding.what == "kept")
    assert kept.answer == "nothing: /proc/nohome cannot be written to"
    assert "NARRATE_HOME" in str(kept.remedy)


WITHOUT_EXTRAS = """
import ctypes.util, importlib.util, sys
ctypes.util.find_library = lambda name: None
found = importlib.util.find_spec
absent = ("torch", "qwen_tts", "pyopenjtalk")
importlib.util.find_spec = lambda name, *more: None if name in absent else found(name, *more)
from narrate.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


def bare(*arguments: str) -> subprocess.CompletedProcess[str]:
    """narrate without its extras and without PortAudio."""
    env = {**os.environ, "LANG": "en_US.UTF-8", "LC_ALL": "", "LANGUAGE": ""}
    command = [sys.executable, "-c", WITHOUT_EXTRAS, *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the package sounddevice brings PortAudio along")
def test_a_bare_machine_is_told_what_to_install(tmp_path: Path) -> None:
    done = bare("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "neural voice  not installed" in lines
    assert lines[lines.index("neural voice  not installed") + 1].endswith("→ pip install torch 'qwen-tts>=0.1.1'")
    assert lines[lines.index("Japanese      nobody can read it") + 1].endswith("→ pip install pyopenjtalk-plus")
    assert "others        espeak reads zh ko de fr ru pt es it" in lines
    assert how_to_install("PortAudio") in done.stdout
    assert " and written to a file; no device played it" in done.stdout
    asked = bare("sample", "ja", "-o", str(tmp_path / "ja.wav"))
    assert (asked.returncode, asked.stderr) == (
        2,
        "narrate: No voice that reads Japanese is here. openjtalk (Open JTalk, a small Japanese voice) would, but "
        "openjtalk needs pyopenjtalk: pip install pyopenjtalk-plus.\n",
    )
    setup = bare("setup")
    assert (setup.returncode, setup.stderr) == (
        2,
        "narrate: qwen needs torch and qwen_tts: pip install torch 'qwen-tts>=0.1.1'. Then run narrate setup again.\n",
    )
    assert bare("sample", "en", "-o", str(tmp_path / "en.wav"), "--chapters", "1").returncode == 0


def test_a_driver_that_is_too_old_is_told_at_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrate.cli.findings.driver_version", lambda: "535.104.05")
    monkeypatch.setattr("narrate.cli.findings.torch_build", lambda: TorchBuild("2.13.0+cu130", "13.0", None))
    assert str(gpu().remedy).startswith("The NVIDIA driver 535.104.05 is too old for torch 2.13.0+cu130, which is for")


def test_the_command_prints_rows_of_ten_lines_or_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    brief = capsys.readouterr().out
    assert brief.endswith("narrate doctor --all says more, for a report of a defect.\n")
    assert brief.splitlines()[0].startswith("narrate       0.")


def test_it_names_what_everybody_asks_for_first(findings: list[Finding]) -> None:
    told = {finding.what: finding for finding in findings}
    assert [*told][:4] == ["narrate", "processor", "GPU", "packages"]
    assert ".".join(map(str, sys.version_info[:3])) in told["narrate"].answer
    assert re.search(r"numpy \d+\.\d+", told["packages"].answer)
    assert {"loudspeaker", "qwen", "English", "Japanese", "Chinese"} <= told.keys()
    assert all(finding.answer for finding in findings)


def test_every_embedded_voice_here_has_a_speed(findings: list[Finding]) -> None:
    speeds = {finding.what.partition(" ")[0]: finding.answer for finding in findings if finding.what.endswith(" speed")}
    for entry in ENGINES:
        if entry.auto and not entry.wants_gpu and entry.missing() is None:
            number = re.match(r"([\d.]+) times as fast as speech; first sentence in [\d.]+ s$", speeds[entry.name])
            assert number is not None
            assert float(number[1]) > 0


def test_what_is_absent_comes_with_its_remedy(findings: list[Finding]) -> None:
    (qwen,) = (finding for finding in findings if finding.what == "qwen")
    if find_spec("torch") is None:
        assert qwen.remedy is not None
        assert "pip install torch 'qwen-tts>=0.1.1'" in qwen.remedy
        assert len(qwen.rows()) == 2
    else:
        assert re.match(r"on (cpu|cuda|mps)", qwen.answer)
        assert any(finding.what == "runtime" for finding in findings)


def test_without_the_tools_of_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert gpu().answer.startswith(("none found", "Apple"))
