"""The package file of an EPUB 3, with overlays added to what the publisher says."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

from narrate.errors import InputError
from narrate.sinks import PrintedText
from narrate.sinks.about import About
from narrate.sinks.pictures import draw_cover, look_at
from narrate.sinks.read_along.elements import Edit, Element, read_xml
from narrate.sinks.read_along.layout import seconds
from narrate.sinks.read_along.pages import ACTIVE_CLASS, xml_attribute, xml_text
from narrate.text.formats.archive import Archive, resolve

SMIL = "application/smil+xml"
OF_OVERLAYS = ("media:duration", "media:active-class", "media:playback-active-class", "media:narrator")
OF_SERIES = ("belongs-to-collection", "calibre:series", "calibre:series_index")


class Overlay(NamedTuple):
    """An overlay: the paths of the page that it is for and of itself, and how long it sounds."""

    page: str
    path: str
    milliseconds: int


class Made(NamedTuple):
    """The new package file, new files by their paths, and the paths of those that are no part of the book any more."""

    package: bytes
    others: dict[str, bytes]
    removed: list[str]


class PublishersPackage:
    """Raises `InputError` for what is no EPUB 3, to follow "the book"."""

    def __init__(self, archive: Archive) -> None:
        container = read_xml(archive.read("META-INF/container.xml"))
        named = (archive.find(root.get("full-path")) for root in container.named("rootfile") if root.get("full-path"))
        self.path = next((path for path in named if path is not None), "")
        if not self.path:
            raise InputError("does not say which pages it has")
        self._file = read_xml(archive.read(self.path))
        root = self._file.elements[0]
        if not root.get("version").startswith("3"):
            raise InputError("is an EPUB 2, which cannot say what sounds where")
        try:
            (self._metadata,) = self._file.named("metadata")
            (self._manifest,) = self._file.named("manifest")
        except ValueError:
            raise InputError("has a package file that is not as it should be") from None
        self._items = [(archive.find(self._path_of(item)), item) for item in self._file.named("item")]

    def with_overlays(
        self, overlays: Sequence[Overlay], sounds: Sequence[str], style: str, about: About, text: PrintedText
    ) -> Made:
        """The package with these overlays, files of sound and style sheet, by their paths in the archive."""
        edits = _Edits(self._file.elements)
        old = [(path, item) for path, item in self._items if item.get("media-type") == SMIL]
        edits.remove([item for _, item in old])
        edits.remove([meta for meta in self._file.named("meta") if meta.get("property") in OF_OVERLAYS])
        for _, item in self._items:
            edits.strip(item, "media-overlay")
        rows = [_item(self._manifest, "narrate-style", self._href(style), "text/css")]
        pages = {overlay.page: (f"narrate-overlay-{number}", overlay) for number, overlay in enumerate(overlays, 1)}
        for path, item in self._items:
            if path in pages:
                identity, overlay = pages.pop(path)
                edits.attach(item, f' media-overlay="{identity}"')
                rows.append(_item(self._manifest, identity, self._href(overlay.path), SMIL))
        for number, sound in enumerate(sounds, 1):
            rows.append(_item(self._manifest, f"narrate-sound-{number}", self._href(sound), "audio/mp4"))
        others = self._cover(edits, rows, about, text)
        durations = [
            self._meta("media:duration", seconds(overlay.milliseconds), f"narrate-overlay-{number}")
            for number, overlay in enumerate(overlays, 1)
        ]
        lines = [
            *durations,
            self._meta("media:duration", seconds(sum(overlay.milliseconds for overlay in overlays))),
            self._meta("media:active-class", ACTIVE_CLASS),
            *([self._meta("media:narrator", about.narrator)] if about.narrator else []),
            *self._said(edits, about, text),
        ]
        edits.insert(self._metadata, "\n".join(lines))
        edits.insert(self._manifest, "\n".join(rows))
        return Made(self._file.edited(edits.made), others, [path for path, _ in old if path])

    def _said(self, edits: _Edits, about: About, text: PrintedText) -> Iterator[str]:
        """What the listener says of the book otherwise than the publisher, and when the text was changed last."""
        document = text.document
        core = next((element.prefix for element in self._file.named("identifier", "title")), "dc:")
        for name, wanted, known in (
            ("title", about.title, document.title),
            ("creator", about.author, document.author),
            ("description", about.description, document.edition.description),
        ):
            if wanted and wanted != known:
                edits.remove(self._file.named(name))
                yield f"<{core}{name}>{xml_text(' '.join(wanted.split()))}</{core}{name}>"
        metas = self._file.named("meta")
        if about.series and (about.series, about.part) != (document.edition.series, document.edition.part):
            edits.remove([meta for meta in metas if {meta.get("property"), meta.get("name")} & set(OF_SERIES)])
            yield self._meta("belongs-to-collection", about.series, identity="narrate-series")
            yield self._meta("collection-type", "series", "narrate-series")
            if about.part:
                yield self._meta("group-position", about.part, "narrate-series")
        changed = datetime.fromtimestamp(max(0, text.modified_seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        edits.remove([m for m in metas if m.get("property") == "dcterms:modified" and not m.get("refines")])
        yield self._meta("dcterms:modified", changed)

    def _cover(self, edits: _Edits, rows: list[str], about: About, text: PrintedText) -> dict[str, bytes]:
        """Change the cover if the listener wants another one, or if the book has none. Returns its file."""
        own = [item for _, item in self._items if "cover-image" in item.get("properties").split()]
        wanted = about.cover
        if own and (wanted == text.document.cover or wanted == draw_cover(about.title, about.author)):
            return {}
        for item in own:
            edits.strip(item, "properties")
            words = [word for word in item.get("properties").split() if word != "cover-image"]
            edits.attach(item, f' properties="{" ".join(words)}"' if words else "")
        if wanted is None:
            return {}
        picture = look_at(wanted)
        name = posixpath.join(posixpath.dirname(self.path), f"narrate-cover.{picture.mime_type.rpartition('/')[2]}")
        rows.append(_item(self._manifest, "narrate-cover", self._href(name), picture.mime_type, "cover-image"))
        return {name: wanted}

    def _meta(self, name: str, value: str, refines: str = "", identity: str = "") -> str:
        more = f' refines="#{refines}"' if refines else ""
        named = f' id="{identity}"' if identity else ""
        tag = f"{self._metadata.prefix}meta"
        return f'<{tag} property="{name}"{more}{named}>{xml_text(" ".join(value.split()))}</{tag}>'

    def _path_of(self, item: Element) -> str:
        return resolve(self.path, item.get("href"))[0] or "."

    def _href(self, path: str) -> str:
        return quote(posixpath.relpath(path, posixpath.dirname(self.path) or "."))


class _Edits:
    """Collects edits of a package file. What refines something that is removed is removed, too."""

    def __init__(self, elements: Sequence[Element]) -> None:
        self._refining: dict[str, list[Element]] = {}
        for element in elements:
            if refined := element.get("refines").removeprefix("#"):
                self._refining.setdefault(refined, []).append(element)
        self._gone: set[int] = set()
        self.made: list[Edit] = []

    def remove(self, elements: Sequence[Element]) -> None:
        for element in elements:
            if element.start not in self._gone:
                self._gone.add(element.start)
                self.made.append(Edit(element.start, element.end, ""))
                self.remove(self._refining.get(element.get("id"), []))

    def strip(self, element: Element, name: str) -> None:
        """Take an attribute away."""
        found = re.search(rf"\s{re.escape(name)}\s*=\s*(?:\"[^\"]*\"|'[^']*')", element.attributes)
        if found and element.start not in self._gone:
            at = element.start + 1 + len(element.name)
            self.made.append(Edit(at + found.start(), at + found.end(), ""))

    def attach(self, element: Element, attribute: str) -> None:
        at = element.start + 1 + len(element.name)
        if attribute:
            self.made.append(Edit(at, at, attribute))

    def insert(self, element: Element, lines: str) -> None:
        """Put lines at the end of an element."""
        self.made.append(Edit(element.inner_end, element.inner_end, f"{lines}\n"))


def _item(manifest: Element, identity: str, href: str, kind: str, properties: str = "") -> str:
    more = f' properties="{properties}"' if properties else ""
    return f'<{manifest.prefix}item id="{identity}" href={xml_attribute(href)} media-type="{kind}"{more}/>'
