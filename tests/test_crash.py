"""Killed, ended, interrupted: started again, an export is what it would have been, at the cost of the batch in hand."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from narrate.store.store import Store
from tests.killed import BATCH, PATIENCE, Export, Moment, kill_until_done, novel

SLOW = "tone:rtf=0.005,rate=8000"
Whole = Callable[[str], Export]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("novel") / "novel.txt"
    path.write_text(novel(100))
    return path


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Exports of the source that nobody disturbed, one for each voice."""
    exports: dict[str, Export] = {}

    def undisturbed(voice: str) -> Export:
        if voice not in exports:
            exports[voice] = an_export(tmp_path_factory.mktemp("whole"), source, voice)
            exports[voice].finish()
        return exports[voice]

    return undisturbed


def an_export(folder: Path, source: Path, voice: str) -> Export:
    return Export(folder, source, ("-e", voice, "--max-chars", "60"))


def assert_as_if_nothing_had_happened(export: Export, whole: Export, stops: int) -> None:
    assert export.finished
    assert export.target.read_bytes() == whole.target.read_bytes()
    assert whole.begun <= export.begun <= whole.begun + BATCH * stops
    assert not list(export.folder.glob(".*")), "parts of files are left behind"
    assert not list(export.store.glob("open/*"))
    with Store(export.store) as store:
        health = store.verify()
        assert health.damaged == []
        assert health.whole.takes == store.size().takes == whole.begun


@pytest.mark.parametrize(("voice", "kills"), [(SLOW, 20), ("espeak", 8)])
def test_killed_again_and_again(source: Path, whole: Whole, tmp_path: Path, voice: str, kills: int) -> None:
    export = an_export(tmp_path, source, voice)
    kill_until_done(export, kills, random.Random(4), most_takes=6)
    assert export.kills == kills
    assert export.said == ""
    assert_as_if_nothing_had_happened(export, whole(voice), kills)


@pytest.mark.parametrize(
    ("signals", "codes"),
    [
        ([signal.SIGTERM], {128 + signal.SIGTERM}),
        ([signal.SIGHUP], {128 + signal.SIGHUP}),
        ([signal.SIGINT], {130}),
        # The second may come when all is done, and Python no longer minds it.
        ([signal.SIGINT, signal.SIGINT], {130, -signal.SIGINT}),
    ],
    ids=["TERM", "HUP", "Ctrl-C", "Ctrl-C twice"],
)
def test_ended_from_outside(
    source: Path, whole: Whole, tmp_path: Path, signals: list[signal.Signals], codes: set[int]
) -> None:
    export = an_export(tmp_path, source, SLOW)
    process = export.start()
    wait_for(Moment(30, 0.0), export, process)
    for each in signals:
        process.send_signal(each)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode in codes
    assert "Traceback" not in said
    assert not list(export.folder.glob(".*"))
    assert not export.target.exists()
    with Store(export.store) as store:
        assert store.size().takes >= 30 - BATCH
    export.finish()
    assert_as_if_nothing_had_happened(export, whole(SLOW), stops=1)


def test_under_nohup_a_closed_terminal_ends_nothing(source: Path, whole: Whole, tmp_path: Path) -> None:
    if not shutil.which("nohup"):
        pytest.skip("there is no nohup here")
    export = an_export(tmp_path, source, SLOW)
    process = export.start("nohup")
    wait_for(Moment(10, 0.0), export, process)
    process.send_signal(signal.SIGHUP)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert export.target.read_bytes() == whole(SLOW).target.read_bytes()


def wait_for(moment: Moment, export: Export, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not moment.has_come(export, 0):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_part_that_somebody_is_writing_is_left_alone(source: Path, whole: Whole, tmp_path: Path) -> None:
    """Two exports into one file at once: both get there, and the file is right."""
    first = an_export(tmp_path, source, SLOW)
    second = an_export(tmp_path, source, SLOW)
    pair = [first.start(), second.start()]
    for process in pair:
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
    assert first.target.read_bytes() == whole(SLOW).target.read_bytes()
    assert not list(tmp_path.glob(".*"))
