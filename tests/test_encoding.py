from __future__ import annotations

import encodings.aliases
import pkgutil
import random
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.errors import InputError
from narrate.text.encoding import clean, decode

JAPANESE = "　吾輩は猫である。名前はまだ無い。①と㈱、髙橋――「どこで生れたか」とんと見当がつかぬ……。～\n" * 12
SIMPLIFIED = "　　话说天下大势，分久必合，合久必分。镕基、啰嗦：“周末七国分争，并入于秦。”\n" * 12
TRADITIONAL = "話說天下大勢，分久必合，合久必分。他說：「你們怎麼還不來呢？」大家都沒有說話。\n" * 12
ENGLISH = "“Oh dear! Oh dear! I shall be late!” — it’s nothing, said the café’s owner…\nNo more than that.\n" * 12
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.\n" * 12
KOREAN = "그는 천천히 고개를 들어 하늘을 바라보았다. 오늘은 비가 올 것 같았다.\n" * 12
GERMAN = "Als Gregor eines Morgens aus unruhigen Träumen erwachte, fand er sich in seinem Bett. Größe, schön.\n" * 12

SAME = [
    (JAPANESE, "utf-8 utf-8-sig utf-16 utf-16-le utf-16-be cp932 euc_jis_2004 iso2022_jp_2004"),
    (SIMPLIFIED, "utf-8 utf-16 gb18030 gbk"),
    (TRADITIONAL, "utf-8 utf-16-be big5 cp950"),
    (ENGLISH, "utf-8 utf-8-sig utf-16-le cp1252"),
    (RUSSIAN, "utf-8 cp1251 koi8-r cp866"),
    (KOREAN, "utf-8 cp949 utf-16-be"),
    (GERMAN, "utf-8 cp1252 latin-1 mac-roman"),
]


@pytest.mark.parametrize(("text", "codec"), [(text, codec) for text, codecs in SAME for codec in codecs.split()])
def test_every_encoding_gives_the_same_text_without_a_doubt(text: str, codec: str) -> None:
    if codec.endswith("2004"):
        text = text.replace("髙", "高").replace("～", "〜")
    decoded = decode(text.encode(codec))
    assert decoded.text == clean(text)
    assert decoded.warnings == ()


@pytest.mark.parametrize("codec", ["cp932", "euc_jp", "iso2022_jp", "utf-8", "utf-16"])
def test_wagahai_in_every_japanese_encoding(books: Path, codec: str) -> None:
    text = decode((books / "wagahai.sjis.txt").read_bytes()).text
    marks = {"－": "−", "～": "〜", "∥": "‖"} if codec != "cp932" else {}
    for mark, same in marks.items():
        text = text.replace(mark, same)
    again = decode(text.encode(codec))
    assert again.text == clean(text)
    assert again.warnings == ()


@pytest.mark.parametrize(("text", "codec"), [(text, codec) for text, codecs in SAME[:6] for codec in codecs.split()])
@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_file_is_still_right_or_said_to_be_doubtful(text: str, codec: str, seed: int) -> None:
    """Cut inside its first and its last character, with three wrong bytes."""
    chance = random.Random(seed)
    data = bytearray(text.encode(codec, "replace")[1:-1])
    for _ in range(3):
        data[chance.randrange(len(data))] = chance.randrange(256)
    decoded = decode(bytes(data))
    right = sum(line in text.split("\n") for line in decoded.text.split("\n"))
    assert right >= 0.5 * text.count("\n") or decoded.warnings


def test_one_foreign_line_in_an_english_file() -> None:
    text = (
        "It was a bright cold day in April.\n" * 80 + "吾輩は猫である。名前はまだ無い。どこで生れたか見当がつかぬ。\n"
    )
    assert decode(text.encode("cp932")).text == text


@pytest.mark.parametrize("codec", ["cp1252", "mac-roman"])
@pytest.mark.parametrize(
    "line",
    [
        "The naïve café at £5, 30° in the shade.",
        "« Ça, c'est à Noël, où ? »",
        "¿Qué? ¡Mañana!",
        "Größe, Ärger",
        "Perché è già lì, più su",
    ],
)
def test_a_few_accents_in_a_long_file(line: str, codec: str) -> None:
    text = "It was a bright cold day in April.\n" * 40 + line + "\n"
    decoded = decode(text.encode(codec))
    assert (decoded.text, decoded.warnings) == (text, ())


