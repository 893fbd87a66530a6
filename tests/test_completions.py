"""Words are completed by the shells themselves, where they are installed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from narrate.cli.commands import COMMANDS, READ, find_command
from narrate.cli.completions import ENGINES, SHELLS
from narrate.cli.main import run
from narrate.engines import table
from narrate.settings.table import OPTIONS
from tests.terminal import terminal, wait_until


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a book, and with narrate under its name for the scripts that call it."""
    (tmp_path / "novel.txt").write_text("It rained.")
    program = tmp_path / "bin" / "narrate"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m narrate "$@"\n')
    program.chmod(0o755)
    return tmp_path


def asked(shell: str, line: str, folder: Path) -> set[str]:
    """What the shell offers at the end of the line."""
    script = folder / f"narrate.{shell}"
    script.write_text(SHELLS[shell](), encoding="utf-8")
    words = line.split(" ")
    if shell == "bash":
        command = (
            f"source {script}; COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; "
            '_narrate; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        arguments = ["bash", "--norc", "-c", command]
    else:
        arguments = ["fish", "--no-config", "-c", f"source {script}; complete -C {shlex.quote(line)}"]
    env = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder)}
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=folder, env=env, check=True)
    assert not done.stderr
    return {row.partition("\t")[0] for row in done.stdout.splitlines() if row}


ASKED = [
    ("narrate --loud", {"--loudness"}),
    ("narrate no", {"novel.txt"}),
    ("narrate insp", {"inspect"}),
    ("narrate novel.txt -e esp", {"espeak"}),
    ("narrate novel.txt --subtitles v", {"vtt"}),
    ("narrate novel.txt --dict no", {"novel.txt"}),
    ("narrate novel.txt --voice en-gb-", {"en-gb-scotland"}),
    ("narrate novel.txt --no-ru", {"--no-ruby-memory"}),
    ("narrate books --st", {"--store"}),
    ("narrate voices --", {"--engine", "--debug", "--help"}),
]


@pytest.mark.parametrize(("line", "offered"), ASKED)
def test_a_word_is_completed(shell: str, line: str, offered: set[str], folder: Path) -> None:
    if shell != "zsh":
        assert asked(shell, line, folder) == offered
    elif len(offered) == 1:
        (word,) = offered
        script = folder / "narrate.zsh"
        script.write_text(SHELLS["zsh"](), encoding="utf-8")
        (folder / ".zshrc").write_text(f"PS1='ready> '; autoload -U compinit; compinit -u -D; source {script}\n")
        env = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "ZDOTDIR": str(folder)}
        with terminal(["sh", "-c", f"cd {folder}; exec zsh -i"], env) as window:
            wait_until(lambda: "ready>" in window.screen(), "the shell")
            window.press(line, "Tab")
            wanted = f"ready> {line.rpartition(' ')[0]} {word}"
            wait_until(lambda: wanted in window.screen(), wanted)


def test_bash_completes_behind_an_equals_sign(folder: Path) -> None:
    """Where bash itself breaks words."""
    script = folder / "narrate.bash"
    script.write_text(SHELLS["bash"]())
    command = f"source {script}; COMP_WORDS=(narrate --engine = esp); COMP_CWORD=3; _narrate; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "--norc", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["espeak"]


@pytest.mark.parametrize("name", SHELLS)
def test_every_flag_of_every_command_is_known(name: str) -> None:
    script = SHELLS[name]()
    for command in (READ, *COMMANDS):
        for option in find_command(command).flags:
            spelled = rf"-l {option.name}\b" if name == "fish" else rf"{option.flag}\b"
            assert re.search(spelled, script), option.flag
    for option in OPTIONS:
        if option.negative:
            assert option.negative.removeprefix("--") in script


def test_the_engines_are_those_that_may_be_chosen() -> None:
    assert ("auto", *(entry.name for entry in table.ENGINES if entry.auto)) == ENGINES


def test_a_shell_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completions", "tcsh"]) == 2
    assert "bash, zsh, fish, not in tcsh" in capsys.readouterr().err
    assert run(["completions", "bash"]) == 0
    assert capsys.readouterr().out == SHELLS["bash"]()
