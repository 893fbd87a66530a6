from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from narrate.text.document import Document
from narrate.text.encoding import clean
from narrate.text.formats import aozora
from narrate.text.readers import ReadOptions, read_file

# Conformance cases whose page shows what nobody reads aloud, or what a reader of books never meets.
LEFT_OUT = {
    "bold_forward_gothic_no_referent": "prints a word that only its note has: a note is not the book",
    "bold_forward_no_referent": "same",
    "bouten_forward_no_referent": "same",
    "box_enclosure_no_referent": "same",
    "font_size_larger_no_referent": "same",
    "fraction_forward_no_referent": "same",
    "heading_forward_no_referent": "same",
    "horizontal_inline_forward_no_referent": "same",
    "italic_forward_no_referent": "same",
    "side_glyph_left_no_referent": "same",
    "side_glyph_right_no_referent": "same",
    "subscript_forward_no_referent": "same",
    "superscript_forward_no_referent": "same",
    "bracketed_kaeriten_no_pair": "kaeriten are marks for the order of reading, they have no sound",
    "kaeriten_outside_kanbun": "same",
    "boki": "a × beside a word marks censorship; it is no reading",
    "editor_note": "the number of an editor's note",
    "left_ruby_pair": "the page shows the label 左ルビ",
    "ruby_attached": "the page shows the label ルビ",
    "ruby_retarget": "same",
    "sashie_caption": "the caption of a picture nobody sees",
    "unresolved_gaiji": "a character known only by its description: the hole is silent",
}


def spoken(document: Document) -> str:
    paragraphs = [paragraph for chapter in document.chapters for paragraph in chapter.paragraphs]
    return "\n".join("".join(span.sound for span in paragraph.spans) for paragraph in paragraphs)


def shown(page: str) -> str:
    """What a page says aloud: rubies by their reading, nothing hidden."""
    page = re.sub("<rp>.*?</rp>", "", page)
    page = re.sub("<ruby>(?:(?!<rt).)*<rt[^>]*>(.*?)</rt></ruby>", r"\1", page)
    page = re.sub(r"<(\w+)[^>]*\shidden[^>]*>.*?</\1>", "", page)
    return html.unescape(re.sub("<[^>]+>", "", page))


def letters(text: str) -> str:
    return re.sub(r"[\s《》｜\ufffd\ue000-\uf8ff]", "", text).replace("⁄", "／")


def test_conformance_cases_sound_as_their_pages_show(aozora_vectors: Path) -> None:
    cases = sorted(aozora_vectors.glob("*.json"))
    wrong = {}
    for case in cases:
        vector = json.loads(case.read_text("utf-8"))
        said = letters(spoken(aozora.read(clean(vector["source"]))))
        if said != letters(shown(vector["expected"]["html"])):
            wrong[case.stem] = said
    assert len(cases) > 100
    assert set(wrong) == set(LEFT_OUT)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("吾輩《わがはい》は猫", "わがはいは猫"),
        ("一番｜獰悪《どうあく》な", "一番どうあくな"),
        ("｜ＡＢＣ《エービーシー》と", "エービーシーと"),
        ("彼は英語《・・・》で", "彼は英語で"),
        ("喰《ママ》い", "喰い"),
        ("いろ／＼と、それ／″＼に", "いろいろと、それぞれに"),
        ("各《おの／＼》", "おのおの"),
        ("※［＃「言＋墟のつくり」、第4水準2-88-74］《うそ》だ", "うそだ"),
        ("※［＃「火＋（麈－鹿）」、U+70B7、12-3］を", "炷を"),
        ("※［＃「柿」の正字、12-3］と", "柿と"),
        ("〔Quid amicitiae&［＃「〔amicitiae&〕」は底本では「amiticiae」］ l'e'le`ve〕", "〔Quid amicitiæ l'élève〕"),
        ("［＃２字下げ］詩の一行［＃「詩」に傍点］", "詩の一行"),
        ("學而時習［＃レ］之［＃（ヲ）］", "學而時習之"),
        ("※［＃始め二重山括弧、1-1-52］題※［＃終わり二重山括弧、1-1-53］", "題"),
        ("前［＃改行］後", "前\n後"),
        ("妹脊［＃「妹脊」に「いもせ」のルビ］山", "いもせ山"),
        ("その｜魔導書（グリモワール）を", "そのグリモワールを"),
    ],
)
def test_notation(source: str, said: str) -> None:
    assert spoken(aozora.read(source + "［＃改ページ］")) == said


