"""The `narrate` command: arguments in, one call, messages and exit code out. Nothing heavy is imported for --help."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

from narrate import streams
from narrate.cli.command import ErrorDetail, call
from narrate.cli.commands import COMMANDS, READ, find_command
from narrate.cli.shelf import with_book_of_the_list
from narrate.errors import INTERRUPTED, NarrateError
from narrate.pipeline import any_thread_hangs


class Ended(SystemExit):
    """The terminal was closed, or somebody ended the program: everything is finished properly first."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _end_properly() -> None:
    import signal

    def end(number: int, frame: object) -> NoReturn:
        raise Ended(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wishes
            signal.signal(number, end)


def _ignore_signals() -> None:
    """All is done and said: a signal that comes now must not break off the interpreter's own end with a traceback."""
    import signal

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.SIG_IGN)


def _choose(arguments: list[str]) -> tuple[str, list[str]]:
    """A command's name and its words. What is no command is the name of a book, or an option of reading it."""
    if arguments and arguments[0] in COMMANDS:
        return arguments[0], arguments[1:]
    return READ, ["--help", "--all"] if "--all" in arguments else arguments or ["--help"]


def _execute(arguments: list[str], detail: ErrorDetail) -> int:
    def show_help() -> str:
        from narrate.cli.help import help_text

        return help_text(name, every=every)

    name, words = _choose(arguments)
    if every := name == READ and "--all" in words:
        words = ["--help"]
    return call(find_command(name), words, detail, show_help)


def _fail(error: Exception, message: str, code: int, *, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exception(error)
    if message:
        from narrate.terminal.wrap import wrapped

        for row in wrapped(f"narrate: {message}", sys.stderr):
            print(row, file=sys.stderr)
    return code


def run(arguments: list[str]) -> int:
    """Run the command and translate every outcome into a line on stderr and an exit code."""
    wanted = ErrorDetail()
    try:
        code = _execute(with_book_of_the_list(arguments), wanted)
        sys.stdout.flush()
        return code
    except NarrateError as error:
        return _fail(error, str(error), error.exit_code, debug=wanted.traceback)
    except typer.Abort as error:
        return _fail(error, "stopped.", 1, debug=wanted.traceback)
    except typer.TyperException as error:
        return _fail(error, error.format_message(), error.exit_code, debug=wanted.traceback)
    except Exception as error:
        message = f"this is a defect ({type(error).__name__}: {error}). Please report it with the output of --debug."
        return _fail(error, " ".join(message.split()), 1, debug=wanted.traceback)


def main() -> NoReturn:
    """The `narrate` command."""
    streams.open_standard()
    _end_properly()
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Ended as ended:
        code = ended.number
    _ignore_signals()
    if any_thread_hangs():
        streams.flush_standard()
        os._exit(code)  # the interpreter's own end would wait for the device that hangs
    raise SystemExit(code)
