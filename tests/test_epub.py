from __future__ import annotations

import re
import zipfile
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from narrate.errors import InputError
from narrate.text.document import Document, Edition
from narrate.text.formats import epub
from narrate.text.formats.archive import Archive
from narrate.text.formats.choices import Choices
from narrate.text.formats.markup import parse
from narrate.text.formats.package import read_package
from narrate.text.readers import ReadOptions, read_bytes, read_file
from tests.epubs import item, make_epub, nav, ncx, page

PROSE = "<p>" + "It was a bright cold day, and the clocks were striking. " * 3 + "</p>"


def texts(document: Document) -> list[str]:
    return [paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs]


def titles(document: Document) -> list[tuple[int, str]]:
    return [(chapter.number, chapter.title) for chapter in document.chapters]


def sound(document: Document) -> str:
    return "\n".join("".join(p.sound for p in row.spans) for c in document.chapters for row in c.paragraphs)


def read_page(body: str, head: str = "", others: dict[str, str | bytes] | None = None, **options: Any) -> Document:
    return epub.read(make_epub({"a.xhtml": page(body, head)}, others), Choices(**options))


CHAPTERS = {f"c{n}.xhtml": page(f"<h2>Chapter {n}</h2>{PROSE}") for n in (1, 2, 3)}


def test_pages_in_reading_order_with_titles_of_the_navigation() -> None:
    entries = "".join(item(f"c{n}.xhtml", f"Chapter {n}") for n in (1, 2, 3))
    pages = {"nav.xhtml": nav(entries), **CHAPTERS}
    document = epub.read(make_epub(pages))
    assert (document.title, document.author, document.language) == ("Book", "A. Author", "en")
    assert titles(document) == [(1, "Chapter 1"), (2, "Chapter 2"), (3, "Chapter 3")]
    assert [chapter.paragraphs[0].kind for chapter in document.chapters] == ["heading"] * 3
    assert "contents" in {part.kind for part in document.excluded}


def test_epub_2_with_several_chapters_in_one_page() -> None:
    body = "".join(f'<div id="k{n}"><p class="t">Kapitel {n}</p>{PROSE}</div>' for n in (1, 2, 3))
    entries = [(f"a.xhtml#k{n}", f"Kapitel {n}") for n in (1, 2, 3)]
    document = epub.read(make_epub({"a.xhtml": page("<p>Motto.</p>" + body)}, {"toc.ncx": ncx(entries)}))
    assert titles(document) == [(0, ""), (1, "Kapitel 1"), (2, "Kapitel 2"), (3, "Kapitel 3")]
    assert document.chapters[1].paragraphs[0].kind == "heading"


@pytest.mark.parametrize("root", ["package.opf", "OPS/deep/er/package.opf"])
def test_names_that_are_encoded_or_not_ascii(root: str) -> None:
    pages = {"第 1.xhtml": CHAPTERS["c1.xhtml"], "c%202.xhtml": CHAPTERS["c2.xhtml"], "C3.XHTML": CHAPTERS["c3.xhtml"]}
    hrefs = {"第 1.xhtml": "%E7%AC%AC%201.xhtml", "c%202.xhtml": "c%202.xhtml", "C3.XHTML": "c3.xhtml"}
    entries = item("%E7%AC%AC%201.xhtml", "One") + item("c%202.xhtml", "Two") + item("c3.xhtml", "Three")
    document = epub.read(make_epub(pages, {"nav.xhtml": nav(entries)}, hrefs, root=root))
    assert [title for _, title in titles(document)] == ["One", "Two", "Three"]


def test_parts_and_chapters() -> None:
    below = item("c1.xhtml", "Chapter 1") + item("c2.xhtml", "Chapter 2")
    pages = {"p.xhtml": page("<h1>Part One</h1>"), **CHAPTERS}
    document = epub.read(
        make_epub(pages, {"nav.xhtml": nav(item("p.xhtml", "Part One", below) + item("c3.xhtml", "Chapter 3"))})
    )
    assert [title for _, title in titles(document)] == ["Part One – Chapter 1", "Chapter 2", "Chapter 3"]


def test_without_a_table_of_contents_headings_make_the_chapters() -> None:
    assert [title for _, title in titles(epub.read(make_epub(CHAPTERS)))] == ["Chapter 1", "Chapter 2", "Chapter 3"]
    plain = {f"c{n}.xhtml": page(f"<p>第{n}章</p><p>{'本文です。' * 20}</p>") for n in (1, 2)}
    assert [title for _, title in titles(epub.read(make_epub(plain)))] == ["第1章", "第2章"]