def test_the_base_is_said_on_request() -> None:
    assert spoken(aozora.read("吾輩《わがはい》は［＃改ページ］", ruby="base")) == "吾輩は"


def test_a_name_keeps_its_reading_and_a_word_does_not() -> None:
    text = "苦沙弥《くしゃみ》先生は今日《きょう》も昼寝《ひるね》をした。\n苦沙弥先生、苦沙弥、大苦沙弥。今日も昼寝。"
    assert spoken(aozora.read(text)).split("\n")[1] == "くしゃみ先生、くしゃみ、大苦沙弥。今日も昼寝。"
    assert spoken(aozora.read(text, ruby_memory=False)).split("\n")[1] == "苦沙弥先生、苦沙弥、大苦沙弥。今日も昼寝。"


def test_a_name_with_two_readings_or_a_plain_first_mention_is_not_remembered() -> None:
    text = "寒月《かんげつ》君と寒月《さむづき》君。寒月が来た。\n主人は。主人《あるじ》さん。主人。"
    said = spoken(aozora.read(text))
    assert "寒月が来た" in said
    assert said.endswith("あるじさん。主人。")


def test_headings_of_every_form() -> None:
    source = (
        "［＃５字下げ］第一部［＃「第一部」は大見出し］\n"
        "［＃８字下げ］一《いち》［＃「一」は中見出し］\n本文。\n"
        "［＃中見出し］二［＃中見出し終わり］\n本文。\n"
        "［＃ここから中見出し］\n三\n［＃ここで中見出し終わり］\n本文。\n"
        "四\n［＃「四」は中見出し］\n本文。\n"
        "五［＃「五」は同行中見出し］　本文。\n"
        "節［＃「節」は小見出し］\n本文。\n"
    )
    document = aozora.read(source)
    assert [(chapter.number, chapter.title) for chapter in document.chapters] == [
        (1, "第一部 – 一"),
        (2, "二"),
        (3, "三"),
        (4, "四"),
        (5, "五"),
    ]
    assert [paragraph.text for paragraph in document.chapters[-1].paragraphs] == ["五", "本文。", "節", "本文。"]
    assert document.chapters[-1].paragraphs[2].kind == "heading"


def test_a_heading_that_is_never_closed_does_not_swallow_the_book() -> None:
    document = aozora.read("［＃中見出し］一\n本文。\n［＃ここから大見出し］題\n" + "長い文。" * 60 + "\n本文。\n")
    kinds = [paragraph.kind for chapter in document.chapters for paragraph in chapter.paragraphs]
    assert kinds == ["heading", "prose", "heading", "prose", "prose"]


FOOT = "\n\n\n底本：「全集1」某書房\n　　　1987（昭和62）年初版\n入力：甲野\n校正：乙野\n2001年公開\n"
LEGEND = "-" * 55 + "\n【テキスト中に現れる記号について】\n\n《》：ルビ\n（例）吾輩《わがはい》\n" + "-" * 55 + "\n"


@pytest.mark.parametrize("legend", ["", LEGEND], ids=["no legend", "legend"])
def test_title_author_legend_and_colophon_are_found_and_not_spoken(legend: str) -> None:
    document = aozora.read(
        "題名《だいめい》\n副題\n作者名\n訳者名訳\n\n" + legend + "\n　本文《ほんぶん》です。\n" + FOOT
    )
    assert (document.title, document.author) == ("題名", "作者名")
    assert spoken(document) == "ほんぶんです。"
    kinds = [excluded.kind for excluded in document.excluded]
    assert kinds == ["header", "legend", "colophon"] if legend else kinds == ["header", "colophon"]


@pytest.mark.parametrize("rule", ["-" * 10, "－" * 40, "―" * 30, "＊" * 20])
def test_the_legend_stands_between_rules_of_any_kind(rule: str) -> None:
    document = aozora.read(f"題\n作者\n\n{LEGEND.replace('-' * 55, rule)}\n　本文《ほんぶん》です。\n{FOOT}")
    assert spoken(document) == "ほんぶんです。"


def test_a_legend_stands_near_the_beginning_alone() -> None:
    """A rule of signs and the words of a legend, further on, are the book's own, with all that stands before them."""
    story = "　彼は静かに《しずか》に川を見ていた。\n" * 100
    document = aozora.read(f"題\n作者\n\n{story}\n{LEGEND}\n{story}{FOOT}")
    assert spoken(document).count("川を見て") == 200
    assert "legend" not in {part.kind for part in document.excluded}
    assert spoken(aozora.read(f"題\n作者\n\n{LEGEND}\n{story}{FOOT}")).count("川を見て") == 100


