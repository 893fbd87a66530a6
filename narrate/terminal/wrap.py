"""Long lines broken between words, for a terminal, which would break them within words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TextIO

NARROWEST = 30  # columns: a narrower terminal breaks lines as it likes


def wrapped(line: str, stream: TextIO, indent: int = 0) -> Iterator[str]:
    """The line as rows that fit into the terminal that `stream` is; the second and later ones stand `indent` in.

    A stream that is no terminal gets the line as it is.
    """
    columns = _columns(stream)
    if columns is None or columns < NARROWEST + indent:
        yield line
        return
    from rich.console import Console
    from rich.text import Text

    rows = Text(line).wrap(Console(width=columns), columns)
    yield rows[0].plain.rstrip()
    rest = line[len(rows[0].plain) :].strip() if len(rows) > 1 else ""
    if rest:
        for row in Text(rest).wrap(Console(width=columns), columns - indent):
            yield " " * indent + row.plain.rstrip()


def _columns(stream: TextIO) -> int | None:
    """How wide the terminal is; None if it is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else None
    except (OSError, ValueError):
        return None
