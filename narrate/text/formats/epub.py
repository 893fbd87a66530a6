"""Reads EPUB 2 and 3: pages in reading order, chapters by the table of contents."""

from __future__ import annotations

import re
from bisect import bisect_left
from contextlib import suppress
from dataclasses import replace
from typing import Any

from narrate.errors import InputError
from narrate.text.document import Chapter, Document, ExcludedKind, Paragraph, ParagraphKind
from narrate.text.formats.archive import Archive, resolve
from narrate.text.formats.choices import Choices
from narrate.text.formats.contents import contents_of
from narrate.text.formats.footnotes import notes_of
from narrate.text.formats.markup import LONGEST_COVER, TYPES, hidden_by, kept_in, parse, tag_of, text_of
from narrate.text.formats.package import NavPoint, Package, read_package
from narrate.text.formats.page_reader import PageReader
from narrate.text.formats.pages import headed, without_frame
from narrate.text.formats.text_builder import TextBuilder
from narrate.text.structure.chapters import Block, chapter_depth, deep_enough
from narrate.text.structure.headings import heading_level

COPYRIGHT = re.compile(
    r"copyright\s*(?:©|\(c\)|\d{4})|©\s*\d{4}|all rights reserved|\bISBN\b|版权所有|著作権|無断転載|底本[：:]"
    r"|tous droits réservés|alle rechte vorbehalten|todos los derechos|tutti i diritti|todos os direitos"
    r"|все права защищены",
    re.IGNORECASE,
)
# The names that tables of contents have for pages that are not read aloud.
FURNITURE: dict[ExcludedKind, re.Pattern[str]] = {
    "cover": re.compile(
        "(?:front |book )?cover|title ?page|half ?title|表紙|カバー|[本中]?扉|封面|书封|書封|표지", re.IGNORECASE
    ),
    "contents": re.compile(
        "(?:table of )?contents|目次|目[录錄]|차례|목차|inhalt|sommaire|índice|indice", re.IGNORECASE
    ),
    "colophon": re.compile(
        "copyright(?: page| notice)?|colophon|imprint|奥付|版[权權](?:页|頁|信息)?|impressum", re.IGNORECASE
    ),
}
PICTURES = (b"\xff\xd8\xff", b"\x89PNG")  # how JPEG and PNG begin


def read(data: bytes, choices: Choices = Choices()) -> Document:  # noqa: B008 - it is frozen
    """Read an EPUB. Raises InputError if it is locked or damaged, unpacks to too much, or has no page."""
    archive = Archive(data)
    package = read_package(archive)
    pages, missing = _pages(archive, package)
    if not pages:
        raise InputError("is damaged: none of its pages is there")
    hidden = set().union(*(hidden_by(_text(archive, path)) for path in package.styles if archive.find(path)))
    builder = TextBuilder(readings=choices.ruby == "reading")
    linear = {item.path for item in package.spine if item.linear}
    choices = replace(choices, language=choices.language or package.language)
    page_reader = PageReader(builder, hidden, notes_of(pages), choices, contents_of(pages))
    for path, tree in pages.items():
        kind = _kind(path, tree, package) if path in linear else "beside"
        if kind == "cover" and kept_in(tree):
            page_reader.read_kept(tree, path)
        elif kind:
            builder.leave_out(kind, text_of(tree), apart=True)
        else:
            page_reader.read(tree, path)
    source = builder.source
    blocks, licence = without_frame(builder.blocks)
    chapters = _chapters(source, blocks, package.nav_points, builder.marks)
    excluded = tuple(sorted([*builder.excluded, *licence], key=lambda part: part.start))
    warnings = tuple(f"{path} is missing in the file" for path in missing)
    return Document(
        package.title,
        package.author,
        package.language,
        chapters,
        source,
        excluded,
        warnings=warnings,
        edition=package.edition,
        cover=_cover(archive, package.cover),
    )


def _cover(archive: Archive, path: str) -> bytes | None:
    """The cover picture if it is there and a JPEG or PNG: a book without its cover can still be read."""
    with suppress(InputError):
        data = archive.read(path) if path else b""
        return data if data.startswith(PICTURES) else None
    return None


