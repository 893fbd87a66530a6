from __future__ import annotations

import pytest

from narrate.errors import InputError
from narrate.text.document import Paragraph, Span
from narrate.text.formats import plain
from narrate.text.structure.chapters import Block, bind, chapter_depth, parse_chapters, select

BOOK = plain.read("Front.\n\n" + "\n\n".join(f"Chapter {n}\n\nText {n}." for n in range(1, 8)))


def block(text: str, level: int = 0) -> Block:
    return Block(Paragraph((Span(text, 0, len(text)),), "heading" if level else "prose"), level)


def test_a_part_and_its_first_chapter_open_one_chapter() -> None:
    chapters = bind([block("Front"), block("Part One", 1), block("Chapter 1.", 2), block("Title", 2), block("a")], 2)
    assert [(chapter.number, chapter.title) for chapter in chapters] == [(0, ""), (1, "Part One – Chapter 1. Title")]


def test_headings_below_the_depth_open_no_chapter() -> None:
    chapters = bind([block("One", 2), block("a"), block("Scene", 3), block("b"), block("Two", 2), block("c")], 2)
    assert [len(chapter.paragraphs) for chapter in chapters] == [4, 2]


def test_the_chapters_below_parts_open_chapters_whatever_they_are_called() -> None:
    assert chapter_depth([("Part One", 1), ("The Arrival", 2), ("Part Two", 1), ("The Flood", 2), ("A Boat", 3)]) == 2
    assert chapter_depth([("Part One", 1), ("Part Two", 1)]) == 1
    assert chapter_depth([("The Arrival", 1), ("A Boat", 2), ("The Flood", 1)]) == 1


def test_a_text_without_headings_is_chapter_one() -> None:
    assert [chapter.number for chapter in bind([block("a"), block("b")], 0)] == [1]
    assert bind([], 0) == ()


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [("3", [3]), ("3-5,7", [3, 4, 5, 7]), (" 2 – 3 ", [2, 3]), ("6-", [6, 7]), ("0", [0]), ("7,1、2", [1, 2, 7])],
)
def test_chapters_are_chosen_by_number(wanted: str, numbers: list[int]) -> None:
    assert [chapter.number for chapter in select(BOOK, parse_chapters(wanted)).chapters] == numbers


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("x", "not a chapter number"),
        ("", "not a chapter number"),
        ("5-3", "backwards"),
        ("9", "has 0 to 7"),
        ("1,12-20", "has 0 to 7"),
    ],
)
def test_a_choice_that_cannot_be_made_is_explained(wanted: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        select(BOOK, parse_chapters(wanted))
