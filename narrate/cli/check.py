"""`narrate check BOOK`: does the stored sound of a book say what is written?"""

from __future__ import annotations

from narrate.cli.command import Argument, Command
from narrate.settings.choices import ENGINE_OPTIONS, TEXT_OPTIONS, WISHES
from narrate.settings.kinds import File, Switch
from narrate.settings.option import ONCE, Option
from narrate.settings.table import named
from narrate.settings.values import Values

DETAILS = (
    "A recogniser of speech hears the sound that is stored of the book, and what it hears is compared with what is "
    "written, by how both sound. Give the options of voice and text with which the book was read.\n"
    "The recogniser (--recogniser) may be any program that reads lines of JSON and answers them: first it says "
    '{"ready": "its name", "batch": 1}; for every {"id": "7", "audio": "FILE.wav", "language": "en"} it says '
    '{"id": "7", "text": "what was heard"}.\n'
    "Exit code: 0 if all is said as it is written, 3 if some of it may not be."
)


def check(values: Values) -> int:
    from narrate.cli.read import stored_options
    from narrate.terminal.check import check_book

    book = values["book"]
    return check_book(stored_options(values.beside(book), book), again=values["again"], page=values["report"])


STORED = named(
    *("engine", "voice", "seed", *WISHES, *ENGINE_OPTIONS),
    *TEXT_OPTIONS,
    *("speed", "batch-size", "fresh-takes", "store", "no-store", "recogniser"),
)
"""The options that say which sound is stored of a book, and what hears it."""
COMMAND = Command(
    run=check,
    arguments=(Argument("book", "BOOK", "The book."),),
    options=(
        Option("again", Switch(), "Also hear what was checked before.", places=ONCE, default=False),
        Option("report", File("FILE.html"), "Also write a page about it, with the worst to hear.", places=ONCE),
        *STORED,
    ),
    details=DETAILS,
)