def test_where_a_colophon_is_none() -> None:
    story = "　彼は静かに川を見ていた。\n" * 20
    said = spoken(aozora.read(f"題\n作者\n\n{LEGEND}\n{story}　底本：とは何か。\n{story}{FOOT}"))
    assert said.count("川を見て") == 40
    assert "1987" not in said
    assert "川を見て" in spoken(aozora.read(f"題\n入力：甲野\n校正：乙野\n\n{story}　森《もり》へ。\n"))
    only = f"題\n作者\n\n{LEGEND}\n{story}\n\n底本：「全集1」某書房\n　　　1987年初版\n"
    assert "全集" not in spoken(aozora.read(only))


def test_quotes_of_another_japanese_text_are_no_ruby() -> None:
    assert not aozora.is_aozora("私は《さくら》という店で《ステータス》と言った。")
    assert (
        spoken(aozora.read("魔法《まほう》の《剣》、《《強調》》。|竜《ドラゴン》が来た。"))
        == "まほうの剣、強調。ドラゴンが来た。"
    )


def test_wagahai_has_eleven_chapters_and_no_marks(books: Path) -> None:
    document = read_file(books / "wagahai.sjis.txt")
    assert (document.title, document.author, document.language) == ("吾輩は猫である", "夏目漱石", "ja")
    assert [chapter.title for chapter in document.chapters] == "一 二 三 四 五 六 七 八 九 十 十一".split()
    assert [chapter.number for chapter in document.chapters] == list(range(1, 12))
    said = spoken(document)
    assert not re.search("[《》｜［＃］※〓]", said)
    assert "わがはいは猫である。名前はまだ無い。" in said


def test_first_two_hundred_rubies_of_wagahai(books: Path) -> None:
    """Each 《reading》 of the file is the sound of one span, whose text is the characters before it."""
    document = read_file(books / "wagahai.sjis.txt", ReadOptions(ruby_memory=False))
    body = document.source.index("［＃８字下げ］一")
    rubies = list(re.finditer("(?:｜([^｜《》\n]+)|([一-鿿々〆]+))《([^《》]+)》", document.source[body:]))[:200]
    spans = {p.end: p for c in document.chapters for row in c.paragraphs for p in row.spans if p.spoken is not None}
    assert len(rubies) == 200
    for ruby in rubies:
        span = spans[body + ruby.end()]
        assert (span.text, span.spoken) == (ruby[1] or ruby[2], ruby[3])


POEM = """京都の夜
作者名

ま、綺麗やおへんかどうえ
このたそがれの明るさや暗さや
どうどつしやろ紫の空のいろ

虹の様に五色に霞んでる



"""


def test_a_file_without_any_notation_is_known_by_its_colophon() -> None:
    source = POEM + FOOT.lstrip()
    assert aozora.is_aozora(source)
    document = aozora.read(source)
    assert (document.title, document.author) == ("京都の夜", "作者名")
    assert spoken(document).split("\n")[0] == "ま、綺麗やおへんかどうえ"
    assert spoken(document).split("\n")[-1] == "虹の様に五色に霞んでる"
    assert [paragraph.kind for paragraph in document.chapters[0].paragraphs] == ["verse", "verse", "verse", "prose"]


def test_the_old_narrow_notes() -> None:
    assert spoken(aozora.read("本文[#「本文」に傍点]と※[#「火＋（麈－鹿）」、第3水準1-87-40]。")) == "本文と炷。"


def test_a_heading_note_may_quote_its_ruby() -> None:
    document = aozora.read("一、巽《たつみ》の方［＃「一、巽《たつみ》の方」は中見出し］\n本文。\n")
    assert document.chapters[0].title == "一、巽の方"


def test_a_file_without_heading_notes_has_the_headings_its_lines_tell() -> None:
    story = "　彼は静かに《しずか》に歩いた。それから、長い間、川を見ていた。\n" * 20
    document = aozora.read(f"題\n作者\n\n{LEGEND}\n　　　　一\n\n{story}\n\n　　　　二\n\n{story}\n{FOOT}")
    assert [chapter.title for chapter in document.chapters] == ["一", "二"]
