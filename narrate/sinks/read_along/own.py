"""Pages of our own, one for each chapter, for a text that has none."""

from __future__ import annotations

import zipfile

from narrate.sinks import PrintedText
from narrate.sinks.about import About
from narrate.sinks.pictures import look_at
from narrate.sinks.read_along import package
from narrate.sinks.read_along.layout import HeardChapter, store
from narrate.sinks.read_along.pages import STYLE, page


class OwnPages:
    """Lays out a document on clean XHTML, with a table of contents and a cover."""

    def __init__(self, about: About, text: PrintedText) -> None:
        self._about, self._text = about, text
        self._parts: list[package.Part] = []

    def sound_name(self, number: int) -> str:
        return f"EPUB/audio/{number:03}.m4a"

    def begin(self, archive: zipfile.ZipFile) -> None:
        store(archive, "META-INF/container.xml", package.CONTAINER.encode())
        store(archive, "EPUB/style.css", STYLE.encode())

    def add(self, archive: zipfile.ZipFile, chapter: HeardChapter) -> None:
        part = package.Part(chapter.number, chapter.title, chapter.milliseconds)
        names = [(each.stretch, f"s{place}") for place, each in enumerate(chapter.heard, 1)]
        if names:
            rows = [(name, each.begin, each.end) for each, (_, name) in zip(chapter.heard, names, strict=True)]
            store(archive, f"EPUB/overlays/{part.name}.smil", package.overlay(part, rows).encode())
        source = self._text.document.source
        text = page(part.title, self._about.language, chapter.chapter.paragraphs, chapter.texts, names, source)
        store(archive, f"EPUB/text/{part.name}.xhtml", text.encode())
        self._parts.append(part)

    def end(self, archive: zipfile.ZipFile) -> None:
        cover = None
        if self._about.cover is not None:
            picture = look_at(self._about.cover)
            cover = picture.mime_type
            store(archive, f"EPUB/{package.cover_name(cover)}", picture.data, zipfile.ZIP_STORED)
        contents = package.navigation(self._about.title, self._about.language, self._parts)
        store(archive, "EPUB/nav.xhtml", contents.encode())
        document, modified_seconds, *_ = self._text
        opf = package.package(self._about, self._parts, document.source, modified_seconds, cover)
        store(archive, "EPUB/package.opf", opf.encode())
