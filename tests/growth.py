"""Texts that make a careless reader slow, each as long as it is asked for."""

# ruff: noqa: E501 - a table has long rows

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable
from io import BytesIO

from narrate.errors import InputError
from narrate.text.chunking.chunks import cut
from narrate.text.readers import ReadOptions, read_bytes
from narrate.text.spoken.normalize import normalize
from tests.epubs import item, make_epub, nav, page
from tests.test_pages import docx
from tests.test_pdf import make_pdf

PROSE = "It was a bright cold day, and the clocks were striking thirteen. " * 3
ENGLISH = ReadOptions(language="en")
# What a listener may want besides makes more work.
ALL_READ = ReadOptions(language="en", footnotes="inline", code="read", alt=True, tables="headed")
Make = Callable[[int], bytes]


def _times(unit: str, size: int) -> str:
    return unit * (size // len(unit) + 1)


def _html(unit: str, before: str = "", after: str = "") -> Make:
    return lambda n: f"<html><body><p>{PROSE}</p>{before}{_times(unit, n)}{after}</body></html>".encode()


def _plain(unit: str, before: str = "", after: str = "") -> Make:
    return lambda n: f"{PROSE}\n\n{before}{_times(unit, n)}{after}\n\n{PROSE}".encode()


def _markdown(unit: str, after: str = "") -> Make:
    return lambda n: f"# Head\n\n{PROSE}\n\n{_times(unit, n)}{after}\n\n{PROSE}".encode()


def _aozora(unit: str) -> Make:
    return lambda n: f"題\n\n吾輩《わがはい》は猫である。\n\n{_times(unit, n)}\n\n底本：「本」\n".encode()


def _style(unit: str) -> Make:
    return lambda n: make_epub({"a.xhtml": page(f"<p>{PROSE}</p>")}, {"s.css": _times(unit, n)})


def _metadata(unit: str) -> Make:
    return lambda n: make_epub({"a.xhtml": page(f"<p>{PROSE}</p>")}, metadata=_many(unit, n))


def _many(unit: str, size: int) -> str:
    """Each with a number of its own in the place of %."""
    return "".join(unit.replace("%", str(number)) for number in range(size // len(unit) + 1))


def _fiction(unit: str, *, close: str) -> Make:
    return lambda n: _fiction_of(_times(unit, n) + close * (n // len(unit) + 1))


def _fiction_of(body: str, binaries: str = "") -> bytes:
    names = 'xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" xmlns:l="http://www.w3.org/1999/xlink"'
    return (
        f"<?xml version='1.0' encoding='utf-8'?><FictionBook {names}><description><title-info><book-title>T"
        f"</book-title></title-info></description><body><section><p>{PROSE}</p>{body}</section></body>{binaries}"
        "</FictionBook>"
    ).encode()


def _word(unit: str) -> Make:
    return lambda n: docx_of(_times(unit, n))


def docx_of(body: str) -> bytes:
    """A Word document with this in its body."""
    target = BytesIO()
    with zipfile.ZipFile(BytesIO(docx("Text."))) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            part = old.read(name)
            if name == "word/document.xml":
                part = part.replace(b"</w:body>", body.encode() + b"</w:body>")
            new.writestr(name, part)
    return target.getvalue()


# By what is hostile in it: the name of a file, and what makes its content.
HOSTILE: dict[str, tuple[str, Make]] = {
    # style sheets and pages
    "style sheet without a brace": ("x.epub", _style("a b,c ")),
    "style sheet of @a": ("x.epub", _style("@a")),
    "style sheet of /*": ("x.epub", _style("/*")),
    "style sheet of {": ("x.epub", _style("a{")),
    "style sheet of }": ("x.epub", _style("}@media{")),
    "many creators": ("x.epub", _metadata('<dc:creator id="c%">A</dc:creator><meta refines="#c%" property="role">aut</meta>')),
    "many series": ("x.epub", _metadata('<meta id="c%" property="belongs-to-collection">A</meta><meta refines="#c%" property="x">y</meta>')),
    "DOCTYPE never closed": ("x.html", lambda n: ("<html><body>" + PROSE + _times("<!DOCTYPE html ", n)).encode()),
    "DOCTYPE with brackets": ("x.html", lambda n: ("<html><body>" + PROSE + _times("<!DOCTYPE [", n) + "> ]").encode()),
    "DOCTYPE closed far away": ("x.html", lambda n: ("<html><body>" + PROSE + _times("<!DOCTYPE [>", n) + "]").encode()),
    "scripts never closed": ("x.html", _html("<script>")),
    "comments never closed": ("x.html", _html("<!--")),
    "nested boxes": ("x.html", _html("<div>")),
    "nested boxes of a class": ("x.html", _html("<div class=pb>a ")),
    "nested tables": ("x.html", _html("<table><tr><td>a")),
    "nested italics": ("x.html", _html("<i>a")),
    "links to one long note": ("x.html", _html("<a href='#n'><sup>1</sup></a>", after="<div id=n>" + "note " * 3000)),
    "links and a long note": (
        "x.html",
        lambda n: ("<html><body>" + _times("<a href='#n'><sup>1</sup></a>", n) + f"<section><p id=n>{_times('note ', n)}</p>").encode(),
    ),
    "links ahead": ("x.html", _html("<p><a href='#z'>to the end</a>", after="<p id=z>End.")),
    "links ahead, nested": ("x.html", _html("<div><a href='#z'>to the end</a> words" * 50 + "</div>" * 50, after="<p id=z>End.")),
    "empty boxes": ("x.html", _html("<div></div>", "<p><a href='#z'>a</a><a href='#z'>b</a>", "<p id=z>End.")),
    "lists in lists": ("x.html", _html("<ul><li>a<a href='#z'>b</a>", after="<p id=z>End.")),
    "links to points of one paragraph": (
        "x.html",
        lambda n: ("<html><body>" + _many("<a href='#n%'><sup>1</sup></a>", n) + "<p>" + _many("<a id=n%>a</a> ", n)).encode(),
    ),
    "contents and lists": ("x.html", _html("<h2>Contents</h2><p>One</p><h2>One</h2>")),
    "an index of pages": ("x.html", _html("<h2>Index</h2><p>Oak, 17</p>")),
    "title pages": ("x.html", _html('<div epub:type="titlepage"><p epub:type="epigraph">a</p>')),
    "tables with heads": ("x.html", _html("<table><tr><th>a<th>b<tr><td>c<td>d")),
    "columns": ("x.html", _html("<td colspan=99>a", "<table><tr><th>a<th>b<tr>")),
    "pictures with words": ("x.html", _html("<img alt='A man at a well'>")),
    "blocks of code": ("x.html", _html("<pre><code>a", after="</code></pre>")),
    "hidden boxes": ("x.html", _html("<div hidden><p id=a>")),
    "notes held back": ("x.html", _html("<aside role=doc-footnote>a</aside>")),
    "links in a navigation": ("x.epub", lambda n: make_epub({"a.xhtml": page(f"<p>{PROSE}</p>")}, {"nav.xhtml": nav(_times(item("a.xhtml", "One"), n))})),
    "navigation in itself": ("x.epub", lambda n: make_epub({"a.xhtml": page(f"<p>{PROSE}</p>")}, {"nav.xhtml": nav(_times("<ol><li><a href='a.xhtml'>a</a>", n))})),
    "many pages": ("x.epub", lambda n: make_epub({f"{i}.xhtml": page(f"<p>Page {i}.</p>") for i in range(n // 400 + 1)})),
    "ruby": ("x.html", _html("<ruby>漢<rt>かん")),
    "references": ("x.html", _html("&amp;")),
    "entities nobody knows": ("x.html", _html("&nothing")),
    "tags never closed": ("x.html", _html("<a ")),
    "attributes": ("x.html", lambda n: f"<html><body><p {_many('a%=1 ', n)}>{PROSE}</p></body></html>".encode()),
    "pictures in a heading": ("x.html", _html("<img alt='a'>", "<h1>", "</h1>")),
    # Markdown
    "[^ in Markdown": ("x.md", _markdown("[^")),
    "[^a]: in Markdown": ("x.md", _markdown("[^a]: b\n")),
    "notes of blank lines": ("x.md", _markdown("\n    ", "x")),
    "front matter of spaces": ("x.md", lambda n: f"---\ntitle: a{' ' * n}b\n---\n\n{PROSE}".encode()),
    "front matter without an end": ("x.md", lambda n: f"---\n{_times('---x' + chr(10), n)}{PROSE}".encode()),
    "brackets in Markdown": ("x.md", _markdown("[")),
    "links in Markdown": ("x.md", _markdown("[a](")),
    "stars in Markdown": ("x.md", _markdown("*a _b ")),
    "many stars": ("x.md", _markdown("**")),
    "ticks in Markdown": ("x.md", _markdown("`a``b")),
    "quotes in Markdown": ("x.md", _markdown(">")),
    "lists in Markdown": ("x.md", _markdown("- ")),
    "tables in Markdown": ("x.md", _markdown("|a")),
    "tags in Markdown": ("x.md", _markdown("<a ")),
    "indented Markdown": ("x.md", _markdown("    a{b\n\n")),
    "emphasis cut off": ("x.md", _markdown("a**b")),
    # plain text
    "one long word": ("x.txt", _plain("a")),
    "one long line": ("x.txt", _plain("some words and ")),
    "letters beside @": ("x.txt", _plain("a", "a@ ")),
    "dots and @": ("x.txt", _plain("a.@")),
    "www": ("x.txt", _plain("www.!")),
    "https": ("x.txt", _plain("https://")),
    "digits": ("x.txt", _plain("1")),
    "digits and points": ("x.txt", _plain("1.")),
    "initials": ("x.txt", _plain("A. ")),
    "full stops": ("x.txt", _plain(".")),
    "spaced full stops": ("x.txt", _plain(". ")),
    "commas": ("x.txt", _plain("a,")),
    "dashes": ("x.txt", _plain("-")),
    "underscores": ("x.txt", _plain("_a ")),
    "quotes opened": ("x.txt", _plain("“a ")),
    "brackets opened": ("x.txt", _plain("(a ")),
    "straight quotes": ("x.txt", _plain("'a \"b ")),
    "spaces": ("x.txt", _plain(" ", "a", "b")),
    "lines of spaces": ("x.txt", _plain("  \n", "a", "b")),
    "blank lines": ("x.txt", _plain("\n")),
    "short lines": ("x.txt", _plain("a\n")),
    "short paragraphs": ("x.txt", _plain("a\n\n")),
    "headings": ("x.txt", _plain("Chapter 1\n\n")),
    "headings and a line": ("x.txt", _plain("CHAPTER I\n\nWords.\n\n")),
    "titles far apart": ("x.txt", _plain("A Title\n\n\n" + PROSE + "\n\n\n")),
    "letters of a dictionary": ("x.txt", lambda n: _plain("".join(f"{letter}\n\n{PROSE}\n\n" for letter in "ABCDEFGHIJKLM"))(n)),
    "dates of letters": ("x.txt", _plain("January 3, 1800.\n\n" + PROSE + "\n\n")),
    "titles set in": ("x.txt", _aozora("　　　題\n\n" + "吾輩は猫である。" * 9 + "\n\n")),
    "many titles in one line": ("x.txt", _aozora("題［＃改行］")),
    "volumes for sale": ("x.txt", _plain("Volume I, 1913. 192 pages. Price $5.00\n")),
    "open headings": ("x.txt", _plain("Chapter I. Donde se cuenta la historia,\ncon otras aventuras\n\n")),
    "an index": ("x.txt", _plain("INDEX\n\nOak, 17\n\n")),
    "notes at the end": ("x.txt", lambda n: _plain(_many("[%] a", n // 2), "word[1][2][3]\n\n")(n // 2)),
    "numbers of notes": ("x.txt", _plain("\n\n1\n\na[1]")),
    "speakers": ("x.txt", _plain("ROPER (to her):\n\nNo.\n\n")),
    "brackets of speakers": ("x.txt", _plain("ROPER [(" )),
    "kings": ("x.txt", _plain("Louis XIV, 1/2, &c. ")),
    "Roman letters": ("x.txt", _plain("XIV IVX ")),
    "slashes and digits": ("x.txt", _plain("1/2/")),
    "numerals": ("x.txt", _plain("twenty-")),
    "Roman numerals": ("x.txt", _plain("X")),
    "a table of contents": ("x.txt", _plain("Chapter 1 ..... 5\n", "Contents\n\n")),
    "illustrations": ("x.txt", _plain("[Illustration: ")),
    "entities in plain text": ("x.txt", _plain("&#65;&")),
    "lines of stars": ("x.txt", _plain("* * *\n\n")),
    "hyphens at line ends": ("x.txt", _plain("hy-\n")),
    "Gutenberg's illustrations": ("x.txt", _plain("[Illustration: ", "*** START OF THE PROJECT GUTENBERG EBOOK A ***\n\n")),
    "Gutenberg's transcribers": ("x.txt", _plain("\n\n[Transcriber's note: ", "*** START OF THE PROJECT GUTENBERG EBOOK A ***\n\n")),
    "Gutenberg's footnotes": ("x.txt", _plain("\n\n[1] a", "*** START OF THE PROJECT GUTENBERG EBOOK A ***\n\n")),
    "Gutenberg's italics": ("x.txt", _plain("_a =b ", "*** START OF THE PROJECT GUTENBERG EBOOK A ***\n\n")),
    # Nothing is read in 40,000 characters after a note: more of them, behind so many words, can be compared.
    "Gutenberg's chapters": ("x.txt", lambda n: _plain("\n\nTranscriber's note\n\nCHAPTER I\n\n", "*** START OF THE PROJECT GUTENBERG EBOOK A ***\n\n" + PROSE * 400)(3 * n)),
    "Gutenberg's end": ("x.txt", _plain("*** END ", "*** START OF THE PROJECT GUTENBERG EBOOK A ***\n\n")),
    "Gutenberg's notes": ("x.txt", _plain("[1] ", "*** START OF THE PROJECT GUTENBERG EBOOK A ***\n\n")),
    # Chinese and Japanese
    "Chinese characters": ("x.txt", _plain("漢")),
    "kana": ("x.txt", _plain("かな")),
    "quotes 「": ("x.txt", _plain("「あ")),
    "iteration marks": ("x.txt", _plain("ゝ")),
    "long iteration marks": ("x.txt", _plain("かき〳〵")),
    "《 in Aozora": ("x.txt", _aozora("漢《")),
    "｜ in Aozora": ("x.txt", _aozora("｜漢")),
    "readings in Aozora": ("x.txt", _aozora("漢《かん》")),
    "［＃ in Aozora": ("x.txt", _aozora("［＃")),
    "notes in Aozora": ("x.txt", _aozora("漢［＃「漢」に傍点］")),
    "notes of titles in Aozora": ("x.txt", _aozora("漢［＃「漢」は大見出し］\n")),
    "nested notes in Aozora": ("x.txt", _aozora("※［＃「")),
    "accents in Aozora": ("x.txt", _aozora("〔e'")),
    "《《 in a page": ("x.html", _html("漢《《")),
    "chapters 第": ("x.txt", _plain("第一章 名\n\n")),
    "numerals 一": ("x.txt", _plain("一")),
    # others
    "many Word paragraphs": ("x.docx", _word("<w:p/>")),
    "many Word runs": ("x.docx", _word("<w:p><w:r><w:t>a</w:t></w:r></w:p>")),
    "one long Word paragraph": ("x.docx", lambda n: docx_of("<w:p>" + _times("<w:r><w:t>a</w:t></w:r>", n) + "</w:p>")),
    "many pages of a PDF": ("x.pdf", lambda n: make_pdf([["A line of text on it."]] * (n // 400 + 1))),
    "heads of a PDF": ("x.pdf", lambda n: make_pdf([[f"HEAD {i}", "A line of text on it.", "hy-"] for i in range(n // 400 + 1)])),
    "leaders": ("x.txt", _plain("A . . . . 1\n")),
    "leaders without an end": ("x.txt", _plain(". ", "a")),
    "hyphens and holes": ("x.txt", _plain("hy-\n[Illustration: a]\n", "*** START OF THE PROJECT GUTENBERG EBOOK A ***\n\n")),
    "many lines of a PDF": ("x.pdf", lambda n: make_pdf([["A line of text on it."] * (n // 40 + 1)])),
    # rich text, FictionBook, subtitles, pages from the web
    "braces of RTF": ("x.rtf", lambda n: (r"{\rtf1 " + PROSE + _times("{", n)).encode()),
    "titles of RTF": ("x.rtf", lambda n: (r"{\rtf1 " + PROSE + _times(r"{\info{\title ", n) + "}").encode()),
    "backslashes of RTF": ("x.rtf", lambda n: (r"{\rtf1 " + PROSE + _times("\\", n) + "}").encode()),
    "signs of RTF": ("x.rtf", lambda n: (r"{\rtf1 " + PROSE + _times(r"\'e9", n) + "}").encode()),
    "sections of FictionBook": ("x.fb2", _fiction("<section><p>A.</p>", close="</section>")),
    "notes of FictionBook": ("x.fb2", lambda n: _fiction_of(_many('<p><a l:href="#n%" type="note">%</a></p><section id="n%"><p>B.</p></section>', n))),
    "pictures of FictionBook": ("x.fb2", lambda n: _fiction_of(_many('<p>A.<image l:href="#i%"/></p>', n), _many('<binary id="i%" content-type="image/png">AAAA</binary>', n))),
    "stamps of SubRip": ("x.srt", lambda n: _times("1\n00:00:01,000 --> 00:00:02,000\nA word\n\n", n).encode()),
    "stamps without words": ("x.srt", lambda n: ("1\n00:00:01,000 --> 00:00:02,000\n" + PROSE + "\n\n" + _times("00:00:01,000 --> ", n)).encode()),
    "tags of WebVTT": ("x.vtt", lambda n: ("WEBVTT\n\n00:01.000 --> 00:02.000\n" + PROSE + _times("<c.", n)).encode()),
    "articles": ("x.html", _html(f"<article><p>{PROSE}</p></article>")),
    "articles within articles": ("x.html", _html("<article><div>a", after=PROSE)),
    "blocks to share": ("x.html", _html(f'<div class="share comment"><p>{PROSE}</p></div>')),
    "links beside the article": ("x.html", _html('<div><a href="#">more, and more</a></div>')),
}  # fmt: skip


LEAST_SECONDS = 0.03  # less is not measured well
FIRST, LAST = 20_000, 640_000


def growth(name: str, options: ReadOptions = ENGLISH) -> float:
    """How many times as long a text takes that is four times as long: of 20 kB, or as many as take a while."""
    file, make = HOSTILE[name]
    size = FIRST
    while (once := seconds(make(size), file, options)) < LEAST_SECONDS and size < LAST:
        size *= 2
    return seconds(make(4 * size), file, options) / max(once, LEAST_SECONDS)


def seconds(data: bytes, file: str, options: ReadOptions = ENGLISH) -> float:
    """Of processor time, from bytes to chunks."""
    began = time.process_time()
    try:
        for _ in cut(normalize(read_bytes(data, file, options))):
            pass
    except InputError:
        pass
    return time.process_time() - began
