from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from narrate.text.document import Document
from narrate.text.formats import gutenberg
from narrate.text.readers import read_file

NEW_HEAD = """The Project Gutenberg eBook of The Test Book

This ebook is for the use of anyone anywhere in the United States.

Title: The Test Book
        or, a Trial

Author: Jane Tester

Language: French

*** START OF THE PROJECT GUTENBERG EBOOK THE TEST
BOOK ***

Produced by A Volunteer and the Online Distributed
Proofreading Team at https://www.pgdp.net

"""
NEW_FOOT = """


End of Project Gutenberg’s The Test Book

*** END OF THE PROJECT GUTENBERG EBOOK THE TEST BOOK ***

Licence.
"""
OLD_HEAD = """**The Project Gutenberg Etext of The Test Book, by Jane Tester**

Copyright laws are changing all over the world.

***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***
Why is this "Small Print!" statement here?

*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*

"""
OLD_FOOT = "\n\n\nEnd of the Project Gutenberg Etext of The Test Book\n"
PROSE = (
    """It was a bright cold day in the month of April, and all of the clocks
were striking thirteen when the old man came slowly down the road to
the house.

“Who is there?” he asked, and nobody answered him, for the house had
been empty these seven years or more, as every one in the village knew.
"""
    * 4
)


def texts(document: Document) -> list[str]:
    return [paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs]


@pytest.mark.parametrize(("head", "foot"), [(NEW_HEAD, NEW_FOOT), (OLD_HEAD, OLD_FOOT)], ids=["new", "old"])
def test_licences_and_producers_are_left_out(head: str, foot: str) -> None:
    document = gutenberg.read(head + "\n\nCHAPTER I\n\n" + PROSE + foot)
    assert document.author == "Jane Tester"
    assert document.title.startswith("The Test Book")
    assert texts(document)[0] == "CHAPTER I"
    assert texts(document)[-1].endswith("in the village knew.")
    assert document.language == ("fr" if head is NEW_HEAD else "")


def test_what_editors_put_in_is_left_out() -> None:
    body = (
        "CHAPTER I\n\nHe said it[1] twice.[2] And more[B] {12} [Pg 33]to say. He was [sic] here.\n\n"
        "[Illustration: a house\nwith [two] doors]\n\n[Footnote 1: A note with\nmany words.]\n\n[2] Another note.\n\n"
        "The =bold= and _it was\nhe_ said. [Sidenote: Margin]The end.\n\n" + PROSE
    )
    document = gutenberg.read(NEW_HEAD + body + NEW_FOOT)
    assert [re.sub(" +", " ", text) for text in texts(document)[1:3]] == [
        "He said it twice. And more to say. He was [sic] here.",
        "The bold and it was he said. The end.",
    ]
    kinds = Counter(part.kind for part in document.excluded)
    assert kinds == {
        "licence": 2,
        "producer": 1,
        "reference": 3,
        "page": 2,
        "illustration": 1,
        "footnote": 2,
        "note": 1,
    }
    assert any("A note with" in text for text in texts(gutenberg.read(NEW_HEAD + body + NEW_FOOT, footnotes="end")))


@pytest.mark.parametrize("label", ["Transcriber's Note:", "TRANSCRIBER’S NOTES", "Anmerkungen zur Transkription"])
def test_transcribers_notes_of_several_paragraphs_are_left_out(label: str) -> None:
    note = f"\n\n\n{label}\n\nThese errors were corrected:\n\nPage 12: teh to the\n\nFootnotes\n\n[1] None.\n"
    chapters = "".join(f"\n\n\n\nCHAPTER {n}\n\n{PROSE * 3}" for n in ("I", "II"))
    document = gutenberg.read(NEW_HEAD + note + chapters + note + NEW_FOOT)
    assert texts(document)[0] == "CHAPTER I"
    assert texts(document)[-1].endswith("in the village knew.")


