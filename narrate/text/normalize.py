"""Make a text sayable: what a voice would stumble over gets other words to say. What is seen never changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from narrate.text.document import Document


@dataclass(frozen=True, slots=True)
class Rule:
    """A dictionary line: say `reading` for `word` in `language` ("" for all); `regex` if the word is a pattern."""

    word: str
    reading: str
    language: str = ""
    regex: bool = False


@dataclass(frozen=True, slots=True)
class SayOptions:
    """`rules`: the listener's dictionary, applied last; `wetext`: spell out numbers, dates and units with wetext."""

    rules: tuple[Rule, ...] = ()
    wetext: bool = False


def load_dictionary(path: Path) -> tuple[Rule, ...]:
    """Read a dictionary file. Raises InputError with the line that cannot be read."""
    del path
    return ()


def normalize(document: Document, options: SayOptions | None = None) -> Document:
    """Give every piece that needs it its own words to say."""
    del options
    return document