def test_what_is_not_read_is_left_out_by_kind() -> None:
    body = (
        '<p>One<span epub:type="pagebreak" id="p2" title="2">2</span> and<a epub:type="noteref" href="#n1">1</a> two'
        '<sup><a href="#n2">2</a></sup>.</p><p hidden="hidden">H</p><p style="display: none">I</p>'
        '<p aria-hidden="true">J</p><p class="gone">K</p><p id="away">L</p><img alt="M" src="m.png"/>'
        "<svg><text>N</text></svg><script>O</script><video>P</video>"
        '<aside epub:type="footnote" id="n1"><p>Q</p></aside><div><p id="n2"><a href="#r">2</a> R</p></div>'
    )
    style = ".gone, p.lost { display:none } @media amzn { .kept { display: none } } #away{visibility:hidden}"
    document = read_page(body + '<p class="kept">Kept.</p>', others={"s.css": style})
    assert texts(document) == ["One and two.", "Kept."]
    assert Counter(part.kind for part in document.excluded) == {
        "head": 1,
        "page": 1,
        "reference": 2,
        "hidden": 5,
        "media": 2,
        "code": 1,
        "footnote": 2,
    }


@pytest.mark.parametrize("kind", ["noteref", "annoref", "biblioref", "glossref"])
@pytest.mark.parametrize(
    ("link", "read"),
    [("1", False), ("*", False), ("[2]", False), ("iv", False), ("note 3", False), ("footnote", False), ("注三", False),
     ("Emperor’s", True), ("漱石", True), ("warrior brave", True)],
)  # fmt: skip
def test_a_word_that_something_is_noted_about_is_read(kind: str, link: str, read: bool) -> None:
    body = f'<p>The <a epub:type="{kind}" href="#n">{link}</a> new clothes.</p><p>And more of it.</p>'
    assert (link in texts(read_page(body))[0]) is read


def test_footnotes_at_the_end_of_their_page() -> None:
    body = (
        '<p>One<a epub:type="noteref" href="#n1">1</a>.</p><aside epub:type="footnote" id="n1"><p>A note.</p></aside>'
        "<p>Two.</p>"
    )
    assert texts(read_page(body)) == ["One.", "Two."]
    assert texts(read_page(body, footnotes="end")) == ["One.", "Two.", "A note."]


def test_notes_in_a_page_of_their_own() -> None:
    pages = {
        "a.xhtml": page('<p id="r1">Word<a href="n.xhtml#n1"><sup>1</sup></a> and more.</p>'),
        "n.xhtml": page('<h2>Notes</h2><ol><li id="n1">The note. <a href="a.xhtml#r1"><sup>1</sup></a></li></ol>'),
    }
    assert texts(epub.read(make_epub(pages))) == ["Word and more.", "Notes"]


def test_ruby_of_every_shape() -> None:
    body = (
        "<p><ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby>と<ruby>取<rt>と</rt>り<rt></rt>引<rt>ひ</rt></ruby>き、"
        "<ruby><rb>東</rb><rb>京</rb><rt>とう</rt><rt>きょう</rt></ruby>、<ruby>強調<rt>・・</rt></ruby>、"
        "<ruby>英<rtc><rt>えい</rt></rtc></ruby>。</p>"
    )
    document = read_page(body)
    assert sound(document) == "かんじととりひき、とうきょう、強調、えい。"
    assert texts(document) == ["漢字と取り引き、東京、強調、英。"]
    assert sound(read_page(body, ruby="base")) == "漢字と取り引き、東京、強調、英。"


def test_pinyin_is_not_said() -> None:
    assert sound(read_page("<p><ruby>汉<rt>hàn</rt>字<rt>zì</rt></ruby>。</p>")) == "汉字。"


