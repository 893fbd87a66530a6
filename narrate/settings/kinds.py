"""The kinds of values that a setting can have: how one is read from a word, and which ones of TOML or JSON it takes.

Every kind raises `ValueError` for a value that it does not take; `words` says, after "must be", what it does take.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Protocol


class Kind(Protocol):
    """A kind of values. `metavar` stands for one in the help."""

    @property
    def words(self) -> str: ...

    @property
    def metavar(self) -> str: ...

    def read(self, text: str) -> object:
        """The value that a word of the command line or of the environment means."""
        ...

    def accept(self, value: object, folder: Path) -> object:
        """The value that a settings file or a server's caller gave; relative paths start at `folder`."""
        ...


def _words(value: object) -> str:
    """The value of a settings file or a request, if it is a text."""
    if not isinstance(value, str):
        raise ValueError
    return value


@dataclass(frozen=True, slots=True)
class Text:
    """Any words but none at all. `what` says what they are."""

    metavar: str = "TEXT"
    what: str = "text"

    @property
    def words(self) -> str:
        return self.what

    def read(self, text: str) -> str:
        if not text.strip():
            raise ValueError
        return text

    def accept(self, value: object, folder: Path) -> str:
        return self.read(_words(value))


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off."""

    words: str = "true or false"
    metavar: str = ""

    def read(self, text: str) -> bool:
        known = {
            "1": True,
            "true": True,
            "yes": True,
            "on": True,
            "0": False,
            "false": False,
            "no": False,
            "off": False,
        }
        if text.lower() not in known:
            raise ValueError
        return known[text.lower()]

    def accept(self, value: object, folder: Path) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class Number:
    """A number, which may have to be a whole one, between two limits that belong to it."""

    least: float | None = None
    most: float | None = None
    metavar: str = "NUMBER"
    whole: bool = False

    @property
    def words(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        if self.least is not None and self.most is not None:
            return f"{kind} from {self.least:g} to {self.most:g}"
        return kind if self.least is None else f"{kind} from {self.least:g} on"

    def read(self, text: str) -> int | float:
        return self._within(int(text) if self.whole else float(text))

    def accept(self, value: object, folder: Path) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float) or (self.whole and not isinstance(value, int)):
            raise ValueError
        return self._within(value if self.whole else float(value))

    def _within(self, number: int | float) -> int | float:
        if not isfinite(number) or (self.least is not None and number < self.least):
            raise ValueError
        if self.most is not None and number > self.most:
            raise ValueError
        return number


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    names: tuple[str, ...]

    @property
    def words(self) -> str:
        return self.names[0] if len(self.names) == 1 else f"{', '.join(self.names[:-1])} or {self.names[-1]}"

    @property
    def metavar(self) -> str:
        return "|".join(self.names)

    def read(self, text: str) -> str:
        if text not in self.names:
            raise ValueError
        return text

    def accept(self, value: object, folder: Path) -> str:
        return self.read(_words(value))


@dataclass(frozen=True, slots=True)
class WholeOr:
    """A whole number between two limits, or a word that stands for the best one."""

    word: str
    number: Number
    metavar: str = "N"

    @property
    def words(self) -> str:
        return f"{self.number.words}, or {self.word}"

    def read(self, text: str) -> object:
        return text if text == self.word else self.number.read(text)

    def accept(self, value: object, folder: Path) -> object:
        return value if value == self.word else self.number.accept(value, folder)


@dataclass(frozen=True, slots=True)
class NumberOr:
    """A number between two limits, or one of a few words."""

    number: Number
    names: tuple[str, ...]

    @property
    def words(self) -> str:
        return f"{self.number.words}, or {' or '.join(self.names)}"

    @property
    def metavar(self) -> str:
        return "|".join((self.number.metavar, *self.names))

    def read(self, text: str) -> object:
        return text if text in self.names else self.number.read(text)

    def accept(self, value: object, folder: Path) -> object:
        return value if value in self.names else self.number.accept(value, folder)


@dataclass(frozen=True, slots=True)
class HoursOr:
    """A number of hours, as in "2h" or "1.5h", or one of a few words. The value of "2h" is 2.0."""

    names: tuple[str, ...]
    least: float
    most: float

    @property
    def words(self) -> str:
        return f"{' or '.join(self.names)}, or hours from {self.least:g}h to {self.most:g}h, such as 2h"

    @property
    def metavar(self) -> str:
        return "|".join((*self.names, "2h"))

    def read(self, text: str) -> object:
        if text in self.names:
            return text
        if not text.endswith("h"):
            raise ValueError
        return Number(self.least, self.most).read(text[:-1])

    def accept(self, value: object, folder: Path) -> object:
        return self.read(_words(value))


@dataclass(frozen=True, slots=True)
class File:
    """A file or a folder. `words_allowed` are words that are no names of files, such as "none"."""

    metavar: str = "FILE"
    words_allowed: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        name = "the name of a folder" if self.metavar == "FOLDER" else "the name of a file"
        return " or ".join([name, *self.words_allowed])

    def read(self, text: str) -> Path | str:
        if not text:
            raise ValueError
        return text if text in self.words_allowed else _path(text)

    def accept(self, value: object, folder: Path) -> Path | str:
        named = self.read(_words(value))
        return named if isinstance(named, str) else folder / named


def _path(text: str) -> Path:
    """~/ is the user's own folder also where no shell has said so: in a settings file, in the environment."""
    return Path(text).expanduser() if text.startswith("~/") else Path(text)


@dataclass(frozen=True, slots=True)
class Many:
    """Several values of a kind. A single one is a list of one. `commas`: they part the values of a word; the names of
    files may have some within."""

    one: Kind
    commas: bool = True

    @property
    def words(self) -> str:
        return f"{self.one.words}, or a list of such"

    @property
    def metavar(self) -> str:
        return self.one.metavar

    def read(self, text: str) -> tuple[object, ...]:
        parts = [part.strip() for part in text.split(",")] if self.commas else [text]
        return tuple(map(self.one.read, parts))

    def accept(self, value: object, folder: Path) -> tuple[object, ...]:
        if isinstance(value, list | tuple):
            return tuple(self.one.accept(part, folder) for part in value)
        return self.read(_words(value))
