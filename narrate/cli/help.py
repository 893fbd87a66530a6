"""`narrate help`, and the text of every --help, made from the table of options."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from narrate.cli.command import Argument, Command
from narrate.cli.commands import COMMANDS, READ, find_command
from narrate.errors import InputError
from narrate.settings.kinds import Switch
from narrate.settings.option import ONCE, Option
from narrate.settings.table import GROUPS
from narrate.settings.values import Values
from narrate.terminal.keys import HELP

WIDEST = 100  # columns; longer lines are hard to read
LEFT = 28  # columns of what is explained on their right
PURPOSE = "Reads a book aloud and resumes where you stopped; -o writes an audiobook."
FIRST_SCREEN = {
    "output": "Write an audiobook: .m4b .mp3 .opus .flac .wav …",
    "voice": "Who speaks; narrate voices lists them",
    "engine": "qwen, openjtalk, espeak, or auto: the best one here",
    "speed": "How fast, from 0.5 to 2; the pitch stays the same",
    "lang": "Language of the book, if narrate guesses it wrong",
    "chapters": "Read these chapters only",
    "from": "Start at a chapter, a mark, or a time such as 12:30",
    "from-start": "Start from the beginning instead of resuming",
    "plan": "Say how long it is and how long it takes to make",
    "text": "Read this text instead of a book",
}
"""The options one needs, each in a line."""
EXAMPLES = (
    ("narrate sample", "hear a short story that comes with narrate"),
    ("narrate novel.epub", "listen; next time it resumes"),
    ("narrate novel.epub -o novel.m4b", "write an audiobook with chapters"),
)
MORE_EXAMPLES = (
    ("narrate novel.txt -o novel.mp3 --split chapter", "a folder with a file for each chapter"),
    ("narrate novel.txt --from 12:30 -s 1.2", "start 12:30 minutes in, a little faster"),
    ("some-program | narrate -", "speak while it is still being written"),
    ("narrate chunks novel.txt --json", "what will be spoken, without speaking"),
)
NOTES = (
    (
        "The file for --dict",
        "Each line is a word and how to say it: word = reading. A pattern stands between slashes: /colou?r/ = hue. "
        "[ja] begins the words of one language, [*] those of all languages, and # a comment.",
    ),
    (
        "Settings",
        "Every option above that does not concern a single command can be set for good, in your settings file (narrate "
        "config --edit), in a file narrate.toml beside a book, or in the environment (NARRATE_SPEED=1.2). The command "
        "line comes first, then the environment, then the book's file, then yours. A key for speech servers, api-key, "
        "is set in your own file or as NARRATE_API_KEY only. See narrate help config.",
    ),
)
EXIT_CODES = (
    ("0", "read to the end, or stopped with q"),
    ("1", "could not go on; the last line says why and what to do"),
    ("2", "wrong options or a book that cannot be read; nothing was started"),
    ("3", "read to the end, but some sentences could not be spoken"),
    ("130", "stopped with Ctrl-C; the same command goes on"),
)
COMMON = (
    Option("debug", Switch(), "Show where in the program an error happened.", places=ONCE),
    Option("version", Switch(), "Print the version.", places=ONCE),
    Option("help", Switch(), "Show the help.", short="h", places=ONCE),
    Option("all", Switch(), "Show the help with every option.", places=ONCE),
)


def help_text(name: str, *, every: bool = False, width: int | None = None) -> str:
    """The help of a command. That of reading is one screen, unless `every` option is wanted."""
    columns = min(width or shutil.get_terminal_size().columns, WIDEST) - 1
    command = find_command(name)
    if name != READ:
        return _lines(_command(name, command, columns))
    return _lines(_everything(command, columns) if every else _first_screen(command, columns))


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _usage(columns: int) -> Iterator[str]:
    yield "Usage: narrate [OPTIONS] BOOK, or narrate COMMAND [OPTIONS]"
    yield from _wrapped(PURPOSE, columns)
    yield ""


def _first_screen(command: Command, columns: int) -> Iterator[str]:
    yield from _usage(columns)
    by_name = {option.name: option for option in command.flags}
    yield from _pairs([(spelled(by_name[name]), what) for name, what in FIRST_SCREEN.items()], columns)
    yield ""
    yield from _wrapped(f"Commands: {' '.join(COMMANDS)}", columns, "          ")
    yield "Examples:"
    yield from _pairs(EXAMPLES, columns, max(len(example) for example, _ in EXAMPLES) + 4)
    yield from _wrapped("Keys: space pause, ← → sentence, ↑ ↓ paragraph, [ ] chapter, q stop, ? more", columns)
    yield from _wrapped("More: narrate --help --all (every option), narrate help COMMAND", columns)


def _everything(command: Command, columns: int) -> Iterator[str]:
    yield from _usage(columns)
    yield from _arguments(command.arguments, columns)
    for group in GROUPS:
        yield ""
        yield f"{group}:"
        own = [option for option in command.flags if option.group == group]
        yield from _options([*own, *COMMON] if group == GROUPS[-1] else own, columns)
    for title, pairs in (("Commands", COMMANDS.items()), ("Keys while listening", HELP.items())):
        yield ""
        yield f"{title}:"
        yield from _pairs(pairs, columns, LEFT)
    for title, text in NOTES:
        yield ""
        yield f"{title}:"
        yield from _wrapped(f"  {text}", columns, "  ")
    yield ""
    yield "Exit codes:"
    yield from _pairs(EXIT_CODES, columns, LEFT)
    yield ""
    yield "Examples:"
    for example, what in (*EXAMPLES, *MORE_EXAMPLES):
        yield f"  {example}"
        yield f"      {what}"


def _command(name: str, command: Command, columns: int) -> Iterator[str]:
    words = [argument.metavar if argument.required else f"[{argument.metavar}]" for argument in command.arguments]
    yield " ".join([f"Usage: narrate {name} [OPTIONS]", *words])
    yield ""
    yield from _wrapped(COMMANDS[name], columns)
    for paragraph in filter(None, command.details.split("\n")):
        yield from _wrapped(paragraph, columns)
    yield ""
    if command.arguments:
        yield from _arguments(command.arguments, columns)
        yield ""
    yield from _options([*command.flags, *(option for option in COMMON if option.name in ("debug", "help"))], columns)


def _arguments(arguments: Sequence[Argument], columns: int) -> Iterator[str]:
    return _pairs([(f"    {argument.metavar}", argument.help) for argument in arguments], columns, LEFT)


def _options(options: Iterable[Option], columns: int) -> Iterator[str]:
    return _pairs([(spelled(option), option.help) for option in options], columns, LEFT)


def spelled(option: Option) -> str:
    """How an option is written: "-o, --output FILE"."""
    short = f"-{option.short}, " if option.short else "    "
    negative = f", {option.negative}" if option.negative and option.default else ""
    return f"{short}{option.flag}{negative} {option.kind.metavar}".rstrip()


def _pairs(pairs: Iterable[tuple[str, str]], columns: int, left: int = 0) -> Iterator[str]:
    """Two columns. What is too long for the left one has a line of its own."""
    pairs = list(pairs)
    left = left or min(max(len(name) for name, _ in pairs), 26) + 4
    for name, what in pairs:
        first, *more = textwrap.wrap(what, max(columns - left, 20), break_on_hyphens=False) or [""]
        if len(name) + 3 > left:
            yield f"  {name}"
            more.insert(0, first)
        else:
            yield f"  {name}".ljust(left) + first
        yield from (" " * left + line for line in more)


def _wrapped(text: str, columns: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, columns, subsequent_indent=indent, break_on_hyphens=False)


def show(values: Values) -> None:
    if values["settings"]:
        from narrate.cli.settings_table import settings_table

        print(settings_table(), end="")
        return
    if values["man"]:
        from narrate.cli.manual import manual

        print(manual(), end="")
        return
    name = values["command"] or READ
    if name not in (READ, *COMMANDS):
        raise InputError(f"There is no command '{name}'. The commands are: {', '.join(COMMANDS)}.")
    print(help_text(name, every=values["all"]), end="")


COMMAND = Command(
    run=show,
    arguments=(Argument("command", "COMMAND", "The command; otherwise narrate itself.", required=False),),
    options=(
        Option("all", Switch(), "Show every option of narrate, in groups.", places=ONCE, default=False),
        Option("settings", Switch(), "Print all settings as a table (Markdown).", places=ONCE, default=False),
        Option("man", Switch(), "Print the manual page, narrate.1.", places=ONCE, default=False),
    ),
)
