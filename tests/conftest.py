"""Fixtures for every test: real books where they are at hand, and a home directory of the test's own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# A slow example on a busy machine is no defect: no test is held to a time.
settings.register_profile("narrate", deadline=None)
settings.load_profile("narrate")

# Tests press Ctrl-C and hang up on programs they start. A shell that starts the tests in the background, or `nohup`,
# has them ignore both, and every program they start would too.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the takes, places and settings of the person who runs it."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("NARRATE_HOME", str(folder))
    monkeypatch.setenv("NARRATE_CONFIG", os.devnull)
    return folder


@pytest.fixture(scope="session")
def books() -> Path:
    """The folder of real books (alice.txt, wagahai.sjis.txt, sanguo.txt, epub/ …)."""
    folder = SHARED / "texts"
    if not folder.is_dir():
        pytest.skip("the real books of ../shared/texts are not here")
    return folder


@pytest.fixture(scope="session")
def aozora_vectors() -> Path:
    """The folder of Aozora conformance cases."""
    folder = SHARED / "aozora-vectors"
    if not folder.is_dir():
        pytest.skip("the conformance cases of ../shared/aozora-vectors are not here")
    return folder
