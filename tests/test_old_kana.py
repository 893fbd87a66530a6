"""Old kana orthography: forms and how they are said, what is left alone, and which books are in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.text.document import Document
from narrate.text.readers import ReadOptions, read_bytes, read_file
from narrate.text.spoken.normalize import normalize
from narrate.text.spoken.old_kana import is_old, modern, modern_reading, old_spellings

# Verbs with endings in は, and the reading of their stem.
VERBS = (
    "言い 思おも 笑わら 買か 逢あ 吸す 拾ひろ 使つか 習なら 洗あら 違ちが 争あらそ 追お 失うしな 養やしな 奪うば "
    "誘さそ 扱あつか 従したが 伴ともな 疑うたが 漂ただよ 装よそお 補おぎな 狂くる 縫ぬ 喰く 負お 競きそ 償つぐな "
    "嫌きら "
    "厭いと 貰もら 適かな 襲おそ 伺うかが 給たま 添そ 沿そ 揮ふる 奮ふる 雇やと 整ととの 迷まよ 囲かこ 救すく 払はら"
).split()
ENDINGS = "はない:わない ひます:います ふ:う へば:えば はう:おう つた:った つて:って はれる:われる".split()
WORDS = (
    """
横たはつた 横たわった
行はれない 行われない|人に会はない 人に会わない|向かひ 向かい|さつさと さっさと|はづかしい はずかしい
一きは高い ひときわ高い|呆つ気に 呆っ気に|酔つ払ひ 酔っ払い|攀ぢ登る 攀じ登る|疑はざる 疑わざる|「あつ」と 「あっ」と
だらう だろう|あらう あろう|でせう でしょう|ませう ましょう|あつた あった|だつた だった|なつて なって
しまつた しまった|ちよつと ちょっと|きつと きっと|やつと やっと|もつと もっと|ずつと ずっと|ぢつと ぢっと
じつと じっと|すつかり すっかり|うつかり うっかり|びつくり びっくり|やつぱり やっぱり|いつぱい いっぱい
いつしよに いっしょに|まつたく まったく|いらつしやい いらっしゃい|おつしやる おっしゃる|ほんたうに ほんとうに
ありがたう ありがとう|さうして そうして|かうして こうして|かう云ふ こう云う|やうやく ようやく
夢のやうに 夢のように|行かう 行こう|読まう 読もう|話さう 話そう|待たう 待とう|帰らう 帰ろう|泳がう 泳ごう
遊ばう 遊ぼう|死なう 死のう|にほひ におい|いきほひ いきおい|なりはひ なりわい|さいはひ さいわい
わざはひ わざわい|すなはち すなわち|にはかに にわかに|あらはれる あらわれる|くはへる くわえる|うはさ うわさ
やはらかい やわらかい|しあはせ しあわせ|あはれ あわれ|かはいい かわいい|かはいさうに かわいそうに|さはる さわる
つひに ついに|あひだ あいだ|たがひに たがいに|はひつた はいった|はひる はいる|をかしい おかしい|をんな おんな
をとこ おとこ|まうします もうします|しやべる しゃべる|おもちや おもちゃ|まつすぐ まっすぐ|まつさを まっさお
まつか まっか|ちやうど ちょうど|まはり まわり|まはつて まわって|かはり かわり|かはつた かわった|こはい こわい
こはれる こわれる|とほく とおく|とほり とおり|なほ なお|おほきい おおきい|きのふ きのう|けふ きょう
ゆふべ ゆうべ|いはゆる いわゆる|いへば いえば|さへ さえ|うへ うえ|まへ まえ|おまへ おまえ|ゆくへ ゆくえ
たとへば たとえば|かへつて かえって|かへる かえる|こたへる こたえる|かんがへる かんがえる|をしへて おしえて
むかへる むかえる|たふれる たおれる|あふむき あおむき|ゐる いる|ゑがく えがく|くらゐ くらい|チヤツク チャック
バツグ バッグ|リユツク リュック|真つ赤 真っ赤|引つ張る 引っ張る|ぢやない ぢゃない|じやない じゃない
なければ なければ|美しうて 美しゅうて|教へる 教える|考へた 考えた|答へて 答えて|与へる 与える|加へる 加える
支へる 支える|変へる 変える|幸ひに 幸いに|勢ひで 勢いで|用ひます 用います|酔ひました 酔いました|屹つと 屹っと
そつちへ そっちへ|こつち こっち|だつて だって|しまひに しまいに|もらはない もらわない|ちがひます ちがいます
おもはず おもわず|ねがひ ねがい|うたがひ うたがい|とりあへず とりあえず|あつけ あつけ
""".replace("\n", "|")
    .strip("|")
    .split("|")
)
SAME = (
    "どこかへ行く|ここはいい|かつて|かつての友|二つて|一つたりない|僕はない|東京へは|春はなやか|人ふたり|女ひとり|いつも|いつまで|いつか|つてを頼る"
    "|母はは|やはり|ロシヤ|イタリヤ|ドイツト|シャツ|歌はない|こんなほど|今いはつ|やすらぎ"
).split("|")


def test_there_are_three_hundred_forms() -> None:
    assert len(VERBS) * len(ENDINGS) + len(WORDS) >= 300


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_with_endings_in_the_ha_row(verb: str) -> None:
    for old, new in (ending.split(":") for ending in ENDINGS):
        assert modern(verb[0] + old) == verb[0] + new


@pytest.mark.parametrize("pair", WORDS)
def test_words_of_every_rule(pair: str) -> None:
    old, new = pair.split()
    assert modern(old) == new


@pytest.mark.parametrize("text", SAME)
def test_what_only_looks_old_is_left_alone(text: str) -> None:
    assert modern(text) == text


@pytest.mark.parametrize("verb", VERBS[::4])
def test_open_jtalk_says_forms_as_their_readings(verb: str) -> None:
    openjtalk = pytest.importorskip("pyopenjtalk")

    def heard(text: str) -> str:
        return str(openjtalk.g2p(text, kana=True)).replace("ユー", "イウ").replace("ユッ", "イッ")

    for old, new in (ending.split(":") for ending in ENDINGS):
        assert heard(f"彼は{modern(verb[0] + old)}。") == heard(f"彼は{verb[0]}{new}。")


@pytest.mark.parametrize(
    ("base", "old", "new"),
    [
        ("生業", "なりはひ", "なりわい"),
        ("関係", "くわんけい", "かんけい"),
        ("兄弟", "きやうだい", "きょうだい"),
        ("勢", "いきほひ", "いきおい"),
        ("急", "きふ", "きゅう"),
        ("蝶", "てふ", "ちょう"),
        ("妾", "せふ", "しょう"),
        ("病", "やまひ", "やまい"),
        ("今宵", "こよひ", "こよい"),
        ("母", "はは", "はは"),
        ("再版", "さいはん", "さいはん"),
        ("掌", "てのひら", "てのひら"),
        ("学校", "がくかう", "がくこう"),
        ("畢竟", "ひつきやう", "ひっきょう"),
        ("悄気返", "しよげかへ", "しょげかえ"),
        ("羞", "はづか", "はずか"),
    ],
)
def test_readings(base: str, old: str, new: str) -> None:
    assert modern_reading(old, base) == new


OLD = "　僕はかう云つた。「さうでせう。」彼は笑ひながら、それを読んでゐたやうに思ふ。\n" * 3


def sound(document: Document) -> str:
    return "\n".join("".join(p.sound for p in row.spans) for c in normalize(document).chapters for row in c.paragraphs)


def test_a_book_in_old_orthography_is_said_as_it_was_meant() -> None:
    document = read_bytes((OLD + "　その生業《なりはひ》を問ふ。\n").encode(), "x.txt", ReadOptions(language="ja"))
    said = sound(document)
    assert said.startswith("僕はこう云った。「そうでしょう。」彼は笑いながら、それを読んでいたように思う。")
    assert said.endswith("そのなりわいを問う。")


def test_a_quotation_in_old_orthography_changes_nothing_in_a_book_in_the_new_one() -> None:
    new = "　僕はこう言った。「そうでしょう。」彼は笑いながら、それを読んでいたように思う。\n" * 3
    document = read_bytes((new + "　「言ふ」と書いてあつた。\n").encode(), "x.txt", ReadOptions(language="ja"))
    assert sound(document).endswith("「言ふ」と書いてあつた。")


@pytest.mark.parametrize(
    ("name", "old"), [("kappa.txt", True), ("shuju.txt", False), ("wagahai.sjis.txt", False), ("melos.sjis.txt", False)]
)
def test_which_books_are_old(books: Path, name: str, old: bool) -> None:
    chapters = read_file(books / name).chapters
    assert is_old(paragraph.text for chapter in chapters for paragraph in chapter.paragraphs) is old


@given(st.text("はひふへほつやゆよかういえ言思人一、。」たてなにャツク", max_size=60))
def test_spellings_are_disjoint_and_in_order(text: str) -> None:
    at = 0
    for start, end, said in old_spellings(text):
        assert at <= start < end <= len(text)
        assert said
        assert said != text[start:end]
        at = end
