"""Text that arrives while it is spoken, through real pipes; where time matters, the writer is another process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.pipeline import Background
from narrate.text.chunking import arrivals
from narrate.text.chunking.arrivals import ArrivingPipe, Dictation, Writing, arriving_chunks, gather
from narrate.text.chunking.chunks import Lengths
from narrate.text.document import Chunk
from narrate.text.encoding import visible
from narrate.text.spoken.normalize import normalize


@contextmanager
def pipe(first: bytes = b"") -> Iterator[tuple[int, int]]:
    """(reading end, writing end) of a pipe with `first` in it; both are closed at the end if they are open."""
    reading, writing = os.pipe()
    try:
        os.write(writing, first)
        yield reading, writing
    finally:
        for fd in (reading, writing):
            try:
                os.close(fd)
            except OSError:
                continue


def until_none(chunks: Iterator[Chunk | None]) -> list[str]:
    """The texts that can be spoken before more is written."""
    found = []
    while (chunk := next(chunks)) is not None:
        found.append(chunk.text)
    return found


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


# --- is it a file or somebody writing? --------------------------------------------------------------------------------


def test_a_writer_that_closes_has_given_a_file() -> None:
    with pipe("こんにちは。".encode()) as (reading, writing):
        os.close(writing)
        assert gather(reading) == ("こんにちは。".encode(), True)
        assert gather(reading) == (b"", True)


def test_a_writer_that_stops_without_closing_is_still_writing() -> None:
    with pipe(b"One sentence. ") as (reading, _):
        assert gather(reading, pause=0.01) == (b"One sentence. ", False)


def test_half_a_character_does_not_make_it_another_encoding() -> None:
    half = "One. 猫".encode()[:-1]
    with pipe(half) as (reading, _):
        assert gather(reading, pause=0.01) == (half, False)


WHOLE = [
    "吾輩は猫である。".encode("cp932"),
    "A text.".encode("utf-16"),
    "漢字。".encode("iso2022_jp"),
    b"PK\x03\x04 an EPUB",
    b"%PDF-1.7",
    b"<!DOCTYPE html><p>One.",
    b"The Project Gutenberg eBook of Alice",
    "吾輩《わがはい》は猫である。".encode(),
    "一［＃「一」は中見出し］".encode(),
]


@pytest.mark.parametrize("start", WHOLE)
def test_what_cannot_be_begun_is_read_to_its_end(start: bytes) -> None:
    writer = (
        "import sys, time; sys.stdout.buffer.write({!r}); sys.stdout.flush(); time.sleep(0.2); print('end', end='')"
    )
    with subprocess.Popen([sys.executable, "-c", writer.format(start)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert gather(process.stdout.fileno(), pause=0.01, patience=0.01) == (start + b"end", True)


def test_a_long_text_that_cannot_be_begun_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    can_be_begun = arrivals._can_be_begun

    def looking(data: bytes) -> bool:
        looked.append(len(data))
        return can_be_begun(data)

    monkeypatch.setattr(arrivals, "ENDLESS", 1 << 16)
    monkeypatch.setattr(arrivals, "_can_be_begun", looking)
    page = b"<html>" + b"<p>A line of a page.</p>\n" * 30_000
    with pipe() as (reading, writing):
        feeding = Background(lambda: (os.write(writing, page), os.close(writing)))
        assert gather(reading) == (page, True)
        feeding.result()
    assert len(looked) == 1


def test_a_steady_trickle_is_not_waited_for() -> None:
    writer = "import time\nwhile True: print('A word', end=' ', flush=True); time.sleep(0.01)"
    with subprocess.Popen([sys.executable, "-c", writer], stdout=subprocess.PIPE) as process:
        assert process.stdout
        data, finished = gather(process.stdout.fileno(), pause=60, patience=0.1)
        process.kill()
    assert data.startswith(b"A word ")
    assert not finished


# --- sentence by sentence ---------------------------------------------------------------------------------------------


def test_a_sentence_is_spoken_before_the_next_is_written() -> None:
    with pipe() as (reading, writing):
        chunks = arriving_chunks(ArrivingPipe(reading, b"One sentence. "))
        assert until_none(chunks) == ["One sentence."]
        os.write(writing, b"Ano")
        assert until_none(chunks) == []
        os.write(writing, b"ther by Mr. ")
        assert until_none(chunks) == []
        os.write(writing, b"Fox. And")
        assert until_none(chunks) == ["Another by Mr. Fox."]
        os.close(writing)
        (last,) = chunks
        assert last
        assert (last.text, last.start, last.end, last.index) == ("And", 34, 37, 2)


def test_japanese_waits_for_what_belongs_to_a_quotation() -> None:
    with pipe() as (reading, writing):
        chunks = arriving_chunks(ArrivingPipe(reading, "「どこへ行くの？」".encode()[:-1]), language="ja")
        assert until_none(chunks) == []
        os.write(writing, "」と彼女".encode()[2:])
        assert until_none(chunks) == []
        os.write(writing, "は聞いた。次".encode())
        assert until_none(chunks) == ["「どこへ行くの？」と彼女は聞いた。"]
        os.write(writing, "の文。".encode())
        waited = 0
        while (chunk := next(chunks)) is None:
            waited += 1
        assert waited >= 3
        assert chunk.text == "次の文。"


def test_dictation_waits_for_the_end_of_a_sentence_however_long_it_takes() -> None:
    source = Dictation()
    chunks = arriving_chunks(source)
    source.say("One is. Tw")
    assert until_none(chunks) == ["One is."]
    for _ in range(round(2 * arrivals.PAUSE / arrivals.WAIT)):
        assert next(chunks) is None
    source.say("o is. And")
    assert until_none(chunks) == ["Two is."]
    source.end()
    assert [chunk.text for chunk in chunks if chunk] == ["And"]


@given(st.lists(st.integers(0, 90), max_size=12))
def test_dictation_that_cuts_words_says_what_the_whole_text_says(cuts: list[int]) -> None:
    text = "It was late. “Who is there?” he asked; nobody spoke, and Mr. Fox went to bed.\n\nThe end"
    places = [0, *sorted(cuts), len(text)]
    source = Dictation()
    for begin, end in zip(places, places[1:], strict=False):
        source.say(text[begin:end])
    source.end()
    spoken = " ".join(chunk.text for chunk in arriving_chunks(source) if chunk)
    assert spoken.split() == text.split()


def test_a_line_that_lingers_is_spoken_at_its_end() -> None:
    with pipe() as (reading, writing):
        chunks = arriving_chunks(ArrivingPipe(reading, b"A title\nand more"))
        assert until_none(chunks) == ["A title"]
        os.write(writing, b" of it\n\n")
        assert until_none(chunks) == ["and more of it"]
        os.close(writing)
        assert list(chunks) == []


def test_lines_broken_by_an_editor_are_joined() -> None:
    line = b"It was a dark and stormy night, and the rain fell in torrents\nexcept at times. "
    with pipe() as (reading, _):
        (text,) = until_none(arriving_chunks(ArrivingPipe(reading, line)))
        assert text == line.decode().replace("\n", " ").strip()


def test_broken_bytes_in_the_middle_do_not_stop_it() -> None:
    with pipe() as (reading, writing):
        chunks = arriving_chunks(ArrivingPipe(reading, b"\xef\xbb\xbfOne is. "))
        assert until_none(chunks) == ["One is."]
        os.write(writing, b"Two \xff is. Thr")
        assert until_none(chunks) == ["Two \ufffd is."]


@given(
    st.lists(
        st.sampled_from(
            [
                "He said. ",
                "“No!” ",
                "Mr. Fox ",
                "「行くよ。」と言った。",
                "3.14",
                "\n",
                "\n\n",
                "！",
                "……",
                "\r\n",
                "漢字。",
                " ",
            ]
        )
        | st.text(max_size=8),
        max_size=30,
    ),
    st.integers(10, 80),
    st.data(),
)
def test_however_it_arrives_every_letter_is_spoken_once(parts: list[str], size: int, data: st.DataObject) -> None:
    text = Writing(Lengths.of(size), "ja")
    written = visible("".join(parts))
    chunks: list[Chunk] = []
    for part in parts:
        chunks += text.add(part)
        if data.draw(st.booleans()):
            chunks += text.linger()
    chunks += text.close()
    assert letters("".join(chunk.spoken for chunk in chunks)) == letters(written)
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert all(one.end <= other.start for one, other in pairwise(chunks))
    assert all(one.paragraph <= other.paragraph for one, other in pairwise(chunks))
    for chunk in chunks:
        assert letters(written[chunk.start : chunk.end]) == letters(chunk.text)
        assert max(len(chunk.text), len(chunk.spoken)) <= size
        assert letters(chunk.spoken)


def test_a_text_without_an_end_is_spoken_all_the_same() -> None:
    text = Writing(Lengths())
    chunks = [chunk for _ in range(2000) for chunk in text.add("and on and on, ")]
    assert len(chunks) > 50
    chunks += text.close()
    assert letters("".join(chunk.spoken for chunk in chunks)) == "andonandon" * 2000


def test_what_is_written_is_made_sayable() -> None:
    text = Writing(Lengths(), sayable=normalize)
    (chunk,) = [*text.add("See https://example.org/a?b=1 for ＡＢＣ.\n")]
    assert "https" in chunk.text
    assert "https" not in chunk.spoken
    assert "ABC" in chunk.spoken


def test_a_chapter_that_comes_line_by_line_is_cut_at_its_sentences(books: Path) -> None:
    source = (books / "alice.txt").read_text("utf-8-sig")
    part = source[source.index("Alice was beginning") : source.index("CHAPTER II", 5000)]
    text = Writing(Lengths())
    chunks = [chunk for line in part.splitlines(keepends=True) for chunk in text.add(line)] + list(text.close())
    assert letters("".join(chunk.spoken for chunk in chunks)) == letters(part)
    assert sum(chunk.text.rstrip("”’)_").endswith((".", "?", "!", "-", ":", ";")) for chunk in chunks) > 0.9 * len(
        chunks
    )


def test_end_to_end_the_first_sentence_comes_while_the_writer_writes() -> None:
    reader = (
        "import sys\nfrom narrate.text.chunking.arrivals import *\n"
        "data, finished = gather(0)\nprint(finished, flush=True)\n"
        "for chunk in arriving_chunks(ArrivingPipe(0, data)):\n    if chunk: print(chunk.text, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", reader], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write("One sentence. ")
        process.stdin.flush()
        assert process.stdout.readline() == "False\n"
        assert process.stdout.readline() == "One sentence.\n"
        process.stdin.write("Another.")
        process.stdin.close()
        assert process.stdout.read() == "Another.\n"
