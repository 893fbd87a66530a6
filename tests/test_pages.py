from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.errors import InputError
from narrate.text.chunking import chunks
from narrate.text.document import Document
from narrate.text.formats import pages
from narrate.text.formats.markup import hidden_by
from narrate.text.readers import ReadOptions, read_bytes

PROSE = "It was a bright cold day, and the clocks were striking thirteen. " * 3


def texts(document: Document) -> list[str]:
    return [paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs]


def titles(document: Document) -> list[tuple[int, str]]:
    return [(chapter.number, chapter.title) for chapter in document.chapters]


HTML = f"""<!doctype html>
<html lang="de"><head><meta charset="utf-8"><title>The Book</title><meta name="author" content="A. Author">
<style>.gone {{ display: none }}</style></head>
<body><nav>Menu</nav><h1>The Book</h1><p>by A. Author</p>
<h2>Chapter 1</h2><p>{PROSE}</p><p class=gone>Gone</p>
<h2>Chapter 2</h2><p>{PROSE}<a href="#f1"><sup>1</sup></a><h3>A scene</h3><p>More.<p id=f1>1 The note.</p>
</body></html>"""


def test_html() -> None:
    document = read_bytes(HTML.encode(), "page.txt")
    assert (document.title, document.author) == ("The Book", "A. Author")
    assert pages.read_html(HTML).language == "de"
    assert titles(document) == [(0, ""), (1, "Chapter 1"), (2, "Chapter 2")]
    assert texts(document)[0] == "The Book"
    assert texts(document)[-2:] == ["A scene", "More."]
    assert {part.kind for part in document.excluded} == {"head", "contents", "hidden", "reference", "footnote"}
    assert texts(read_bytes(HTML.encode(), "page.txt", ReadOptions(footnotes="end")))[-1] == "1 The note."


def test_html_in_the_encoding_it_declares() -> None:
    page = '<html><head><meta charset="shift_jis"></head><body><p>表示と予定。</p></body></html>'
    assert texts(read_bytes(page.encode("cp932"), "x.html")) == ["表示と予定。"]


MARKDOWN = """---
title: "The Book"
author: A. Author
lang: fr
---

# The Book

A *motto* with a [link](https://example.com "title") and ![alt](x.png)picture.

## Chapter 1

    An indented paragraph, as novels have them,
with `code` and a note[^1] in it.

[^1]: The note,
    on two lines.

```python
print("not read")
```

## Chapter 2

| Name | Age |
|------|-----|
| Bob  | 7   |

- one
- two

> quoted

***

<!-- comment --> The <b>end</b>.
"""


def test_markdown() -> None:
    document = read_bytes(MARKDOWN.encode(), "book.md")
    assert (document.title, document.author) == ("The Book", "A. Author")
    assert pages.read_markdown(MARKDOWN).language == "fr"
    assert titles(document) == [(0, ""), (1, "Chapter 1"), (2, "Chapter 2")]
    assert texts(document) == [
        "The Book",
        "A motto with a link and picture.",
        "Chapter 1",
        "An indented paragraph, as novels have them, with code and a note in it.",
        "Chapter 2",
        *("Name, Age.", "Bob, 7.", "one", "two", "quoted", "The end."),
    ]
    assert {part.kind for part in document.excluded} == {"reference", "footnote", "code"}


def said(source: str, name: str = "book.md") -> str:
    return "|".join(texts(read_bytes(source.encode(), name)))


@pytest.mark.parametrize(
    ("source", "read"),
    [
        ('Before.\n\n\t<script type="text/javascript">\n\n# Two\n\nAfter.', "Before.|Two|After."),
        ("Run git help <verb> now, or <b>not</b>.", "Run git help <verb> now, or not."),
        ("<script>\nlost\n\n# Two\n\nAfter.", "<script> lost|Two|After."),
        ("One.\n\n<!-- lost\n\nAfter.", "One.|<!-- lost|After."),
        ("One.\n\n    $ git clone x\n    # a comment\n\nAfter.", "One.|After."),
        (
            "One.\n\n    He went on,\n    and on.\n\n    And on.\n\nAfter.",
            "One.|He went on, and on.|And on.|After.",
        ),
    ],
)
def test_markdown_never_loses_what_comes_after_code(source: str, read: str) -> None:
    assert said(source) == read