def test_lines_tables_lists_and_space() -> None:
    body = (
        "<h1>Chapter 1<br/>The Title</h1><p>A\n   line <b>bo</b>ld.</p><p>一行\n目です。</p>"
        "<p>Verse one<br/>verse two<br/>verse three</p><p>「はい。」<br/>「いいえ。」<br/>と言った。</p>"
        "<table><tr><th>Name</th><td>Age.</td></tr><tr><td><p>Bob</p></td><td>7</td></tr></table>"
        "<ul><li>First</li><li>Second <p>para</p></li></ul><pre>code one\n  code two</pre>"
        '<div class="poem">A poem</div>a tail'
    )
    document = read_page(body)
    assert texts(document) == [
        "Chapter 1 The Title",
        "A line bold.",
        "一行目です。",
        *("Verse one", "verse two", "verse three"),
        *("「はい。」", "「いいえ。」", "と言った。"),
        "Name, Age.",
        *("Bob", "7"),
        *("First", "Second", "para"),
        *("code one", "code two"),
        *("A poem", "a tail"),
    ]
    kinds = [paragraph.kind for chapter in document.chapters for paragraph in chapter.paragraphs]
    assert kinds[3:9] == ["verse"] * 3 + ["prose"] * 3
    assert kinds[-4:] == ["verse"] * 3 + ["prose"]


def test_a_picture_of_a_character_is_that_character() -> None:
    assert texts(read_page('<p>喰<img class="gaiji" alt="い" src="g.png"/>殺<img alt="図" src="f.png"/>す。</p>')) == [
        "喰い殺す。"
    ]


def test_pictures_of_first_letters_and_of_headings_are_read() -> None:
    page = '<h1><img alt="Chapter One" src="1.png"/></h1><p><img alt="T" src="t.png"/>HE mill.</p>'
    assert texts(read_page(page + '<h2>Two <img alt="a flower" src="f.png"/></h2>')) == [
        "Chapter One",
        "THE mill.",
        "Two",
    ]


def test_entities_self_closed_tags_and_broken_pages() -> None:
    assert texts(read_page("<p>A&nbsp;B&hellip; &unknown; &lt;i&gt;</p>")) == ["A B… &unknown; <i>"]
    assert texts(read_page('<p><a id="x"/>Text <span class="pagebreak"/>goes on.</p>')) == ["Text goes on."]
    assert texts(read_page("<p>One<p>Two &copy; <span class='pagenum'/>three")) == ["One", "Two © three"]


def test_covers_imprints_contents_and_what_is_beside_the_book() -> None:
    pages = {
        "cover.xhtml": page('<body epub:type="cover"><p>Cover words</p></body>'),
        "title.xhtml": page('<section epub:type="titlepage"><h1>Book</h1></section>'),
        "rights.xhtml": page("<p>Copyright © 2020 A. Author. All rights reserved.</p>"),
        "toc.xhtml": page(
            "<h2>Contents</h2>" + "".join(f'<p><a href="c{n}.xhtml">Chapter {n}</a></p>' for n in range(1, 6))
        ),
        **CHAPTERS,
        "end.xhtml": page("<p>About this edition.</p>"),
        "aside.xhtml": page("<p>Beside.</p>"),
    }
    landmarks = '<li><a epub:type="colophon" href="end.xhtml">End</a></li>'
    entries = "".join(item(f"c{n}.xhtml", f"Chapter {n}") for n in (1, 2, 3)) + item("end.xhtml", "About")
    book = make_epub(pages, {"nav.xhtml": nav(entries, landmarks)}, not_linear=["aside.xhtml"])
    document = epub.read(book)
    assert titles(document) == [(1, "Chapter 1"), (2, "Chapter 2"), (3, "Chapter 3")]
    kinds = Counter(part.kind for part in document.excluded)
    assert (kinds["cover"], kinds["colophon"], kinds["contents"], kinds["beside"]) == (2, 2, 1, 1)


@pytest.mark.parametrize("mark", ["label", "landmark", "imprint"])
@pytest.mark.parametrize("sentences", [1, 300])
def test_a_page_with_much_text_is_no_cover_and_no_imprint_whatever_it_is_called(mark: str, sentences: int) -> None:
    words = "It was a bright cold day, and the clocks were striking. " * sentences
    first = page(f"<p>{words}{'Copyright © 2020 A. Author.' if mark == 'imprint' else ''}</p>")
    labels = item("a.xhtml", "Cover") if mark == "label" else ""
    landmark = '<li><a epub:type="cover" href="a.xhtml">Cover</a></li>' if mark == "landmark" else ""
    entries = labels + "".join(item(f"c{n}.xhtml", f"Chapter {n}") for n in (1, 2, 3))
    document = epub.read(make_epub({"a.xhtml": first, **CHAPTERS}, {"nav.xhtml": nav(entries, landmark)}))
    assert sound(document).count("bright cold day") - 9 == (sentences if sentences > 1 else 0)


