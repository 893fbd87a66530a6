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

WIDEST = 100  # columns; longer lines are hard to read
EXAMPLES = (
    ("narrate novel.epub", "listen; the next time it resumes"),
    ("narrate novel.epub -o novel.m4b", "an audiobook with chapters"),
)
MORE_EXAMPLES = (
    ("narrate novel.txt -o novel.mp3 --split chapter", "a folder with a file for each chapter"),
    ("narrate novel.txt --from 12:30 -s 1.2", "start 12:30 minutes in, a little faster"),
    ("some-program | narrate -", "speak while it is still being written"),
    ("narrate chunks novel.txt --json", "what will be spoken, without speaking"),
)
KEYS = (
    ("space", "pause or go on"),
    ("← →", "a sentence back or forward"),
    ("↑ ↓", "a paragraph back or forward"),
    ("[ ]", "a chapter back or forward"),
    ("+ -", "faster or slower"),
    ("b", "mark this place"),
    ("q", "stop and keep the place"),
    ("?", "list the keys"),
)
DICTIONARY = """\
A line of the file for --dict is: word = reading. A pattern stands between slashes: /colou?r/ = hue. [ja] begins the \
words of one language, [*] those of all languages, and # a comment."""
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


def _first_screen(command: Command, columns: int) -> Iterator[str]:
    yield "Usage: narrate [OPTIONS] BOOK"
    yield "       narrate COMMAND [OPTIONS]"
    yield ""
    yield from _wrapped("Reads a book aloud, or writes it as an audiobook with -o.", columns)
    yield ""
    yield from _options([option for option in command.options if option.first], columns)
    yield ""
    yield from _wrapped(f"Commands: {' '.join(COMMANDS)}", columns, "          ")
    yield "Examples:"
    yield from _pairs(EXAMPLES, columns)
    yield from _wrapped("Keys while listening: space, arrows, [ ], + -, b, q; ? lists them.", columns)
    yield from _wrapped("All options: narrate --help --all. A command: narrate help COMMAND.", columns)


def _everything(command: Command, columns: int) -> Iterator[str]:
    yield "Usage: narrate [OPTIONS] BOOK"
    yield "       narrate COMMAND [OPTIONS]"
    yield ""
    yield from _wrapped("Reads a book aloud, or writes it as an audiobook with -o.", columns)
    yield ""
    yield from _arguments(command.arguments, columns)
    for group in GROUPS:
        yield ""
        yield f"{group}:"
        own = [option for option in command.options if option.group == group]
        yield from _options([*own, *COMMON] if group == GROUPS[-1] else own, columns)
    yield ""
    yield "Commands:"
    yield from _pairs(COMMANDS.items(), columns)
    yield ""
    yield "Words and how to say them:"
    yield from _wrapped(f"  {DICTIONARY}", columns, "  ")
    yield ""
    yield "Keys while listening:"
    yield from _pairs(KEYS, columns)
    yield ""
    yield "Examples:"
    yield from _pairs((*EXAMPLES, *MORE_EXAMPLES), columns)


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
    yield from _options([*command.options, *(option for option in COMMON if option.name in ("debug", "help"))], columns)


def _arguments(arguments: Sequence[Argument], columns: int) -> Iterator[str]:
    return _pairs([(argument.metavar, argument.help) for argument in arguments], columns)


def _options(options: Iterable[Option], columns: int) -> Iterator[str]:
    return _pairs([(spelled(option), option.help) for option in options], columns)


def spelled(option: Option) -> str:
    """How an option is written: "-o, --output FILE"."""
    short = f"-{option.short}, " if option.short else "    "
    negative = f", {option.negative}" if option.negative and option.default else ""
    return f"{short}{option.flag}{negative} {option.kind.metavar}".rstrip()


def _pairs(pairs: Iterable[tuple[str, str]], columns: int) -> Iterator[str]:
    """Two columns. What is too long for the left one has a line of its own."""
    pairs = list(pairs)
    left = min(max(len(name) for name, _ in pairs), 26) + 4
    for name, what in pairs:
        first, *more = textwrap.wrap(what, max(columns - left, 20)) or [""]
        if len(name) + 3 > left:
            yield f"  {name}"
            more.insert(0, first)
        else:
            yield f"  {name}".ljust(left) + first
        yield from (" " * left + line for line in more)


def _wrapped(text: str, columns: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, columns, subsequent_indent=indent, break_on_hyphens=False)


def show(values: Values) -> None:
    name = values["command"] or READ
    if name not in (READ, *COMMANDS):
        raise InputError(f"There is no command '{name}'. The commands are: {', '.join(COMMANDS)}.")
    print(help_text(name, every=values["all"]), end="")


COMMAND = Command(
    run=show,
    arguments=(Argument("command", "COMMAND", "The command; otherwise narrate itself.", required=False),),
    options=(Option("all", Switch(), "Every option of narrate, in groups.", places=ONCE, default=False),),
)
