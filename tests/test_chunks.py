"""What every cut must keep, whatever the text and the length asked for; then examples, then real books."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from narrate.text.chunking.chunks import (
    CHAPTER_PAUSE,
    HEADING_PAUSE,
    PARAGRAPH_PAUSE,
    PAUSES,
    SCENE_PAUSE,
    Lengths,
    cut,
    stats,
)
from narrate.text.chunking.sentences import Rank
from narrate.text.document import Chapter, Chunk, Document, Paragraph, Span
from narrate.text.readers import ReadOptions, read_file
from narrate.text.spoken.normalize import normalize

CLAUSE, SENTENCE, LINE = PAUSES[Rank.CLAUSE], PAUSES[Rank.SENTENCE], PAUSES[Rank.LINE]


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def book(*paragraphs: str | Paragraph, language: str = "en") -> Document:
    """One chapter. "# " begins a heading, "> " a line of verse."""
    kinds = {"# ": "heading", "> ": "verse"}  # no other text of these tests begins so
    made, source = [], ""
    for paragraph in paragraphs:
        if isinstance(paragraph, str):
            kind = kinds.get(paragraph[:2], "prose")
            text = paragraph[2:] if kind != "prose" else paragraph
            paragraph = Paragraph((Span(text, len(source), len(source) + len(text)),), kind)
        made.append(paragraph)
        source += paragraph.text + "\n"
    return Document("", "", language, (Chapter(1, "", tuple(made)),), source)


def texts(chunks: Iterable[Chunk]) -> list[str]:
    return [chunk.text for chunk in chunks]


# --- any text, any length ---------------------------------------------------------------------------------------------

WORDS = "Mr. Fox said “No.” 「行くよ。」と言った。 U.S.A. 3.14 1,000 …… ！ 1次 （あ） — がぎぐ ㍿ e\u0301 👩\u200d🚀"
ALPHABET = sorted(set(WORDS + "、，,;:；：\n\u3000\u2028abcあいう漢字\ufffc\u200d"))
SNIPPETS = st.one_of(st.sampled_from(WORDS.split()), st.text(ALPHABET, max_size=25), st.text(max_size=6))
PLAIN = st.lists(SNIPPETS, max_size=12).map(" ".join)
READINGS = st.none() | st.text("かな kana,。 ", max_size=30)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Chapters of plain and whole spans, with source between them that nobody reads."""
    at = draw(st.integers(0, 3))
    chapters = []
    for number in range(draw(st.integers(1, 2))):
        paragraphs = []
        for kind in draw(st.lists(st.sampled_from(["prose", "prose", "verse"]), min_size=1, max_size=4)):
            spans = []
            for text, whole, reading, gap in draw(
                st.lists(st.tuples(PLAIN, st.booleans(), READINGS, st.integers(0, 3)), min_size=1, max_size=5)
            ):
                extra = draw(st.integers(0, 4)) if whole else 0
                if text or extra:
                    spans.append(Span(text, at, at + len(text) + extra, reading if whole else None))
                at += len(text) + extra + gap
            paragraphs.append(Paragraph(tuple(spans), kind))
            at += 1
        heading = Paragraph((Span("One", at, at + 3),), "heading")
        at += 4
        chapters.append(Chapter(number, "", (*paragraphs, heading) if draw(st.booleans()) else tuple(paragraphs)))
    return Document("", "", draw(st.sampled_from(["ja", "en", "zh", "ru"])), tuple(chapters), " " * at)


def spans_of(document: Document) -> list[Span]:
    return [span for chapter in document.chapters for paragraph in chapter.paragraphs for span in paragraph.spans]


@given(documents(), st.integers(10, 80) | st.none(), st.booleans())
def test_every_letter_is_spoken_once_in_order_and_within_the_limit(
    document: Document, size: int | None, mixed: bool
) -> None:
    lengths = Lengths.of(size) if size else Lengths(20, 40)
    chunks = list(cut(document, lengths, mixed=mixed))
    spans = spans_of(document)
    longest = lengths.narrow * lengths.stretch
    assert letters("".join(c.spoken for c in chunks)) == letters("".join(span.sound for span in spans))
    assert [c.index for c in chunks] == list(range(len(chunks)))
    assert all(one.end <= other.start for one, other in pairwise(chunks))
    for chunk in chunks:
        assert chunk.start <= chunk.end
        assert letters(chunk.spoken)
        assert max(len(chunk.text), len(chunk.spoken)) <= longest
        assert chunk.text == chunk.text.strip()
        assert len(chunk.text.splitlines()) <= 1 == len(chunk.spoken.splitlines())


