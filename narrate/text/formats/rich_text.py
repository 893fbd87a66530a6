"""Reads rich text (RTF): its words, and the title and author it names."""

from __future__ import annotations

import re
from dataclasses import replace

from narrate.errors import InputError
from narrate.text.document import Document
from narrate.text.formats import plain

MAGIC = b"{\\rtf"
# A paragraph's end becomes a blank line, so that it is no end of a line within a paragraph (\line).
PARAGRAPH = re.compile(r"(?<!\\)\\par(?![A-Za-z])")
FIELD = re.compile(r"\{\\(title|author)\s([^{}]{0,300})\}")
INFO_CHARACTERS = 20_000  # title and author stand at the beginning


def read(data: bytes) -> Document:
    """Read a rich text file. Raises InputError if it is damaged."""
    from striprtf.striprtf import rtf_to_text

    # The file itself is ASCII; other characters stand in it as numbers, in the code page that it names.
    marked = data.decode("latin-1")
    try:
        text = rtf_to_text(PARAGRAPH.sub(r"\\par\\par", marked), errors="replace")
        fields = {name: rtf_to_text(value, errors="replace") for name, value in FIELD.findall(marked[:INFO_CHARACTERS])}
    except (ValueError, IndexError, LookupError) as error:
        raise InputError(f"is a damaged rich text file ({type(error).__name__}); save it anew as .docx") from None
    document = plain.read(text)
    title, author = (" ".join(fields.get(name, "").split()) for name in ("title", "author"))
    return replace(document, title=title or document.title, author=author or document.author)
