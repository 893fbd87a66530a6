"""The door for every text: a file or bytes in, a Document out. The content decides the format, then the suffix."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from narrate.errors import InputError
from narrate.text import aozora, gutenberg, plain
from narrate.text.document import Document
from narrate.text.encoding import decode
from narrate.text.language import detect_language


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a text.

    `language`: a code such as "ja", or None to see for oneself; `encoding`: a codec's name, or None to find it out;
    `ruby`: say a base's reading or the base itself; `ruby_memory`: a name read once with ruby keeps its reading where
    it stands alone; `footnotes`: leave them out, or say them where the book has them at an end.
    """

    language: str | None = None
    encoding: str | None = None
    ruby: Literal["reading", "base"] = "reading"
    ruby_memory: bool = True
    footnotes: Literal["skip", "end"] = "skip"


def read_file(path: Path, options: ReadOptions | None = None) -> Document:
    """Read any supported file. Raises InputError, in one line, for what is missing, damaged or has nothing to say."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; name one file in it") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return read_bytes(data, path.name, options or ReadOptions())


def read_bytes(data: bytes, name: str, options: ReadOptions | None = None) -> Document:
    """Read the content of a file called `name`. Raises InputError as `read_file` does."""
    options = options or ReadOptions()
    if not data.strip():
        raise InputError(f"{name}: is empty; there is nothing to say")
    try:
        document = _read_text(data, options)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    body = "\n".join(paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs)
    if not any(character.isalnum() for character in body):
        raise InputError(f"{name}: has no words in it; there is nothing to say")
    return replace(
        document,
        title=document.title or Path(name).stem,
        language=options.language or detect_language(body, document.language or "en"),
    )


def _read_text(data: bytes, options: ReadOptions) -> Document:
    decoded = decode(data, options.encoding, options.language)
    if aozora.is_aozora(decoded.text):
        document = aozora.read(decoded.text, options.ruby, options.ruby_memory)
    elif gutenberg.is_gutenberg(decoded.text):
        document = gutenberg.read(decoded.text, options.footnotes)
    else:
        document = plain.read(decoded.text)
    return replace(document, encoding=decoded.encoding, warnings=document.warnings + decoded.warnings)
