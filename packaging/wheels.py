"""For which systems each dependency comes ready-made: `python packaging/wheels.py > packaging/wheels.md`.

Has uv (`pip install uv`) choose versions for all systems at once and list their files; fetches no wheels. A test holds
the table against pyproject.toml.
"""

from __future__ import annotations

import datetime
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.utils import canonicalize_name, parse_wheel_filename

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LEFT_OUT = ("all", "test")  # all is the others; test is for those who work on narrate
GLIBC = (2, 28)  # of Debian 10, Ubuntu 20.04, Fedora 29 and what came after
HEAD = """# Ready-made packages by system

Written by `python packaging/wheels.py` on {date}: for which of Python 3.11 to 3.14 the newest version that
pyproject.toml allows has a wheel (Linux: glibc 2.28 or newer). *source* means that pip builds the package itself; some
({pure}) need no compiler for that. A whole extra can be installed where all that it leads to comes as a
wheel or as one of these. Nothing was installed on these systems, Linux x86_64 excepted.

"""
PURE = ("docopt", "sox", "unidic-lite")  # source archives that hold nothing to compile


@dataclass(frozen=True)
class System:
    """What markers say of a system, and what the wheels for it are called."""

    name: str
    markers: Mapping[str, str]
    platform: str  # a regular expression

    def takes(self, tag: str) -> bool:
        if found := re.match(r"manylinux_(\d+)_(\d+)_", tag):
            return bool(re.search(self.platform, tag)) and (int(found[1]), int(found[2])) <= GLIBC
        return tag == "any" or bool(re.search(self.platform, tag))


def _system(name: str, platform: str, machine: str, sys_platform: str, os_name: str, kernel: str) -> System:
    markers = {"platform_machine": machine, "sys_platform": sys_platform, "os_name": os_name, "platform_system": kernel}
    return System(name, markers, platform)


SYSTEMS = (
    _system("Linux x86_64", "^manylinux.*_x86_64$", "x86_64", "linux", "posix", "Linux"),
    _system("Linux aarch64", "^manylinux.*_aarch64$", "aarch64", "linux", "posix", "Linux"),
    _system("macOS arm64", "^macosx_.*_(arm64|universal2)$", "arm64", "darwin", "posix", "Darwin"),
    _system("macOS x86_64", "^macosx_.*_(x86_64|universal2)$", "x86_64", "darwin", "posix", "Darwin"),
    _system("Windows x86_64", "^win_amd64$", "AMD64", "win32", "nt", "Windows"),
)


def project() -> dict[str, list[str]]:
    """What narrate needs, by extra; "-" is what it always needs."""
    about = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    extras = {name: of for name, of in about["optional-dependencies"].items() if name not in LEFT_OUT}
    return {"-": about["dependencies"], **extras}


def name_of(requirement: str) -> str:
    return canonicalize_name(re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0])


def locked(extra: str) -> list[dict[str, Any]]:
    """Every package that narrate with this extra leads to on any system, with its files."""
    command = ["uv", "pip", "compile", "-q", "--no-config", "--no-header", "--universal", "--format", "pylock.toml"]
    wanted = [] if extra == "-" else ["--extra", extra]
    done = subprocess.run(
        [*command, "--python-version", PYTHONS[0], *wanted, str(PROJECT)], stdout=subprocess.PIPE, text=True, check=True
    )
    packages: list[dict[str, Any]] = tomllib.loads(done.stdout)["packages"]
    return packages


def applies(package: Mapping[str, Any], system: System, python: str) -> bool:
    kind = {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    version = {"python_version": python, "python_full_version": f"{python}.0"}
    return "marker" not in package or Marker(package["marker"]).evaluate({**system.markers, **kind, **version})


def has_wheel(package: Mapping[str, Any], system: System, python: str) -> bool:
    """Whether a wheel of the package fits there."""
    minor = int(python.partition(".")[2])
    for wheel in package.get("wheels", ()):
        for tag in parse_wheel_filename(wheel["url"].rpartition("/")[2].replace("%2B", "+"))[3]:
            python_fits = tag.interpreter == "py3" or tag.interpreter == f"cp3{minor}"
            if found := re.fullmatch(r"cp3(\d+)", tag.interpreter):
                python_fits |= tag.abi == "abi3" and int(found[1]) <= minor
            if python_fits and not tag.abi.endswith("t") and system.takes(tag.platform):
                return True
    return False


def span(pythons: Sequence[str]) -> str:
    """["3.11", "3.12", "3.13"] → "3.11–3.13"; with a gap, one by one."""
    if len(pythons) < 2:
        return "".join(pythons)
    first, last = PYTHONS.index(pythons[0]), PYTHONS.index(pythons[-1])
    return f"{pythons[0]}–{pythons[-1]}" if last - first + 1 == len(pythons) else ", ".join(pythons)


def direct(name: str, packages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The versions of a package and, for each system, the Pythons that have a wheel of it."""
    mine = [package for package in packages if package["name"] == name]
    cells = [
        span([of for of in PYTHONS if any(applies(one, system, of) and has_wheel(one, system, of) for one in mine)])
        for system in SYSTEMS
    ]
    return [", ".join(dict.fromkeys(package["version"] for package in mine)), *[cell or "source" for cell in cells]]


def whole(packages: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each system the Pythons on which every package comes ready-made, or what does not."""
    cells = []
    for system in SYSTEMS:
        lacking: dict[str, set[str]] = {
            python: {
                package["name"]
                for package in packages
                if applies(package, system, python)
                and not has_wheel(package, system, python)
                and package["name"] not in PURE
                and "directory" not in package
            }
            for python in PYTHONS
        }
        good = span([python for python, names in lacking.items() if not names])
        missing = ", ".join(sorted(set().union(*lacking.values())))
        cells.append("; ".join(part for part in (good, missing and f"else source: {missing}") if part))
    return cells


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [[*head, *(system.name for system in SYSTEMS)], ["---"] * (len(head) + len(SYSTEMS)), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    needs = project()
    locks = {extra: locked(extra) for extra in needs}
    rows = [
        [name_of(requirement), extra, *direct(name_of(requirement), locks[extra])]
        for extra, requirements in needs.items()
        for requirement in requirements
    ]
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    sys.stdout.write(HEAD.format(date=today, pure=", ".join(PURE)))
    sys.stdout.write(table(["package", "for", "versions"], rows) + "\n")
    sys.stdout.write(table(["whole extra"], [[extra, *whole(lock)] for extra, lock in locks.items()]))


if __name__ == "__main__":
    main()
