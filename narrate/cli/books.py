"""`narrate books`: what was read, and how far."""

from __future__ import annotations

from narrate.cli.command import Command
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


def books(values: Values) -> None:
    if values["forget"] is not None:
        from narrate.cli.shelf import forget_book

        print(f"Forgotten: {forget_book(values['forget'])}. Its takes stay in the store until the room is needed.")
        return
    from narrate.cli.listing import list_books

    list_books(store_folder(values))


COMMAND = Command(
    run=books,
    options=(FORGET, *named("store")),
)
