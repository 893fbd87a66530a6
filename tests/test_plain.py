from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.text.document import Document
from narrate.text.formats import gutenberg, plain


def texts(document: Document) -> list[str]:
    return [paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs]


def titles(document: Document) -> list[tuple[int, str]]:
    return [(chapter.number, chapter.title) for chapter in document.chapters]


WRAPPED = """It was a bright cold day in the month of April, and all of the clocks
were striking thirteen when the old man came slowly down the road to the
well-known house -- and the far-
famed garden.

“Who is there?” he asked, and nobody answered him, for the house had been
empty these seven years or more, as every one in the village knew.
"""


def test_hard_wrapped_lines_become_paragraphs() -> None:
    assert texts(plain.read(WRAPPED)) == [
        "It was a bright cold day in the month of April, and all of the clocks were striking thirteen when the old man "
        "came slowly down the road to the well-known house -- and the far-famed garden.",
        "“Who is there?” he asked, and nobody answered him, for the house had been empty these seven years or more, as "
        "every one in the village knew.",
    ]


def test_verse_is_kept_by_lines() -> None:
    verse = "    How doth the little crocodile\n      Improve his shining tail,\n    And pour the waters of the Nile\n"
    document = plain.read(WRAPPED + "\n" + verse + "\n" + WRAPPED)
    kinds = [paragraph.kind for chapter in document.chapters for paragraph in chapter.paragraphs]
    assert kinds == ["prose", "prose", "verse", "verse", "verse", "prose", "prose"]
    assert texts(document)[3] == "Improve his shining tail,"


def test_a_book_of_verse_alone_is_verse() -> None:
    poem = "    Grey on the grey of the water,\n      Still as a stone,\n    Watching the shore\n\n"
    kinds = [p.kind for c in plain.read("THE HERON\n\n" + poem * 8).chapters for p in c.paragraphs]
    assert kinds == ["prose"] + ["verse"] * 24
    talk = "“Where are you going?” he asked.\n“To the mill.”\n“At this hour?”\n\n"
    assert {p.kind for c in plain.read(talk * 8).chapters for p in c.paragraphs} == {"prose"}


def test_one_line_is_one_paragraph_where_lines_are_not_broken() -> None:
    lines = ["「どこへ行くのですか。」", "私はそう尋ねた。すると先生は、少し考えてから、こう答えた。", "「さあ。」"] * 4
    assert texts(plain.read("\n".join("　" + line for line in lines))) == lines


def test_chinese_lines_broken_at_a_width_are_joined_without_a_space() -> None:
    lines = """　　这是一个很长的段落，讲述了一个关于山村少年的故事，他从小就喜
欢看星星，每天晚上都会爬到屋顶上，看着满天的繁星，想着自己有一
天能够飞到那里去。
"""
    document = plain.read(lines * 4)
    assert texts(document) == [re.sub(r"\s", "", lines)] * 4


def test_chinese_lines_cut_in_the_middle_of_a_sentence_are_joined_across_space() -> None:
    source = (
        "　　盖闻明主图危以制变，忠臣虑难以立权。是以有非\n\n"
        "　　常之人，然后有非常之事；有非常之事，然后立非常之\n\n　　功。\n\n　　第二段。\n\n"
        "　　此致敬礼\n\n　　张三\n\n　　第三段。\n"
    )
    assert texts(plain.read(source)) == [
        "盖闻明主图危以制变，忠臣虑难以立权。是以有非常之人，然后有非常之事；有非常之事，然后立非常之功。",
        "第二段。",
        "此致敬礼",
        "张三",
        "第三段。",
    ]


def test_marks_of_italics_are_not_spoken_and_underscores_in_names_stay() -> None:
    assert texts(plain.read("It was _very good_, said file_name_x.\n")) == ["It was very good, said file_name_x."]


PROSE = "“Who is there?” he asked, and nobody answered him, for the house had been empty for years.\n\n" * 12


def test_a_row_of_bare_numbers_makes_chapters() -> None:
    document = plain.read("\n\n".join(f"{numeral}.\n\n{PROSE}" for numeral in ("I", "II", "III")))
    assert titles(document) == [(1, "I."), (2, "II."), (3, "III.")]


def test_numbers_in_words_make_chapters() -> None:
    for words in (("ONE", "TWO", "THREE"), ("Eins", "Zwei", "Drei"), ("Twenty", "One", "Two")):
        document = plain.read("\n\n\n".join(f"{word}\n\n{PROSE}" for word in words))
        assert [title for _, title in titles(document) if title] == [word for word in words if word != "Twenty"]


