"""An option: one line of the table that flags, settings files, the environment and a server are read by."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Flag
from pathlib import Path

from narrate.errors import InputError
from narrate.settings.kinds import Kind, Many, Switch


class Place(Flag):
    """Where a value may be set.

    `BOOK` is the settings file beside a book, `USER` the user's own settings file, `REQUEST` what somebody asks of a
    server.
    """

    COMMAND = 1
    ENVIRONMENT = 2
    BOOK = 4
    USER = 8
    REQUEST = 16


ONCE = Place.COMMAND
"""It makes sense for one command only, or must not happen by habit."""
SECRET = Place.ENVIRONMENT | Place.USER
"""Others must not see it: who looks at the machine sees its command lines, and a book's file goes with the book."""
OF_BOOK = Place.COMMAND | Place.ENVIRONMENT | Place.BOOK | Place.REQUEST
"""It is about one book."""
OF_MACHINE = Place.COMMAND | Place.ENVIRONMENT | Place.USER
"""It is about this machine. A file that came with a book, and a stranger's request, decide nothing about it."""
ANYWHERE = Place.COMMAND | Place.ENVIRONMENT | Place.BOOK | Place.USER | Place.REQUEST
FILES = ~Place.REQUEST
"""For what names a file: a request names none of the server's."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a command.

    `name` is the long flag without its hyphens, and the key in a settings file; the environment has NARRATE_NAME.
    `short` is a letter. `default` holds where nothing is set; None is the choice of whoever uses it. `late`: it may
    stand in a table for an engine, a voice or a language, because nothing needs it before the language of the book is
    known. The value of a `secret` one is shown nowhere.
    """

    name: str
    kind: Kind
    help: str
    group: str = ""
    short: str = ""
    default: object = None
    places: Place = ANYWHERE
    late: bool = False
    secret: bool = False

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def negative(self) -> str:
        """The flag that switches it off again, "" if there is none: for one that no other place can have set."""
        may = isinstance(self.kind, Switch) and self.places != ONCE and not self.name.startswith("no-")
        return f"--no-{self.name}" if may else ""

    @property
    def variable(self) -> str:
        return "NARRATE_" + self.name.upper().replace("-", "_")

    def read(self, text: str, where: str) -> object:
        """The value that `text` means. Raises InputError naming `where` it stands."""
        try:
            return self.kind.read(text)
        except ValueError:
            raise self._wrong(text, where) from None

    def read_all(self, texts: list[str], where: str) -> tuple[object, ...]:
        """The values of an option that may be given several times."""
        assert isinstance(self.kind, Many)
        return tuple(value for text in texts for value in self._each(text, where))

    def accept(self, value: object, where: str, folder: Path) -> object:
        """The value that a settings file or a server's caller gave. Raises InputError naming `where` it stands."""
        try:
            return self.kind.accept(value, folder)
        except ValueError:
            raise self._wrong(written(value), where) from None

    def _each(self, text: str, where: str) -> tuple[object, ...]:
        assert isinstance(self.kind, Many)
        try:
            return self.kind.read(text)
        except ValueError:
            raise InputError(f"{where} must be {self.kind.one.words}, not {text or 'empty'}.") from None

    def _wrong(self, text: str, where: str) -> InputError:
        found = "" if self.secret else f", not {text or 'empty'}"
        return InputError(f"{where} must be {self.kind.words}{found}.")


def written(value: object) -> str:
    """A value as a settings file has it: text in quotes, so that "3" and 3 are told apart."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