@pytest.mark.parametrize("tag", ["script", "style"])
def test_an_unclosed_tag_of_html_swallows_only_its_own_block(tag: str) -> None:
    page = (
        f"<html><body><p>One.</p><{tag}>a < b\n<p>Two.</p><p>Three.</p><{tag}>c\n\nd</{tag}><p>Four.</p></body></html>"
    )
    assert said(page, "page.html") == "One.|Two.|Three.|Four."
    quoted = f"<html><body><p>One.</p><{tag}>x = '<{tag}>'\n\n<p>no</p></{tag}><p>Two.</p></body></html>"
    assert said(quoted, "page.html") == "One.|Two."


@given(st.lists(st.sampled_from(["<script>", "</script>", "<!--", "-->", "    code()", "\n", "\n\n", "<verb>", "# H"])))
def test_words_in_paragraphs_of_their_own_are_never_lost(parts: list[str]) -> None:
    body = "".join(parts).replace("<!--", "<!-- \n").replace("</script>", "").replace("-->", "")
    assert "tail" in said(f"head\n\n{body}\n\n# tail")


def test_markdown_without_headings_has_the_chapters_its_lines_tell() -> None:
    document = read_bytes(
        f"第一章　始\n\n{'本文です。' * 90}\n\n第二章　終\n\n{'本文です。' * 90}\n".encode(), "book.md"
    )
    assert titles(document) == [(1, "第一章 始"), (2, "第二章 終")]


DOCUMENT = (
    '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
    "{}</w:body></w:document>"
)
STYLES = (
    '<?xml version="1.0"?><w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    '<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/></w:style></w:styles>'
)
CORE = (
    '<?xml version="1.0"?><c:coreProperties xmlns:c="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The Book</dc:title><dc:creator>A. Author</dc:creator>'
    "</c:coreProperties>"
)
TYPES = '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="word/document.xml"/></Relationships>'
)


def docx(*paragraphs: str, document: str = DOCUMENT) -> bytes:
    rows = []
    for text in paragraphs:
        name = {"#": "Heading1", "!": "Title"}.get(text[0], "")
        style = f'<w:pPr><w:pStyle w:val="{name}"/></w:pPr>' if name else ""
        rows.append(f"<w:p>{style}<w:r><w:t>{text.lstrip('#! ')}</w:t></w:r></w:p>")
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as book:
        book.writestr("[Content_Types].xml", TYPES)
        book.writestr("_rels/.rels", RELATIONS)
        book.writestr("word/document.xml", document.format("".join(rows)))
        book.writestr("word/styles.xml", STYLES)
        book.writestr("docProps/core.xml", CORE)
    return target.getvalue()


def test_docx() -> None:
    document = read_bytes(docx("# Chapter 1", "One &amp; two.", "# Chapter 2", "三つ。"), "book.docx")
    assert (document.title, document.author) == ("The Book", "A. Author")
    assert titles(document) == [(1, "Chapter 1"), (2, "Chapter 2")]
    assert texts(document) == ["Chapter 1", "One & two.", "Chapter 2", "三つ。"]


def test_the_title_of_a_docx_opens_no_chapter() -> None:
    document = read_bytes(docx("! The Mill", "# Chapter 1", "One two.", "# Chapter 2", "Three."), "book.docx")
    assert titles(document) == [(0, ""), (1, "Chapter 1"), (2, "Chapter 2")]
    assert texts(document)[0] == "The Mill"


@pytest.mark.parametrize("data", [docx("x")[:700], docx("x", document="<broken")], ids=["cut", "broken"])
def test_a_damaged_docx_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"book\.docx: .*damaged") as caught:
        read_bytes(data, "book.docx")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["<!DOCTYPE html><p>x", "\ufeff <?xml version='1.0'?>\n<html>", "<!-- x --><HTML lang=en>"]
)
def test_what_begins_as_html_is_html(text: str) -> None:
    assert pages.is_html(text)
    assert not pages.is_html("He wrote <html> on the board.")


def test_deep_nesting_is_no_trouble() -> None:
    document = read_bytes(("<html><body>" + "<div>" * 1500 + "deep" + "</div>" * 1500).encode(), "x.html")
    assert texts(document) == ["deep"]


LISTS = {
    "paragraphs": ("", '<p><a href="#c{0}">CHAPTER {0}</a></p>', ""),
    "items": ("<ul>", '<li>{0}. <a href="#c{0}">The story</a></li>', "</ul>"),
    "lines": ("<p>", '<a href="#c{0}">CHAPTER {0}. The story</a><br>\n', "</p>"),
    "page numbers": (
        "<table><tr><th>CHAP.</th><th>PAGE</th></tr>",
        '<tr><td>{0}. The story</td><td><a href="#c{0}">9{0}</a></td></tr>',
        "</table>",
    ),
}