@given(documents(), st.integers(10, 80))
def test_what_has_a_reading_is_not_cut_and_no_source_is_left_out(document: Document, size: int) -> None:
    chunks = list(cut(document, Lengths.of(size)))
    for span in spans_of(document):
        if span.whole and letters(span.sound):
            holders = [chunk for chunk in chunks if chunk.start < span.end and span.start < chunk.end]
            assert holders
            if max(len(span.text), len(span.sound)) <= size:
                assert len(holders) == 1
                assert holders[0].start <= span.start
                assert span.end <= holders[0].end
        elif not span.whole:
            for place in (at for at, letter in enumerate(span.text, span.start) if letter.isalnum()):
                assert sum(chunk.start <= place < chunk.end for chunk in chunks) == 1


@given(st.lists(PLAIN.filter(letters).filter(lambda text: text[0] not in "#>"), min_size=1, max_size=5))
@example(["「」a「", "b"])
def test_the_texts_joined_are_the_paragraphs(paragraphs: list[str]) -> None:
    document = book(*(text for text in paragraphs))
    seen = "".join(texts(cut(document)))
    assert "".join(seen.split()) == "".join("".join(paragraphs).split())


@given(st.text(ALPHABET, min_size=1, max_size=300), st.integers(10, 40))
def test_no_number_or_word_that_fits_is_cut_and_no_accent_left_alone(text: str, size: int) -> None:
    for one, other in pairwise(cut(book(text), Lengths.of(size))):
        if one.end == other.start:
            assert text[one.end] not in "\u0301\u200d"
            for run in re.finditer(r"\d+|[A-Za-z]+", text):
                assert len(run[0]) >= size // 2 or not run.start() < one.end < run.end()


# --- examples ---------------------------------------------------------------------------------------------------------


def test_sentences_are_joined_to_the_length_but_not_at_the_opening() -> None:
    sentence = "This sentence is forty letters in size. "
    document = book("# One", sentence * 6 + sentence * 9)
    sizes = [len(text) for text in texts(cut(document))]
    assert sizes[:7] == [3] + [39] * 6
    assert all(size > 100 for size in sizes[7:])
    assert texts(cut(document, opening=0))[1].count("sentence") > 3


def test_a_sentence_that_fits_is_whole_and_one_that_does_not_is_cut_at_its_clauses() -> None:
    long = "A sentence of two hundred letters, more or less, " * 9 + "ends."
    chunks = list(cut(book(long), Lengths.of(120)))
    assert all(chunk.text.endswith(",") and chunk.pause == CLAUSE for chunk in chunks[:-1])
    assert max(len(chunk.text) for chunk in chunks) < 1.5 * min(len(chunk.text) for chunk in chunks)
    assert texts(cut(book("“Yes.”", long[:300] + "."), Lengths(narrow=200, stretch=2)))[-1] == long[:300] + "."


def test_a_thousand_letters_without_a_mark_are_cut_between_phrases() -> None:
    text = "吾輩は猫であるが名前はまだ無いのでどこで生れたかとんと見当がつかず" * 30
    chunks = texts(cut(book(text, language="ja")))
    assert "".join(chunks) == text
    assert all(
        chunk.startswith(
            ("吾輩", "猫", "名前", "まだ", "無い", "どこ", "生れ", "とんと", "見当", "つか", "ない", "ので")
        )
        for chunk in chunks
    )
    numbers = "第1234567890123456789号" * 20
    assert not any(one[-1].isdigit() and two[0].isdigit() for one, two in pairwise(texts(cut(book(numbers)))))


