"""Subtitles as a text: no numbers, no times, no marks of style; sentences that run through several captions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.errors import InputError
from narrate.text.document import Document
from narrate.text.readers import read_bytes

SRT = """1
00:00:01,000 --> 00:00:02,000
<i>Hello there,

2
00:00:02,100 --> 00:00:03,000
said the man.</i>

3
00:00:06,100 --> 00:00:07,000
- And who are you?
- {\\an8}I am Tom &amp; Jerry.
"""
VTT = """WEBVTT - A talk

STYLE
::cue { color: red }

NOTE nobody says this

00:01.000 --> 00:02.000 align:start
<v Ann>We begin<00:00:01.500><c> here</c>

00:02.000 --> 00:03.000
We begin here
and go on.
"""


def texts(document: Document) -> list[str]:
    return [paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs]


def test_only_what_is_said_is_read() -> None:
    document = read_bytes(SRT.encode(), "film.srt")
    assert texts(document) == ["Hello there, said the man.", "And who are you?", "I am Tom & Jerry."]
    assert {part.kind for part in document.excluded} == {"stamp"}
    assert document.warnings == ()
    assert document.title == "film"


def test_captions_that_roll_up_are_read_once() -> None:
    assert texts(read_bytes(VTT.encode(), "talk.vtt")) == ["We begin here and go on."]


def test_the_content_tells_subtitles_and_not_the_name() -> None:
    assert texts(read_bytes(SRT.encode(), "film.txt")) == texts(read_bytes(SRT.encode(), "film.srt"))
    with pytest.raises(InputError, match="no times in it"):
        read_bytes(b"Just a line.\n", "film.srt")


def test_a_missing_blank_line_hides_no_caption() -> None:
    text = SRT.replace("there,\n\n2", "there,\n2")
    assert texts(read_bytes(text.encode(), "film.srt"))[0] == "Hello there, said the man."


def test_substation_is_refused_with_advice() -> None:
    with pytest.raises(InputError, match="SubStation.*save them as .srt"):
        read_bytes(b"[Script Info]\nTitle: x\n\n[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,,,0,0,0,,Hi\n", "a.ass")


LINE = st.text(alphabet="abc def", min_size=1, max_size=12).filter(lambda line: line.strip())


@given(st.lists(st.lists(LINE, min_size=1, max_size=3), min_size=1, max_size=8), st.sampled_from([0.5, 2.0, 9.0]))
def test_every_word_is_read_once_and_in_order(captions: list[list[str]], gap: float) -> None:
    """Neighbours differ, since a line that stands again at once is the same line."""
    said, blocks = [], []
    for number, lines in enumerate(captions):
        lines = [f"{line.strip()} {number}x{place}" for place, line in enumerate(lines)]
        said += [word for line in lines for word in line.split()]
        start = number * (1 + gap)
        stamps = [f"00:{int(at) // 60:02}:{at % 60:06.3f}".replace(".", ",") for at in (start, start + 1)]
        blocks.append(f"{number + 1}\n{stamps[0]} --> {stamps[1]}\n" + "\n".join(lines) + "\n")
    document = read_bytes("\n".join(blocks).encode(), "film.srt")
    assert " ".join(texts(document)).split() == said
