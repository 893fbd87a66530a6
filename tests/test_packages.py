"""Each system is told its own command, and pip's is told to the environment that narrate runs in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from narrate.packages import LIBRARIES, MANAGERS, install_library, pip_install, system_of, this_system

OS_RELEASES = {
    "debian": {"ID": "debian"},
    "ubuntu": {"ID": "ubuntu", "ID_LIKE": "debian"},
    "linuxmint": {"ID": "linuxmint", "ID_LIKE": "ubuntu debian"},
    "raspbian": {"ID": "raspbian", "ID_LIKE": "debian"},
    "fedora": {"ID": "fedora"},
    "rocky": {"ID": "rocky", "ID_LIKE": "rhel centos fedora"},
    "arch": {"ID": "arch"},
    "manjaro": {"ID": "manjaro", "ID_LIKE": "arch"},
    "alpine": {"ID": "alpine"},
    "nothing": {},
}


@pytest.mark.parametrize(
    ("name", "system"),
    [
        ("debian", "debian"),
        ("ubuntu", "debian"),
        ("linuxmint", "debian"),
        ("raspbian", "debian"),
        ("fedora", "fedora"),
        ("rocky", "fedora"),
        ("arch", "arch"),
        ("manjaro", "arch"),
        ("alpine", None),
        ("nothing", None),
    ],
)
def test_a_system_is_known_by_itself_or_by_what_it_is_like(name: str, system: str | None) -> None:
    assert system_of(OS_RELEASES[name]) == system


@pytest.mark.parametrize(
    ("system", "said"),
    [
        ("debian", "install PortAudio: sudo apt install libportaudio2"),
        ("fedora", "install PortAudio: sudo dnf install portaudio"),
        ("arch", "install PortAudio: sudo pacman -S portaudio"),
        ("macos", "install PortAudio: brew install portaudio"),
        ("windows", "install PortAudio: pip install --force-reinstall sounddevice"),
        (None, "install PortAudio with your system's package manager"),
    ],
)
def test_every_system_has_its_command(system: str | None, said: str) -> None:
    assert install_library("PortAudio", system, administrator=False) == said
    assert install_library("PortAudio", system, administrator=True) == said.replace("sudo ", "")


def test_a_library_that_only_linux_has_is_known_on_each_linux() -> None:
    for system in ("debian", "fedora", "arch"):
        assert LIBRARIES["the PulseAudio plugin of ALSA"][system] in install_library(
            "the PulseAudio plugin of ALSA", system, administrator=True
        )


def test_this_system_is_one_of_them() -> None:
    assert this_system() in (*MANAGERS, None)


@pytest.mark.skipif(not shutil.which("apt-cache"), reason="apt is not here")
def test_debian_knows_the_packages_by_these_names() -> None:
    for packages in LIBRARIES.values():
        found = subprocess.run(["apt-cache", "show", packages["debian"]], capture_output=True, text=True, check=False)
        if not found.stdout:
            pytest.skip("apt has no lists of packages (apt update)")
        assert f"Package: {packages['debian']}\n" in found.stdout


def test_python_packages_go_where_narrate_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert pip_install("torch", "qwen-tts>=0.1.1") == "pip install torch 'qwen-tts>=0.1.1'"
    assert pip_install("x", again=True) == "pip install --force-reinstall x"
    monkeypatch.setattr(sys, "platform", "win32")
    assert pip_install("torch", "qwen-tts>=0.1.1") == 'pip install torch "qwen-tts>=0.1.1"'
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_path / "pipx_metadata.json").touch()
    assert pip_install("x") == "pipx inject narrate-aloud x"
    (tmp_path / "uv-receipt.toml").touch()
    assert pip_install("x") == f"uv pip install --python {tmp_path} x"
    assert pip_install("torch").startswith("uv pip install --torch-backend=auto --python ")


WITHOUT_PORTAUDIO = """
import ctypes.util, sys
ctypes.util.find_library = lambda name: None
from narrate.cli.main import run
sys.exit(run(["devices"]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the package sounddevice brings PortAudio along")
def test_the_error_names_this_systems_command() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_PORTAUDIO], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert install_library("PortAudio", this_system(), administrator=os.geteuid() == 0) in done.stderr
    assert done.stderr.count("\n") == 1
