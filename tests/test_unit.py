"""The unit of systemd: it is one, it lets the server do little, and its settings are settings of narrate."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from narrate.cli.serve import COMMAND

UNIT = Path(__file__).resolve().parents[1] / "packaging" / "narrate.service"
EXPOSED = 2.0  # of 10, as systemd-analyze counts; a service without any restrictions has 9.6


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is here."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here (apt install systemd)")
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text("utf-8").replace("/usr/local/bin/narrate", sys.executable), "utf-8")
    return copy


def test_systemd_understands_it(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_may_do_little(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (exposure,) = re.findall(r"Overall exposure level for narrate.service: ([\d.]+)", done.stdout)
    assert float(exposure) < EXPOSED


def test_the_settings_it_names_are_options_of_the_server() -> None:
    named = set(re.findall(r"NARRATE_(\w+)=", UNIT.read_text("utf-8"))) - {"HOME"}
    assert named == {"TOKEN", "LIBRARY", "HOST", "WYOMING"}
    assert {name.lower() for name in named} <= {option.name for option in COMMAND.options}