HEADED = {
    "I. A SCANDAL\n\n\nI.\n\n{}\n\nII.\n\n{}\n\n\nII. THE LEAGUE\n\n{}\n\n\nIII. A CASE\n\n{}": (
        "I.  A Scandal\nII.  The League\nIII.  A Case",
        ["I. A SCANDAL", "II. THE LEAGUE", "III. A CASE"],
    ),
    "CHAPTER I\n\nJONATHAN’S JOURNAL\n\n{}\n\n\nCHAPTER II\n\nJONATHAN’S JOURNAL—_continued_\n\n{}": (
        "CHAPTER I. Jonathan’s Journal\nCHAPTER II. Jonathan’s Journal",
        ["CHAPTER I – JONATHAN’S JOURNAL", "CHAPTER II – JONATHAN’S JOURNAL—continued"],
    ),
    "Book the First—Recalled\n\n\n\nCHAPTER I.\nThe Period\n\n\n{}\n\n\nCHAPTER II.\nThe Mail\n\n\n{}": (
        "Book the First--Recalled\n\nCHAPTER I   The Period\nCHAPTER II   The Mail",
        ["Book the First—Recalled – CHAPTER I. The Period", "CHAPTER II. The Mail"],
    ),
    " I.\n Introduction\n\n\n{}\n\n\n II.\n The Machine\n\n\n{}\n\n\nEpilogue\n\n{}": (
        " I Introduction\n II The Machine\n Epilogue",
        ["I. Introduction", "II. The Machine", "Epilogue"],
    ),
    "PART ONE--The Buccaneer\n\n\n1\n\nThe Old Sea-dog\n\n{}\n\n\n2\n\nBlack Dog Appears\n\n{}": (
        "PART ONE--The Buccaneer\n\n1  The Old Sea-dog . . . . 11\n2  Black Dog Appears . . 17",
        ["PART ONE--The Buccaneer – 1 – The Old Sea-dog", "2 – Black Dog Appears"],
    ),
    "STORY OF THE DOOR\n\n\n{}\n\n\n\nSEARCH FOR MR. HYDE\n\n\n{}": (
        "STORY OF THE DOOR\n\nSEARCH FOR MR. HYDE",
        ["STORY OF THE DOOR", "SEARCH FOR MR. HYDE"],
    ),
}


@pytest.mark.parametrize("body", HEADED)
def test_contents_and_chapters_of_many_kinds(body: str) -> None:
    contents, titles = HEADED[body]
    source = f"THE TEST BOOK\n\nby Jane Tester\n\n\nContents\n\n{contents}\n\n\n\n\n" + body.replace("{}", PROSE)
    document = gutenberg.read(NEW_HEAD + source + NEW_FOOT)
    assert [chapter.title for chapter in document.chapters if chapter.number] == titles
    assert texts(document)[:2] == ["THE TEST BOOK", "by Jane Tester"]
    assert "contents" in {part.kind for part in document.excluded}


def test_contents_at_the_end_of_a_french_book() -> None:
    contents = "TABLE DES MATIÈRES\n\nCHAPITRE PREMIER 1\nCHAPITRE II 20\n"
    source = f"CHAPITRE PREMIER\n\n{PROSE}\n\nCHAPITRE II\n\n{PROSE}\n\nFIN\n\n\n{contents}"
    assert texts(gutenberg.read(NEW_HEAD + source + NEW_FOOT))[-1] == "FIN"


def test_alice(books: Path) -> None:
    document = read_file(books / "alice.txt")
    assert (document.title, document.author) == ("Alice’s Adventures in Wonderland", "Lewis Carroll")
    assert [chapter.number for chapter in document.chapters] == list(range(13))
    assert [chapter.title for chapter in document.chapters][1:4] == [
        "CHAPTER I. Down the Rabbit-Hole",
        "CHAPTER II. The Pool of Tears",
        "CHAPTER III. A Caucus-Race and a Long Tale",
    ]
    said = texts(document)
    assert said[-1] == "THE END"
    assert not any("Gutenberg" in text for text in said)
    assert sum(paragraph.kind == "verse" for chapter in document.chapters for paragraph in chapter.paragraphs) > 100
    assert "                         Fury said to a" not in said


