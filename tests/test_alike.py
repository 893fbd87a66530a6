from __future__ import annotations

import pytest

from narrate.text.formats import aozora, plain

SENTENCE = "It was a bright cold day in April, and the clocks were striking thirteen, as they always did in that town."
PROSE = "\n\n".join([SENTENCE] * 12)
JAPANESE = (
    "　吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で泣いていた。\n" * 3
)
LEGEND = (
    "題\n著者\n\n"
    + "-" * 55
    + "\n【テキスト中に現れる記号について】\n\n《》：ルビ\n（例）猫《ねこ》\n"
    + "-" * 55
    + "\n\n"
)
COLOPHON = "\n底本：「本」出版\n入力：誰\n校正：誰\n"


def titles(source: str) -> list[str]:
    return [chapter.title for chapter in plain.read(source).chapters if chapter.number]


def japanese(body: str) -> list[str]:
    return [chapter.title for chapter in aozora.read(LEGEND + body + COLOPHON).chapters]


@pytest.mark.parametrize("indent", ["　　　", "［＃３字下げ］", "　　　　　　　　"])
def test_titles_that_are_set_in_alike_make_chapters(indent: str) -> None:
    assert japanese("".join(f"{indent}{name}\n\n{JAPANESE}\n" for name in ("星", "鼻", "修身"))) == ["星", "鼻", "修身"]


def test_two_lines_that_are_set_in_make_no_row() -> None:
    assert japanese("".join(f"　　　{name}\n\n{JAPANESE}\n" for name in ("星", "鼻"))) == [""]


def test_numbers_below_titles_that_are_set_in_open_no_chapters() -> None:
    body = "".join(
        f"　　　{name}\n\n　　　　　一\n\n{2 * JAPANESE}\n　　　　　二\n\n{2 * JAPANESE}\n"
        for name in ("星", "鼻", "修身")
    )
    assert japanese(body) == ["星", "鼻", "修身"]


def test_parts_stand_right_above_chapters_that_are_set_in_farther() -> None:
    parts = [(part, f"{part}の一", f"{part}の二") for part in ("春", "夏", "秋")]
    body = "".join(f"　　{a}\n\n　　　　{b}\n\n{JAPANESE}\n　　　　{c}\n\n{JAPANESE}\n" for a, b, c in parts)
    assert japanese(body) == ["春 – 春の一", "春の二", "夏 – 夏の一", "夏の二", "秋 – 秋の一", "秋の二"]


def test_poems_that_are_quoted_are_no_titles() -> None:
    poem = "孔子のふみ読みてこもれど天雲の夜"
    assert japanese(f"　　　{poem}\n\n{JAPANESE}\n" * 4) == [""]
    assert japanese(f"{JAPANESE}\n　　　静かさや\n　　　岩にしみ入る\n\n" * 4) == [""]


def test_letters_of_the_alphabet_divide_a_dictionary() -> None:
    letters = "ABCDEFGHIKLMNOPRSTUVW"
    assert titles("".join(f"{letter}\n\n{PROSE}\n\n" for letter in letters)) == list(letters)


def test_a_few_letters_are_no_dictionary() -> None:
    assert titles("".join(f"{letter}\n\n{PROSE}\n\n" for letter in "ABDE")) == [""]


@pytest.mark.parametrize(
    "dates",
    [
        ("January 3.", "January 5.", "February 11.", "March the 2nd", "3 May. Bistritz"),
        ("Апреля 8-го.", "8 апреля", "Мая 9.", "Июня 12-го", "Июля 1."),
        ("Den 4. Mai", "10. Mai", "Am 12. Mai", "16. Junius", "19. Juni"),
        ("Paris, le 3 juin 1800", "4 juillet", "5 août 1801", "le 6 septembre", "1er octobre"),
        ("三月四日", "三月五日", "大正二年四月一日", "五月六日（金）", "十二月三十一日"),
    ],
)
def test_dates_divide_letters_and_diaries(dates: tuple[str, ...]) -> None:
    found = titles("".join(f"{date}\n\n{PROSE}\n\n" for date in dates))
    months = [date for date in dates if "Junius" not in date]
    assert found == (list(dates) if len(months) == 5 else [""])


def test_dates_below_chapters_open_none() -> None:
    body = "".join(f"CHAPTER {n}\n\nJanuary {n}.\n\n{PROSE}\n\nMay {n}.\n\n{PROSE}\n\n" for n in range(1, 5))
    assert [title.split(" – ")[0] for title in titles(body)] == [f"CHAPTER {n}" for n in range(1, 5)]


@pytest.mark.parametrize("lines", [2, 3, 5])
def test_titles_behind_several_blank_lines_make_chapters(lines: int) -> None:
    names = ["The Happy Prince", "THE SELFISH GIANT", "Der Nachbarin Haus"]
    gap = "\n" * (lines + 1)
    assert titles(SENTENCE + "".join(f"{gap}{name}\n\n{PROSE}" for name in names) + f"{gap}THE END\n") == names


def test_sentences_and_scenes_behind_several_blank_lines_are_no_titles() -> None:
    assert titles((PROSE + "\n\n\n\n") * 5) == [""]
    assert titles((PROSE + "\n\n\n\n") * 5 + "\n\n\n".join(f"A Title\n\n{PROSE}" for _ in range(3))) == [""]


def test_the_lines_of_a_title_page_are_no_chapters() -> None:
    page = "\n\n\n".join(["THE HAPPY PRINCE", "AND OTHER TALES", "BY OSCAR WILDE", "LONDON", "DAVID NUTT"]) + "\n\n\n"
    names = ["The Happy Prince", "The Selfish Giant", "The Devoted Friend"]
    assert titles(page + "\n\n\n".join(f"{name}\n\n{PROSE}" for name in names)) == names


def test_titles_at_the_margin_where_paragraphs_are_set_in() -> None:
    names = ["홍경애", "이튿날", "하숙집", "너만 괴로우냐", "새 누이동생"]
    paragraph = " 덕기는 안마루에서 내일 가지고 갈 새 금침을 아범을 시켜서 꾸리게 하고 축대 위에 섰다.\n" * 30
    assert titles("".join(f"{name}\n{paragraph}" for name in names)) == names
    broken = paragraph.replace("하고 축대 위에 섰다.", "하고 축대 위에\n섰다.")
    assert titles("".join(f"{broken}" for _ in names)) == [""]
