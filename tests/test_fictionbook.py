"""FictionBook: chapters, poems, notes, and what the book says of itself."""

from __future__ import annotations

import zipfile
from base64 import b64encode
from io import BytesIO

import pytest

from narrate.errors import InputError
from narrate.text.document import Document
from narrate.text.readers import ReadOptions, read_bytes

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(20)
BOOK = f"""<?xml version="1.0" encoding="windows-1251"?>
<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" xmlns:l="http://www.w3.org/1999/xlink">
<description><title-info><author><first-name>Анна</first-name><last-name>Иванова</last-name></author>
<book-title>Колокол</book-title><annotation><p>О колоколе.</p></annotation><lang>ru</lang>
<coverpage><image l:href="#c.png"/></coverpage><sequence name="Колокола" number="2"/></title-info>
<publish-info><publisher>Дом</publisher><year>1999</year></publish-info></description>
<body><title><p>Анна Иванова</p><p>Колокол</p></title>
<section><title><p>Глава 1</p></title><epigraph><p>Эпиграф.</p></epigraph>
<p>Была <emphasis>тёмная</emphasis> ночь.<a l:href="#n1" type="note">[1]</a> Шёл дождь.</p>
<poem><stanza><v>Строка один</v><v>строка два</v></stanza></poem><empty-line/><p>Конец первой.</p></section>
<section><title><p>Глава 2</p></title><p>Другая.</p></section></body>
<body name="notes"><section id="n1"><title><p>1</p></title><p>Примечание.</p></section></body>
<binary id="c.png" content-type="image/png">{b64encode(PICTURE).decode()}</binary></FictionBook>
""".encode("cp1251")
SAID = [
    "Анна Иванова Колокол", "Глава 1", "Эпиграф.", "Была тёмная ночь. Шёл дождь.", "Строка один", "строка два",
    "Конец первой.", "Глава 2", "Другая.",
]  # fmt: skip


def texts(document: Document) -> list[str]:
    return [paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs]


def test_the_text_and_its_chapters() -> None:
    document = read_bytes(BOOK, "book.fb2")
    assert texts(document) == SAID
    assert [chapter.title for chapter in document.chapters] == ["Глава 1", "Глава 2"]
    assert {paragraph.kind for paragraph in document.chapters[0].paragraphs} == {"heading", "prose", "verse"}
    assert {part.kind for part in document.excluded} == {"reference", "footnote"}
    assert texts(read_bytes(BOOK, "book.fb2", ReadOptions(footnotes="end")))[-1] == "Примечание."


def test_what_the_book_says_of_itself() -> None:
    document = read_bytes(BOOK, "book.fb2")
    assert (document.title, document.author, document.language) == ("Колокол", "Анна Иванова", "ru")
    assert document.edition == ("О колоколе.", "Дом", "1999", "Колокола", "2")
    assert document.cover == PICTURE


def test_the_content_tells_it_and_a_zip_file_of_it_is_opened() -> None:
    assert texts(read_bytes(BOOK, "book.xml")) == SAID
    with zipfile.ZipFile(packed := BytesIO(), "w") as archive:
        archive.writestr("book.fb2", BOOK)
    assert texts(read_bytes(packed.getvalue(), "book.fb2.zip")) == SAID


def test_what_stands_between_pictures_is_read() -> None:
    book = BOOK.replace("Другая.".encode("cp1251"), "Другая <image/> глава.<image/>".encode("cp1251"))
    assert texts(read_bytes(book, "book.fb2"))[-1] == "Другая глава."


def test_what_was_cut_short_is_read_as_far_as_it_goes() -> None:
    assert texts(read_bytes(BOOK[: BOOK.index(b"<empty-line")], "book.fb2"))[:4] == SAID[:4]
    with pytest.raises(InputError, match="damaged FictionBook"):
        read_bytes(BOOK[: BOOK.index(b"<body>")], "book.fb2")