def test_the_licence_of_project_gutenberg() -> None:
    body = (
        '<section class="pg-boilerplate pgheader" id="pg-header"><p>Licence head</p></section>'
        f"<p>*** START OF THE PROJECT GUTENBERG EBOOK X ***</p><h2>I</h2>{PROSE}<h2>II</h2>{PROSE}"
        "<p>*** END OF THE PROJECT GUTENBERG EBOOK X ***</p><p>Licence foot</p>"
    )
    document = read_page(body)
    assert titles(document) == [(1, "I"), (2, "II")]
    assert not any("icence" in text or "***" in text for text in texts(document))


ENCRYPTION = (
    '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:enc="http://www.w3.org/2001/04/xmlenc#">'
    '<enc:EncryptedData><enc:EncryptionMethod Algorithm="{}"/><enc:CipherData><enc:CipherReference URI="OEBPS/{}"/>'
    "</enc:CipherData></enc:EncryptedData></encryption>"
)


@pytest.mark.parametrize(
    ("lock", "name"),
    [
        ("META-INF/rights.xml", "Adobe DRM"),
        ("META-INF/sinf.xml", "FairPlay"),
        ("META-INF/license.lcpl", "LCP"),
        ("META-INF/x", "DRM"),
    ],
)
def test_locked_books_are_refused(lock: str, name: str) -> None:
    encryption = ENCRYPTION.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "c1.xhtml")
    data = make_epub(CHAPTERS, {"META-INF/encryption.xml": encryption, lock: b"x"})
    with pytest.raises(InputError, match=name):
        epub.read(data)


def test_scrambled_fonts_are_no_lock() -> None:
    encryption = ENCRYPTION.format("http://www.idpf.org/2008/embedding", "font.otf")
    assert len(epub.read(make_epub(CHAPTERS, {"META-INF/encryption.xml": encryption})).chapters) == 3


def test_bombs_and_paths_out_of_the_book_are_refused() -> None:
    with pytest.raises(InputError, match="zip bomb"):
        epub.read(make_epub(CHAPTERS, {"b.xhtml": b"0" * (40 << 20)}))
    outside = make_epub({"c1.xhtml": CHAPTERS["c1.xhtml"], "x": ""}, hrefs={"x": "../../../etc/passwd"})
    assert "root:" not in epub.read(outside).source


def test_entities_from_outside_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret words", "utf-8")
    doctype = (
        f'<!DOCTYPE html [<!ENTITY x SYSTEM "file://{secret}"><!ENTITY y "{"ha" * 50}"><!ENTITY z "{"&y;" * 50}">]>'
    )
    body = page("<p>Safe &x; and &z; text.</p>").replace("<!DOCTYPE html>", doctype)
    document = epub.read(make_epub({"a.xhtml": body}))
    assert "secret" not in document.source
    assert texts(document)[0].startswith("Safe")
    assert len(document.source) < 500


def test_a_missing_page_is_a_warning_and_none_at_all_an_error() -> None:
    data = make_epub({**CHAPTERS})
    without = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(without, "w") as new:
        for name in old.namelist():
            if not name.endswith("c2.xhtml"):
                new.writestr(name, old.read(name))
    assert epub.read(without.getvalue()).warnings == ("OEBPS/c2.xhtml is missing in the file",)


@pytest.mark.parametrize("cut", [10, 200, 1000, -100, -30])
def test_a_book_that_is_cut_short_is_said_to_be_damaged(cut: int) -> None:
    with pytest.raises(InputError, match=r"book\.epub: .*(damaged|binary)") as caught:
        read_bytes(make_epub(CHAPTERS)[:cut], "book.epub")
    assert "\n" not in str(caught.value)


BOOKS = ["kusamakura-japanese-vertical-writing", "childrens-literature", "accessible_epub_3"]


@pytest.mark.parametrize("name", BOOKS)
def test_every_letter_of_a_real_book_is_written_once(books: Path, name: str) -> None:
    path = books / "epub" / f"{name}.epub"
    archive = Archive(path.read_bytes())
    pages = [parse(archive.read(item.path)) for item in read_package(archive).spine]
    letters = re.sub(r"[\W_]", "", "".join("".join(tree.itertext()) for tree in pages))
    assert re.sub(r"[\W_]", "", read_file(path).source) == letters