def test_a_title_of_several_lines_is_one_heading() -> None:
    source = "CHAPTER I\nIn which the old man comes down the road and\nfinds the house empty\n\n"
    document = plain.read((source + PROSE) * 3)
    assert titles(document)[0] == (1, "CHAPTER I – In which the old man comes down the road and finds the house empty")
    assert [p.kind for p in document.chapters[0].paragraphs][:3] == ["heading", "heading", "prose"]


def test_bare_numbers_below_chapters_are_headings_that_open_none() -> None:
    document = plain.read("\n\n".join(f"Chapter {n}\n\n1\n\n{PROSE}\n\n2\n\n{PROSE}" for n in (1, 2)))
    assert [title for _, title in titles(document)] == ["Chapter 1", "Chapter 2"]
    assert [p.text for c in document.chapters for p in c.paragraphs if p.kind == "heading"].count("2") == 2


def test_page_numbers_are_left_out() -> None:
    half = "he asked, and nobody answered him, for the house had been empty for many long years and no one knew\n"
    document = plain.read("".join(f"{half * 12}\n{page}\n\n" for page in range(1, 9)))
    assert [part.kind for part in document.excluded] == ["page"] * 8
    assert len(document.chapters) == 1


def test_a_numbered_list_makes_no_chapters() -> None:
    document = plain.read("Things to do:\n\n1. Buy milk\n\n2. Buy bread\n\n3. Go home\n\nThat is all.\n")
    assert titles(document) == [(1, "")]


@pytest.mark.parametrize("announced", ["目录\n", ""])
def test_a_table_of_contents_is_left_out(announced: str) -> None:
    heads = ["第一章 风起", "第二章 云涌", "第三章 结局"]
    story = "　　他走了很远的路，终于看见了山下的村庄。\n" * 20
    document = plain.read(announced + "\n".join(heads) + "\n" + "".join(f"{head}\n{story}" for head in heads))
    assert titles(document) == list(enumerate(heads, 1))
    assert {part.kind for part in document.excluded} == {"contents"}


def test_titles_that_only_the_contents_name() -> None:
    names = ["The Golden Bird", "Hans in Luck", "The Travelling Musicians"]
    source = "CONTENTS\n\n" + "\n".join(names) + "\n\n\n\n" + "\n\n\n".join(f"{n.upper()}\n\n{PROSE}" for n in names)
    assert titles(plain.read(source)) == list(enumerate((name.upper() for name in names), 1))


def test_numbers_in_a_table_of_contents_name_no_chapter() -> None:
    document = plain.read(
        "".join(f"{n}\n\n{PROSE}" for n in ("I", "II", "III")) + "FIN\n\nTABLE\n\nINDICE\n\nI\nII\nIII\n"
    )
    assert titles(document) == [(1, "I"), (2, "II"), (3, "III")]


def test_title_and_author_of_a_chinese_novel() -> None:
    document = plain.read("《山村》\n作者：张三\n\n第一章\n　　他走了。\n")
    assert (document.title, document.author) == ("山村", "张三")


def test_a_chapter_that_stands_twice_is_said_once() -> None:
    story = "　　他走了很远的路，终于看见了山下的村庄。\n" * 40
    document = plain.read(f"第一章\n{story}第二章\n{story}第二章\n{story}第三章\n{story}")
    assert titles(document) == [(1, "第一章"), (2, "第二章"), (3, "第三章")]
    assert {part.kind for part in document.excluded} == {"repeat"}
    assert len(document.warnings) == 1


LETTER = st.sampled_from("abc吾輩猫。、.!? \n\n\u3000_-1第章一I「」“”—…*[]")


@given(st.text(LETTER, max_size=400))
@settings(max_examples=300)
def test_every_letter_is_in_one_piece_or_left_out_by_name(source: str) -> None:
    document = plain.read(source)
    seen = [0] * len(source)
    last = 0
    for chapter in document.chapters:
        for paragraph in chapter.paragraphs:
            for span in paragraph.spans:
                assert last <= span.start < span.end
                last = span.end
                if len(span.text) == span.end - span.start:
                    assert span.text == source[span.start : span.end].replace("\n", " ")
                seen[span.start : span.end] = [n + 1 for n in seen[span.start : span.end]]
    for part in document.excluded:
        seen[part.start : part.end] = [n + 1 for n in seen[part.start : part.end]]
    assert all(count == 1 for count, character in zip(seen, source, strict=True) if character.isalnum())