@pytest.mark.parametrize("kind", LISTS)
def test_contents_and_notes_within_a_page(kind: str) -> None:
    head, entry, foot = LISTS[kind]
    contents = head + "".join(entry.format(n) for n in (1, 2, 3)) + foot
    chapters = "".join(f'<h2 id="c{n}">Chapter {n}</h2><p>{PROSE}<a href="#n"><sup>1</sup></a></p>' for n in (1, 2, 3))
    notes = '<h3>FOOTNOTES:</h3><p id="n">[1] A note.</p>'
    document = pages.read_html(f"<html><body><h1>Mill</h1><h2>CONTENTS</h2>{contents}{chapters}{notes}</body></html>")
    assert titles(document) == [(n, f"Chapter {n}") for n in (1, 2, 3)]
    assert texts(document) == ["Mill", *(text for n in (1, 2, 3) for text in (f"Chapter {n}", PROSE.strip()))]


def test_links_in_prose_are_no_contents() -> None:
    prose = "".join(f'<p>{PROSE}See <a href="#c{n}">there</a>.</p><h2 id="c{n}">Here</h2>' for n in range(5))
    assert not pages.read_html(f"<html><body>{prose}</body></html>").excluded


def test_numbers_alone_are_headings_where_pages_mark_none() -> None:
    body = "".join(f"<p>{n}</p><p>{PROSE * 3}</p>" for n in (1, 2, 3))
    assert titles(pages.read_html(f"<html><body>{body}</body></html>")) == [(1, "1"), (2, "2"), (3, "3")]


def test_the_title_of_the_book_right_before_the_first_chapter() -> None:
    document = pages.read_markdown(f"# The Book\n\n## Chapter 1\n\n{PROSE}\n\n## Chapter 2\n\n{PROSE}\n")
    assert titles(document) == [(1, "Chapter 1"), (2, "Chapter 2")]
    assert texts(document)[0] == "The Book"


NOVEL = "　不具合《バグ》と｜追加データ《パッチ》、|魔法《ルーン》。《《強調》》だ。"


@pytest.mark.parametrize("page", ["{}\n", "<html><body><p>{}</p></body></html>"])
@pytest.mark.parametrize("ruby", ["reading", "base"])
def test_readings_in_pages_are_read_as_in_plain_text(page: str, ruby: Literal["reading", "base"]) -> None:
    name = "book.html" if page.startswith("<") else "book.md"
    options = ReadOptions(ruby=ruby, language="ja")
    document, plain = (read_bytes(s.encode(), n, options) for s, n in ((page.format(NOVEL), name), (NOVEL, "x.txt")))
    said = ["".join(span.sound for span in d.chapters[0].paragraphs[0].spans) for d in (document, plain)]
    assert texts(document) == texts(plain) == ["不具合と追加データ、魔法。強調だ。"]
    assert said[0] == said[1] == ("バグとパッチ、ルーン。強調だ。" if ruby == "reading" else texts(plain)[0])


def test_titles_of_chinese_books_in_pages_are_words() -> None:
    assert said("他在看《三国演义》，还有《红楼梦》。") == "他在看《三国演义》，还有《红楼梦》。"


def test_credits_of_gutenberg_in_pages_are_left_out() -> None:
    credit = "<p>Produced by Somebody and the Online<br>Distributed Team at http://www.pgdp.net</p>"
    start = "<pre>*** START OF THIS PROJECT GUTENBERG EBOOK X ***</pre>"
    page = f"<html><body>{start}{credit}<h1>I</h1><p>{PROSE}</p></body></html>"
    assert said(page, "x.htm").startswith("I|It was")
    kept = f"<html><body><p>Produced by the sun, light fell.</p><p>{PROSE}</p></body></html>"
    assert said(kept, "x.htm").startswith("Produced by the sun")


def test_line_numbers_of_verse_are_left_out() -> None:
    assert (
        said('<html><body><p>Into the Hofgarten,<span class="lnum">10</span></p></body></html>', "x.html")
        == "Into the Hofgarten,"
    )