def test_japanese_in_katakana_alone() -> None:
    text = "アメニモマケズ、カゼニモマケズ、ユキニモナツノアツサニモマケヌ、ヂヨウブナカラダヲモチ。\n" * 12
    assert decode(text.encode("cp932")).text == text


def test_japanese_cut_inside_its_first_escape() -> None:
    assert decode(JAPANESE[:16].encode("iso2022_jp")[1:]).text.startswith("　吾輩")


def test_the_language_narrows_the_choice() -> None:
    assert decode("漢字".encode("euc_jp"), language="ja").text == "漢字"


def test_what_a_file_says_of_itself_is_believed_if_it_fits() -> None:
    assert decode("café à la crème".encode("cp1252"), hint="iso-8859-1").text == "café à la crème"
    assert decode("café à la crème".encode(), hint="iso-8859-1").encoding == "utf-8"
    assert decode(JAPANESE.encode("cp932"), hint="no such codec").text == clean(JAPANESE)


def test_as_told() -> None:
    assert decode("①髙".encode("cp932"), encoding="Shift_JIS").text == "①髙"
    assert decode("镕".encode("gbk"), encoding="GB2312").text == "镕"
    assert decode(b"\xef\xbb\xbfabc", encoding="utf-8").text == "abc"


@pytest.mark.parametrize(
    ("data", "encoding", "doubtful"),
    [
        (b"Plain words. " * 8, "utf-16", True),
        ("Ein Käfer fällt.".encode(), "cp1252", True),
        ("Ein Käfer fällt.".encode(), "utf-8", False),
        ("\ufeffEin Käfer fällt.".encode(), "utf-8-sig", False),
        (b"Plain words.", "cp1252", False),
        ("Ein Käfer fällt.".encode("cp1252"), "cp1252", False),
        ("吾輩は猫である。".encode("iso2022_jp"), "iso2022_jp", False),
        ("吾輩は猫である。".encode("utf-16"), "utf-16", False),
    ],
)
def test_a_file_that_is_read_as_what_it_hardly_is_is_doubtful(data: bytes, encoding: str, doubtful: bool) -> None:
    warnings = decode(data, encoding).warnings
    assert [f"looks like UTF-8 and is read as {encoding}" in warning for warning in warnings] == [True] * doubtful


CODECS = sorted({module.name for module in pkgutil.iter_modules(encodings.__path__)} | set(encodings.aliases.aliases))


@pytest.mark.parametrize("data", [b"caf\xe9 \xff\xfe\x80 words " * 9, b"plain words " * 9, b"\\x1b[31m \\u001b " * 9])
def test_whatever_codec_a_page_names_it_is_a_text_or_one_clear_line(data: bytes) -> None:
    for name in CODECS:
        for how in ({"encoding": name}, {"hint": name}):
            with suppress(InputError):
                assert "\x1b" not in decode(data, **how).text


@pytest.mark.parametrize("name", ["punycode", "idna", "unicode_escape", "raw-unicode-escape", "undefined"])
def test_codecs_that_no_file_is_written_in_are_unknown(name: str) -> None:
    with pytest.raises(InputError, match="no such encoding"):
        decode(b"plain words", name)
    page = f"<html><meta charset={name}><p>caf\xe9s and \\x41</p></html>".encode("latin-1")
    assert "\\x41" in decode(page, hint=name).text


@pytest.mark.parametrize(
    ("data", "encoding", "words"),
    [
        (b"abc", "klingon", "no such encoding"),
        (b"abc", "rot13", "no such encoding"),
        (b"abc", "\0", "no such encoding"),
        (JAPANESE.encode("cp932"), "utf-8", "does not fit"),
        (bytes(range(256)) * 50, None, "is not a text"),
        (random.Random(1).randbytes(5000), None, "narrate"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(data: bytes, encoding: str | None, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        decode(data, encoding)
    assert "\n" not in str(caught.value)


def test_line_ends_spaces_and_invisible_characters() -> None:
    assert decode("a\r\nb\rc\x0cd\u2028e\u00a0f\u200bg\ufeffh\u00ad".encode()).text == "a\nb\nc\nd\ne fgh"


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_any_bytes_become_text_or_one_clear_line(data: bytes) -> None:
    try:
        said = decode(data).text
    except InputError as error:
        said = str(error).replace("\n", "\x00")
    assert "\r" not in said
    assert "\x00" not in said
