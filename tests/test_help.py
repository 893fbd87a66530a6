"""The help fits the screen, names every option, and is plain English."""

from __future__ import annotations

import re

import pytest

from narrate.cli.commands import COMMANDS, READ, find_command
from narrate.cli.help import COMMON, FIRST_SCREEN, help_text
from narrate.cli.main import run
from narrate.settings.option import Place
from narrate.settings.table import GROUPS, OPTIONS
from narrate.terminal.keys import HELP

WIDTHS = (80, 120, 60)


def test_the_first_screen_is_one_screen_with_ten_options() -> None:
    lines = help_text(READ, width=80).splitlines()
    assert len(lines) <= 23  # of 24 one is the next prompt
    assert sum(re.match(r" +(-\w, )?--[a-z-]+", line) is not None for line in lines) == len(FIRST_SCREEN) == 10
    assert any(line.startswith("Examples") for line in lines)
    assert any(line.startswith("Keys: ") for line in lines)
    assert "narrate --help --all" in lines[-1]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [READ, *COMMANDS])
def test_no_line_is_wider_than_the_screen_and_no_word_is_cut(name: str, width: int) -> None:
    for every in (False, True):
        text = help_text(name, every=every, width=width)
        assert max(map(len, text.splitlines())) < width
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        wide = help_text(name, every=every, width=300)
        assert set(text.split()) == set(wide.split())


def test_all_options_stand_in_their_groups() -> None:
    text = help_text(READ, every=True, width=100)
    headings = [line.rstrip(":") for line in text.splitlines() if re.fullmatch(r"[A-Z][a-z]+:", line)]
    assert headings[: len(GROUPS)] == list(GROUPS)
    parts = dict(zip(GROUPS, re.split("|".join(f"\n{group}:\n" for group in GROUPS), text)[1:], strict=True))
    for option in OPTIONS:
        if Place.COMMAND not in option.places:
            assert option.flag not in text
            continue
        (line,) = re.findall(rf"^ +(?:-\w, )?{option.flag}\b(?!-).*", parts[option.group], re.M)
        assert (f"-{option.short}, " in line) == bool(option.short)
    for option in COMMON:
        assert option.flag in parts[GROUPS[-1]]
    for name, summary in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(summary[:20])}", text, re.M)
    for part in ("word = reading", "narrate.toml", "NARRATE_SPEED", "130", "some-program | narrate -"):
        assert part in text


def test_the_keys_of_the_help_are_those_of_the_program() -> None:
    text = help_text(READ, every=True, width=100)
    for key, meaning in HELP.items():
        assert re.search(rf"^  {re.escape(key)} +{re.escape(meaning)}$", text, re.M)


def test_help_is_a_command_and_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: str) -> str:
        assert run(list(arguments)) == 0
        return capsys.readouterr().out

    assert said("help") == said("--help") == said("-h") == said() != said("--help", "--all")
    assert said("help", "--all") == said("--all") == said("--help", "--all") == said("--all", "--help")
    for name in COMMANDS:
        assert said("help", name) == said(name, "--help")
        assert said(name, "--help").startswith(f"Usage: narrate {name} [OPTIONS]")
    assert run(["help", "vioces"]) == 2
    assert "no command 'vioces'" in capsys.readouterr().err


@pytest.mark.parametrize("name", [READ, *COMMANDS])
def test_the_help_is_plain_english(name: str) -> None:
    """No riddles, and none of the words that a listener does not know."""
    text = " ".join(help_text(name, every=True, width=100).split())
    for riddle in ("anew,", "the ear", "and end.", "another take", "See `narrate", "With -o:", "qwen:"):
        assert riddle not in text
    options = re.sub("--[a-z-]+", "", text.partition("Commands:")[0])
    assert name != READ or not re.search(r"\b(chunks?|RTF)\b", options)


def test_every_command_has_a_sentence_and_every_option_one_too() -> None:
    for name, summary in COMMANDS.items():
        assert re.fullmatch(r"[A-Z].*\.", summary)
        for option in find_command(name).flags:
            assert re.fullmatch(r"[A-Z].*\.", option.help), option.name