@pytest.mark.parametrize(
    ("styles", "hidden"),
    [
        (".a { display: none }", {".a"}),
        ("p.a, #b\n{ color: red; visibility:hidden }", {".a", "#b"}),
        ("@import url(x.css);\n.a{display:none}", {".a"}),
        ("@charset 'utf-8'; .a{display:none}", {".a"}),
        ("@media print { .a { display: none } .b { display: none } } .c { display: none }", {".c"}),
        ("@font-face { font-family: x } .a{display:none}", {".a"}),
        ("/* .a { display: none } */ .b /* { */ { display: none }", {".b"}),
        (".a{display:none} /* never closed .b{display:none}", {".a"}),
        ("} .a { display: none } { } .b { display: none", {".a"}),
        (".a .b { display: none }", set()),
        (".a { color: red }", set()),
    ],
)
def test_what_a_style_sheet_hides(styles: str, hidden: set[str]) -> None:
    assert hidden_by(styles) == hidden


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE html>",
        '<!doctype html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "x.dtd">',
        '<!DOCTYPE html [ <!ENTITY a "b"> ]>',
        "<!DOCTYPE html [ <!ENTITY never> ",
        "<!DOCTYPE html [ ]>" * 3,
    ],
)
def test_a_document_type_is_no_text(doctype: str) -> None:
    assert texts(read_bytes(f"{doctype}<html><body><p>Words.</p></body></html>".encode(), "x.html")) == ["Words."]


def test_a_tag_with_more_attributes_than_any_page_has_is_read_without_them() -> None:
    many = " ".join(f"a{n}=1" for n in range(3000))
    data = "data:image/png;base64," + "A" * 9000
    page = f"<html><body><p {many} hidden>One.</p><img alt='x' src='{data}'><p class='{'a ' * 4000}' hidden>Two.</p>"
    assert texts(read_bytes(page.encode(), "x.html")) == ["One."]


@pytest.mark.parametrize("value", ["The Book", '"The Book"', "'The Book'  ", "   The Book\t"])
def test_fields_of_front_matter(value: str) -> None:
    text = f"---\ntitle: {value}\nauthor : A. “Q” O'Author\nempty:\n---\n\nWords."
    document = read_bytes(text.encode(), "x.md")
    assert (document.title, document.author) == ("The Book", "A. “Q” O'Author")


def test_notes_in_markdown_have_short_names_without_brackets() -> None:
    document = read_bytes(b"One[^a] and [^[^b] and [^c]: two.\n\n[^a]: The note.\n", "x.md")
    assert texts(document) == ["One and [^ and [^c]: two."]


def test_rows_of_a_table_are_no_sentence_together_with_what_follows() -> None:
    """Even where they are so short that one breath says them all."""
    page = "# One\n| A | B |\n|---|---|\n| 1 | 2 |\n- item one\n- item two\n"
    document = read_bytes(page.encode(), "page.md")
    assert texts(document) == ["One", "A, B.", "1, 2.", "item one", "item two"]
    said = [chunk.text for chunk in chunks.cut(document)]
    assert said == ["One", "A, B. 1, 2. item one", "item two"]


def long_docx(paragraphs: int) -> bytes:
    """A Word document with headings, tables, boxes around its paragraphs, empty ones, and a paragraph in two runs."""
    rows = []
    for number in range(paragraphs):
        run = f"<w:r><w:t>Paragraph {number} </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>ends.</w:t></w:r>"
        if number % 10 == 0:
            rows.append(f'<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Chapter {number}</w:t></w:r></w:p>')
        if number % 10 == 3:
            cells = f"<w:tc><w:p>{run}</w:p></w:tc><w:tc><w:p><w:r><w:t>beside {number}</w:t></w:r></w:p></w:tc>"
            rows.append(f"<w:tbl><w:tr>{cells}</w:tr><w:tr>{cells}</w:tr></w:tbl><w:p/>")
        elif number % 10 == 6:
            rows.append(f"<w:sdt><w:sdtPr/><w:sdtContent><w:p>{run}</w:p><w:p>{run}</w:p></w:sdtContent></w:sdt>")
        else:
            rows.append(f"<w:p>{run}</w:p>")
    return docx(document=DOCUMENT.format("".join(rows)))


@pytest.mark.parametrize("piece", [1, 50, 400])
def test_a_word_document_in_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    whole = read_bytes(long_docx(60), "x.docx")
    monkeypatch.setattr("narrate.text.formats.docx.PIECE", piece)
    pieces = read_bytes(long_docx(60), "x.docx")
    assert texts(pieces) == texts(whole)
    assert titles(pieces) == titles(whole)
    assert len(texts(whole)) > 70


def test_a_word_document_of_marks_alone_is_no_book(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrate.text.formats.docx.MOST_ELEMENTS", 5000)
    paragraph = "<w:p>" + "<w:r><w:t>a</w:t></w:r>" * 2000 + "</w:p>"
    with pytest.raises(InputError, match="holds more marks than words"):
        read_bytes(docx(document=DOCUMENT.format(paragraph)), "x.docx")
    assert texts(read_bytes(docx(document=DOCUMENT.format("<w:p><w:r><w:t>a</w:t></w:r></w:p>" * 2000)), "x.docx"))
