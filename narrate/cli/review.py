"""`narrate review BOOK`: a listener decides about the sentences that are in doubt."""

from __future__ import annotations

from dataclasses import replace

from narrate.cli.check import STORED
from narrate.cli.command import Argument, Command
from narrate.settings.table import named
from narrate.settings.values import Values

DETAILS = (
    "Each sentence that a check found not to be said as it is written is shown and heard. Keep it, have it taken again "
    "until you like it, or write how one of its words is read to the file of --dict. Give the options of voice and "
    "text with which the book was read."
)


def review(values: Values) -> None:
    from narrate.cli.read import stored_options
    from narrate.terminal.review import review_book

    values = values.beside(values["book"])
    review_book(replace(stored_options(values, values["book"]), device=values["sound-device"]))


COMMAND = Command(
    run=review,
    arguments=(Argument("book", "BOOK", "The book."),),
    options=(*named("sound-device"), *STORED),
    details=DETAILS,
)