def _pages(archive: Archive, package: Package) -> tuple[dict[str, Any], list[str]]:
    """Return the trees of the pages in reading order by path, and the paths of pages that are missing."""
    pages: dict[str, Any] = {}
    missing: list[str] = []
    for item in package.spine:
        if not archive.find(item.path):
            missing.append(item.path)
        elif (tree := parse(archive.read(item.path))) is not None:
            pages[item.path] = tree
    return pages, missing


def _text(archive: Archive, path: str) -> str:
    return archive.read(path).decode("utf-8", "replace")


def _kind(path: str, tree: Any, package: Package) -> ExcludedKind | None:
    """Return the kind of a page that is not read, such as a cover, an imprint or the contents; None for any other."""
    if path == package.navigation:
        return "contents"
    text = text_of(tree)
    labels = [point.label for point in package.nav_points if point.path == path]
    for kind, names in FURNITURE.items():
        if len(text) < LONGEST_COVER and any(map(names.fullmatch, labels)):
            return kind
    for word in package.kinds.get(path, set()) & TYPES.keys():
        if len(text) < LONGEST_COVER and word != "titlepage":
            return TYPES[word]
    if not labels and len(text) < LONGEST_COVER and COPYRIGHT.search(text):
        return "colophon"
    links = [text_of(a) for a in tree.iter() if tag_of(a) == "a" and resolve(path, a.get("href") or "")[0] != path]
    return "contents" if len(links) >= 4 and sum(map(len, links)) > 0.6 * len(text) else None


def _chapters(
    source: str, blocks: list[Block], nav_points: tuple[NavPoint, ...], marks: dict[str, int]
) -> tuple[Chapter, ...]:
    """Make chapters as the table of contents has them. If there is none, the headings of the pages make them."""
    openings = _openings(blocks, nav_points, marks)
    if len(openings) < 2:
        return headed(source, blocks)
    rows: list[tuple[list[str], list[Paragraph]]] = [([], [])]
    title = ""
    for i, block in enumerate(blocks):
        labels = openings.get(i)
        if labels:
            title = _letters(" ".join(labels))
            if any(paragraph.kind != "heading" for paragraph in rows[-1][1]):
                rows.append(([], []))
            rows[-1][0].extend(label for label in labels if label not in rows[-1][0])
        in_title = _letters(block.paragraph.text) in title
        title = title if in_title else ""
        kind: ParagraphKind = "heading" if in_title or block.level else block.paragraph.kind
        rows[-1][1].append(replace(block.paragraph, kind=kind))
    first = 0 if not rows[0][0] and len(rows) > 1 else 1
    return tuple(Chapter(n, " – ".join(labels), tuple(row)) for n, (labels, row) in enumerate(rows, first))


def _openings(blocks: list[Block], nav_points: tuple[NavPoint, ...], marks: dict[str, int]) -> dict[int, list[str]]:
    """Return the numbers of the blocks that open chapters, with their titles in the table of contents."""
    nav_points = tuple(point for point in nav_points if point.path in marks)
    depth = chapter_depth((point.label, point.level) for point in nav_points)
    starts = [block.paragraph.start for block in blocks]
    pages = sorted((at, name) for name, at in marks.items() if "#" not in name)
    ends = {name: end for (_, name), (end, _) in zip(pages, [*pages[1:], (1 << 60, "")], strict=False)}
    found: list[tuple[int, NavPoint]] = []
    for point in nav_points:
        page = marks.get(point.path)
        at = marks.get(f"{point.path}#{point.fragment}", page) if point.fragment else page
        i = len(starts) if at is None else bisect_left(starts, at)
        empty = i == len(starts) or starts[i] >= ends.get(point.path, 0)
        if i < len(starts) and (not empty or heading_level(point.label) == 1):
            found.append((i, point))
    end = blocks[-1].paragraph.end if blocks else 0
    depth = deep_enough(sorted((starts[i], point.level, point.label) for i, point in found), depth, end)
    openings: dict[int, list[str]] = {}
    for i, point in found:
        if point.level <= depth:
            openings.setdefault(i, []).append(point.label)
    return dict(sorted(openings.items()))


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()