@pytest.mark.parametrize("sign", ["_do_, now", "=do=, now", "_do, now_"])
def test_a_sign_that_is_left_out_indents_no_line(sign: str) -> None:
    source = (
        "Men that are taken to be grave ought to be indulged in their frolics. If they\n"
        f"{sign} and then, come down from the hill, they are the better company at home\n"
        "and the happier for it, as every one in the village knew who had been there.\n\n"
    )
    read = gutenberg.read(WRAPPED + "\n" + source * 3).chapters
    assert sum("If they do, now" in p.text for chapter in read for p in chapter.paragraphs) == 3


def test_broken_prose_among_short_lines_is_joined() -> None:
    words = "".join(f"  word {n}\n  another {n}\n  a third {n}\n\n" for n in range(30))
    prose = (
        "Then the boy comes into the kitchen, looks around him, puts his small hand in the\n"
        "sugar bowl, and takes what he likes best of all, while his sister is looking on.\n\n"
    )
    said = texts(plain.read(words + prose + words))
    assert prose.strip().replace("\n", " ") in said
    assert "word 3" in said


def test_a_long_paragraph_that_begins_like_a_heading_is_prose() -> None:
    run_in = (
        "CHAPTER II. (Sperm Whale).--This whale, among the English of old vaguely known as the\n" + "word " * 14 + "\n"
    )
    body = run_in + ("word " * 14 + "\n") * 8
    document = plain.read(f"CHAPTER I\n\n{PROSE}\n\n{body}\n\n{PROSE}\n\nCHAPTER III\n\n{PROSE}")
    assert [title for _, title in titles(document)] == ["CHAPTER I", "CHAPTER III"]


def test_speech_that_equals_a_title_opens_no_chapter() -> None:
    names = ["The Golden Bird", "Hans in Luck", "The Travelling Musicians"]
    told = "\n\n\n".join(f"{n.upper()}\n\n{PROSE}--Hans in Luck!\n\n{PROSE}" for n in names)
    assert len(titles(plain.read("CONTENTS\n\n" + "\n".join(names) + "\n\n\n\n" + told))) == 3


@pytest.mark.parametrize("first", [2, 216])
def test_numbers_of_a_second_volume_make_chapters(first: int) -> None:
    letters = "\n\n".join(f"{n}. To a Friend\n\n{PROSE * 2}" for n in range(first, first + 6))
    assert len([title for number, title in titles(plain.read(letters)) if number]) == 6


def test_a_label_that_occurs_once_makes_no_chapter_among_others() -> None:
    prose = (WRAPPED + "\n") * 4
    source = "".join(
        f"ACTE {number}\n\n{prose}\nCYRANO:\n  Chapitre treize.\n\n"[: None if number == "II" else -30] + prose
        for number in ("I", "II", "III", "IV")
    )
    assert [title for _, title in titles(plain.read(source)) if "Chapitre" in title] == []


def test_a_list_of_volumes_for_sale_is_no_row_of_headings() -> None:
    volumes = "".join(
        f"Volume {number}, 19{n}. 192 pages. Price $5.00\n" for n, number in enumerate(("I", "II", "III"), 13)
    )
    source = "CHAPTER I\n\n" + WRAPPED * 3 + "\nCHAPTER II\n\n" + WRAPPED * 3 + "\n" + volumes
    assert [title for _, title in titles(plain.read(source))] == ["CHAPTER I", "CHAPTER II"]


def test_a_number_that_the_editor_forgot_does_not_end_a_long_row() -> None:
    numbers = [*range(216, 230), *range(231, 240)]
    source = "".join(f"{number}.\n\nTO ZMESKALL.\n\n{WRAPPED}\n" for number in numbers)
    assert [title.split(".")[0] for _, title in titles(plain.read(source))] == list(map(str, numbers))


def test_the_numbers_of_poems_are_no_chapters_in_a_book_with_chapters() -> None:
    prose = "　　那人说了一句话，便走了出去，到了晚上才回来，众人都不知他去了哪里。\n\n" * 6
    source = "".join(f"第{n}回 归来\n\n{prose}其二\n\n{prose}" for n in "一二三四")
    assert [title for _, title in titles(plain.read(source))] == [f"第{n}回 归来" for n in "一二三四"]
    alone = "".join(f"其{n}\n\n{prose}" for n in "一二三四")
    assert [title for _, title in titles(plain.read(alone))] == [f"其{n}" for n in "一二三四"]
