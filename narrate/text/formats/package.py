"""Reads what an EPUB says about itself: its pages in reading order, table of contents, title, language, locks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from narrate.errors import InputError
from narrate.text.document import Edition
from narrate.text.formats.archive import Archive, resolve
from narrate.text.formats.markup import parse, parse_text, tag_of, text_of, types_of

# These ways of encryption only protect fonts, so that the text can be read.
FONT_SCRAMBLING = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
LOCKS = {
    "META-INF/rights.xml": "Adobe DRM",
    "META-INF/sinf.xml": "Apple FairPlay",
    "META-INF/license.lcpl": "Readium LCP",
    "license.lcpl": "Readium LCP",
}
LONG_CODES = {"jpn": "ja", "chi": "zh", "zho": "zh", "ger": "de", "deu": "de", "spa": "es", "por": "pt", "kor": "ko"}
PAGES = re.compile(r"html|xml$")


class NavPoint(NamedTuple):
    """A line of the table of contents: its text, the page and the point it leads to, its level (1 is the highest)."""

    label: str
    path: str
    fragment: str
    level: int


class SpineItem(NamedTuple):
    """A page in reading order. It is not `linear` if readers see it only when they follow a link."""

    path: str
    linear: bool


class Package(NamedTuple):
    """What an EPUB says about itself. `kinds` are the types of whole pages, by path, from its landmarks, `cover` is the
    path of its cover picture, or ""."""

    title: str
    author: str
    language: str
    spine: tuple[SpineItem, ...]
    nav_points: tuple[NavPoint, ...]
    navigation: str
    styles: tuple[str, ...]
    kinds: dict[str, set[str]]
    edition: Edition
    cover: str


def read_package(archive: Archive) -> Package:
    """Read what an EPUB says about itself. Raises InputError if it is locked, damaged or no book."""
    path = _package_path(archive)
    _refuse_locks(archive)
    root = _tree(archive, path)
    found: dict[str, list[Any]] = {}
    for element in root.iter():
        found.setdefault(tag_of(element), []).append(element)
    items = {item.get("id"): item for item in found.get("item", ())}
    paths = {key: resolve(path, item.get("href") or "")[0] for key, item in items.items()}
    spine = _spine(found, items, paths)
    nav = next((paths[key] for key, item in items.items() if "nav" in (item.get("properties") or "").split()), "")
    ncx = next((paths[k] for k, item in items.items() if item.get("media-type") == "application/x-dtbncx+xml"), "")
    nav_points, kinds = _navigation(archive, nav)
    for reference in found.get("reference", ()):
        target, fragment = resolve(path, reference.get("href") or "")
        if not fragment:
            kinds.setdefault(target, set()).update(
                (reference.get("type") or "").lower().replace("title-page", "titlepage").split()
            )
    refined = _refined(found)
    return Package(
        _words(found, "title"),
        ", ".join(
            dict.fromkeys(text_of(creator) for creator in found.get("creator", ()) if _is_author(creator, refined))
        ),
        _language(_words(found, "language")),
        spine,
        nav_points or _ncx(archive, ncx),
        nav,
        tuple(paths[key] for key, item in items.items() if item.get("media-type") == "text/css"),
        kinds,
        _edition(found, refined),
        _cover(found, items, paths),
    )


def _package_path(archive: Archive) -> str:
    if archive.find("META-INF/container.xml"):
        for element in _tree(archive, "META-INF/container.xml").iter():
            path = element.get("full-path") if tag_of(element) == "rootfile" else None
            if path and archive.find(path):
                return str(archive.find(path))
    path = next((name for name in archive.names if name.endswith(".opf")), "")
    if not path:
        raise InputError("is no EPUB, or a damaged one: it does not say which pages it has")
    return path


def _refuse_locks(archive: Archive) -> None:
    encrypted = False
    if archive.find("META-INF/encryption.xml"):
        for data in _tree(archive, "META-INF/encryption.xml").iter():
            if tag_of(data) == "encrypteddata":
                methods = [e.get("Algorithm") for e in data.iter() if tag_of(e) == "encryptionmethod"]
                encrypted |= not set(methods) & set(FONT_SCRAMBLING)
    if encrypted:
        lock = next((lock for name, lock in LOCKS.items() if archive.find(name)), "DRM")
        raise InputError(f"is locked with {lock}: narrate cannot read it; get a copy without protection")


def _tree(archive: Archive, path: str) -> Any:
    tree = parse(archive.read(path), xml=True)
    if tree is None:
        raise InputError(f"is damaged: {path} is empty")
    return tree


def _words(found: dict[str, list[Any]], name: str) -> str:
    return next((text for element in found.get(name, ()) if (text := text_of(element))), "")


def _edition(found: dict[str, list[Any]], refined: dict[str, dict[str, str]]) -> Edition:
    """Description, publisher, date and series: the series as EPUB 3 writes it, else as Calibre does."""
    named = {meta.get("name"): meta.get("content") or "" for meta in found.get("meta", ())}
    series, part = named.get("calibre:series", ""), named.get("calibre:series_index", "")
    for meta in found.get("meta", ()):
        if meta.get("property") == "belongs-to-collection":
            refining = refined.get(f"#{meta.get('id')}", {})
            if refining.get("collection-type", "series") == "series":
                series, part = text_of(meta), refining.get("group-position", "")
    return Edition(
        description=_plain(_words(found, "description")),
        publisher=_words(found, "publisher"),
        date=_words(found, "date"),
        series=series,
        part=part.removesuffix(".0"),
    )


def _plain(description: str) -> str:
    """Without the HTML that many publishers put, escaped, into a description."""
    tree = parse_text(f"<div>{description}</div>") if "<" in description and ">" in description else None
    return text_of(tree) if tree is not None else description


def _cover(found: dict[str, list[Any]], items: dict[str, Any], paths: dict[str, str]) -> str:
    """The path of the cover picture as EPUB 3 or EPUB 2 names it; "" if neither does, or it is no picture."""
    pictures = {key: paths[key] for key, item in items.items() if (item.get("media-type") or "").startswith("image/")}
    for key in pictures:
        if "cover-image" in (items[key].get("properties") or "").split():
            return pictures[key]
    named = [meta.get("content") for meta in found.get("meta", ()) if meta.get("name") == "cover"]
    return next((path for key, path in pictures.items() if key in named or items[key].get("href") in named), "")


def _language(code: str) -> str:
    """Return the code of two letters for codes such as "en-GB" and "jpn"."""
    first = re.split("[-_]", code.lower())[0]
    return LONG_CODES.get(first, first[:2])


def _is_author(creator: Any, refined: dict[str, dict[str, str]]) -> bool:
    """Return True for a creator who is an author or has no role, in either version of EPUB."""
    role = next((value for key, value in creator.attrib.items() if key.endswith("role")), None)
    return refined.get(f"#{creator.get('id')}", {}).get("role", role) in (None, "", "aut")


def _refined(found: dict[str, list[Any]]) -> dict[str, dict[str, str]]:
    """Return what EPUB 3 says more of an element: by its id ("#id") the properties and their texts."""
    refined: dict[str, dict[str, str]] = {}
    for meta in found.get("meta", ()):
        if meta.get("refines") and meta.get("property"):
            refined.setdefault(meta.get("refines"), {})[meta.get("property")] = text_of(meta)
    return refined


def _spine(found: dict[str, list[Any]], items: dict[str, Any], paths: dict[str, str]) -> tuple[SpineItem, ...]:
    spine: dict[str, SpineItem] = {}
    for itemref in found.get("itemref", ()):
        key = itemref.get("idref")
        item = items.get(key)
        if item is None or not PAGES.search(item.get("media-type") or "html") or not paths[key]:
            continue
        spine.setdefault(paths[key], SpineItem(paths[key], itemref.get("linear") != "no"))
    if not spine:
        raise InputError("is damaged: it names no page to read")
    return tuple(spine.values())


def _navigation(archive: Archive, path: str) -> tuple[tuple[NavPoint, ...], dict[str, set[str]]]:
    """Return the table of contents and the landmarks of the navigation page of an EPUB 3."""
    kinds: dict[str, set[str]] = {}
    nav_points: tuple[NavPoint, ...] = ()
    if not path or not archive.find(path):
        return nav_points, kinds
    tree = parse(archive.read(path))
    for nav in tree.iter() if tree is not None else ():
        if tag_of(nav) != "nav":
            continue
        if "landmarks" in types_of(nav):
            for link in nav.iter():
                target, fragment = resolve(path, link.get("href") or "") if tag_of(link) == "a" else ("", "")
                if target and not fragment:
                    kinds.setdefault(target, set()).update(types_of(link))
        elif not nav_points and not types_of(nav) & {"page-list", "pagelist", "lot", "loi"}:
            nav_points = tuple(_nav_points(nav, path))
    return nav_points, kinds


def _nav_points(nav: Any, path: str) -> Iterator[NavPoint]:
    for link in nav.iter():
        if tag_of(link) != "a" or not link.get("href"):
            continue
        above = [up for up in link.iterancestors() if tag_of(up) == "li"]
        level = 1 + sum(any(tag_of(child) == "a" for child in up) for up in above[1:])
        target, fragment = resolve(path, link.get("href"))
        if text_of(link):
            yield NavPoint(text_of(link), target, fragment, level)


def _ncx(archive: Archive, path: str) -> tuple[NavPoint, ...]:
    """Return the table of contents of the navigation file of an EPUB 2."""
    nav_points: list[NavPoint] = []
    tree = parse(archive.read(path), xml=True) if path and archive.find(path) else None
    for point in tree.iter() if tree is not None else ():
        if tag_of(point) != "navpoint":
            continue
        label = next((text_of(child) for child in point if tag_of(child) == "navlabel"), "")
        source = next((child.get("src") for child in point if tag_of(child) == "content"), None)
        level = 1 + sum(tag_of(up) == "navpoint" for up in point.iterancestors())
        if label and source:
            nav_points.append(NavPoint(label, *resolve(path, source), level))
    return tuple(nav_points)
