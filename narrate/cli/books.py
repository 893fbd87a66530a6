"""`narrate books`: what was read, and how far. At a terminal one of the books can be opened."""

from __future__ import annotations

import sys

from narrate.cli.command import Command
from narrate.errors import InputError
from narrate.settings.choices import store_folder
from narrate.settings.kinds import Text
from narrate.settings.option import ONCE, Option
from narrate.settings.table import named
from narrate.settings.values import Values

FORGET = Option(
    "forget",
    Text("BOOK", "the number, path or title of a book"),
    "Forget a book of the list, by its number, path or title: where you stopped, and your marks.",
    places=ONCE,
)


QUESTION = "Number of the book to go on with, or Enter to leave: "


def books(values: Values) -> int:
    if values["forget"] is not None:
        from narrate.cli.shelf import forget_book

        print(f"Forgotten: {forget_book(values['forget'])}. Its takes stay in the store until the room is needed.")
        return 0
    from narrate.cli.listing import list_books

    listed = list_books(store_folder(values))
    path = _chosen() if listed and sys.stdin.isatty() and sys.stdout.isatty() else None
    if path is None:
        return 0
    from narrate.cli.read import read
    from narrate.settings.table import OPTIONS

    return read(values.for_other(OPTIONS, {"book": [path]}))


def _chosen() -> str | None:
    """The path of the book that the listener chooses; None for none of them."""
    from narrate.cli.shelf import path_of

    while True:
        try:
            number = input(QUESTION).strip()
        except EOFError:
            print()
            return None
        if not number:
            return None
        if not number.isdecimal():
            print("Type one of the numbers in the first column.")
            continue
        try:
            return path_of(number)
        except InputError as error:
            print(error)


COMMAND = Command(
    run=books,
    options=(FORGET, *named("store")),
)
