"""Plain text: one line is one paragraph."""

from __future__ import annotations

import re

from narrate.text.chapters import Block, bind
from narrate.text.document import Document, Paragraph, Piece

LINE = re.compile(r"\S(?:.*\S)?")


def read(source: str) -> Document:
    """Read decoded text. The title and the language are left open ("") where the text does not tell them."""
    lines = (Block(Paragraph((Piece(line[0], line.start(), line.end()),))) for line in LINE.finditer(source))
    return Document("", "", "", bind(lines, 0), source)
