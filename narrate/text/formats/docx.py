"""Word documents as HTML. A long one is converted piece by piece, because that takes a hundred times its memory."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from copy import deepcopy
from io import BytesIO
from typing import Any

from narrate.errors import InputError
from narrate.text.formats.archive import Archive

TEXT = "word/document.xml"
# The style "Title" becomes <title>. A heading would be counted among those of the chapters.
STYLES = "p[style-name='Title'] => title:fresh\np[style-name='Subtitle'] => p:fresh"
PIECE = 60_000  # elements that are converted at once; a novel has about as many
MOST_ELEMENTS = 500_000  # in what cannot be divided: a paragraph, all styles, all notes
WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
PARAGRAPH, ROW, TABLE = f"{WORD}p", f"{WORD}tr", f"{WORD}tbl"
HOLDERS = (f"{WORD}body", f"{WORD}sdtContent")
PARAGRAPH_END = re.compile(rb"</w:p>|<w:p/>|</w:tr>")


def to_html(data: bytes) -> str:
    """Return the body of a Word document as HTML, without pictures. Raises InputError if it is damaged or no book."""
    import mammoth

    archive = Archive(data)
    names = [name for name in archive.names if name.startswith("word/") and name.endswith((".xml", ".rels"))]
    parts = {name: archive.read(name) for name in names}  # without pictures, and what names another part as the text
    text = parts.pop(TEXT)
    if max(_elements(text), *(part.count(b"<") for part in parts.values())) > MOST_ELEMENTS:
        raise InputError("holds more marks than words: that is no book; it was not read")
    try:
        pages = [
            mammoth.convert_to_html(BytesIO(_zipped(piece, parts)), style_map=STYLES, convert_image=_no_image).value
            for piece in ([text] if text.count(b"<") <= PIECE else _pieces(text))
        ]
    except Exception as error:  # mammoth raises errors of every kind for a damaged file
        raise InputError(f"is a damaged Word document ({type(error).__name__}); save it anew") from None
    return "".join(pages)


def _elements(text: bytes) -> int:
    """Return about how many elements the largest paragraph or row of a table has."""
    most = begin = 0
    for match in PARAGRAPH_END.finditer(text):
        most = max(most, text.count(b"<", begin, match.end()))
        begin = match.end()
    return max(most, text.count(b"<", begin))


def _pieces(text: bytes) -> Iterator[bytes]:
    """Yield documents with some of the paragraphs and rows of tables each. Empty paragraphs are left out."""
    from lxml import etree

    options = {"resolve_entities": False, "no_network": True, "load_dtd": False}
    piece: Any = None
    held = 0
    for _, element in etree.iterparse(BytesIO(text), events=("end",), tag=(PARAGRAPH, ROW), **options):
        above = element.getparent()
        outer = above.getparent() if above is not None and above.tag == TABLE else above
        if outer is None or outer.tag not in HOLDERS or (element.tag == ROW) != (above.tag == TABLE):
            continue  # in a cell, which belongs to a row
        size = sum(1 for _ in element.iter())
        if piece is None:
            piece, held = _empty(element), 0
        if size > 1:
            body = piece[0]
            (etree.SubElement(body, TABLE) if element.tag == ROW else body).append(deepcopy(element))
            held += size
        element.clear()
        while element.getprevious() is not None:
            del above[0]
        if held > PIECE:
            yield etree.tostring(piece)
            piece = None
    if piece is not None:
        yield etree.tostring(piece)


def _empty(element: Any) -> Any:
    from lxml import etree

    document = etree.Element(f"{WORD}document", nsmap=element.nsmap)
    etree.SubElement(document, HOLDERS[0])
    return document


def _zipped(text: bytes, parts: dict[str, bytes]) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as document:
        for name, part in {TEXT: text, **parts}.items():
            document.writestr(name, part)
    return target.getvalue()


def _no_image(image: Any) -> list[Any]:
    return []
