"""A book to read and to hear on the publisher's own pages: every byte of them stays, and each sentence has its name."""

from __future__ import annotations

import posixpath
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from narrate.errors import InputError
from narrate.sinks.pictures import draw_cover
from narrate.sinks.read_along.elements import read_xml
from narrate.sinks.read_along.places import PIECE, Places
from narrate.sinks.read_along.publisher import pages_of
from narrate.sinks.read_along.sentences import Reader, Stretch
from narrate.sinks.read_along.targets import CLOSED, Targets, mark
from narrate.text.book import TextOptions, open_book
from narrate.text.chunking.chunks import cut
from narrate.text.formats.archive import Archive
from tests.conftest import SHARED
from tests.epubs import item, make_epub, nav, page
from tests.test_read_along import SPACES, decoded, faults, needs_epubcheck

ROOT = Path(__file__).resolve().parents[1]
RATE = 8000
ADDED = re.compile(
    r'<span id="(?:s|narrate-)\d+">|(?<=[^>])</span>|</span>| id="(?:s|narrate-)\d+"'
    r'|<link rel="stylesheet" type="text/css" href="[^"]*narrate[^"]*"/>'
)


def narrate(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "narrate", *map(str, arguments)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT)


def files(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


FIRST = page(
    "<h1>One</h1><p class='x'>It was <em>very</em> dark. <i>Nobody came. Not</i> one &amp; all!</p>"
    "<p>The <ruby>lamp<rt>light</rt></ruby> burned<a href='#n' epub:type='noteref'>1</a> low.<img src='a.png' alt=''/>"
    "<br/>Then it went.</p><!-- a < remark --><table><tr><td>Red</td><td>Blue</td></tr></table><p>Good night.</p>"
    "<aside epub:type='footnote' id='n'><p>1 No lamp was found there.</p></aside>",
    "<style><![CDATA[ p > em { color: red } ]]></style>",
)
SECOND = page("<section id='two'><h1>Two</h1><p>“No,” she said. “No.”</p><p>No.</p></section>")
PICTURE = draw_cover("x", "y")


def book(tmp_path: Path, **options: object) -> Path:
    path = tmp_path / "book.epub"
    pages = {"nav.xhtml": nav(item("a.xhtml", "One") + item("dir/b.xhtml", "Two"))}
    wanted: dict[str, object] = {
        "pages": {"a.xhtml": FIRST, "dir/b.xhtml": SECOND},
        "others": {**pages, "style.css": "p { color: black }", "a.png": PICTURE},
    }
    path.write_bytes(make_epub(**{**wanted, **options}))  # type: ignore[arg-type]
    return path


def rows(made: dict[str, bytes]) -> list[tuple[str, str, str, float, float]]:
    """Page, text without readings, sound, begin and end of every par, page by page."""
    found = []
    for name in sorted(name for name in made if name.endswith(".smil")):
        for par in etree.fromstring(made[name]).iterfind(".//smil:par", SPACES):
            text, audio = par
            folder = name.rpartition("/")[0]
            target, _, fragment = unquote(text.get("src")).partition("#")
            at, sound = (posixpath.normpath(f"{folder}/{link}") for link in (target, unquote(audio.get("src"))))
            (element,) = etree.fromstring(made[at]).xpath("//*[@id=$name]", name=fragment)
            words = "".join(element.xpath(".//text()[not(ancestor::h:rt)]", namespaces=SPACES))
            times = [float(audio.get(edge).removesuffix("s")) for edge in ("clipBegin", "clipEnd")]
            found.append((at, " ".join(words.split()), sound, *times))
    return found


def test_each_sentence_has_a_name_and_all_else_stays(tmp_path: Path) -> None:
    path = book(tmp_path)
    done = narrate(path, "-e", f"tone:rate={RATE}", "-o", tmp_path / "out.epub")
    assert done.returncode == 0, done.stderr
    before, made = files(path), files(tmp_path / "out.epub")
    assert [(text, at) for at, text, *_ in rows(made)] == [
        ("One", "OEBPS/a.xhtml"),
        ("It was very dark.", "OEBPS/a.xhtml"),
        ("Nobody came. Not one & all!", "OEBPS/a.xhtml"),  # <i> begins in one sentence and ends in the next
        ("The lamp burned1 low.", "OEBPS/a.xhtml"),
        ("Then it went.", "OEBPS/a.xhtml"),
        ("RedBlue", "OEBPS/a.xhtml"),
        ("Good night.", "OEBPS/a.xhtml"),
        ("Two", "OEBPS/dir/b.xhtml"),
        ("“No,” she said.", "OEBPS/dir/b.xhtml"),
        ("“No.”", "OEBPS/dir/b.xhtml"),
        ("No.", "OEBPS/dir/b.xhtml"),
    ]
    assert next(iter(made)) == "mimetype"
    for name, data in before.items():
        if name.endswith(("b.xhtml", "a.xhtml")):
            assert ADDED.sub("", made[name].decode()) == data.decode()
        elif not name.endswith(".opf"):
            assert made[name] == data
    assert b'<tr id="s' in made["OEBPS/a.xhtml"], "no span can stand in a row"


def test_the_sound_of_a_page_is_followed_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    narrate(book(tmp_path), "-e", f"tone:rate={RATE}", "-o", tmp_path / "out.epub")
    made = files(tmp_path / "out.epub")
    opf = etree.fromstring(made["OEBPS/package.opf"])
    durations = {
        meta.get("refines", ""): float(meta.text.removesuffix("s"))
        for meta in opf.iterfind(".//opf:meta[@property='media:duration']", SPACES)
    }
    found = rows(made)
    for sound in {row[2] for row in found}:
        times = [row[3:] for row in found if row[2] == sound]
        assert times[0][0] == 0
        assert [begin for begin, _ in times[1:]] == [end for _, end in times[:-1]]
        last = times[-1][1]
        assert 0 <= len(decoded(tmp_path / "out.epub", sound, tmp_path)) / RATE - last < 1024 / RATE + 0.001
    assert durations.pop("") == pytest.approx(sum(durations.values()), abs=1e-9)
    assert sum(durations.values()) == pytest.approx(sum(end - begin for *_, begin, end in found), abs=1e-6)


def test_a_chapter_that_is_not_chosen_keeps_its_page(tmp_path: Path) -> None:
    done = narrate(book(tmp_path), "-e", f"tone:rate={RATE}", "-o", tmp_path / "out.epub", "--chapters", "2")
    assert done.returncode == 0, done.stderr
    made = files(tmp_path / "out.epub")
    assert {at for at, *_ in rows(made)} == {"OEBPS/dir/b.xhtml"}
    assert made["OEBPS/a.xhtml"] == FIRST.encode()


def test_what_the_listener_says_of_the_book_is_in_its_package(tmp_path: Path) -> None:
    said = ["--title", "T <&>", "--author", "B. C.", "--series", "S #2", "--description", "D", "--narrator", "N"]
    (tmp_path / "mine.jpg").write_bytes(draw_cover("mine", ""))
    path = book(tmp_path, cover="a.png")
    done = narrate(path, "-e", "tone:rate=8000", "-o", tmp_path / "out.epub", *said, "--cover", tmp_path / "mine.jpg")
    assert done.returncode == 0, done.stderr
    made = files(tmp_path / "out.epub")
    opf = etree.fromstring(made["OEBPS/package.opf"])
    assert [opf.findtext(f".//dc:{name}", None, SPACES) for name in ("title", "creator", "description")] == [
        "T <&>", "B. C.", "D",
    ]  # fmt: skip
    named = {meta.get("property"): meta.text for meta in opf.iterfind(".//opf:meta", SPACES)}
    assert (named["belongs-to-collection"], named["group-position"], named["media:narrator"]) == ("S", "2", "N")
    (cover,) = opf.iterfind(".//opf:item[@properties='cover-image']", SPACES)
    assert made[f"OEBPS/{cover.get('href')}"] == draw_cover("mine", "")


def test_overlays_that_were_there_are_replaced(tmp_path: Path) -> None:
    narrate(book(tmp_path), "-e", f"tone:rate={RATE}", "-o", tmp_path / "once.epub")
    done = narrate(tmp_path / "once.epub", "-e", f"tone:rate={RATE}", "-o", tmp_path / "twice.epub", "--chapters", "2")
    assert done.returncode == 0, done.stderr
    once, twice = files(tmp_path / "once.epub"), files(tmp_path / "twice.epub")
    assert [row[1] for row in rows(twice)] == [row[1] for row in rows(once) if row[0].endswith("b.xhtml")]
    opf = etree.fromstring(twice["OEBPS/package.opf"])
    assert len(opf.findall(".//opf:item[@media-type='application/smil+xml']", SPACES)) == 1
    assert len(opf.findall(".//opf:meta[@property='media:duration']", SPACES)) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pages": {"a.xhtml": FIRST, "dir/b.xhtml": SECOND.replace("</section>", "")}}, "that is not well-formed XML"),
        ({}, "is an EPUB 2"),
    ],
)
def test_pages_that_cannot_be_kept_are_written_anew_and_it_is_said(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    path = book(tmp_path, **change)
    if not change:
        made = files(path)
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in made.items():
                archive.writestr(name, data.replace(b'version="3.0"', b'version="2.0"'))
    done = narrate(path, "-e", f"tone:rate={RATE}", "-o", tmp_path / "out.epub")
    assert done.returncode == 0, done.stderr
    assert "gets pages of narrate's own" in done.stderr
    assert words in done.stderr
    assert "EPUB/text/001.xhtml" in files(tmp_path / "out.epub")


@needs_epubcheck
def test_epubcheck_has_nothing_to_say_that_it_did_not_say_before(tmp_path: Path) -> None:
    contents = nav(item("a.xhtml", "One") + item("dir/b.xhtml", "Two"))
    metadata = (
        "<dc:identifier id='u'>urn:uuid:1d9b2c6e-5a55-4b64-8d5a-2f5f9a1f6c11</dc:identifier><dc:title>Book</dc:title>"
        "<dc:language>en</dc:language><meta property='dcterms:modified'>2020-01-01T00:00:00Z</meta>"
    )
    first = FIRST.replace("a.png", "a.jpg").replace("epub:type='noteref'", "epub:type='noteref' role='doc-noteref'")
    path = book(
        tmp_path,
        pages={"a.xhtml": first, "dir/b.xhtml": SECOND},
        others={"nav.xhtml": contents, "a.jpg": PICTURE},
        metadata=metadata,
    )
    before = faults(path)
    narrate(path, "-e", f"tone:rate={RATE}", "-o", tmp_path / "out.epub")
    assert any(name.endswith(".smil") for name in files(tmp_path / "out.epub"))
    assert faults(tmp_path / "out.epub") == before


# --- elements, places, targets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["<a>", "<a></b>", "a", "<a>&", "<a><!-- </a>", '<a b="</a>', "", "</a>", "<a>\x00<</a>"]
)
def test_what_is_no_xml_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        read_xml(text.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_without_edits_is_the_same_file(encoding: str) -> None:
    data = '<?xml version="1.0"?>\r\n<!DOCTYPE html>\n<a x="1>2">é&eacute;&#x41;<![CDATA[<b>]]><br/></a>\n'.encode(
        encoding
    )
    file = read_xml(data)
    assert file.edited([]) == data
    assert file.characters == "ééA<b>"


PIECES = st.recursive(
    st.sampled_from(["One. ", "two", "Three! ", "“Four.” ", "&amp; ", "<br/>", "五。", "  ", "<img src='x'/>"]),
    lambda inner: st.tuples(st.sampled_from(["i", "b", "a", "span", "p", "div", "ul", "li", "ruby", "rt"]),
                            st.lists(inner, max_size=4)).map(lambda made: f"<{made[0]}>{''.join(made[1])}</{made[0]}>"),
    max_leaves=25,
)  # fmt: skip


@given(st.lists(PIECES, min_size=1, max_size=6), st.data())
@settings(deadline=None, max_examples=200)
def test_targets_are_apart_and_nested_as_elements_are_and_nothing_else_changes(
    pieces: list[str], data: st.DataObject
) -> None:
    file = read_xml(f"<html><body>{''.join(pieces)}</body></html>".encode())
    count = len(file.characters)
    if not count:
        return
    edges = sorted(data.draw(st.sets(st.integers(0, count), min_size=2, max_size=8)) | {0, count})
    ranges = list(zip(edges, edges[1:], strict=False))
    targets, of_range = Targets(file).around(ranges)
    assert all(before.last <= after.first for before, after in zip(targets, targets[1:], strict=False))
    for (first, last), number in zip(ranges, of_range, strict=True):
        assert targets[number].first <= first
        assert last <= targets[number].last
    marks = [mark(target, f"n{number}") for number, target in enumerate(targets)]
    made = file.edited([edit for _, edits in marks for edit in edits])
    root, before = etree.fromstring(made), etree.fromstring(file.text.encode())
    assert "".join(root.itertext()) == "".join(before.itertext())
    assert len(list(root.iter())) - len(list(before.iter())) == sum(target.element is None for target in targets)
    for target, (name, _) in zip(targets, marks, strict=True):
        (element,) = root.xpath("//*[@id=$name]", name=name)
        words = "".join("".join(element.xpath(".//text()[not(ancestor::rt)]")).split())
        assert words == file.characters[target.first : target.last]
        if target.element is None:
            assert element.getparent().tag not in CLOSED
            assert not [inner for inner in element if inner.tag in ("p", "div", "ul", "li")]


def test_a_picture_may_stand_for_a_letter_and_a_paragraph_may_be_long(tmp_path: Path) -> None:
    """The picture of an initial is read as its letter, which is not on the page, and 《》 is a reading there."""
    words = " ".join(f"word{number}" for number in range(PIECE))
    first = page(f"<h1>One</h1><p><img alt='T' src='a.png'/>he lamp. {words} 猫《ねこ》 end.</p><p>Next one.</p>")
    path = book(tmp_path, pages={"a.xhtml": first, "dir/b.xhtml": SECOND})
    opened = open_book(str(path), TextOptions())
    assert opened.document is not None
    _, pages = pages_of(Archive(path.read_bytes()))
    places = Places(pages, opened.document)
    texts = Reader(opened.document.chapters[0].paragraphs, 0).pages
    assert texts[1].text.startswith("The lamp.")
    found = places.range_of(1, Stretch(1, 0, len("The lamp.")))
    assert found is not None
    assert pages[0].characters[found.first : found.last] == "helamp."
    found = places.range_of(1, Stretch(2, 0, len("Next one.")))
    assert found is not None
    assert pages[0].characters[found.first : found.last] == "Nextone."
    end = places.range_of(1, Stretch(1, len(texts[1].text) - 4, len(texts[1].text)))
    assert end is not None
    assert pages[0].characters[end.first : end.last] == "end."


def test_a_text_that_is_not_on_the_pages_is_told(tmp_path: Path) -> None:
    opened = open_book(str(book(tmp_path)), TextOptions())
    assert opened.document is not None
    with pytest.raises(InputError, match="in another form"):
        Places([read_xml(page("<p>Quite another text stands here.</p>").encode())], opened.document)


REAL = sorted((SHARED / "texts" / "epub").glob("*.epub")) + sorted((SHARED / "texts").glob("*.epub"))


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem[:20])
def test_every_sentence_of_real_books_is_found_on_its_page(path: Path) -> None:
    opened = open_book(str(path), TextOptions())
    assert opened.document is not None
    _, pages = pages_of(Archive(path.read_bytes()))
    places = Places(pages, opened.document)
    first, ends, told = 0, [0] * len(pages), 0
    for chapter in opened.document.chapters:
        reader = Reader(chapter.paragraphs, first)
        first += len(chapter.paragraphs)
        for number, page_text in enumerate(reader.pages):
            stretch = Stretch(number, 0, len(page_text.text))
            found = places.range_of(chapter.number, stretch)
            if not any(map(str.isalnum, page_text.text)):
                continue
            assert found is not None, page_text.text
            words = pages[found.page].characters[found.first : found.last]
            assert words.startswith("".join(page_text.text.split())[:1])
            assert ends[found.page] <= found.first, "in order, and none twice"
            ends[found.page] = found.last
            told += sum(map(str.isalnum, page_text.text))
            assert sum(map(str.isalnum, words)) <= 1.1 * sum(map(str.isalnum, page_text.text)) + 12
    assert told > 0.99 * sum(sum(map(str.isalnum, chunk.text)) for chunk in cut(opened.document))
