from __future__ import annotations

import pytest

from narrate.text.structure.headings import heading_level, is_named, number_of, without_title

HEADINGS = """
CHAPTER I. Down the Rabbit-Hole
Chapter 1
Chapter Twenty-One: The End
CHAPTER THE FIRST
Chapter 12—The Return
CHAP. XIV
STAVE ONE.
Letter 4
ADVENTURE III. The Speckled Band
Kapitel 3
Erstes Kapitel
2. Kapitel: Die Reise
CHAPITRE PREMIER
Chapitre XII - Le retour
Capítulo primero
CAPÍTULO III
Capitolo 2
Capítulo 7. A casa
Глава 5
Глава первая. Встреча
ГЛАВА XII
제1장 시작
제 2 화
3화. 만남
第一回　宴桃园豪杰三结义
正文 第一百二十回　荐杜预老将献新谋
第两百一十八章
第壹章
第〇章 序
第 12 章 启程
第１２章　旅立ち
【第三章】
＃ 第２章
第一卷 笼中雀 第三章 惊蛰
第三章风起
第十二話 出会い
*** Chapter 7 ***
_CHAPTER II._
Prologue
EPILOGUE
Preface to the Second Edition
Vorwort
Épilogue
Эпилог
楔子
序章
番外三 旧事
后记
上
その三
下巻
番外之冬天
第五章 完。
Chapter 3 大水
プロローグ
エピローグ：春
프롤로그
""".strip().split("\n")

PARTS = """
BOOK ONE
Part II: The Journey
Book the Second--the Golden Thread
Zweiter Teil
Première partie
Часть вторая
제2부
第二卷　风云
卷三
""".strip().split("\n")

SENTENCES = """
Part of the ship was gone.
Chapter 3 was dull, he said.
Letter I wrote yesterday
Book one of our rooms
The second part was better than the first one
I. do not know
Act as if nothing had happened
Teil eins der Geschichte war kurz.
Глава семьи вошёл в дом.
La parte prima di tutto questo
第一回合结束了
第一章写得很好。
第二天，他走了
第三部分是他写的
第一次见到她
序列号是多少
引人入胜
三章では足りない
その一つを取った
下に人がいる
第一章 他走了很远很远很远很远的路才到了山下的村庄里。
제1장은 길었다.
Prologues are dull
He said: Chapter 1
1984
A
""".strip().split("\n")


@pytest.mark.parametrize("line", HEADINGS)
def test_chapters_in_ten_languages(line: str) -> None:
    assert heading_level(line) == 2


@pytest.mark.parametrize("line", PARTS)
def test_parts_stand_above_chapters(line: str) -> None:
    assert heading_level(line) == 1


@pytest.mark.parametrize("line", SENTENCES)
def test_sentences_are_no_headings(line: str) -> None:
    assert heading_level(line) == 0


def test_a_label_and_its_number_are_the_same_in_contents_and_text() -> None:
    assert number_of("CHAPTER IV. The Rabbit") == number_of("Chapter IV") == ("chapter", "IV")
    assert number_of("第三回　议温明") == number_of("第三回") == ("回", "三")
    assert number_of("A line") is None


def test_a_heading_without_a_title() -> None:
    assert without_title("CHAPTER I.")
    assert not without_title("CHAPTER I. A Title")
    assert is_named("Epilogue")
    assert not is_named("Chapter 1")


@pytest.mark.parametrize(
    "text",
    "Dreißigstes Kapitel|Hundertstes Kapitel|Kapitel einundzwanzig|CHAPITRE XXII[1].|Twenty-first Chapter"
    "|Chapter One Hundred and Twelve|Chapitre vingt et unième|Chapitre cinquante-deuxième|Capítulo vigésimo quinto"
    "|Capítulo trigésimo|Capitolo ventunesimo|Глава двадцать первая"
    "|Глава сороковая|Глава сотая|上卷 第一回　甄士隐|下卷 第一百回 径回东土|中卷 第一章|卷上 第一章"
    "|卷下 第三回 归|前編 第一章|下篇 第一章 春".split("|"),
)
def test_numbers_up_to_two_hundred_in_words(text: str) -> None:
    assert heading_level(text) == 2


@pytest.mark.parametrize("text", ["One act of kindness", "Two letters came", "Book one day."])
def test_words_that_only_begin_like_headings(text: str) -> None:
    assert not heading_level(text)
