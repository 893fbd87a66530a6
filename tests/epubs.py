"""Small EPUB files for tests, made as many tools make them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO

CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
    '<rootfiles><rootfile full-path="{}" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
PAGE = (
    '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" '
    'xmlns:epub="http://www.idpf.org/2007/ops"><head><title>t</title>{}</head>\n{}</html>'
)


def page(body: str, head: str = "") -> str:
    """An XHTML page around a body, or around what goes into it."""
    return PAGE.format(head, body if body.startswith("<body") else f"<body>{body}</body>")


def nav(entries: str, landmarks: str = "") -> str:
    """A navigation page with <li> entries."""
    return page(
        f'<nav epub:type="toc"><h1>Contents</h1><ol>{entries}</ol></nav>'
        f'<nav epub:type="landmarks" hidden=""><ol>{landmarks}</ol></nav>'
    )


def item(href: str, label: str, below: str = "") -> str:
    return f'<li><a href="{href}">{label}</a>{f"<ol>{below}</ol>" if below else ""}</li>'


def ncx(entries: Sequence[tuple[str, str]]) -> str:
    """An EPUB 2 navigation file with (href, label) entries."""
    points = "".join(
        f'<navPoint id="p{i}"><navLabel><text>{label}</text></navLabel><content src="{href}"/></navPoint>'
        for i, (href, label) in enumerate(entries)
    )
    return f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>{points}</navMap></ncx>'


def make_epub(
    pages: Mapping[str, str],
    others: Mapping[str, str | bytes] | None = None,
    hrefs: Mapping[str, str] | None = None,
    not_linear: Sequence[str] = (),
    metadata: str = "<dc:title>Book</dc:title><dc:creator>A. Author</dc:creator><dc:language>en</dc:language>",
    guide: str = "",
    root: str = "OEBPS/package.opf",
    cover: str = "",
) -> bytes:
    """Zip up pages, in reading order, and other files. `hrefs` spells a page's name otherwise in the manifest;
    `cover` is the name of the picture that the manifest calls the cover."""
    others, hrefs = others or {}, hrefs or {}
    types = {"ncx": "application/x-dtbncx+xml", "css": "text/css", "jpg": "image/jpeg", "png": "image/png"}
    rows = []
    for i, name in enumerate([*pages, *(name for name in others if not name.startswith("META-INF"))]):
        media = types.get(name.rpartition(".")[2], "application/xhtml+xml")
        properties = {"nav.xhtml": ' properties="nav"', cover: ' properties="cover-image"'}.get(name, "")
        rows.append(f'<item id="i{i}" href="{hrefs.get(name, name)}" media-type="{media}"{properties}/>')
    beside = {name: ' linear="no"' if name in not_linear else "" for name in pages}
    spine = "".join(f'<itemref idref="i{i}"{beside[name]}/>' for i, name in enumerate(pages))
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="u">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">{metadata}</metadata>'
        f"<manifest>{''.join(rows)}</manifest><spine>{spine}</spine><guide>{guide}</guide></package>"
    )
    folder = root.rpartition("/")[0]
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        book.writestr("META-INF/container.xml", CONTAINER.format(root))
        book.writestr(root, package)
        for name, content in {**pages, **others}.items():
            book.writestr(name if name.startswith("META-INF") or not folder else f"{folder}/{name}", content)
    return target.getvalue()
