"""`--plan`: how long a book is, how large its file becomes and how long it takes to make, in a table."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TextIO

from narrate.clock import hms
from narrate.errors import InputError
from narrate.reading.export import FileOptions, about_book, printed
from narrate.reading.plan import ChapterPlan, Sample, chapters, file_cost, sample
from narrate.sinks import READ_ALONG, SUBTITLES, SUFFIXES, Sink, check_target, open_sink
from narrate.sinks.about import About
from narrate.sinks.loudness import Aim, Levelled
from narrate.streams import drawn_on
from narrate.terminal.display import open_display
from narrate.terminal.listen import ReadingOptions, Run, open_session, open_what_is_read
from narrate.terminal.price import price_line
from narrate.terminal.wording import chapter_title, duration, rounded
from narrate.terminal.wrap import wrapped
from narrate.text.book import Book

SOUND_OF_READ_ALONG = ".m4b"


def show_plan(options: ReadingOptions, stdout: TextIO = sys.stdout, stderr: TextIO = sys.stderr) -> None:
    """Print the plan. The sound that is made to measure is kept as always. Raises InputError for a book that is still
    being written."""
    suffixes = {target: _suffix(target) for target in options.files.targets}
    options, book = open_what_is_read(options)
    if book.document is None:
        raise InputError("Text that is still being written cannot be planned before its end.")
    with open_display(stderr, "", quiet=True) as display, Run() as run, ExitStack() as stack:
        session = open_session(options, book, display, stack, run)
        title = f"{book.title} · {book.author}" if book.author else book.title
        print(f"{title} ({session.engine.name} · {book.language})", file=stdout)
        planned = chapters(session)
        for line in _table(planned):
            print(line, file=stdout)
        stdout.flush()
        if (price := price_line(session)) is not None:  # to measure would cost money, too
            for row in wrapped(f"{price} Nothing was sent to plan it.", stdout):
                print(row, file=stdout)
            return
        passing("Measuring how fast it is made here …", stderr)
        costs = list(_costs(options, suffixes, book, planned, sample(session)))
        passing("", stderr)
        for line in costs:
            for row in wrapped(line, stdout):
                print(row, file=stdout)


def passing(line: str, stderr: TextIO) -> None:
    """A line that the next one takes the place of, where there is a terminal."""
    if stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=drawn_on(stderr), flush=True)


def _table(planned: Sequence[ChapterPlan]) -> Iterator[str]:
    yield f"{'CHAPTER':>7}  {'LENGTH':>8}  TITLE"
    for chapter in planned:
        yield f"{chapter.number:7}  {hms(chapter.seconds):>8}  {chapter_title(chapter.number, chapter.title)}"
    yield f"{'all':>7}  {hms(sum(chapter.seconds for chapter in planned)):>8}"


def _suffix(target: str) -> str:
    """The suffix of a file that costs about as much as the target, which may be a folder. Raises `InputError` for a
    name that no file can have."""
    if target == "-":
        return ".wav"
    if target.endswith(("/", os.sep)) or os.path.isdir(target):
        return ".m4b"
    suffix = Path(target).suffix.lower()
    if suffix not in (*SUFFIXES, *SUBTITLES, READ_ALONG):
        check_target(target, force=True)
    return suffix


def _costs(
    options: ReadingOptions, suffixes: Mapping[str, str], book: Book, planned: Sequence[ChapterPlan], made: Sample
) -> Iterator[str]:
    seconds = sum(chapter.seconds for chapter in planned)
    speech = sum(chapter.speech_seconds for chapter in planned)
    ready = sum(chapter.made_seconds for chapter in planned)
    voice_seconds = (made.rtf or 0.0) * (speech - ready) * options.speed
    writing_seconds = 0.0
    if made.clips:
        about = about_book(options.files, book, options.voice.name or "")
        open_file = partial(_open, options.files, about, book)
        for target, suffix in suffixes.items():
            cost = file_cost(made.clips, open_file, suffix)
            size = cost.bytes + cost.bytes_per_second * seconds
            # The pages of a book to read along are written once, however long its sound is.
            timed = cost if suffix != READ_ALONG else file_cost(made.clips, open_file, SOUND_OF_READ_ALONG)
            writing_seconds += timed.wall_per_second * seconds * (suffix not in SUBTITLES)
            yield f"File: about {_megabytes(size)} for {target}"
    kept = f" {ready / speech:.0%} of the speech was made before." if ready else ""
    if options.files.outputs:
        one_after_the_other = options.files.lufs is not None  # all of it is measured before any of it is written
        wall = voice_seconds + writing_seconds if one_after_the_other else max(voice_seconds, writing_seconds)
        yield f"Time to make it here: about {duration(wall)}.{kept}"
    else:
        yield _listening(made.rtf, options.speed, voice_seconds, kept)


def _open(files: FileOptions, about: About, book: Book, path: Path, sample_rate: int) -> Sink:
    """A file as the reading writes it."""

    def opened(sample_rate: int) -> Sink:
        return open_sink(path, sample_rate, about=about, bit_rate=files.bit_rate, text=printed(book))

    if files.lufs is None:
        return opened(sample_rate)
    return Levelled(sample_rate, Aim(files.lufs), [opened], path.parent)


def _listening(rtf: float | None, speed: float, voice_seconds: float, kept: str) -> str:
    if rtf is None:
        return "All of it was made before: it plays at once."
    if rtf * speed < 1:
        times = rounded(1 / (rtf * speed))
        return f"The voice speaks {times} times as fast here as you listen, so there will be no gaps.{kept}"
    wall = duration(voice_seconds)
    return f"The voice speaks more slowly here than you listen. Write a file first, which takes about {wall}.{kept}"


def _megabytes(count: float) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
