"""The README speaks of this program: its commands run, its tree is the folder's, its numbers name their command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from narrate.cli import commands, reading, run

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = sorted(path for path in (ROOT / "narrate").rglob("*.py") if not path.stem.startswith("__"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_every_module_has_its_place_in_the_tree(module: Path) -> None:
    tree = README.split("```\nnarrate/\n")[1].split("```")[0]
    folder = module.parent.name
    assert module.name in tree or f"{folder}/" in tree and folder in {"store", "bench", "server"}


def test_the_tree_names_no_module_that_is_not_there() -> None:
    tree = README.split("```\nnarrate/\n")[1].split("\ntests/ ")[0]
    there = {path.name for path in MODULES}
    assert set(re.findall(r"\b\w+\.py\b", tree)) <= there


def test_the_test_command_is_what_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (line,) = re.findall(r"^pip install .*pytest.*$", README, flags=re.MULTILINE)
    for part in line.split(" && "):
        assert any(part.replace("-q ", "") in step.replace("-q ", "").replace('"', "'") for step in ci.splitlines()), (
            part
        )


def test_the_first_command_reads_a_sample() -> None:
    (line,) = re.findall(r"^pip install .*narrate samples.*$", README, flags=re.MULTILINE)
    command = shlex.split(line.split(" && ")[1])
    assert command[0] == "narrate"
    assert (ROOT / command[1]).is_file()


def test_the_commands_it_names_exist(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = re.findall(r"`((?:\w+ )+\w+)` have a `--help`", README)
    named = [getattr(command.callback, "__name__", "") for command in commands.registered_commands]
    assert sorted(line.split()) == sorted(named)
    for name in named:
        assert run([name, "--help"]) == 0
    assert len(reading.registered_commands) == 1
    assert "Usage: narrate" in capsys.readouterr().out


@pytest.mark.parametrize("text", re.findall(r"`(--[a-z-]+)", README))
def test_the_options_it_names_exist(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    every = ["--help"], *([name, "--help"] for name in ("chunks", "voices", "store", "bench", "books"))
    for arguments in every:
        run(list(arguments))
    assert text in capsys.readouterr().out
