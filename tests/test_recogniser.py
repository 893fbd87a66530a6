"""A recogniser in a process of its own: it hears, dies and is started again, hangs and is ended, and is cancelled."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from narrate.checking.process import DEATHS_IN_A_ROW, ProcessRecogniser
from narrate.checking.recogniser import COMPARING, KINDS, RecogniserError, Sound, missing, open_recogniser
from narrate.errors import InputError
from narrate.pipeline import Background

STAND_IN = Path(__file__).with_name("recogniser_stand_in.py")


def sounds(*tenths: int, rate: int = 24_000) -> list[Sound]:
    return [Sound(np.full(rate * each // 10, 0.25, np.float32), rate, "en") for each in tenths]


def a_recogniser(mode: str, *files: str, **options: Any) -> ProcessRecogniser:
    return ProcessRecogniser([sys.executable, str(STAND_IN), mode, *files], **options)


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No process and no file stays behind."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has just ended
            assert "recogniser_stand_in" not in " ".join(child.cmdline())
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 48_000])
def test_takes_of_any_rate_are_heard_at_sixteen_kilohertz_and_each_gets_its_own_text(rate: int) -> None:
    with closing(a_recogniser("hear")) as recogniser:
        assert recogniser.name == ""
        assert recogniser.hear(sounds(3, 12, 7, rate=rate)) == ["3 tenths", "12 tenths", "7 tenths"]
        assert (recogniser.name, recogniser.batch, recogniser.starts) == ("stand-in hear", 4, 1)
        assert recogniser.hear([]) == []
        assert recogniser.hear(sounds(5, rate=rate)) == ["5 tenths"]
        assert recogniser.starts == 1


def test_the_sounds_are_removed_as_they_are_answered() -> None:
    with closing(a_recogniser("hear")) as recogniser:
        recogniser.hear(sounds(3, 4, 5))
        (folder,) = Path(tempfile.gettempdir()).iterdir()
        assert [path.name for path in folder.iterdir()] == ["errors"]
        assert folder.stat().st_mode & 0o077 == 0


def test_what_a_killed_process_left_is_removed_when_it_is_old() -> None:
    old, new = (Path(tempfile.mkdtemp(prefix="narrate-check-")) for _ in range(2))
    (old / "7.wav").write_bytes(b"sound")
    os.utime(old, (0, 0))
    with closing(a_recogniser("hear")) as recogniser:
        recogniser.prepare()
    assert not old.exists()
    assert new.exists()
    new.rmdir()


def test_what_is_no_answer_is_passed_over() -> None:
    with closing(a_recogniser("noise")) as recogniser:
        assert recogniser.hear(sounds(3, 4)) == ["3 tenths", "4 tenths"]


def test_a_take_over_which_it_ends_does_not_take_others_along() -> None:
    with closing(a_recogniser("die-at-long")) as recogniser:
        assert recogniser.hear(sounds(3, 30, 4, 5)) == ["3 tenths", None, "4 tenths", "5 tenths"]
        assert recogniser.starts == 3  # the first, one for those alone, one after the culprit


def test_a_process_that_crashes_once_is_started_again_and_nothing_is_lost(tmp_path: Path) -> None:
    with closing(a_recogniser("die-once", str(tmp_path / "crashed"))) as recogniser:
        assert recogniser.hear(sounds(1, 2, 3, 4)) == ["1 tenths", "2 tenths", "3 tenths", "4 tenths"]
        assert recogniser.starts == 2


def test_one_that_ends_again_and_again_is_given_up_with_its_last_words() -> None:
    with closing(a_recogniser("die")) as recogniser:
        with pytest.raises(RecogniserError, match="it is too long for me"):
            recogniser.hear(sounds(1, 2, 3, 4, 5))
        assert recogniser.starts == DEATHS_IN_A_ROW


def test_one_that_does_not_answer_is_ended() -> None:
    with closing(a_recogniser("hang", patience_seconds=-1.5)) as recogniser:
        for _ in range(DEATHS_IN_A_ROW - 1):
            assert recogniser.hear(sounds(1)) == [None]
        with pytest.raises(RecogniserError, match="it does not answer"):
            recogniser.hear(sounds(1))


def test_it_says_itself_why_it_cannot_start() -> None:
    with closing(a_recogniser("refuse")) as recogniser, pytest.raises(RecogniserError, match="there is no model"):
        recogniser.prepare()


def test_a_program_that_is_not_there_is_named() -> None:
    recogniser = open_recogniser("no-such-program --fast")
    with closing(recogniser), pytest.raises(RecogniserError, match="no-such-program"):
        recogniser.hear(sounds(1))


def test_cancelling_ends_a_hear_soon_and_the_next_one_works() -> None:
    with closing(a_recogniser("hang")) as recogniser:
        recogniser.prepare()
        hearing = Background(lambda: recogniser.hear(sounds(1, 2)))
        assert not hearing.wait(0.3)
        recogniser.cancel()
        with pytest.raises(RecogniserError, match="stopped"):
            hearing.result()
        recogniser.command = [sys.executable, str(STAND_IN), "hear"]
        assert recogniser.hear(sounds(3)) == ["3 tenths"]


def test_closing_twice_does_no_harm_and_ends_the_process() -> None:
    recogniser = a_recogniser("hear")
    recogniser.prepare()
    recogniser.close()
    recogniser.close()


def test_a_recogniser_ends_with_narrate(tmp_path: Path) -> None:
    """Its standard input ends when the parent is killed."""
    program = (
        "import sys, os, json; from narrate.checking.process import ProcessRecogniser as P\n"
        f"p = P([{sys.executable!r}, {str(STAND_IN)!r}, 'hear']); p.prepare()\n"
        "print(p._child._process.pid, p._child._folder, flush=True); os.kill(os.getpid(), 9)"
    )
    import subprocess

    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    child, folder = made.stdout.split()
    until = time.monotonic() + 30
    while psutil.pid_exists(int(child)) and psutil.Process(int(child)).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.05)
    shutil.rmtree(folder)


def test_the_kinds_that_are_built_in_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrate.checking.recogniser.find_spec", lambda name: None)
    assert missing(None) == (
        "Takes are not checked, because faster-whisper, num2words, rapidfuzz are not installed. "
        "Try: pip install faster-whisper num2words rapidfuzz"
    )
    for language, packages in COMPARING.items():
        for name in packages.values():
            assert name in str(missing("a command", language))
    for kind in (*KINDS, "http://localhost:1", "a command"):
        with pytest.raises(InputError, match="Takes are not checked, because .* Try: pip install "):
            open_recogniser(kind)


def test_one_package_that_is_missing_is_named_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrate.checking.recogniser.find_spec", lambda name: None if name == "fugashi" else name)
    assert missing(None, "en") is None
    assert missing(None, "ja") == ("Takes are not checked, because fugashi is not installed. Try: pip install fugashi")


def test_the_protocol_that_is_described_is_the_one_that_is_kept() -> None:
    """The lines in the docstring of child.py are JSON, and have the keys that the stand-in works with."""
    from narrate.checking import child

    lines = [line[line.index("{") :].split("}")[0] + "}" for line in (child.__doc__ or "").split("\n") if "{" in line]
    keys = [set(json.loads(line)) for line in lines]
    assert keys == [{"ready", "batch"}, {"error"}, {"id", "audio", "language", "more"}, {"id", "text"}, {"id", "error"}]
    assert os.path.basename(child.__file__) == "child.py"
