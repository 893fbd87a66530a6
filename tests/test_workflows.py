"""The forge's workflows: of the right form, for every system and Python that is promised, with commands that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SYSTEMS = {"ubuntu-latest", "macos-latest", "windows-latest"}


def jobs(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text("utf-8"))["jobs"]
    return found


def commands(job: dict[str, Any]) -> str:
    return "\n".join(step["run"] for step in job["steps"] if "run" in step)


def promised() -> set[str]:
    """The Pythons that the package names."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["classifiers"]
    return {line.rpartition(" ")[2] for line in about if "Python :: 3." in line}


def test_actionlint_finds_nothing() -> None:
    if not shutil.which("actionlint"):
        pytest.skip("actionlint is not here")
    done = subprocess.run(["actionlint", *WORKFLOWS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_only_and_ends(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 120 for job in workflow["jobs"].values())


def test_every_system_and_python_is_tried() -> None:
    tried = jobs("tests.yml")
    assert set(tried["installed"]["strategy"]["matrix"]["system"]) == SYSTEMS
    for job in "installed", "tests", "other-systems":
        assert set(tried[job]["strategy"]["matrix"]["python"]) == promised() == {"3.11", "3.12", "3.13", "3.14"}


def test_the_tests_of_other_systems_exist() -> None:
    named = re.findall(r"tests/\w+\.py", commands(jobs("tests.yml")["other-systems"]))
    assert len(named) > 10
    assert all((ROOT / name).is_file() for name in named)


def test_what_the_commands_name_is_here() -> None:
    said = "\n".join(commands(job) for path in WORKFLOWS for job in jobs(path.name).values())
    for name in ".ci/run", ".ci/checksums", "benchmarks/install.py", "packaging/Dockerfile":
        assert name in said
        assert (ROOT / name).is_file()


def test_a_release_is_built_twice_and_compared() -> None:
    said = commands(jobs("release.yml")["build"])
    assert said.count("python -m build") == 2
    assert "SOURCE_DATE_EPOCH" in said
    assert "diff" in said
