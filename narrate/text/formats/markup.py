"""Parses HTML and XHTML to trees of elements, and tells which elements nobody reads aloud."""

from __future__ import annotations

import html.entities
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from narrate.text.characters import WIDE_LETTERS, one_line
from narrate.text.document import ExcludedKind
from narrate.text.encoding import decode

EPUB = "{http://www.idpf.org/2007/ops}type"
XML_ENTITIES = {"amp", "lt", "gt", "quot", "apos"}
ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
SELF_CLOSED = re.compile(
    r"<((?!(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)\b)[\w:]+)((?:\s[^<>]*)?)/>"
)
DECLARED = re.compile(rb"""(?:<\?xml[^>]*encoding\s*=\s*|<meta[^>]*charset\s*=\s*)["']?([\w.:-]+)""", re.IGNORECASE)
RAW = re.compile(r"(?<![\"'])<(?P<close>/)?(?P<name>script|style)\b[^<>]*>", re.IGNORECASE)
# What an unclosed script or style cannot reach over: a blank line, or a tag that begins a block of text.
RAW_END = re.compile(
    r"\n[ \t]*\n|<(?:/?(?:body|head|p|h[1-6]|div|section|article|table|ul|ol|blockquote))\b", re.IGNORECASE
)
XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>", re.IGNORECASE)
LONG_TAG = re.compile(r"<([A-Za-z][^\s<>/]{0,100})[^<>]{5000,}>?")
QUOTED = re.compile("\"[^\"]*\"|'[^']*'")
MOST_ATTRIBUTES = 500  # the parser compares each attribute of a tag with each other
DOCTYPE = re.compile(r"<!DOCTYPE[^>\[]{0,1000}", re.IGNORECASE)

BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol optgroup p pre section summary "
    "table tbody tfoot thead title tr ul".split()
)
SKIPPED: dict[str, ExcludedKind] = {
    **dict.fromkeys(("script", "style", "template", "noscript", "link", "meta"), "code"),
    **dict.fromkeys(("audio", "video", "object", "iframe", "canvas", "svg", "map", "applet", "embed"), "media"),
    **dict.fromkeys(("button", "select", "textarea", "input", "option", "datalist"), "form"),
    "head": "head",
    "nav": "contents",
    "rp": "ruby mark",
}
# Words of epub:type (or of role, there with "doc-" before them) for elements that are not read aloud.
TYPES: dict[str, ExcludedKind] = {
    **dict.fromkeys(("noteref", "annoref", "biblioref", "glossref", "backlink"), "reference"),
    **dict.fromkeys(("footnote", "footnotes", "endnote", "endnotes", "rearnote", "rearnotes"), "footnote"),
    **dict.fromkeys(("pagebreak", "pagenumber"), "page"),
    "index": "index",
    **dict.fromkeys(("toc", "landmarks", "page-list", "pagelist", "loi", "lot", "loa", "lov"), "contents"),
    **dict.fromkeys(("colophon", "copyright-page", "imprint", "imprimatur", "other-credits"), "colophon"),
    **dict.fromkeys(("cover", "titlepage", "halftitlepage"), "cover"),
}
# What the author wrote on a title page is read: these elements are kept where all around them is left out.
KEPT = frozenset(("epigraph", "dedication", "preamble"))
# A cover, a title page or an imprint with more characters is none: a maker of books has named a chapter so.
LONGEST_COVER = 6000
LONGEST_PAGE_NUMBER = 19
PAGE_CLASS = re.compile(
    r"\b(?:page-?num(?:ber)?|pageno|pgnum|pagebreak|page_number|pb|l(?:ine)?-?num(?:ber)?|lineno)\b", re.IGNORECASE
)
LICENCE_CLASS = re.compile(r"\bpg-(?:boilerplate|header|footer)\b|\bpg-(?:header|footer)-heading\b", re.IGNORECASE)
POEM_CLASS = re.compile(r"\b(?:poem|poetry|verse|stanza|linegroup|haiku|tanka|lyrics?)\b", re.IGNORECASE)
GAIJI_CLASS = re.compile(r"gaiji|glyph", re.IGNORECASE)
NOTE_CLASS = re.compile(r"note|\bfn", re.IGNORECASE)
HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
NOTED = ("noteref", "annoref", "biblioref", "glossref")
WORD = re.compile(rf"[^\W\d_]{{3}}|[{WIDE_LETTERS}]{{2}}")
NOTE_WORD = re.compile(r"\d|\b(?:foot|end)?notes?\b|\bfn\b|注|註|※|^\W*[ivxlc]+\W*$", re.IGNORECASE)
NOTE_NUMBER = re.compile(r"[\[(（［〔]?(?:\d{1,4}|[a-z]|[*†‡§]{1,3}|注\d*|※\d*)[\])）］〕]?")
PUNCTUATION = re.compile(r"[{};]")
SELECTOR = re.compile(r"\w*(?:\.([\w-]+)|#([\w-]+))")


