"""The measurements of Qwen, on a CPU with a tiny model: the pack ends in time and leaves what it has."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the qwen extra is not installed")

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


def pack(out: Path, *options: str) -> list[str]:
    return [sys.executable, "benchmarks/qwen_fast.py", "--device", "cpu", "--size", "tiny", "--out", str(out), *options]


def numbers(out: Path) -> list[dict[str, object]]:
    """The lines of JSON in the file, each of which must be whole."""
    return [json.loads(line) for line in out.read_text("utf-8").splitlines() if line.startswith("{")]


def test_it_ends_within_its_budget_and_leaves_what_it_has(tmp_path: Path) -> None:
    out = tmp_path / "pack.md"
    subprocess.run(
        pack(out, "--budget", "45", "--steady-seconds", "40", "--parts", "errors", "steady", "frames"),
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=200,
    )
    *parts, whole = numbers(out)
    assert whole["complete"] is False
    assert whole["took_s"] < 45  # type: ignore[operator]
    assert [part["part"] for part in parts] == ["errors", "steady", "frames"][: len(parts)]
    assert [part["took_s"] for part in whole["parts"] if "took_s" in part] == [part["took_s"] for part in parts]  # type: ignore[attr-defined]


def test_what_was_measured_before_it_was_killed_is_in_the_file(tmp_path: Path) -> None:
    out = tmp_path / "pack.md"
    running = subprocess.Popen(
        pack(out, "--steady-seconds", "600", "--parts", "errors", "agreement", "steady"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert running.stdout is not None
    for line in running.stdout:
        if '"part": "agreement"' in line:
            running.send_signal(signal.SIGKILL)
            break
    running.wait()
    running.stdout.close()
    errors, agreement = numbers(out)[:2]
    assert {row["what"] for row in errors["rows"]} == {"talker", "predictor", "vocoder"}  # type: ignore[attr-defined]
    assert all(row["ratio"] < 1.2 for row in errors["rows"])  # type: ignore[attr-defined]
    assert agreement["took_s"] is not None


def test_a_part_that_fails_costs_the_others_nothing(tmp_path: Path) -> None:
    """A runtime of no slots fails; what comes after it is measured."""
    out = tmp_path / "pack.md"
    subprocess.run(
        pack(out, "--steady-slots", "0", "--parts", "profile", "errors"),
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=200,
    )
    profile, errors, whole = numbers(out)
    assert profile["failed"]
    assert len(errors["rows"]) == 3  # type: ignore[arg-type]
    assert whole["complete"] is True


def test_the_measurement_of_a_processor_runs_beside_the_package(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/qwen_cpu.py", "--sizes", "tiny", "--slots", "2", "--dtypes", "float32"]
    options = ["--package", "2", "--package-dtype", "float32", "--frames", "4", "--turns", "1", "--threads", "1"]
    subprocess.run([*command, *options, "--out", tmp_path / "cpu.md"], cwd=ROOT, check=True, timeout=300)
    rows = [row for row in numbers(tmp_path / "cpu.md")[0]["rows"] if "rtf" in row]  # type: ignore[attr-defined]
    assert [row["type"] for row in rows] == ["float32", "the package, float32"]
    assert all(0 < row["sound_ms"] < row["frame_ms"] for row in rows)
