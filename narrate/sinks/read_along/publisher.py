"""The publisher's own pages, with a name for each sentence that is heard; what else is in the EPUB stays as it is."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import quote

from narrate.errors import InputError
from narrate.sinks import PrintedText
from narrate.sinks.about import About
from narrate.sinks.read_along.elements import Edit, XmlFile, read_xml
from narrate.sinks.read_along.layout import HeardChapter, store
from narrate.sinks.read_along.package import Clip, pars, smil
from narrate.sinks.read_along.pages import ACTIVE_STYLE, xml_attribute
from narrate.sinks.read_along.places import PageRange, Places
from narrate.sinks.read_along.publisher_package import Overlay, PublishersPackage
from narrate.sinks.read_along.targets import Targets, mark
from narrate.text.formats.archive import Archive
from narrate.text.formats.package import read_package

SIGNATURE = "META-INF/signatures.xml"  # of what will be changed
MIME_TYPE = "mimetype"


@dataclass(slots=True)
class _Row:
    """A sentence on its page, and when it sounds: milliseconds of the sound of the chapter of this number."""

    place: PageRange
    sound: int
    begin: int
    end: int


class PublishersPages:
    """Lays a book out on the pages of the EPUB that it was read from, which is held in memory meanwhile.

    Raises `InputError` for what cannot be kept, to follow "the book": EPUB 2, which knows no overlays; a damaged file;
    pages on which the text is not found again.
    """

    def __init__(self, about: About, text: PrintedText) -> None:
        assert text.epub is not None, "no EPUB"
        self._about, self._text = about, text
        try:
            self._data = text.epub.read_bytes()
        except OSError as error:
            raise InputError(f"cannot be read again ({error.strerror})") from None
        archive = Archive(self._data)
        self._package = PublishersPackage(archive)
        self._paths, self._pages = pages_of(archive)
        self._places = Places(self._pages, text.document)
        with zipfile.ZipFile(BytesIO(self._data)) as source:
            damaged = source.testzip()
        if damaged is not None:
            raise InputError(f"is damaged: {damaged} cannot be unpacked")
        self._folder = _unused(archive, posixpath.join(posixpath.dirname(self._package.path), "narrate"))
        self._rows: list[_Row] = []
        self._sounds: list[int] = []

    def sound_name(self, number: int) -> str:
        return f"{self._folder}/{number:03}.m4a"

    def begin(self, archive: zipfile.ZipFile) -> None:
        del archive

    def add(self, archive: zipfile.ZipFile, chapter: HeardChapter) -> None:
        del archive
        self._sounds += [chapter.number] if chapter.heard else []
        waiting: int | None = None  # what begins here has no letter, and sounds with the next sentence
        for stretch, begin, end in chapter.heard:
            place = self._places.range_of(chapter.chapter.number, stretch)
            if place is not None:
                self._rows.append(_Row(place, chapter.number, begin if waiting is None else waiting, end))
                waiting = None
            elif self._rows and self._rows[-1].sound == chapter.number:
                self._rows[-1].end = end
            else:
                waiting = begin if waiting is None else waiting

    def end(self, archive: zipfile.ZipFile) -> None:
        changed: dict[str, bytes] = {}
        overlays: list[Overlay] = []
        style = f"{self._folder}/style.css"
        for number, path in enumerate(self._paths):
            rows = [row for row in self._rows if row.place.page == number]
            if rows:
                name = f"{self._folder}/{len(overlays) + 1:03}.smil"
                overlay, changed[path] = self._overlay(rows, number, name, style)
                store(archive, name, overlay.encode())
                overlays.append(Overlay(path, name, sum(row.end - row.begin for row in rows)))
        store(archive, style, ACTIVE_STYLE.encode())
        made = self._package.with_overlays(
            overlays, [self.sound_name(number) for number in self._sounds], style, self._about, self._text
        )
        changed[self._package.path] = made.package
        for name, data in made.others.items():
            store(archive, name, data, zipfile.ZIP_STORED)
        self._copy(archive, changed, {MIME_TYPE, SIGNATURE, *made.removed})

    def _overlay(self, rows: Sequence[_Row], number: int, name: str, style: str) -> tuple[str, bytes]:
        """The overlay file of a page, and the page with the names that it needs."""
        file, path = self._pages[number], self._paths[number]
        targets, of_row = Targets(file).around([row.place[1:] for row in rows])
        prefix = next(prefix for prefix in _prefixes() if not re.search(rf"[\"']{prefix}\d", file.text))
        marks = [mark(target, f"{prefix}{place}") for place, target in enumerate(targets, 1)]
        edits = [edit for _, edits in marks for edit in edits]
        page = _relative(path, name)
        clips = [
            Clip(f"{page}#{quote(marks[target][0])}", _relative(self.sound_name(sound), name), begin, end)
            for target, sound, begin, end in _joined(rows, of_row)
        ]
        return smil(page, pars(clips)), file.edited([*edits, *_linked(file, _relative(style, path))])

    def _copy(self, archive: zipfile.ZipFile, changed: dict[str, bytes], left_out: set[str]) -> None:
        with zipfile.ZipFile(BytesIO(self._data)) as source:
            for info in source.infolist():
                if info.filename in left_out or info.is_dir():
                    continue
                data = changed.get(info.filename) or source.read(info)
                store(archive, info.filename, data, info.compress_type and zipfile.ZIP_DEFLATED)


def pages_of(archive: Archive) -> tuple[list[str], list[XmlFile]]:
    """The pages in reading order, and their paths."""
    paths = [archive.find(item.path) for item in read_package(archive).spine]
    there = [path for path in dict.fromkeys(paths) if path is not None]
    pages = []
    for path in there:
        try:
            pages.append(read_xml(archive.read(path)))
        except InputError as error:
            raise InputError(f"has a page, {path}, that {error}") from None
    return there, pages


def _unused(archive: Archive, folder: str) -> str:
    """A name for a folder that the archive does not have yet."""
    while any(name.startswith(f"{folder}/") for name in archive.names):
        folder += "_"
    return folder


def _prefixes() -> Iterator[str]:
    yield from ("s", "narrate-")
    yield from (f"narrate-{number}-" for number in range(1 << 30))


def _joined(rows: Sequence[_Row], of_row: Sequence[int]) -> Iterator[tuple[int, int, int, int]]:
    """Target, sound, begin and end of what sounds in one go. Sentences that share a target are one."""
    held: tuple[int, int, int, int] | None = None
    for row, target in zip(rows, of_row, strict=True):
        if held is not None and held[:2] == (target, row.sound) and held[3] == row.begin:
            held = (target, row.sound, held[2], row.end)
            continue
        if held is not None:
            yield held
        held = (target, row.sound, row.begin, row.end)
    if held is not None:
        yield held


def _linked(file: XmlFile, style: str) -> list[Edit]:
    """What makes the page look like `style`, too."""
    heads = [head for head in file.named("head") if not head.is_empty]
    return [
        Edit(at, at, f'<{head.prefix}link rel="stylesheet" type="text/css" href={xml_attribute(style)}/>')
        for head in heads[:1]
        for at in [head.inner_end]
    ]


def _relative(path: str, from_file: str) -> str:
    """The path as a link in another file."""
    return quote(posixpath.relpath(path, posixpath.dirname(from_file) or "."))