def test_a_chunk_is_rather_too_short_than_longer_than_its_target() -> None:
    """Of two ends nearly as far from an even share (70 of 210), the one within the target of 100 is taken."""
    sentences = [("a" * (size - 2) + ". ").capitalize() for size in (28, 82, 100)]
    chunks = texts(cut(book("".join(sentences)), Lengths(narrow=100, stretch=2), opening=0))
    assert chunks == [sentence.strip() for sentence in sentences]


def test_brackets_are_cut_only_if_they_must_be() -> None:
    text = "The old man (who had seen it all before, and said so) went down to the shore and waited for the boat"
    chunks = texts(cut(book(text), Lengths.of(60)))
    assert all(chunk.count("(") == chunk.count(")") for chunk in chunks)


def test_a_quotation_stays_with_its_tag() -> None:
    said = "“Where are you going?” Alice asked. "
    for text in texts(cut(book("She sat down. " + said * 12))):
        assert not text.startswith("Alice asked")
    sagte = "「どこへ行くの？」と彼女は聞いた。"
    assert texts(cut(book(sagte, language="ja"), Lengths(wide=10), opening=0)) == [sagte]


def test_crumbs_join_a_neighbour() -> None:
    assert texts(cut(book("He stopped short and listened.", "“No!”", "Then he ran."))) == [
        "He stopped short and listened. “No!”",
        "Then he ran.",
    ]
    assert texts(cut(book("He stopped.", "1", "Then he ran."))) == ["He stopped.", "1 Then he ran."]
    assert [c.spoken for c in cut(book("He stopped.", "1", "Then he ran."))][1] == "1, Then he ran."
    assert texts(cut(book("# I", "Oh! He ran. ！ ……"))) == ["I", "Oh! He ran. ！ ……"]
    assert texts(cut(book("「え？」", "「うん。」", "「ああ。」", language="ja"))) == ["「え？」 「うん。」 「ああ。」"]
    assert texts(cut(book("！", "……", "* * *"))) == []


def test_pauses_tell_what_ended() -> None:
    first = "One sentence. Another. "
    chunks = list(
        cut(book("# I", first * 2, "* * *", "> Roses are red,", "> violets blue", "He ended.", "# II", "It was."))
    )
    assert [chunk.pause for chunk in chunks] == [
        HEADING_PAUSE, SENTENCE, SENTENCE, SENTENCE, SCENE_PAUSE, PARAGRAPH_PAUSE, PARAGRAPH_PAUSE,
        HEADING_PAUSE, CHAPTER_PAUSE,
    ]  # fmt: skip
    assert chunks[-2].text == "II"


def test_verse_is_cut_between_lines_and_breathes() -> None:
    lines = ["The sea was grey and wide", "and nobody was there", "except the one who cried", "into the empty air."] * 6
    chunks = list(cut(book(*("> " + line for line in lines)), Lengths(narrow=80, stretch=1)))
    assert "".join(texts(chunks)).replace(" ", "") == "".join(lines).replace(" ", "")
    for chunk in chunks:
        assert any(chunk.text.startswith(line) for line in lines)
        assert "wide, and" in chunk.spoken or "wide" not in chunk.spoken[:-6]
    assert {chunk.pause for chunk in chunks[:-1]} <= {SENTENCE, LINE, PARAGRAPH_PAUSE}


def test_readings_are_spoken_and_seen_text_stays() -> None:
    ruby = Paragraph((Span("吾輩", 0, 7, "わがはい"), Span("は猫である。", 7, 13), Span("[1]", 13, 16, "")))
    (chunk,) = cut(book(ruby, language="ja"))
    assert (chunk.text, chunk.spoken) == ("吾輩は猫である。[1]", "わがはいは猫である。")
    assert (chunk.start, chunk.end) == (0, 16)


def test_a_note_that_is_not_spoken_does_not_hide_a_sentence_end() -> None:
    note = Paragraph((Span("It ended here.", 0, 14), Span("[12]", 14, 18, ""), Span(" It began again.", 18, 34)))
    assert texts(cut(book(note))) == ["It ended here.[12]", "It began again."]


def test_a_reading_longer_than_the_limit_is_all_spoken() -> None:
    long = Paragraph((Span("See", 0, 3), Span("1984", 3, 7, " nineteen hundred and eighty-four"), Span(".", 7, 8)))
    chunks = list(cut(book(long), Lengths.of(12)))
    assert "".join(chunk.spoken for chunk in chunks).replace(" ", "") == "Seenineteenhundredandeighty-four."
    assert "".join(texts(chunks)) == "See1984."