def test_kusamakura(books: Path) -> None:
    document = read_file(books / "epub" / f"{BOOKS[0]}.epub")
    assert (document.title, document.author, document.language) == ("草枕", "夏目 漱石", "ja")
    assert titles(document) == list(enumerate("一 二 三 四 五 六 七 八 九 十 十一 十二 十三".split(), 1))
    assert sound(document).startswith("一\nやまみちを登りながら、こう考えた。")


def test_the_other_real_books(books: Path) -> None:
    stories = read_file(books / "epub" / f"{BOOKS[1]}.epub")
    assert len(stories.chapters) == 17
    assert stories.chapters[4].title == "192 THE REAL PRINCESS"
    guide = read_file(books / "epub" / f"{BOOKS[2]}.epub", ReadOptions(footnotes="end"))
    assert [chapter.title for chapter in guide.chapters][:2] == ["Preface", "1. Introduction"]


def test_a_japanese_book_whose_contents_list_cover_and_imprint() -> None:
    pages = {
        "p-cover.xhtml": page('<p><img src="c.jpg" alt=""/></p>'),
        "p-title.xhtml": page("<p>題名</p><p>作者</p>"),
        "p-toc.xhtml": page("<p>目次</p><p>第一章</p>"),
        "p-001.xhtml": page("<p>　</p><p class='midashi'>第一章　始</p><p>　本文です。</p><p>「はい」</p>"),
        "p-002.xhtml": page('<p><img src="i.jpg" alt=""/></p>'),
        "p-003.xhtml": page("<p class='midashi'>第二章</p><p>　本文です。</p>"),
        "p-colophon.xhtml": page("<p>発行者　甲</p>"),
    }
    labels = ["表紙", "扉", "目次", "第一章　始", "口絵", "第二章", "奥付"]
    entries = "".join(item(name, label) for name, label in zip(pages, labels, strict=True))
    document = epub.read(make_epub(pages, {"nav.xhtml": nav(entries)}))
    assert titles(document) == [(1, "第一章 始"), (2, "第二章")]
    assert texts(document) == ["第一章　始", "本文です。", "「はい」", "第二章", "本文です。"]


def test_pictures_that_point_to_notes() -> None:
    body = (
        '<p>他走了<a class="duokan-footnote" href="#n1"><img src="note.png" alt=""/></a>。</p>'
        '<ol class="duokan-footnote-content"><li class="duokan-footnote-item" id="n1">注释。</li></ol>'
    )
    assert texts(read_page(body)) == ["他走了。"]


@pytest.mark.parametrize(
    ("code", "language"), [("en-GB", "en"), ("jpn", "ja"), ("deu", "de"), ("fra", "fr"), ("zh_TW", "zh")]
)
def test_codes_of_languages(code: str, language: str) -> None:
    metadata = f"<dc:title>B</dc:title><dc:language>{code}</dc:language>"
    assert epub.read(make_epub(CHAPTERS, metadata=metadata)).language == language


JPEG, PNG = b"\xff\xd8\xff picture", b"\x89PNG picture"
NAMED = '<dc:title>Book</dc:title><dc:language>en</dc:language><meta name="cover" content="{}"/>'


def test_the_cover_is_the_picture_that_the_manifest_calls_so() -> None:
    data = make_epub(CHAPTERS, {"other.jpg": JPEG + b"2", "front.jpg": JPEG}, cover="front.jpg")
    assert epub.read(data).cover == JPEG


@pytest.mark.parametrize("content", ["i3", "front.png"])
def test_an_older_book_names_its_cover_by_item_or_by_name(content: str) -> None:
    data = make_epub(CHAPTERS, {"front.png": PNG, "other.png": PNG + b"2"}, metadata=NAMED.format(content))
    assert epub.read(data).cover == PNG


def test_a_book_whose_cover_is_missing_or_no_jpeg_or_png_is_read_without_it() -> None:
    assert epub.read(make_epub(CHAPTERS)).cover is None
    assert epub.read(make_epub(CHAPTERS, metadata=NAMED.format("c1.xhtml"))).cover is None
    assert epub.read(make_epub(CHAPTERS, {"front.jpg": b"<svg/>"}, cover="front.jpg")).cover is None
    gone = make_epub(CHAPTERS, {"front.jpg": JPEG}, {"front.jpg": "nowhere.jpg"}, cover="front.jpg")
    assert epub.read(gone).cover is None
    assert len(epub.read(gone).chapters) == 3


