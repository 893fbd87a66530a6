from __future__ import annotations

import pytest

from narrate.text.chunking.chunks import PARAGRAPH_PAUSE, SPEAKER_PAUSE, cut
from narrate.text.chunking.speakers import FEWEST
from narrate.text.document import Chapter, Document, Paragraph, Span

SPEECH = "Exactly, but I am an old friend of hers, you know, and have a right to give her what I like."


def pauses(lines: list[str]) -> dict[str, float]:
    """Of each chunk of a chapter with these paragraphs."""
    paragraphs, at = [], 0
    for line in lines:
        paragraphs.append(Paragraph((Span(line, at, at + len(line)),)))
        at += len(line) + 1
    document = Document("", "", "en", (Chapter(1, "", tuple(paragraphs)),), " " * at)
    return {chunk.text: chunk.pause for chunk in cut(document)}


@pytest.mark.parametrize(
    "name", ["FARNCOMBE.", "CYRANO (saluant):", "DE GUICHE:", "Lady Bracknell:", "МАРЬЯ АНТОНОВНА."]
)
def test_the_pause_after_the_name_of_a_speaker_is_short(name: str) -> None:
    found = pauses([name, SPEECH] * FEWEST)
    assert found[name] == SPEAKER_PAUSE
    assert found[SPEECH] != SPEAKER_PAUSE


@pytest.mark.parametrize(
    "lines",
    [
        ["NOW OR NEVER.", SPEECH] * (FEWEST - 1),  # too seldom
        ["he said again:", SPEECH] * FEWEST,
        ["It was so. It was all right", SPEECH] * FEWEST,
        ["FARNCOMBE AND ROPER AND ALL THE OTHERS.", SPEECH] * FEWEST,
    ],
)
def test_what_names_no_speaker_keeps_its_pause(lines: list[str]) -> None:
    assert pauses(lines)[lines[0]] == PARAGRAPH_PAUSE


def test_a_name_above_a_name_is_no_speaker() -> None:
    assert pauses(["ROPER THE ELDER", "LILY PARRADELL", SPEECH] * FEWEST)["ROPER THE ELDER"] == PARAGRAPH_PAUSE


def test_every_name_is_spoken() -> None:
    assert "".join(pauses(["FARNCOMBE.", SPEECH] * FEWEST)) == "FARNCOMBE." + SPEECH
