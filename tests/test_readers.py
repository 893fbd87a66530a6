from __future__ import annotations

import os
import random
import re
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from narrate.errors import InputError
from narrate.text.document import Document
from narrate.text.readers import ReadOptions, read_bytes, read_file
from narrate.text.spoken.normalize import normalize
from tests.hostile import files


def sound(document: Document) -> str:
    return "\n".join("".join(p.sound for p in row.spans) for c in document.chapters for row in c.paragraphs)


def zipped(**files: str) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


WRONG = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\t\r\n", "is empty"),
    "only signs": ("……！？\n――\n* * *\n😀".encode(), "no words"),
    "only a byte order mark": (b"\xef\xbb\xbf", "no words"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "a picture"),
    "a program": (b"\x7fELF" + bytes(range(256)), "a program"),
    "sound": (b"ID3\x04" + bytes(50), "audio file"),
    "a Kindle book": (bytes(60) + b"BOOKMOBI" + bytes(50), "Kindle.*ebook-convert"),
    "old Word": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50), "old Word"),
    "subtitles": (b"[Script Info]\nTitle: x\n", "SubStation"),
    "compressed": (b"\x1f\x8b\x08" + bytes(20), "compressed"),
    "another zip": (zipped(a="text"), "zip file but no book"),
    "a cut zip": (zipped(a="text")[:40], "damaged"),
    "noise": (random.Random(1).randbytes(3000), "narrate"),
    "an empty page": (b"<html><body></body></html>", "no words"),
    "an EPUB without pages": (zipped(**{"META-INF/container.xml": "<x/>"}), "does not say which pages"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_is_one_clear_line_with_the_name_of_the_file(what: str) -> None:
    data, words = WRONG[what]
    with pytest.raises(InputError, match=words) as caught:
        read_bytes(data, "book.txt")
    assert str(caught.value).startswith("book.txt: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("share", "words"), [(0.02, ""), (0.3, "30% of the letters"), (0.6, "WARNING: more than half")]
)
def test_much_that_is_left_out_is_told_with_its_reason(share: float, words: str) -> None:
    code, prose = "x = 1\n" * round(10_000 * share / 6), "Word word. " * round(10_000 * (1 - share) / 11)
    warnings = read_bytes(f"{prose}\n\n```\n{code}```\n".encode(), "x.md").warnings
    assert [w.startswith(words) and "(code)" in w for w in warnings] == ([True] if words else [])


def test_wrong_paths(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_file(tmp_path / "none.txt")
    with pytest.raises(InputError, match="is a folder"):
        read_file(tmp_path)


@pytest.mark.parametrize("name", ["empty.txt", os.path.join("books", "sealed.txt")])
def test_a_message_names_a_file_as_it_was_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_bytes(b"" if "empty" in name else b"\x7fELF")
    with pytest.raises(InputError) as caught:
        read_file(Path(name))
    assert str(caught.value).startswith(f"{name}: is ")


def test_a_device_is_named_by_its_path() -> None:
    with pytest.raises(InputError, match=f"^{re.escape(os.devnull)}: is empty"):
        read_file(Path(os.devnull))


def test_the_content_decides_not_the_suffix() -> None:
    assert read_bytes(b"<!doctype html><p>Read <b>this</b>.", "x.txt").chapters[0].paragraphs[0].text == "Read this."
    assert read_bytes("漢字《かんじ》です。".encode(), "x.epub").chapters[0].paragraphs[0].spans[0].spoken == "かんじ"
    assert read_bytes(b"# Head\n\nText.", "x.md").chapters[0].title == "Head"
    assert read_bytes(b"# Head\n\nText.", "x.txt").chapters[0].title == ""


def test_title_and_language_where_the_text_tells_neither() -> None:
    document = read_bytes("吾輩は猫である。".encode(), "my book.txt")
    assert (document.title, document.language) == ("my book", "ja")
    assert read_bytes(b"Text.", "x.txt", ReadOptions(language="fr")).language == "fr"


def test_the_encoding_is_told_and_doubts_are_warnings() -> None:
    document = read_bytes("吾輩は猫である。".encode("euc_jp"), "x.txt", ReadOptions(encoding="euc-jp"))
    assert sound(document) == "吾輩は猫である。"
    assert document.encoding == "euc_jp"
    damaged = ("吾輩は猫である。名前はまだ無い。\n" * 20).encode()[1:]
    assert "damaged" in read_bytes(damaged, "x.txt").warnings[0]


@pytest.mark.parametrize("name", ["wagahai.sjis.txt", "melos.sjis.txt", "rashomon.sjis.txt", "alice.txt", "sanguo.txt"])
def test_every_letter_of_a_book_is_in_one_piece_or_left_out_by_name(books: Path, name: str) -> None:
    assert unread(normalize(read_file(books / name))) == []


@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [
        ("alice.txt", 12, "CHAPTER I. Down the Rabbit-Hole", "CHAPTER XII. Alice’s Evidence"),
        (
            "sanguo.txt",
            120,
            "正文 第一回 宴桃园豪杰三结义 斩黄巾英雄首立功",
            "正文 第一百二十回 荐杜预老将献新谋 降孙皓三分归一统",
        ),
        ("wagahai.sjis.txt", 11, "一", "十一"),
        ("epub/kusamakura-japanese-vertical-writing.epub", 13, "一", "十三"),
    ],
)
def test_chapters_of_real_books(books: Path, name: str, count: int, first: str, last: str) -> None:
    chapters = [chapter for chapter in read_file(books / name).chapters if chapter.number]
    assert [chapter.number for chapter in chapters] == list(range(1, count + 1))
    assert (chapters[0].title, chapters[-1].title) == (first, last)
    assert all(chapter.paragraphs[0].kind == "heading" for chapter in chapters)


@pytest.mark.parametrize("seed", range(4))
def test_hostile_files_are_read_or_refused_in_one_line(seed: int) -> None:
    """Never a traceback, never a hang; and what is read still has every letter once."""
    folder = Path(__file__).parents[2] / "shared" / "texts"
    for name, data in files(folder if folder.is_dir() else None, 120, seed):
        refusal, document = f"{name}: ", None
        try:
            document = normalize(read_bytes(data, name))
        except InputError as error:
            refusal = str(error)
        assert refusal.startswith(f"{name}: ")
        assert "\n" not in refusal
        assert document is None or unread(document) == []


def unread(document: Document) -> list[int]:
    """The letters of the source that are not in exactly one span or exclusion."""
    spans = [(p.start, p.end) for c in document.chapters for row in c.paragraphs for p in row.spans]
    assert spans == sorted(spans)
    seen = bytearray(len(document.source))
    for start, end in spans + [(part.start, part.end) for part in document.excluded]:
        for at in range(start, end):
            seen[at] += 1
    return [at for at, letter in enumerate(document.source) if letter.isalnum() and seen[at] != 1]


ARABIC = "ذهب الولد إلى المدرسة في الصباح. " * 9


@pytest.mark.parametrize(
    ("text", "name", "language"),
    [
        (ARABIC, "x.txt", "Arabic"),
        ("שלום לכל האנשים בעולם. " * 9, "x.txt", "Hebrew"),
        ("<html lang='nl'><body><p>Dit is een boek en het is goed.</p></body></html>", "x.html", "Dutch"),
    ],
)
def test_a_language_without_a_voice_is_refused_by_its_name(text: str, name: str, language: str) -> None:
    with pytest.raises(InputError, match=f"is in {language}"):
        read_bytes(text.encode(), name)
    assert read_bytes(text.encode(), name, ReadOptions(language="en")).language == "en"


def test_an_arabic_word_in_an_english_book_is_no_reason_to_refuse_it() -> None:
    assert read_bytes(
        f"The word {ARABIC[:20]} means a school, and it was not so. {'The end of it. ' * 20}".encode(), "x.txt"
    )


def test_entities_in_plain_text_are_letters() -> None:
    assert sound(read_bytes(("Les caf&#233;s et l'&eacute;t&eacute; &amp; moi. " * 3).encode(), "x.txt")).startswith(
        "Les cafés et l'été & moi."
    )
    assert "&eacute;" in sound(read_bytes(b"Write &eacute; for it.", "x.txt"))
