"""Reads every text: a file or bytes in, a Document out. The content decides the format; if it cannot, the suffix does.

To add a format, write a module in formats/ with a function that makes a Document, and call it in `_read`.
"""

from __future__ import annotations

import html
import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from narrate.errors import InputError
from narrate.text.characters import one_line, well_formed
from narrate.text.document import Document, Edition, ExcludedKind
from narrate.text.encoding import MOST_BYTES, decode, too_much, visible
from narrate.text.formats import aozora, epub, fictionbook, gutenberg, pages, pdf, plain, rich_text, saved_page, subrip
from narrate.text.formats.archive import Archive
from narrate.text.formats.choices import Choices, Code, Footnotes, Tables
from narrate.text.formats.end_notes import end_notes, inlined
from narrate.text.formats.markup import DECLARED
from narrate.text.language import LANGUAGES, detect_language, unspoken_language
from narrate.text.structure.paragraphs import bearable

HTML = (".html", ".htm", ".xhtml")
MARKDOWN = (".md", ".markdown", ".mdown", ".mkd")
CALIBRE = "convert it to EPUB first; Calibre does it with the command ebook-convert BOOK BOOK.epub"
AGAIN = "save it as .docx or .txt first"
SOUND = "it is sound already"
FOREIGN = {
    b"BOOKMOBI": ("a Kindle book (.mobi, .azw3)", CALIBRE),
    b"\xeaDRMION\xee": ("a Kindle book (.kfx)", CALIBRE),
    b"\xd0\xcf\x11\xe0": ("an old Word or Office file", AGAIN),
    b"ITSF": ("a help file (CHM)", CALIBRE),
    b"AT&TFORM": ("a DjVu scan", "narrate needs text, not pictures of it"),
    b"\x89PNG": ("a picture", "narrate needs text, not pictures of it"),
    b"\xff\xd8\xff": ("a picture", "narrate needs text, not pictures of it"),
    b"GIF8": ("a picture", "narrate needs text, not pictures of it"),
    b"\x1f\x8b": ("a compressed file", "unpack it first"),
    b"7z\xbc\xaf": ("a compressed file", "unpack it first"),
    b"Rar!": ("a compressed file", "unpack it first"),
    b"ID3": ("an audio file", SOUND),
    b"RIFF": ("an audio file", SOUND),
    b"fLaC": ("an audio file", SOUND),
    b"OggS": ("an audio file", SOUND),
    b"\x7fELF": ("a program", "name a text"),
    b"MZ\x90": ("a program", "name a text"),
}
# A plain text with so many of these was taken from a page: é and the like stand in it by name or number.
ENTITY = re.compile(r"&(?:#\d{1,6}|#x[0-9a-fA-F]{1,5}|[A-Za-z][A-Za-z0-9]{1,12});")
FEWEST_ENTITIES = 6
# What is left out is told from so many characters on, if it is more than such a share of the book.
MUCH, MUCH_OF_ALL = 1000, 0.05
AROUND: frozenset[ExcludedKind] = frozenset(("head", "header", "legend", "licence", "ruby mark"))
UNTOLD: frozenset[ExcludedKind] = frozenset(("stamp",))
LONGEST_AROUND = 30_000
REASONS: dict[ExcludedKind, str] = {
    "beside": "what stands beside the text", "code": "code",
    "colophon": "imprints and colophons", "contents": "contents",
    "cover": "covers and title pages", "footnote": "footnotes", "form": "forms", "head": "the heads of pages",
    "header": "the head of the file", "hidden": "hidden text", "illustration": "captions of pictures",
    "index": "the index", "legend": "the legend of signs", "licence": "the licence", "media": "media",
    "note": "notes of editors", "page": "page numbers and running heads", "producer": "notes of producers",
    "reference": "references to notes", "repeat": "chapters that stand twice", "ruby mark": "marks around readings",
    "stamp": "times of subtitles",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a text.

    `language` is a code such as "ja" and `encoding` the name of a codec; None means that it is found out. `ruby`
    chooses between saying a word's reading and saying the word itself. With `ruby_memory`, a name that had its reading
    once keeps it in the rest of the book. `footnotes`, `code`, `alt` and `tables` are those of formats/choices.py.
    A file of more than `max_bytes` is not read.
    """

    language: str | None = None
    encoding: str | None = None
    ruby: Literal["reading", "base"] = "reading"
    ruby_memory: bool = True
    footnotes: Footnotes = "skip"
    code: Code = "skip"
    alt: bool = False
    tables: Tables = "plain"
    max_bytes: int = MOST_BYTES


def read_file(path: Path, options: ReadOptions | None = None) -> Document:
    """Read a file of any supported format.

    Raises InputError if it is missing, damaged or too long, or if it has no words.
    """
    options = options or ReadOptions()
    try:
        with open(path, "rb") as file:
            known = os.fstat(file.fileno()).st_size  # 0 for pipes and devices, some of which never end
            data = file.read(options.max_bytes + 1) if known <= options.max_bytes else b""
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; name one file in it") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if known > options.max_bytes:
        raise InputError(f"{path}: {too_much(options.max_bytes)}")
    return read_bytes(data, path.name, options, str(path))


def read_bytes(data: bytes, name: str, options: ReadOptions | None = None, where: str = "") -> Document:
    """Read the content of a file called `name`.

    Raises InputError as `read_file` does; it says `where` the file is, as somebody wrote it, or else its name.
    """
    where = where or name
    options = options or ReadOptions()
    if len(data) > options.max_bytes:
        raise InputError(f"{where}: {too_much(options.max_bytes)}")
    if not data.strip():
        raise InputError(f"{where}: is empty; there is nothing to say")
    try:
        document = bearable(_read(data, Path(name).suffix.lower(), options))
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    body = "\n".join(paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs)
    if not any(character.isalnum() for character in body):
        raise InputError(f"{where}: has no words in it; there is nothing to say")
    if options.language is None and (unspoken := unspoken_language(body, document.language)):
        raise InputError(f"{where}: is in {unspoken}, which no voice here speaks; name another language with -l")
    document = replace(document, warnings=document.warnings + left_out(document, len(body)))
    known = document.language if document.language in LANGUAGES else "en"
    return replace(
        document,
        title=one_line(document.title) or one_line(well_formed(Path(name).stem)),
        author=one_line(document.author),
        edition=Edition(*map(one_line, document.edition)),
        language=options.language or detect_language(body, known),
    )


def left_out(document: Document, read: int) -> tuple[str, ...]:
    """Return a sentence for each reason for which much of a book is not read. `read` is the length of what is read.

    What stands around every book of its kind, such as a licence, is only named if it is longer than it ever is.
    """
    lengths: Counter[ExcludedKind] = Counter()
    for part in document.excluded:
        lengths[part.kind] += part.end - part.start
    total = read + sum(lengths.values())
    sentences = []
    for kind, length in lengths.most_common():
        if kind in UNTOLD or (kind in AROUND and length < LONGEST_AROUND):
            continue
        if 2 * length > total:
            sentences.append(
                f"WARNING: more than half of the book is left out, {length / total:.0%} of its letters "
                f"({REASONS[kind]}). `narrate chunks --excluded` shows it."
            )
        elif length >= MUCH and length > MUCH_OF_ALL * total:
            sentences.append(f"{length / total:.0%} of the letters are left out ({REASONS[kind]}).")
    return tuple(sentences)


def _read(data: bytes, suffix: str, options: ReadOptions) -> Document:
    """Find out the format and read it. The first bytes decide, then the names in a zip file, the text, the suffix."""
    for magic, (what, instead) in FOREIGN.items():
        if data.startswith(magic) or data[60:68] == magic:
            raise InputError(f"is {what}, which narrate does not read; {instead}")
    if b"%PDF-" in data[:1024]:
        return pdf.read(data)
    if data.startswith(rich_text.MAGIC):
        return rich_text.read(data)
    choices = _choices(options)
    if data.startswith(b"PK"):
        names = Archive(data).names
        if "word/document.xml" in names:
            return pages.read_docx(data, choices)
        if "META-INF/container.xml" in names or any(name.endswith(".opf") for name in names):
            return epub.read(data, choices)
        if len(names) == 1 and names[0].lower().endswith(".fb2"):
            return fictionbook.read(Archive(data).read(names[0]), choices)
        raise InputError("is a zip file but no book; unpack it and name the text in it")
    if fictionbook.is_fictionbook(data):
        return fictionbook.read(data, choices)
    codec = ""
    if saved_page.is_saved_page(data):
        data, codec = saved_page.page_of(data)
        suffix = HTML[0]
    declared = DECLARED.search(data[:2000])
    decoded = decode(data, options.encoding, options.language, codec or (declared[1].decode() if declared else None))
    document = _read_text(decoded.text, suffix, options)
    return replace(document, encoding=decoded.encoding, warnings=document.warnings + decoded.warnings)


def _read_text(text: str, suffix: str, options: ReadOptions) -> Document:
    choices = _choices(options)
    if pages.is_html(text) or suffix in HTML:
        return pages.read_html(text, choices)
    if subrip.is_substation(text):
        raise InputError("holds subtitles of SubStation, which narrate does not read; save them as .srt first")
    if subrip.are_captions(text) or suffix in subrip.SUFFIXES:
        return subrip.read(text)
    if suffix in MARKDOWN:
        return pages.read_markdown(text, choices)
    if text.count("&") >= FEWEST_ENTITIES and len(ENTITY.findall(text)) >= FEWEST_ENTITIES:
        text = ENTITY.sub(lambda entity: visible(html.unescape(entity[0])), text)
    if aozora.is_aozora(text):
        return aozora.read(text, options.ruby, options.ruby_memory)
    is_gutenberg = gutenberg.is_gutenberg(text)
    if options.footnotes == "inline":
        text = inlined(text, end_notes(text, *(gutenberg.frame(text) if is_gutenberg else (0, len(text)))))
    footnotes: Literal["skip", "end"] = "skip" if options.footnotes == "skip" else "end"
    return gutenberg.read(text, footnotes) if is_gutenberg else plain.read(text, footnotes)


def _choices(options: ReadOptions) -> Choices:
    return Choices(options.ruby, options.footnotes, options.code, options.alt, options.tables, options.language or "")
