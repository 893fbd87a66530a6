"""Rich text: paragraphs, lines, characters of every kind, title and author; no footnotes and no tables of fonts."""

from __future__ import annotations

import pytest

from narrate.text.document import Document
from narrate.text.readers import read_bytes

HEAD = r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Times;}}{\info{\title The Bell}{\author Ann O.}}"
BODY = r"""\pard\b Chapter 1\b0\par
It was a dark night.\line And so on \'e9t\'e9 \u20320?\u22909?.\par \par
Second paragraph{\footnote note text} here, C:\\\\parts.\par
\pard Chapter 2\par The end.\par}"""


def texts(document: Document) -> list[str]:
    return [paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs]


def test_the_text() -> None:
    document = read_bytes((HEAD + BODY).encode(), "book.rtf")
    said = " ".join(texts(document))
    assert said.startswith("Chapter 1 It was a dark night. And so on été 你好. Second paragraph here, C:")
    assert said.endswith("parts. Chapter 2 The end.")
    assert "note text" not in said
    assert "Times" not in said
    assert [chapter.title for chapter in document.chapters] == ["Chapter 1", "Chapter 2"]
    assert (document.title, document.author) == ("The Bell", "Ann O.")


def test_japanese_in_its_code_page() -> None:
    sentence = "".join(f"\\'{byte:02x}" for byte in "雨が降っていた。".encode("cp932"))
    document = read_bytes(rf"{{\rtf1\ansi\ansicpg932 {sentence}\par}}".encode(), "book.rtf")
    assert texts(document) == ["雨が降っていた。"]
    assert document.language == "ja"


@pytest.mark.parametrize("cut", range(60, 400, 37))
def test_a_file_that_was_cut_short_is_read_as_far_as_it_goes(cut: int) -> None:
    data = (HEAD + BODY).encode()[:cut]
    if b"It was" in data:
        assert "Chapter 1" in texts(read_bytes(data, "book.rtf"))[0]
