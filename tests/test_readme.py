"""The README speaks of this program: its options are there, the tree beside the code is the folder's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from narrate import __version__
from narrate.cli.commands import COMMANDS
from narrate.cli.main import run
from narrate.cli.sample import find_sample
from narrate.settings.layers import read_settings
from narrate.settings.option import Place

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "narrate"
ROOMS = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
BUILT = (PACKAGE / "README.md").read_text(encoding="utf-8")
TREE = BUILT.split("```\nnarrate/\n")[1].split("\ntests/ ")[0]


def test_the_tree_names_everything_at_the_root_of_the_package_and_nothing_else() -> None:
    modules = {path.name for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")}
    rooms = {f"{path.name}/" for path in ROOMS if path.parent == PACKAGE}
    assert set(re.findall(r"\b\w+(?:\.py\b|/)", TREE)) == modules | rooms


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: path.name)
def test_every_room_says_what_each_of_its_modules_is_for(room: Path) -> None:
    if room == PACKAGE:
        return
    said = (room / "__init__.py").read_text(encoding="utf-8").split('"""')[1]
    modules = {path.name for path in room.glob("*.py") if not path.stem.startswith("__")}
    assert set(re.findall(r"\b\w+\.py\b", said)) == modules


def test_the_test_command_is_what_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (line,) = re.findall(r"^pip install .*pytest.*$", README, flags=re.MULTILINE)
    for part in line.split(" && "):
        assert any(part.replace("-q ", "") in step.replace("-q ", "").replace('"', "'") for step in ci.splitlines()), (
            part
        )


def test_the_first_command_reads_a_sample() -> None:
    (line,) = re.findall(r"^pip install .*narrate sample .*$", README, flags=re.MULTILINE)
    command = shlex.split(line.split(" && ")[1])
    assert command[:2] == ["narrate", "sample"]
    assert find_sample(command[2]).is_file()


def test_the_commands_it_names_exist(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = re.findall(r"`((?:\w+\s)+\w+)` have a `--help`", README)
    assert sorted(line.split()) == sorted(COMMANDS)
    for name in COMMANDS:
        assert run([name, "--help"]) == 0
    assert "Usage: narrate" in capsys.readouterr().out


@pytest.mark.parametrize("text", re.findall(r"`(--[a-z-]+)", README))
def test_the_options_it_names_exist(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with_own = ("chunks", "voices", "store", "bench", "books", "serve", "setup", "doctor")
    every = ["--help", "--all"], *([name, "--help"] for name in with_own)
    for arguments in every:
        run(list(arguments))
    assert text in capsys.readouterr().out


def test_the_settings_file_it_shows_is_one(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    found = read_settings(path, Place.USER)
    assert found.settings["dict"].value == tmp_path / "names.txt"
    assert set(found.tables) == {("voice", "ja"), ("engine", "qwen"), ("voice", "ono_anna")}


def test_what_is_said_beside_the_code_is_there() -> None:
    for name in re.findall(r"`((?:tests/)?test_\w+\.py)`", BUILT):
        assert (ROOT / "tests" / name.removeprefix("tests/")).is_file(), name
    for name in re.findall(r"`(\w+(?:/\w+)*\.py)`", BUILT):
        assert name.startswith(("test_", "tests/")) or (PACKAGE / name).is_file(), name
    for name in re.findall(r"`(\w+(?:/\w+)*)/`", BUILT):
        assert (PACKAGE / name).is_dir(), name


def test_the_change_log_begins_with_this_version() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    (first, *_) = (line for line in lines if line.startswith("## "))
    assert first.split()[1] == __version__
