"""A command: its name, its options and what it calls; and how words of the command line become its values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from keyword import iskeyword
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from narrate import __version__
from narrate.errors import InputError
from narrate.settings.kinds import Many, Switch
from narrate.settings.option import OF_MACHINE, Option, Place
from narrate.settings.values import Layer, Setting, Values


@dataclass(frozen=True, slots=True)
class Argument:
    """A word of the command line that is no option. `many`: any number of them."""

    name: str
    metavar: str
    help: str
    required: bool = True
    many: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A command of narrate: `COMMAND` in the module of its name, and a line in commands.py.

    `run` gets the values of the arguments and options, and may return an exit code. `details` are more sentences for
    the command's own help.
    """

    run: Callable[[Values], int | None]
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    details: str = ""

    @property
    def flags(self) -> tuple[Option, ...]:
        """The options that may be given on the command line; others are set elsewhere only."""
        return tuple(option for option in self.options if Place.COMMAND in option.places)


@dataclass(slots=True)
class ErrorDetail:
    """How much is shown of an error; the object of a command's context."""

    traceback: bool = False


def call(command: Command, words: Sequence[str], detail: ErrorDetail, show_help: Callable[[], str]) -> int:
    """Run the command with these words. Returns its exit code; raises what goes wrong."""

    check_flags(flags_of(command), words)

    class WithHelp(TyperCommand):
        def format_help(self, context: Any, formatter: Any) -> None:
            formatter.write(show_help())

    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    settings = {"help_option_names": ["-h", "--help"]}
    app.command(cls=WithHelp, context_settings=settings)(_function(command))
    return int(app(list(words), prog_name="narrate", standalone_mode=False, obj=detail) or 0)


def check_flags(flags: Mapping[str, bool], words: Sequence[str]) -> None:
    """Raise InputError for a word that looks like a flag and is none, with the nearest one. `flags` says of each
    whether a value follows it."""
    waiting = iter(words)
    for word in waiting:
        flag, equals, _ = word.partition("=")
        if word == "--":
            return
        if flag.startswith("--") and flag not in flags:
            near = get_close_matches(flag, flags, 1, 0.6)
            what = f"Did you mean {near[0]}?" if near else "See narrate --help --all."
            raise InputError(f"There is no option {flag}. {what}")
        if flags.get(flag) and not equals:
            next(waiting, None)


def flags_of(command: Command) -> dict[str, bool]:
    """Every flag of the command, long, short and negative, and whether a value follows it."""
    found = dict.fromkeys(("--help", "-h", "--debug", "--version"), False)
    for option in command.flags:
        for flag in filter(None, (option.flag, option.negative, f"-{option.short}" if option.short else "")):
            found[flag] = not isinstance(option.kind, Switch)
    return found


def _function(command: Command) -> Callable[..., int]:
    """A function as Typer reads them, with a parameter for each argument and option."""

    def run(**given: Any) -> int:
        arguments = {argument.name: given[_parameter(argument.name)] for argument in command.arguments}
        layers = [Layer(_settings(command.flags, given))]
        if any(option.places & OF_MACHINE != Place.COMMAND for option in command.options):
            from narrate.settings.layers import of_environment, of_user

            layers += [of_environment(), of_user()]
        return command.run(Values(command.options, layers, arguments)) or 0

    parameters = [*map(_argument, command.arguments), *map(_option, command.flags), *_EVERYWHERE]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _settings(options: Sequence[Option], given: Mapping[str, Any]) -> dict[str, Setting]:
    """What was given on the command line. Raises InputError for a value that an option does not have."""
    found: dict[str, Setting] = {}
    for option in options:
        value = given[_parameter(option.name)]
        if value is None or value == []:
            continue
        if isinstance(option.kind, Many):
            value = option.read_all(value, option.flag)
        elif isinstance(value, str):
            value = option.read(value, option.flag)
        found[option.name] = Setting(value, Place.COMMAND, option.flag)
    return found


def _parameter(name: str) -> str:
    name = name.replace("-", "_")
    return f"{name}_" if iskeyword(name) else name


def _argument(argument: Argument) -> inspect.Parameter:
    kind: Any = list[str] if argument.many else str
    info = typer.Argument(metavar=argument.metavar, help=argument.help)
    return _keyword(argument.name, kind, info, required=argument.required)


def _option(option: Option) -> inspect.Parameter:
    flags = [f"{option.flag}/{option.negative}".rstrip("/")]
    if option.short:
        flags.insert(0, f"-{option.short}")
    kind: Any = bool if isinstance(option.kind, Switch) else list[str] if isinstance(option.kind, Many) else str
    return _keyword(option.name, kind, typer.Option(*flags, help=option.help))


def _keyword(name: str, kind: Any, info: Any, *, required: bool = False) -> inspect.Parameter:
    annotation: Any = Annotated[kind if required else kind | None, info]  # type: ignore[valid-type]
    default = inspect.Parameter.empty if required else None
    return inspect.Parameter(_parameter(name), inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _show_traceback(context: typer.Context, wanted: bool) -> None:
    if wanted:
        context.ensure_object(ErrorDetail).traceback = True


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"narrate {__version__}")
        raise typer.Exit


_EVERYWHERE = (
    _keyword("debug", bool, typer.Option("--debug", callback=_show_traceback, is_eager=True)),
    _keyword("version", bool, typer.Option("--version", callback=_show_version, is_eager=True)),
)
