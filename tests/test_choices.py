from __future__ import annotations

import pytest

from narrate.text.book import TextOptions, book_of_text, open_book
from narrate.text.chunking.chunks import cut
from narrate.text.document import Document
from narrate.text.readers import ReadOptions, read_bytes
from tests.epubs import make_epub, page
from tests.test_end_notes import STYLES, text

PROSE = "It was a bright cold day, and the clocks were striking thirteen. " * 3


def said(document: Document) -> list[str]:
    return [paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs]


def html(body: str, **options: object) -> list[str]:
    return said(read_bytes(f"<html lang=en><body>{body}</body></html>".encode(), "a.html", ReadOptions(**options)))


NOTED = (
    '<p>One word<a href="#n1"><sup>1</sup></a>, and<a href="#n1"><sup>1</sup></a> more.</p>'
    '<p>Two<a href="#n2">[2]</a>.</p>'
    '<h3>Notes</h3><p id="n1">1. The note. <a href="#x">↩</a></p><p id="n2">[2] Another.</p>'
)


def test_footnotes_where_their_marks_stand() -> None:
    assert html(NOTED) == ["One word, and more.", "Two."]
    assert html(NOTED, footnotes="inline") == ["One word (The note.), and more.", "Two (Another.)."]
    assert html(NOTED, footnotes="end")[-2:] == ["1. The note. ↩", "[2] Another."]


@pytest.mark.parametrize("name", ["book.md", "book.epub", "book.txt"])
def test_footnotes_inline_in_every_format(name: str) -> None:
    marked = '# One\n\nA word[^a"b] of the author, and more.\n\n[^a"b]: The note.\n'
    body = '<p>A word<a epub:type="noteref" href="#n">*</a>.</p>'
    body += '<aside epub:type="footnote" id="n"><p>The note.</p></aside>'
    data = {
        "book.md": marked.encode(),
        "book.epub": make_epub({"a.xhtml": page(body + PROSE)}),
        "book.txt": text(STYLES["[{n}]"]).replace("So the almanac says.", "The note.").encode(),
    }
    found = said(read_bytes(data[name], name, ReadOptions(footnotes="inline", language="en")))
    assert sum(line.count("(The note.)") for line in found) == 1
    assert sum(line.count("The note.") for line in found) == 1


CODE = "<p>Before.</p><pre><code>let a = 1;\nlet b = 2;</code></pre><p>After.</p>"


@pytest.mark.parametrize("fenced", [False, True])
def test_code_is_left_out_read_or_announced(fenced: bool) -> None:
    def read(code: str) -> list[str]:
        if not fenced:
            return html(CODE, code=code)
        marked = "# A book\n\nBefore.\n\n```\nlet a = 1;\nlet b = 2;\n```\n\nAfter.\n"
        return said(read_bytes(marked.encode(), "a.md", ReadOptions(code=code, language="en")))[1:]

    assert read("skip") == ["Before.", "After."]
    assert read("announce") == ["Before.", "Code.", "After."]
    assert read("read") == ["Before.", "let a = 1;", "let b = 2;", "After."]


def test_scripts_are_never_read() -> None:
    assert html(f"<script>let a = 1;</script><p>{PROSE}</p>", code="read") == [PROSE.strip()]


def test_descriptions_of_pictures() -> None:
    body = f'<p>{PROSE}</p><p><img alt="A man at a well"/></p><p>One <img alt="cover.jpg"/><img alt="Image 3"/>two.</p>'
    assert html(body) == [PROSE.strip(), "One two."]
    assert html(body, alt=True) == [PROSE.strip(), "Picture: A man at a well", "One two."]
    german = f"<html lang=de><body>{body}</body></html>".encode()
    assert said(read_bytes(german, "a.html", ReadOptions(alt=True)))[1] == "Bild: A man at a well"


TABLE = (
    "<table><tr><th>Name</th><th colspan=2>Born</th></tr><tr><th>I</th><td>1749</td><td>Frankfurt</td></tr>"
    "<tr><td>Schiller</td><td>1759</td></tr></table><table><tr><td>A</td><td>B</td></tr></table>"
)


def test_tables_with_the_heads_of_their_columns() -> None:
    assert html(TABLE) == ["Name, Born.", "I, 1749, Frankfurt.", "Schiller, 1759.", "A, B."]
    assert html(TABLE, tables="headed") == [
        "Name, Born.", "I, Born: 1749, Born: Frankfurt.", "Name: Schiller, Born: 1759.", "A, B.",
    ]  # fmt: skip


def spoken(source: str, language: str, announce: bool) -> list[str]:
    book = book_of_text(source, TextOptions(language=language, announce=announce))
    assert book.document is not None
    return [chunk.spoken for chunk in cut(book.document)]


@pytest.mark.parametrize(
    ("language", "heading", "words"),
    [("en", "IV.", "Chapter 4"), ("de", "4", "Kapitel 4"), ("ru", "4", "Глава 4"), ("fr", "— 4 —", "Chapitre 4")],
)
def test_a_chapter_that_is_only_a_number_is_announced(language: str, heading: str, words: str) -> None:
    numbers = {"IV.": ["I.", "II.", "III.", "IV."]}.get(heading, [heading.replace("4", str(n)) for n in (1, 2, 3, 4)])
    source = "".join(f"{number}\n\n{PROSE}\n\n{PROSE}\n\n" for number in numbers)
    assert words in spoken(source, language, announce=True)
    assert words not in spoken(source, language, announce=False)


def test_a_heading_with_words_is_not_announced() -> None:
    source = "".join(f"CHAPTER {n}\n\n{PROSE}\n\n" for n in (1, 2, 3))
    assert spoken(source, "en", announce=True) == spoken(source, "en", announce=False)


def test_open_book_passes_the_choices_on(tmp_path: object) -> None:
    path = f"{tmp_path}/a.html"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"<html lang=en><body>{CODE}{NOTED}{TABLE}<p><img alt='A man at a well'></p></body></html>")
    options = TextOptions(footnotes="inline", code="announce", alt=True, tables="headed")
    document = open_book(path, options).document
    assert document is not None
    found = said(document)
    assert {"Code.", "Two (Another.).", "Name: Schiller, Born: 1759.", "Picture: A man at a well"} <= set(found)
