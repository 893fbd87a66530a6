"""`narrate books`: what was read, and how far."""

from __future__ import annotations

from narrate.cli.choices import store_folder
from narrate.cli.command import Command
from narrate.settings.table import named
from narrate.settings.values import Values


def books(values: Values) -> None:
    from narrate.cli.listing import list_books

    list_books(store_folder(values))


COMMAND = Command(
    run=books,
    options=named("store"),
)
