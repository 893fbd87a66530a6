"""The report about this very machine."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec

import pytest

from narrate.cli.doctor import Finding, report
from narrate.engines.table import ENGINES


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    return list(report(seconds=0.2))


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
        assert "pip install torch 'qwen-tts>=0.1.1'" in str(qwen)
        assert str(qwen).count("\n") == 1
    else:
        assert re.match(r"on (cpu|cuda|mps)", qwen.answer)
        assert any(finding.what == "runtime" for finding in findings)


def test_without_the_tools_of_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    gpu = next(finding for finding in report() if finding.what == "GPU")
    assert gpu.answer in ("none found", "Apple")
