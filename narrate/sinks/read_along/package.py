"""The files of an EPUB that name its parts: package, navigation, and what sounds where (EPUB 3.3, Media Overlays)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from narrate.sinks.about import About
from narrate.sinks.read_along.layout import seconds
from narrate.sinks.read_along.pages import ACTIVE_CLASS, xml_attribute, xml_text

MIME_TYPE = "application/epub+zip"
CONTAINER = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
_NAMES = uuid.UUID("b5a1f5ec-0d0c-4a86-9f31-6a1d4a2f9b7e")  # of this program's books


class Part(NamedTuple):
    """A chapter: its files are named by its number from 1. `milliseconds` of sound, 0 if nothing of it is heard."""

    number: int
    title: str
    milliseconds: int

    @property
    def name(self) -> str:
        return f"{self.number:03}"


class Clip(NamedTuple):
    """A sentence: where it stands and in which file it sounds, as links, and milliseconds of that sound."""

    text: str
    sound: str
    begin: int
    end: int


def overlay(part: Part, stretches: Sequence[tuple[str, int, int]]) -> str:
    """The SMIL file of a chapter: the name of each sentence on its page, and the stretch of its sound."""
    page, sound = f"../text/{part.name}.xhtml", f"../audio/{part.name}.m4a"
    return smil(page, pars([Clip(f"{page}#{name}", sound, begin, end) for name, begin, end in stretches]))


def pars(clips: Sequence[Clip]) -> str:
    """Sentences as an overlay lists them."""
    return "\n".join(
        f'<par id="p{number}"><text src={xml_attribute(text)}/>'
        f'<audio src={xml_attribute(sound)} clipBegin="{seconds(begin)}" clipEnd="{seconds(end)}"/></par>'
        for number, (text, sound, begin, end) in enumerate(clips, 1)
    )


def smil(page: str, rows: str) -> str:
    """The overlay of a page."""
    return (
        f'{_HEAD}<smil xmlns="http://www.w3.org/ns/SMIL" xmlns:epub="http://www.idpf.org/2007/ops" version="3.0">\n'
        f'<body>\n<seq id="page" epub:textref={xml_attribute(page)}>\n{rows}\n</seq>\n</body>\n</smil>\n'
    )


def navigation(title: str, language: str, parts: Sequence[Part]) -> str:
    """The table of contents, which readers show."""
    rows = "\n".join(f'<li><a href="text/{part.name}.xhtml">{xml_text(part.title)}</a></li>' for part in parts)
    code = xml_attribute(language)
    return (
        f'{_HEAD}<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"'
        f" lang={code} xml:lang={code}>\n<head>\n<title>{xml_text(title)}</title>\n</head>\n<body>\n"
        f'<nav epub:type="toc" id="toc">\n<ol>\n{rows}\n</ol>\n</nav>\n</body>\n</html>\n'
    )


def package(about: About, parts: Sequence[Part], source: str, modified_seconds: float, cover: str | None) -> str:
    """The package file. `source` identifies the text, `cover` is the cover's file type, such as "image/jpeg".

    `modified_seconds` is when the text was changed last, in seconds since 1970.
    """
    language = about.language or "und"
    modified = datetime.fromtimestamp(max(0, modified_seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    identity = uuid.uuid5(_NAMES, "\n".join((about.title, about.author, about.narrator, source)))
    metadata = [
        f'<dc:identifier id="book">urn:uuid:{identity}</dc:identifier>',
        f'<meta property="dcterms:modified">{modified}</meta>',
        *_described(about, language),
        *(
            f'<meta property="media:duration" refines="#overlay-{part.name}">{seconds(part.milliseconds)}</meta>'
            for part in parts
            if part.milliseconds
        ),
        f'<meta property="media:duration">{seconds(sum(part.milliseconds for part in parts))}</meta>',
        f'<meta property="media:active-class">{ACTIVE_CLASS}</meta>',
    ]
    return (
        f'{_HEAD}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="book"'
        f" xml:lang={xml_attribute(language)}>\n"
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">\n' + "\n".join(metadata) + "\n</metadata>\n"
        "<manifest>\n" + "\n".join(_manifest(parts, cover)) + "\n</manifest>\n"
        "<spine>\n" + "\n".join(f'<itemref idref="text-{part.name}"/>' for part in parts) + "\n</spine>\n</package>\n"
    )


def _described(about: About, language: str) -> Iterator[str]:
    named = {
        "title": about.title or "Untitled",
        "creator": about.author,
        "language": language,
        "publisher": about.publisher,
        "date": about.date,
        "description": about.description,
    }
    for name, value in named.items():
        if " ".join(value.split()):
            yield f"<dc:{name}>{xml_text(' '.join(value.split()))}</dc:{name}>"
    if about.narrator:
        yield f'<meta property="media:narrator">{xml_text(about.narrator)}</meta>'
    if about.series:
        yield f'<meta property="belongs-to-collection" id="series">{xml_text(about.series)}</meta>'
        yield '<meta property="collection-type" refines="#series">series</meta>'
        if about.part:
            yield f'<meta property="group-position" refines="#series">{xml_text(about.part)}</meta>'


def _manifest(parts: Sequence[Part], cover: str | None) -> Iterator[str]:
    yield '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    yield '<item id="style" href="style.css" media-type="text/css"/>'
    if cover:
        yield f'<item id="cover" href="{cover_name(cover)}" media-type="{cover}" properties="cover-image"/>'
    for part in parts:
        heard = f' media-overlay="overlay-{part.name}"' if part.milliseconds else ""
        yield (f'<item id="text-{part.name}" href="text/{part.name}.xhtml" media-type="application/xhtml+xml"{heard}/>')
        if part.milliseconds:
            yield (
                f'<item id="overlay-{part.name}" href="overlays/{part.name}.smil" media-type="application/smil+xml"/>'
            )
            yield f'<item id="audio-{part.name}" href="audio/{part.name}.m4a" media-type="audio/mp4"/>'


def cover_name(mime_type: str) -> str:
    return f"cover.{mime_type.rpartition('/')[2]}"
