"""The manual page is that of this version, says all that --help says, and man can read it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from narrate.cli.commands import COMMANDS, READ, find_command
from narrate.cli.help import help_text
from narrate.cli.main import run
from narrate.cli.manual import manual

PAGE = Path(__file__).resolve().parents[1] / "man" / "narrate.1"


@pytest.fixture(scope="module")
def read() -> str:
    """The page as man shows it, in one line."""
    if not shutil.which("groff"):
        pytest.skip("groff is not installed (apt install groff-base)")
    command = ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-rLL=200n", "-P-cbou", "-"]
    done = subprocess.run(command, input=manual(), capture_output=True, text=True, check=True)
    assert not done.stderr
    return " ".join(done.stdout.split()).replace("‐ ", "").replace("−", "-").replace("‐", "-")


def test_the_page_is_that_of_this_version() -> None:
    assert PAGE.read_text(encoding="utf-8") == manual(), "write it anew: narrate help --man > man/narrate.1"


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "--man"]) == 0
    assert capsys.readouterr().out == manual()


@pytest.mark.parametrize("name", [READ, *COMMANDS])
def test_every_option_of_the_help_is_in_it_with_its_sentence(name: str, read: str) -> None:
    shown = help_text(name, every=True, width=100)
    for flag in re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", shown, re.M):
        assert flag in read
    for option in find_command(name).flags:
        assert re.search(rf"{option.flag}\b.{{0,60}} {re.escape(_read(option.help))}", read), option.name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_it(name: str, read: str) -> None:
    assert re.search(rf"\bnarrate {name}\b.*? {re.escape(_read(COMMANDS[name]))}", read)


def test_it_has_the_sections_of_a_manual(read: str) -> None:
    for section in (
        "NAME narrate - reads",
        "SYNOPSIS narrate [OPTIONS] BOOK",
        "DESCRIPTION",
        "EXIT STATUS",
        "EXAMPLES",
    ):
        assert section in read
    assert "narrate - reads a novel aloud" in read


def _read(text: str) -> str:
    return " ".join(text.replace("`", "").split())
