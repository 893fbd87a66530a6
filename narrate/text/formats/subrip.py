"""Reads subtitles (SubRip and WebVTT) as a text: sentences that run through several captions are one again."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from narrate.errors import InputError
from narrate.text.characters import ends_line
from narrate.text.document import Document
from narrate.text.formats.text_builder import TextBuilder
from narrate.text.structure.chapters import bind

SUFFIXES = (".srt", ".vtt")
_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[,.](\d{1,3})"
STAMP = re.compile(rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t].*)?")
FIRST = re.compile(rf"\s*(?:WEBVTT(?:[ \t].*)?\n|(?:\d+[ \t]*\n)?{STAMP.pattern}\n)")
SUBSTATION = re.compile(r"\s*\[Script Info\]", re.IGNORECASE)
TAG = re.compile(r"<[^<>\n]*>|\{\\[^{}\n]*\}")
DASH = re.compile(r"[-–—][ \t]*(?=\w)")  # another one speaks
VOICE = re.compile(r"\s*<v[ .]")
# Captions this far apart in seconds are different paragraphs: where a sentence has ended, and in any case.
PAUSE, LONG_PAUSE = 1.5, 4.0
ROLLING = 0.5  # seconds within which a line that stands again is the same one, rolling up


class Caption(NamedTuple):
    """What is shown from `start` to `end`, in seconds. `head` is what stands above it: its number and its times."""

    start: float
    end: float
    head: str
    lines: tuple[str, ...]


def are_captions(text: str) -> bool:
    """Return True for a text that begins as subtitles do."""
    return bool(FIRST.match(text[:2000].lstrip("\ufeff")))


def is_substation(text: str) -> bool:
    """Return True for subtitles in the format of SubStation (.ass, .ssa), which is not read."""
    return bool(SUBSTATION.match(text[:200].lstrip("\ufeff")))


def read(text: str) -> Document:
    """Read subtitles. Numbers, times and marks of style are left out. Raises InputError if there are none in it."""
    builder = TextBuilder()
    before: Caption | None = None
    for caption in _captions(text.splitlines()):
        if before is not None and _are_apart(before, caption):
            builder.end_paragraph()
        builder.leave_out("stamp", caption.head)
        for line in caption.lines:
            _write(builder, line, before, caption)
        before = caption
    builder.end_paragraph()
    if before is None:
        raise InputError("has the suffix of subtitles, but no times in it; give it the suffix .txt to have it read")
    return Document("", "", "", bind(builder.blocks, 0), builder.source, tuple(builder.excluded))


def _captions(lines: list[str]) -> Iterator[Caption]:
    """Yield the captions of a file. Comments and styles stand in no caption."""
    position = 0
    while position < len(lines):
        stamp = STAMP.fullmatch(lines[position])
        position += 1
        if stamp is None:
            continue
        number = lines[position - 2].strip() if position > 1 and lines[position - 2].strip().isdecimal() else ""
        shown: list[str] = []
        while position < len(lines) and lines[position].strip():
            if STAMP.fullmatch(lines[position]):  # the blank line between two captions is missing
                shown = shown[:-1] if shown and shown[-1].strip().isdecimal() else shown
                break
            shown.append(lines[position])
            position += 1
        head = f"{number} {stamp[0].strip()} ".lstrip()
        yield Caption(_seconds(stamp.groups()[:4]), _seconds(stamp.groups()[4:]), head, tuple(shown))


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return 3600 * int(hours) + 60 * int(minutes) + int(seconds) + float(f"0.{fraction}")


def _are_apart(before: Caption, after: Caption) -> bool:
    gap = after.start - before.end
    last = plain_line(before.lines[-1]) if before.lines else ""
    return gap >= LONG_PAUSE or (gap >= PAUSE and ends_line(last))


def _write(builder: TextBuilder, line: str, before: Caption | None, caption: Caption) -> None:
    said = plain_line(line)
    if (
        before is not None
        and said in map(plain_line, before.lines)
        and abs(caption.start - before.end) < ROLLING
        and said
    ):
        builder.leave_out("repeat", said)
        return
    if DASH.match(said) or VOICE.match(line):
        builder.end_paragraph()
        said = DASH.sub("", said, count=1)
    if said:
        builder.write(said + "\n")


def plain_line(line: str) -> str:
    """Return the words of a line without tags and entities."""
    return " ".join(html.unescape(TAG.sub("", line)).split())
