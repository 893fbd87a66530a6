"""Long lines for a terminal: broken between words, and nothing of them lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from narrate.terminal.wrap import wrapped


@contextmanager
def terminal_of(columns: int) -> Iterator[TextIO]:
    pytest.importorskip("pty")
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(theirs, "w") as stream:
        yield stream
    os.close(ours)


def test_a_file_gets_the_line_as_it_is() -> None:
    assert list(wrapped("word " * 100, StringIO(), 4)) == ["word " * 100]


@given(st.text("ab 書", max_size=300), st.integers(0, 8))
def test_rows_fit_and_no_letter_is_lost(line: str, indent: int) -> None:
    with terminal_of(40) as stream:
        rows = list(wrapped(line, stream, indent))
    assert all(cell_len(row) <= 40 for row in rows)
    assert "".join("".join(rows).split()) == "".join(line.split())
    assert all(row.startswith(" " * indent) for row in rows[1:])


def test_words_stay_whole() -> None:
    with terminal_of(40) as stream:
        rows = list(wrapped("marked at 32%: “CHAPTER V. Advice from a Caterpillar”", stream, 7))
    assert rows == ["marked at 32%: “CHAPTER V. Advice from a", "       Caterpillar”"]


def test_a_terminal_that_is_very_narrow_breaks_lines_as_it_likes() -> None:
    with terminal_of(20) as stream:
        assert list(wrapped("word " * 20, stream, 0)) == ["word " * 20]
