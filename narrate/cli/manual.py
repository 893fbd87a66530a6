"""The manual page narrate(1), in the language of man, from the same table as the help."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from narrate import __version__
from narrate.cli.command import Command
from narrate.cli.commands import COMMANDS, READ, find_command
from narrate.cli.help import COMMON, EXAMPLES, EXIT_CODES, MORE_EXAMPLES, NOTES, PURPOSE
from narrate.settings.option import Option
from narrate.settings.table import GROUPS
from narrate.terminal.keys import HELP


def manual() -> str:
    """The text of narrate.1."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    reading = find_command(READ)
    yield f'.TH NARRATE 1 "" "narrate {__version__}" "User Commands"'
    yield from _section("NAME", [r"narrate \- reads a novel aloud, or writes the audiobook"])
    yield ".SH SYNOPSIS"
    yield r".B narrate"
    yield r"[\fIOPTIONS\fR] \fIBOOK\fR"
    yield ".br"
    yield r".B narrate"
    yield r"\fICOMMAND\fR [\fIOPTIONS\fR]"
    yield from _section("DESCRIPTION", [_text(PURPOSE), ".PP", *(_text(each.help) for each in reading.arguments)])
    yield ".SH OPTIONS"
    for group in GROUPS:
        yield f'.SS "{group}"'
        own = [option for option in reading.flags if option.group == group]
        yield from _options([*own, *COMMON] if group == GROUPS[-1] else own)
    yield ".SH COMMANDS"
    for name, summary in COMMANDS.items():
        yield from _command(name, summary, find_command(name))
    yield ".SH KEYS"
    yield from _pairs(HELP.items())
    for title, text in NOTES:
        yield from _section(title.upper(), [_text(text)])
    yield from _section("EXIT STATUS", _pairs(EXIT_CODES))
    yield from _section("EXAMPLES", _pairs((*EXAMPLES, *MORE_EXAMPLES)))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f'.SH "{_text(title)}"'
    yield from lines


def _command(name: str, summary: str, command: Command) -> Iterator[str]:
    words = [argument.metavar if argument.required else f"[{argument.metavar}]" for argument in command.arguments]
    yield f'.SS "{" ".join(["narrate", name, *words])}"'
    yield _text(summary)
    for paragraph in filter(None, command.details.split("\n")):
        yield ".br"
        yield _text(paragraph)
    for argument in command.arguments:
        yield from _pairs([(argument.metavar, argument.help)])
    yield from _options(command.flags)


def _options(options: Iterable[Option]) -> Iterator[str]:
    for option in options:
        flags = [f"-{option.short}"] * bool(option.short) + [option.flag] + [option.negative] * bool(option.negative)
        value = rf" \fI{_text(option.kind.metavar)}\fR" * bool(option.kind.metavar)
        yield ".TP"
        yield ", ".join(rf"\fB{_text(flag)}\fR" for flag in flags) + value
        yield _text(option.help)


def _pairs(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, what in pairs:
        yield ".TP"
        yield rf"\fB{_text(name)}\fR"
        yield _text(what)


def _text(text: str) -> str:
    """Text without what man takes for commands: hyphens stay hyphens, and no line begins with a dot or a quote."""
    for mark, written in (("\\", r"\e"), ("-", r"\-"), ("'", r"\(aq"), ("`", ""), ('"', r"\(dq")):
        text = text.replace(mark, written)
    return rf"\&{text}" if text.startswith(".") else text