def test_mixed_gives_a_quotation_its_own_language() -> None:
    document = book(
        "彼女は“It was a dark and stormy night.”と読んだ。そして笑った。", "He said nothing at all.", language="ja"
    )
    assert {chunk.language for chunk in cut(document)} == {"ja"}
    spoken = [(chunk.language, chunk.text) for chunk in cut(document, mixed=True)]
    assert spoken[0] == ("ja", "彼女は")
    assert spoken[1] == ("en", "“It was a dark and stormy night.”")
    assert spoken[-1] == ("en", "He said nothing at all.")
    assert [language for language, _ in spoken] == ["ja", "en", "ja", "ja", "en"]


def test_the_first_chunk_of_a_headless_text_is_short() -> None:
    text = "A long first sentence, the listener is waiting for it to begin, " * 6 + "begins."
    assert len(next(iter(cut(book(text)))).text) <= 240
    assert next(iter(cut(book("# One", text)))).text == "One"


def test_the_chunks_of_a_chapter_do_not_depend_on_the_others() -> None:
    document = book("# One", "One. Two. Three. Four. Five. Six. Seven. Eight.")
    twice = Document("", "", "en", document.chapters * 2, document.source)
    both = [chunk.text for chunk in cut(twice)]
    assert both == texts(cut(document)) * 2


def test_stats_count_every_chunk_once() -> None:
    found = stats(cut(book("# One", "A short one. Then another one, which is longer."), Lengths.of(30)))
    assert sum(found.histogram.values()) == found.chunks == 4
    assert (found.whole, found.share_whole) == (3, 0.75)
    assert stats([]).share_whole == 1.0


# --- real books -------------------------------------------------------------------------------------------------------

BOOKS = ["alice.txt", "wagahai.sjis.txt", "melos.sjis.txt", "rashomon.sjis.txt", "sanguo.txt"]
EPUBS = ["kusamakura-japanese-vertical-writing", "childrens-literature", "accessible_epub_3"]


@pytest.fixture(scope="module", params=[*BOOKS, *(f"epub/{name}.epub" for name in EPUBS)])
def novel(request: pytest.FixtureRequest, books: Path) -> tuple[Document, list[Chunk]]:
    document = normalize(read_file(books / request.param, ReadOptions()))
    return document, list(cut(document))


def test_real_books_are_spoken_whole(novel: tuple[Document, list[Chunk]]) -> None:
    document, chunks = novel
    sounds = letters("".join(span.sound for span in spans_of(document)))
    assert letters("".join(chunk.spoken for chunk in chunks)) == sounds
    assert all(one.end <= other.start for one, other in pairwise(chunks))
    assert all(max(len(chunk.text), len(chunk.spoken)) <= 480 for chunk in chunks)
    assert all(letters(chunk.spoken) for chunk in chunks)


def test_in_real_books_chunks_end_where_sentences_end(novel: tuple[Document, list[Chunk]]) -> None:
    assert stats(novel[1]).share_whole >= 0.99


def test_real_books_fit_any_length(novel: tuple[Document, list[Chunk]]) -> None:
    document, _ = novel
    part = Document("", "", document.language, document.chapters[:2], document.source)
    for size in (10, 33, 100):
        chunks = list(cut(part, Lengths.of(size)))
        assert all(max(len(chunk.text), len(chunk.spoken)) <= size for chunk in chunks)
        sounds = letters("".join(span.sound for span in spans_of(part)))
        assert letters("".join(chunk.spoken for chunk in chunks)) == sounds


@given(
    st.lists(
        st.sampled_from(["Mr. Penn", "Sir Wm. Batten", "J. B. Moore", "his office", "by water", "on to"]), min_size=12
    )
)
def test_no_cut_that_has_to_be_made_falls_after_an_abbreviation(words: list[str]) -> None:
    for chunk in cut(book(" and I went to ".join(words)), Lengths.of(60)):
        assert not re.search(r"\b(?:Mr|Wm|[A-Z])\.$", chunk.text)
