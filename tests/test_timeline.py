"""Chapters in samples: without a hole, none too short, and the cue sheet that says the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.sinks.about import About
from narrate.sinks.cue import cue_sheet
from narrate.sinks.timeline import ChapterTime, Timeline
from tests.speech import a_chunk

RATE = 1000


def timeline(*parts: tuple[int, str, int]) -> Timeline:
    """Chunks as (chapter, title, samples)."""
    made = Timeline(RATE)
    for index, (chapter, title, samples) in enumerate(parts):
        made.begin(replace(a_chunk(index), chapter=chapter, title=title))
        made.add(samples)
    return made


def test_a_chapter_begins_where_its_first_chunk_does() -> None:
    made = timeline((1, "One", 500), (1, "One", 300), (2, "Two", 200), (3, "Three", 400))
    assert made.chapters() == [("One", 0, 800), ("Two", 800, 1000), ("Three", 1000, 1400)]


def test_chapters_of_one_title_are_two_and_a_chapter_heard_again_begins_again() -> None:
    assert [c.start for c in timeline((1, "一", 500), (2, "一", 300)).chapters()] == [0, 500]
    again = timeline((1, "One", 500), (2, "Two", 300), (1, "One", 200)).chapters()
    assert again == [("One", 0, 500), ("Two", 500, 800), ("One", 800, 1000)]


def test_titles_are_one_line_and_never_empty_where_something_is_known() -> None:
    made = timeline((0, "", 500), (1, "a\n b", 300), (2, " ", 300))
    assert [c.title for c in made.chapters("The Book")] == ["The Book", "a b", "2"]


@pytest.mark.parametrize(("length", "kept"), [(99, False), (100, True)])
def test_a_chapter_shorter_than_a_tenth_of_a_second_belongs_to_its_neighbour(length: int, kept: bool) -> None:
    in_the_midst = timeline((1, "a", 500), (2, "b", length), (3, "c", 500)).chapters()
    first = timeline((1, "a", length), (2, "b", 500)).chapters()
    assert [c.title for c in in_the_midst] == (["a", "b", "c"] if kept else ["a", "c"])
    assert in_the_midst[0].end == (500 if kept else 500 + length)
    assert first[0] == (("a", 0, 100) if kept else ("b", 0, 500 + length))


def test_no_sound_has_no_chapters() -> None:
    assert timeline().chapters() == []
    assert timeline((1, "a", 0)).chapters() == []


@given(st.lists(st.tuples(st.integers(0, 3), st.just("t"), st.integers(0, 300)), max_size=30))
def test_chapters_cover_the_sound_without_a_hole(parts: list[tuple[int, str, int]]) -> None:
    made = timeline(*parts)
    chapters = made.chapters()
    assert all(c.end - c.start >= 100 for c in chapters)
    assert [c.start for c in chapters[1:]] == [c.end for c in chapters[:-1]]
    if chapters:
        assert (chapters[0].start, chapters[-1].end) == (0, made.samples)


def test_a_cue_sheet_counts_75ths_of_seconds_and_minutes_past_99() -> None:
    chapters = [
        ChapterTime('He said "no"', 0, 1500),
        ChapterTime("b\nc", 1500, 7_500_999),
        ChapterTime("d", 7_500_999, 9),
    ]
    sheet = cue_sheet("book.flac", About("Title", "Author"), chapters, 1000)
    assert 'FILE "book.flac" WAVE' in sheet
    assert 'PERFORMER "Author"' in sheet
    assert "TITLE \"He said 'no'\"" in sheet
    assert 'TITLE "b c"' in sheet
    assert [line.split()[-1] for line in sheet.splitlines() if "INDEX" in line] == ["00:00:00", "00:01:37", "125:00:74"]