SAID = """<dc:title>Book</dc:title><dc:language>en</dc:language>
<dc:publisher>P &amp; Q</dc:publisher><dc:date>1905</dc:date>"""
NEW_SERIES = (
    '<meta property="belongs-to-collection" id="s">Cats</meta><meta refines="#s" property="group-position">2</meta>'
    '<meta refines="#s" property="collection-type">series</meta>'
    '<meta property="belongs-to-collection" id="t">Boxes</meta><meta refines="#t" property="collection-type">set</meta>'
)
OLD_SERIES = '<meta name="calibre:series" content="Cats"/><meta name="calibre:series_index" content="2.0"/>'


@pytest.mark.parametrize("series", [NEW_SERIES, OLD_SERIES])
def test_what_a_book_says_of_its_edition(series: str) -> None:
    described = "<dc:description>&lt;p&gt;A &lt;b&gt;cat&lt;/b&gt; talks.&lt;/p&gt;</dc:description>"
    edition = epub.read(make_epub(CHAPTERS, metadata=SAID + described + series)).edition
    assert edition == Edition("A cat talks.", "P & Q", "1905", "Cats", "2")


def test_a_book_that_says_nothing_of_its_edition() -> None:
    plain = epub.read(make_epub(CHAPTERS, metadata=SAID + "<dc:description>3 &lt; 4</dc:description>")).edition
    assert plain.description == "3 < 4"
    assert epub.read(make_epub(CHAPTERS)).edition == Edition()


def test_a_book_of_which_no_page_is_left_has_no_words() -> None:
    contents = nav(item("nav.xhtml", "One") + item("nav.xhtml#a", "Two"))
    with pytest.raises(InputError, match="has no words in it"):
        read_bytes(make_epub({"nav.xhtml": contents}), "x.epub")


def test_an_epigraph_and_a_dedication_in_a_title_page_are_read() -> None:
    title = (
        '<section epub:type="titlepage"><h1>The Waste Land</h1><div epub:type="epigraph"><p>Sibyllam <i>quidem</i></p>'
        '</div>by A. Author<p epub:type="dedication">For Ezra</p><p>Publisher</p></section>'
    )
    entries = "".join(item(f"c{n}.xhtml", f"Chapter {n}") for n in (1, 2, 3))
    whole = page(title.replace(' epub:type="titlepage"', ""))
    landmark = '<li><a epub:type="cover" href="t.xhtml">Title</a></li>'
    for pages, marks in (({"t.xhtml": page(title)}, ""), ({"t.xhtml": whole}, landmark)):
        document = epub.read(make_epub({**pages, **CHAPTERS}, {"nav.xhtml": nav(entries, marks)}))
        assert texts(document)[:2] == ["Sibyllam quidem", "For Ezra"]
        left_out = [document.source[part.start : part.end] for part in document.excluded if part.kind == "cover"]
        assert [" ".join(part.split()[-2:]) for part in left_out] == ["Waste Land", "A. Author", "Publisher"]


def test_a_long_part_that_is_called_a_cover_is_read() -> None:
    long, short = (read_page(f'<div epub:type="titlepage"><p>{"Words. " * n}</p></div>{PROSE}') for n in (2000, 2))
    assert sound(long).count("Words.") == 2000
    assert sound(short).count("Words.") == 0


def test_a_navigation_goes_deeper_where_one_chapter_holds_most_of_the_book() -> None:
    months = {f"m{n}.xhtml": page(f"<h3>Month {n}</h3>{PROSE * 200}") for n in range(5)}
    below = "".join(item(name, f"Month {n}") for n, name in enumerate(months))
    pages = {"p.xhtml": page(f"<h2>Preface</h2>{PROSE}"), "h.xhtml": page('<h1 epub:type="halftitlepage">Diary</h1>')}
    for label, count in (("The Diary", 6), ("Chapter 2", 2)):
        entries = item("p.xhtml", "Preface") + item("h.xhtml" if count == 6 else "m0.xhtml", label, below)
        document = epub.read(make_epub({**pages, **months}, {"nav.xhtml": nav(entries)}))
        assert len(document.chapters) == count
