"""The licences of what narrate needs, and of what that needs: `python packaging/licences.py > packaging/licences.md`.

Reads what the installed packages say of themselves, so run it where all extras are installed. A test holds the table
against the environment that it runs in.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

LEFT_OUT = ("all", "qwen-hf", "test", "quality")  # all is the others, qwen-hf is qwen; the last are for our own work
# What a package does not say of itself, or says of its own code only.
KNOWN = {
    "espeakng-loader": "GPL-3.0-or-later: it holds eSpeak NG, which runs in a child process",
    "av": "BSD-3-Clause; its wheels hold FFmpeg with x264 and x265 (GPL-2.0-or-later), see Licences in the README",
}
SPELLED = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
GPL = re.compile(r"\bA?GPL|(?<!Lesser )General Public License", re.IGNORECASE)  # and not the LGPL
HEAD = """# What narrate needs, under which licences

Written by `python packaging/licences.py` from what the packages say of themselves, on Linux with Python 3.11. *for*:
the extras that bring a package along; - is what narrate always needs. Other systems add a few small ones (such as
colorama), and torch from the package index brings NVIDIA's libraries, with licences of their own.

| package | licence | for |
|---|---|---|
"""


def needed() -> dict[str, set[str]]:
    """The packages that each extra leads to, whether installed or not; "-" is what is always needed."""
    path = Path(__file__).resolve().parents[1] / "pyproject.toml"
    about = tomllib.loads(path.read_text("utf-8"))["project"]
    extras = {name: of for name, of in about["optional-dependencies"].items() if name not in LEFT_OUT}
    return {name: closure(of) for name, of in {"-": about["dependencies"], **extras}.items()}


def closure(requirements: list[str]) -> set[str]:
    """The names of packages that the requirements lead to in this environment."""
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        for extra in ("", *requirement.extras):
            one = (plain(requirement.name), extra)
            if one not in found:
                found.add(one)
                waiting += _further(*one)
    return {name for name, _ in found}


def _further(name: str, extra: str) -> Iterator[Requirement]:
    try:
        lines = distribution(name).requires or []
    except PackageNotFoundError:
        return
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def plain(name: str) -> str:
    """A name as the index writes it: PyYAML and pyyaml are the same package."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(name: str) -> str:
    """What a package says of its licence; "" if it is not installed."""
    if name in KNOWN:
        return KNOWN[name]
    try:
        said = _said(distribution(name))
    except PackageNotFoundError:
        return ""
    return SPELLED.get(said, said)


def _said(package: Distribution) -> str:
    about = package.metadata
    if expression := about.get("License-Expression"):
        return expression
    classified = [line.split(" :: ")[-1] for line in about.get_all("Classifier", []) if line.startswith("License ::")]
    if named := sorted(set(classified) - {"OSI Approved"}):
        return ", ".join(named)
    text = (about.get("License") or "").strip().split("\n")[0]
    return text or "not said"


def table() -> str:
    by_extra = needed()
    rows = {}
    for name in sorted(set().union(*by_extra.values())):
        extras = ["-"] if name in by_extra["-"] else [extra for extra, names in by_extra.items() if name in names]
        if said := licence(name):
            rows[name] = f"| {name} | {said} | {' '.join(extras)} |"
    return HEAD + "\n".join(rows.values()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
