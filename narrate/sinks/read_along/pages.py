"""Chapters as XHTML pages: headings, verse, readings above their words, and a name for each sentence that is heard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from narrate.sinks.read_along.sentences import PageText, Stretch
from narrate.text.document import Paragraph, Span
from narrate.text.formats.ruby import is_reading

ACTIVE_CLASS = "-epub-media-overlay-active"
DEEPEST_HEADING = 6
ACTIVE_STYLE = f".{ACTIVE_CLASS} {{ background-color: #fff3b0; color: #000; }}\n"
STYLE = f"""\
body {{ line-height: 1.7; margin: 5%; }}
p {{ margin: 0 0 0.6em; }}
p.verse {{ margin: 0 0 0 1.5em; }}
h1, h2, h3, h4, h5, h6 {{ line-height: 1.3; margin: 2em 0 1em; }}
rt {{ font-size: 50%; }}
{ACTIVE_STYLE}"""
# What XML 1.0 does not allow, and half of a character.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """The text as it stands between the tags of an XML file."""
    return escape(_FORBIDDEN.sub("", text))


def xml_attribute(text: str) -> str:
    """The text as the value of an attribute, with its quotation marks."""
    return quoteattr(_FORBIDDEN.sub("", text))


def page(
    title: str,
    language: str,
    paragraphs: Sequence[Paragraph],
    texts: Sequence[PageText],
    names: Sequence[tuple[Stretch, str]],
    source: str,
) -> str:
    """An XHTML page. `names` are the stretches that are heard, in order, each with the name it has on the page."""
    named: dict[int, list[tuple[Stretch, str]]] = {}
    for stretch, name in names:
        named.setdefault(stretch.paragraph, []).append((stretch, name))
    tags = _tags(paragraphs)
    lines = [
        f"<{tag}>{''.join(_marked(text, named.get(number, []), source))}</{tag.partition(' ')[0]}>"
        for number, (tag, text) in enumerate(zip(tags, texts, strict=True))
    ]
    code = xml_attribute(language)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"'
        f" lang={code} xml:lang={code}>\n"
        f"<head>\n<title>{xml_text(title)}</title>\n"
        '<link rel="stylesheet" type="text/css" href="../style.css"/>\n</head>\n'
        '<body>\n<section epub:type="chapter">\n' + "\n".join(lines) + "\n</section>\n</body>\n</html>\n"
    )


def _tags(paragraphs: Sequence[Paragraph]) -> Iterator[str]:
    """The tag of each paragraph. Headings in a row are headings one below the other."""
    level = 0
    for paragraph in paragraphs:
        if paragraph.kind == "heading":
            level = min(level + 1, DEEPEST_HEADING)
            yield f"h{level}"
            continue
        level = min(level, 1)  # a heading in the midst of the chapter stands below the chapter's own
        yield 'p class="verse"' if paragraph.kind == "verse" else "p"


def _marked(text: PageText, names: Sequence[tuple[Stretch, str]], source: str) -> Iterator[str]:
    at = 0
    for (_, begin, end), name in names:
        yield from _words(text, at, begin, source)
        yield f"<span id={xml_attribute(name)}>"
        yield from _words(text, begin, end, source)
        yield "</span>"
        at = end
    yield from _words(text, at, len(text.text), source)


def _words(text: PageText, begin: int, end: int, source: str) -> Iterator[str]:
    """text[begin:end] as XHTML."""
    for span, start in zip(text.spans, text.starts, strict=False):
        low, high = max(begin, start), min(end, start + len(span.text))
        if low >= high:
            continue
        reading = printed_reading(span, source) if high - low == len(span.text) else None
        if reading is None:
            yield xml_text(span.text[low - start : high - start])
        else:
            yield f"<ruby>{xml_text(span.text)}<rt>{xml_text(reading)}</rt></ruby>"


def printed_reading(span: Span, source: str) -> str | None:
    """The reading that the book itself prints above the words of the span."""
    reading = span.spoken
    if not reading or span.end - span.start <= len(span.text) or not is_reading(reading, span.text):
        return None
    return reading if reading in source[span.start : span.end] else None
