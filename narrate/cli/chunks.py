"""`narrate chunks`: what will be spoken, without speaking."""

from __future__ import annotations

from narrate.cli.command import Argument, Command
from narrate.settings.choices import TEXT_OPTIONS, text_options
from narrate.settings.kinds import Switch
from narrate.settings.option import ONCE, Option
from narrate.settings.table import named
from narrate.settings.values import Values


def chunks(values: Values) -> None:
    from narrate.cli.listing import list_chunks, list_excluded

    book, as_json = values["book"], values["json"]
    values = values.beside(book)
    text = text_options(values)
    if values["excluded"]:
        list_excluded(book, text, as_json=as_json)
    else:

        def engine_for(language: str) -> str:
            return str(values.in_language(language)["engine"])

        list_chunks(book, text, engine_for, as_json=as_json, stats=values["stats"])


COMMAND = Command(
    run=chunks,
    arguments=(Argument("book", "BOOK", "The book; - is standard input."),),
    options=(
        Option("json", Switch(), "Print one JSON object in each line.", places=ONCE, default=False),
        Option("stats", Switch(), "Print counts and lengths instead.", places=ONCE, default=False),
        Option(
            "excluded",
            Switch(),
            "Print what is left out of the book, by kind, instead.",
            places=ONCE,
            default=False,
        ),
        *named("engine", *TEXT_OPTIONS),
    ),
)