def parse(data: bytes, xml: bool = False) -> Any:
    """Return the tree of a page of XHTML or HTML, None if the page is empty.

    Nothing outside the page is ever read.
    """
    declared = DECLARED.search(data[:2000])
    text = decode(data, hint=declared[1].decode() if declared else None).text
    return parse_text(text, xml) if text.strip() else None


def parse_text(text: str, xml: bool = False) -> Any:
    """Return the tree of a decoded page, or of another file if it is `xml`; None if it cannot be parsed."""
    from lxml import etree

    strict = xml or "http://www.w3.org/1999/xhtml" in text[:3000] or text.lstrip().startswith("<?xml")
    text = LONG_TAG.sub(_bearable, _without_declarations(text))
    if strict:
        named = ENTITY.sub(_number, text)
        options = {"resolve_entities": False, "no_network": True, "remove_comments": True, "remove_pis": True}
        try:
            return etree.fromstring(named.encode(), etree.XMLParser(recover=xml, **options))
        except etree.XMLSyntaxError:
            text = SELF_CLOSED.sub(r"<\1\2></\1>", named)
    text = _with_raw_closed(text)
    soup = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True)
    try:
        return etree.fromstring(text.encode(), soup)
    except (etree.XMLSyntaxError, etree.ParserError, ValueError):
        return None


def _without_declarations(text: str) -> str:
    """Return a page without <?xml …?> and <!DOCTYPE …>, with what stands in the square brackets of the latter."""
    text = XML_DECLARATION.sub("", text)
    parts: list[str] = []
    at = 0
    last = text.rfind(">")
    last_bracket = text.rfind("]", 0, max(0, last))  # looked for but once: a page may have many that are never closed
    while (doctype := DOCTYPE.search(text, at)) and doctype.end() <= last:
        bracketed = text[doctype.end()] == "[" and doctype.end() < last_bracket
        end = text.find(">", text.find("]", doctype.end()) if bracketed else doctype.end())
        parts.append(text[at : doctype.start()])
        at = end + 1
    return "".join(parts) + text[at:]


def _bearable(tag: re.Match[str]) -> str:
    """Return a long tag as it stands, or without its attributes if there are more of them than any page has."""
    many = len(QUOTED.sub("", tag[0]).split()) > MOST_ATTRIBUTES
    return f"<{tag[1]}>" if many else tag[0]


def _with_raw_closed(text: str) -> str:
    """Return a page in which every <script> and <style> has an end: one that nobody closes ends with its own block."""
    tags = [tag for tag in RAW.finditer(text) if not tag[0].endswith("/>")]
    parts: list[str] = []
    at = 0
    for tag, following in zip(tags, (*tags[1:], None), strict=False):
        closed = following is not None and following["close"] and following["name"].lower() == tag["name"].lower()
        if tag["close"] or closed or tag.start() < at:
            continue
        end = RAW_END.search(text, tag.end())
        stop = end.start() if end else len(text)
        parts += text[at:stop], f"</{tag['name']}>"
        at = stop
    return "".join(parts) + text[at:]


def _number(entity: re.Match[str]) -> str:
    """Write a named entity as a number, which needs no declaration. An unknown one becomes plain text."""
    if entity[1] in XML_ENTITIES:
        return entity[0]
    characters = html.entities.html5.get(entity[1] + ";")
    return "".join(f"&#{ord(one)};" for one in characters) if characters else f"&amp;{entity[1]};"


def hidden_by(styles: str) -> set[str]:
    """Return the classes (".note") and ids ("#cover") that a style sheet hides."""
    found: set[str] = set()
    for selectors, declarations in _rules(_without_comments(styles)):
        if HIDING.search(declarations):
            for selector in selectors.split(","):
                if match := SELECTOR.fullmatch(selector.strip()):
                    found.add(f".{match[1]}" if match[1] else f"#{match[2]}")
    return found


def _rules(styles: str) -> Iterator[tuple[str, str]]:
    """Yield the selectors and the declarations of each rule, without those inside @media and the like."""
    begin = depth = opened = 0
    for sign in PUNCTUATION.finditer(styles):
        if sign[0] == "{":
            opened = opened if depth else sign.start()
            depth += 1
        elif sign[0] == "}":
            depth = max(0, depth - 1)
            selectors = styles[begin:opened].strip()
            if depth == 0 and opened > begin and not selectors.startswith("@"):
                yield selectors, styles[opened + 1 : sign.start()]
        if depth == 0:
            begin = sign.end()


