"""Words of the command line become values of the table, or one line that says what was meant."""

from __future__ import annotations

import pytest

from narrate.cli.command import Argument, Command, ErrorDetail, call, check_flags, flags_of
from narrate.cli.commands import COMMANDS, READ, find_command
from narrate.cli.main import run
from narrate.errors import InputError
from narrate.settings.kinds import Choice, File, Many, Number, Switch, Text
from narrate.settings.option import OF_MACHINE, ONCE, Option
from narrate.settings.values import Values

OPTIONS = (
    Option("speed", Number(0.5, 2.0), "Speed.", short="s", default=1.0, places=ONCE),
    Option("output", Many(File()), "Output.", short="o", default=(), places=ONCE),
    Option("forms", Many(Choice(("srt", "vtt"))), "Forms.", default=(), places=ONCE),
    Option("from", Text("PLACE"), "From.", places=ONCE),
    Option("force", Switch(), "Force.", places=ONCE, default=False),
    Option("top-k", Number(0, whole=True), "Top.", places=OF_MACHINE),
    Option("mixed", Switch(), "Mixed.", places=OF_MACHINE, default=True),
)


def called(*words: str) -> Values:
    found: list[Values] = []
    command = Command(found.append, (Argument("book", "BOOK", "Book.", required=False),), OPTIONS)
    assert call(command, words, ErrorDetail(), str) == 0
    return found[0]


def test_words_become_values() -> None:
    values = called(
        "b.txt", "-s", "1.5", "-o", "a.wav", "--output=b.wav", "--forms", "srt", "--from", "-1", "--top-k=5"
    )
    assert values["book"] == "b.txt"
    assert values["speed"] == 1.5
    assert [path.name for path in values["output"]] == ["a.wav", "b.wav"]
    assert (values["forms"], values["from"], values["top-k"]) == (("srt",), "-1", 5)
    assert (values["force"], values["mixed"]) == (False, True)
    assert {name for name in values if name != "book" and values.commanded(name)} == {
        "speed", "output", "forms", "from", "top-k",
    }  # fmt: skip


def test_switches_and_defaults() -> None:
    values = called("--force", "--no-mixed")
    assert (values["book"], values["force"], values["mixed"], values["output"]) == (None, True, False, ())
    assert len(values) == len(OPTIONS) + 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sped", "1"], r"There is no option --sped\. Did you mean --speed\?"),
        (["--xyzzy"], r"There is no option --xyzzy\. See narrate --help --all\."),
        (["--no-force"], r"There is no option --no-force\. Did you mean"),
        (["-s", "3"], r"--speed must be a number from 0\.5 to 2, not 3\."),
        (["-s", "nan"], "not nan"),
        (["--top-k", "1.5"], "--top-k must be a whole number from 0 on, not 1.5"),
        (["--forms", "srt", "--forms", "doc"], "--forms must be srt or vtt, not doc"),
        (["-o", ""], "--output must be the name of a file, not empty"),
    ],
)
def test_what_is_meant_is_said(words: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        called(*words)


@pytest.mark.parametrize("words", [["--from", "--sped"], ["-o", "--sped"], ["--", "--sped"], ["--from=--sped"]])
def test_a_value_that_looks_like_a_flag_is_none(words: list[str]) -> None:
    flags = flags_of(Command(lambda values: None, (), OPTIONS))
    check_flags(flags, words)
    with pytest.raises(InputError):
        check_flags(flags, ["--force", *words, "--sped"] if words[0] != "--" else ["--sped", *words])


@pytest.mark.parametrize("name", [READ, *COMMANDS])
def test_every_command_knows_its_flags(name: str) -> None:
    command = find_command(name)
    flags = flags_of(command)
    assert {option.flag for option in command.flags} <= flags.keys()
    assert len({option.name for option in command.flags}) == len(command.flags)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["b.txt", "--from", "1", "--from-start"], "--from and --from-start contradict each other"),
        (["b.txt", "--store", "d", "--no-store"], "--store and --no-store contradict each other"),
        (["b.txt", "-o", "b.wav", "--sound-device", "0"], "--sound-device is for listening, and -o writes a file"),
        (["b.txt", "--batch-size", "1000000"], "--batch-size must be a whole number from 1 to 1024, or auto"),
        (["b.txt", "--reference-text", "x"], "Did you mean --ref-text?"),
    ],
)
def test_contradictions_are_said(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
