"""Cue sheets: where the chapters of a sound file begin that cannot hold them itself."""

from __future__ import annotations

from collections.abc import Sequence

from narrate.sinks.about import About
from narrate.sinks.timeline import ChapterTime

FRAMES_PER_SECOND = 75  # of a compact disc: the unit of cue sheets


def cue_sheet(file: str, about: About, chapters: Sequence[ChapterTime], sample_rate: int) -> str:
    """The cue sheet of the sound file named `file`. Minutes may pass 99, as in every book. Times are cut to 1/75 s."""
    lines = [f"REM GENRE {_quoted('Audiobook')}", f"PERFORMER {_quoted(about.author)}", f"TITLE {_quoted(about.title)}"]
    lines.append(f"FILE {_quoted(file)} WAVE")
    for number, chapter in enumerate(chapters, 1):
        frames = chapter.start * FRAMES_PER_SECOND // sample_rate
        seconds, frame = divmod(frames, FRAMES_PER_SECOND)
        lines.append(f"  TRACK {number:02} AUDIO")
        lines.append(f"    TITLE {_quoted(chapter.title)}")
        lines.append(f"    INDEX 01 {seconds // 60:02}:{seconds % 60:02}:{frame:02}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """In quotation marks, which a cue sheet has no way to write inside them."""
    return '"' + " ".join(text.split()).replace('"', "'") + '"'
