"""What is to be installed, and this system's own command for it: the one place where libraries have their names."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

MANAGERS = {
    "debian": "apt install",
    "fedora": "dnf install",
    "arch": "pacman -S",
    "macos": "brew install",
    "windows": "pip install --force-reinstall",
}
"""What installs on each system. Windows has no such program: there a Python package brings the library along."""
LIBRARIES = {
    "PortAudio": {
        "debian": "libportaudio2",
        "fedora": "portaudio",
        "arch": "portaudio",
        "macos": "portaudio",
        "windows": "sounddevice",
    },
    "the PulseAudio plugin of ALSA": {
        "debian": "libasound2-plugins",
        "fedora": "alsa-plugins-pulseaudio",
        "arch": "pulseaudio-alsa",
    },
}
"""What each system calls a library."""
RELATIVES = {"ubuntu": "debian", "rhel": "fedora", "centos": "fedora", "archlinux": "arch"}
NEEDS_ADMINISTRATOR = ("debian", "fedora", "arch")


def this_system() -> str | None:
    """debian, fedora, arch, macos or windows, or a relative of one of them; None for another system."""
    if sys.platform in ("darwin", "win32"):
        return {"darwin": "macos", "win32": "windows"}[sys.platform]
    try:
        return system_of(platform.freedesktop_os_release())
    except OSError:  # there is no such file
        return None


def system_of(os_release: Mapping[str, str]) -> str | None:
    """The system that /etc/os-release describes: its own name, or one that it says it is like."""
    for name in (os_release.get("ID", ""), *os_release.get("ID_LIKE", "").split()):
        known = RELATIVES.get(name, name)
        if known in MANAGERS:
            return known
    return None


def install_library(library: str, system: str | None, *, administrator: bool) -> str:
    """What to do, as the end of a sentence: "install PortAudio: sudo apt install libportaudio2"."""
    package = LIBRARIES[library].get(system or "")
    if system is None or package is None:
        return f"install {library} with your system's package manager"
    sudo = "" if administrator or system not in NEEDS_ADMINISTRATOR else "sudo "
    return f"install {library}: {sudo}{MANAGERS[system]} {package}"


def how_to_install(library: str) -> str:
    """The same for this very system and user."""
    return install_library(library, this_system(), administrator=hasattr(os, "geteuid") and os.geteuid() == 0)


def pip_install(*requirements: str, again: bool = False) -> str:
    """The command that puts Python packages where narrate runs: pip's, pipx's or uv's. `again`: those that are there,
    too."""
    named = " ".join(_quoted(each) for each in requirements)
    prefix = Path(sys.prefix)
    if (prefix / "uv-receipt.toml").is_file():
        torch = "--torch-backend=auto " if "torch" in requirements else ""
        return f"uv pip install {'--reinstall ' if again else ''}{torch}--python {_quoted(str(prefix))} {named}"
    if (prefix / "pipx_metadata.json").is_file():
        return f"pipx inject {'--force ' if again else ''}narrate-aloud {named}"
    return f"pip install {'--force-reinstall ' if again else ''}{named}"


def _quoted(word: str) -> str:
    """As the shell of this system wants it: the one of Windows knows no single quotes."""
    if sys.platform != "win32":
        return shlex.quote(word)
    return f'"{word}"' if any(sign in word for sign in " <>&|[]") else word
