"""`narrate sample`: read one of the stories that come with narrate."""

from __future__ import annotations

from pathlib import Path

from narrate.cli.command import Argument, Command
from narrate.cli.listener import own_language
from narrate.errors import InputError
from narrate.folders import samples
from narrate.settings.table import OPTIONS
from narrate.settings.values import Values
from narrate.text.language import LANGUAGES


def sample(values: Values) -> int:
    from narrate.cli.read import read

    return read(values.for_other(OPTIONS, {"book": [str(find_sample(values["name"]))]}))


def find_sample(wanted: str | None) -> Path:
    """The file of the sample with this name, or in this language (its code or its name); for None in the listener's own
    language, else in English. Raises `InputError` naming those there are."""
    files = sorted(samples().glob("*.*.txt"))
    if not files:
        raise InputError("The samples did not come with this narrate. Name a book of your own: narrate FILE")
    by_language = {path.name.split(".")[1]: path for path in files}
    if wanted is None:
        return by_language.get(own_language(), by_language["en"])
    asked = wanted.casefold()
    for language, path in by_language.items():
        if asked in (language, LANGUAGES[language].casefold(), path.name, path.name.split(".")[0]):
            return path
    there = ", ".join(f"{path.name.split('.')[0]} ({LANGUAGES[language]})" for language, path in by_language.items())
    raise InputError(f"There is no sample '{wanted}'. Choose one by its name or its language: {there}.")


COMMAND = Command(
    run=sample,
    arguments=(
        Argument("name", "NAME", "Its name, or its language, such as ja; otherwise your own language.", required=False),
    ),
    options=OPTIONS,
    details="All options of narrate BOOK hold here, too: narrate sample -o sample.m4b writes it.",
)