def _without_comments(styles: str) -> str:
    parts: list[str] = []
    at = 0
    while (start := styles.find("/*", at)) >= 0:
        parts.append(styles[at:start])
        end = styles.find("*/", start + 2)
        if end < 0:
            return "".join(parts)
        at = end + 2
    return "".join(parts) + styles[at:]


def tag_of(element: Any) -> str:
    """Return the name of an element without its namespace, "" for what is no element."""
    return _local_name(element.tag) if isinstance(element.tag, str) else ""


@lru_cache(maxsize=1000)
def _local_name(tag: str) -> str:
    return re.split("[}:]", tag)[-1].lower()


def types_of(element: Any) -> set[str]:
    """Return the words of an element's epub:type and of its role."""
    words = f"{element.get(EPUB) or element.get('epub:type') or ''} {element.get('role') or ''}".lower().split()
    return {word.removeprefix("doc-") for word in words}


def text_of(element: Any) -> str:
    """Return all text inside an element, on one line."""
    return one_line("".join(element.itertext()))


def is_short(element: Any, longest: int) -> bool:
    """Return True if there are no more than so many characters in an element. Reads no more of a long one."""
    return len(begin_of(element, longest + 1)) <= longest


def begin_of(element: Any, length: int) -> str:
    """Return the first characters, or somewhat more, of all text inside an element, on one line."""
    parts: list[str] = []
    read, enough = 0, length
    for part in element.itertext():
        parts.append(part)
        read += len(part)
        if read > enough:
            text = one_line("".join(parts))
            if len(text) > length:
                return text
            enough = 2 * read  # so that much white space is not joined again and again
    return one_line("".join(parts))


def silence(element: Any, tag: str, hidden: frozenset[str]) -> ExcludedKind | None:
    """Return the kind of an element that is not read aloud, None for one that is. `hidden` comes from `hidden_by`."""
    if tag in SKIPPED:
        return SKIPPED[tag]
    if tag == "pre" and is_code(element):
        return "code"
    if not element.attrib:
        return None
    names = element.get("class") or ""
    hiding = element.get("hidden") is not None or element.get("aria-hidden") == "true"
    marks = {f".{name}" for name in names.split()} | {f"#{element.get('id')}"} if hidden else set()
    if hiding or marks & hidden or HIDING.search(element.get("style") or ""):
        return "hidden"
    for word in types_of(element) & TYPES.keys():
        if _leaves_out(element, word):
            return TYPES[word]
    if names and LICENCE_CLASS.search(f"{names} {element.get('id') or ''}"):
        return "licence"
    if names and PAGE_CLASS.search(names) and is_short(element, LONGEST_PAGE_NUMBER):
        return "page"
    return "reference" if tag == "a" and is_reference(element) else None


def kept_in(element: Any) -> list[Any]:
    """Return the elements in a title page that are read: epigraphs and dedications, none of them inside another."""
    from lxml import etree

    kept: list[Any] = []
    walker = etree.iterwalk(element, events=("start",))
    for _, inner in walker:
        if inner is not element and isinstance(inner.tag, str) and types_of(inner) & KEPT:
            kept.append(inner)
            walker.skip_subtree()
    return kept


def is_code(pre: Any) -> bool:
    """Return True for preformatted text that consists of a code element, as programmers' pages have it."""
    children = list(pre)
    return len(children) == 1 and tag_of(children[0]) == "code" and not (pre.text or "").strip()


def _leaves_out(element: Any, word: str) -> bool:
    """Return True if an element of this type is not read: a whole chapter is no cover, and a word of a sentence that
    something is noted about is a word of it."""
    if TYPES[word] in ("cover", "colophon"):
        return is_short(element, LONGEST_COVER)
    return word not in NOTED or not _is_word(element)


def _is_word(link: Any) -> bool:
    text = text_of(link)
    return WORD.search(text) is not None and NOTE_WORD.search(text) is None


def is_reference(link: Any) -> bool:
    """Return True for a link to a footnote.

    Its type says so and it is no word, or it is only a number or a sign and is raised, in brackets, or called a note.
    """
    if "#" not in (link.get("href") or ""):
        return False
    if types_of(link) & {"noteref", "annoref"}:
        return not _is_word(link)
    text = text_of(link)
    named = bool(NOTE_CLASS.search(f"{link.get('class') or ''} {link.get('id') or ''}"))
    if not NOTE_NUMBER.fullmatch(text):
        return named and not text  # the number is a picture
    parent = link.getparent()
    raised = "sup" in (tag_of(parent) if parent is not None else "", *(tag_of(child) for child in link))
    return raised or named or not text.isalnum()