NOTES = [
    "[Transcriber's Note:\n\nThe first part.\n\nErrors are listed at the end.]\n\n\n",
    "  [Transcriber’s Note: one [two]\n\n  three.]\n\n\n",
    "Throughout this text you will see words with _ in them.\n\n",
    "Dieses Buch wurde uns freundlicherweise vom Projekt zur Verfuegung gestellt.\n\n",
    "This book was generously provided by the German Gutenberg Projekt.\n\n",
    "Original Transcriber’s Notes:\n\nThis text is a combination of etexts.\n\n\n\n",
    '[This text is intended for users whose readers cannot use the "real" file.\nAll is well.]\n\n',
]


@pytest.mark.parametrize("note", NOTES)
def test_notes_of_transcribers_in_brackets_and_of_donors_are_left_out(note: str) -> None:
    assert texts(gutenberg.read(f"{NEW_HEAD}{note}CHAPTER I\n\n{PROSE}{NEW_FOOT}"))[0] == "CHAPTER I"


@pytest.mark.parametrize("head", ["Errata", "ERRATA:", "Errata noted by transcriber:", "Original Transcriber's Notes:"])
def test_lists_of_errors_after_the_book_are_left_out(head: str) -> None:
    source = (
        f"{NEW_HEAD}CHAPTER I\n\n{PROSE}\n\nCHAPTER II\n\n{PROSE * 9}\n\n\n\n{head}\n\nLege [lege]\n\nTe non [non]\n"
    )
    assert texts(gutenberg.read(source + NEW_FOOT))[-1].endswith("in the village knew.")


@pytest.mark.parametrize("line", ['Ende dieses Projekt Gutenberg Etextes "Faust"', "Fin de ce Project Gutenberg ebook"])
def test_the_last_line_in_other_languages(line: str) -> None:
    assert line not in texts(gutenberg.read(f"{NEW_HEAD}CHAPTER I\n\n{PROSE}\n\n{line}\n\n{NEW_FOOT}"))


def test_errata_with_headings_of_chapters_are_left_out() -> None:
    errata = "\n\n\nERRATA (noted by transcriber)\n\nFirst Act:\n  a comma\n\nSecond Act:\n  a dot\n"
    document = gutenberg.read(
        f"{NEW_HEAD}THE FIRST ACT\n\n{PROSE * 3}\n\nTHE SECOND ACT\n\n{PROSE * 3}{errata}{NEW_FOOT}"
    )
    assert [chapter.title for chapter in document.chapters] == ["THE FIRST ACT", "THE SECOND ACT"]


def test_words_of_the_author_in_brackets_are_no_pictures() -> None:
    said = " ".join(
        texts(gutenberg.read(f"{NEW_HEAD}To [Music Director to the King] and [Music: a tune].\n\n{PROSE}{NEW_FOOT}"))
    )
    assert "[Music Director to the King]" in said
    assert "tune" not in said


def test_the_contents_of_a_volume_are_contents() -> None:
    names = ["Ann", "Bob", "Cyd", "Dan", "Eve"]
    listed = "".join(f"{n}. To Friend {name}\n" for n, name in enumerate(names, 1))
    told = "\n\n\n".join(f"{n}. TO FRIEND {name.upper()}\n\n{PROSE * 2}" for n, name in enumerate(names, 1))
    document = gutenberg.read(f"{NEW_HEAD}CONTENTS OF VOLUME II.\n\n{listed}\n\n\n\n{told}{NEW_FOOT}")
    assert "contents" in {part.kind for part in document.excluded}
    assert not any("To Friend" in text for text in texts(document))
