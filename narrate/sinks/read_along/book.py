"""Writes a book to read and to hear: each chapter's page, sound and times go into one archive as they are complete."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from narrate.clip import Clip, Samples, join
from narrate.errors import InputError
from narrate.files import NEW, remove_abandoned
from narrate.sinks import PrintedText
from narrate.sinks.about import About
from narrate.sinks.audiofile import AudioFile
from narrate.sinks.encoded import EncodedFile
from narrate.sinks.read_along.layout import EARLIEST, HeardChapter, HeardStretch, Layout, store
from narrate.sinks.read_along.own import OwnPages
from narrate.sinks.read_along.package import MIME_TYPE
from narrate.sinks.read_along.publisher import PublishersPages
from narrate.sinks.read_along.sentences import Heard, Reader
from narrate.text.document import Chapter, Chunk


class ReadAlongBook(AudioFile):
    """An EPUB 3 with Media Overlays of a whole document; its sound is AAC, a file for each chapter.

    The pages are the publisher's own if the text came as EPUB 3, and else ours; `report` is told why they are not kept.
    A sentence's sound lasts until the next sentence begins, so that a player that goes from sentence to sentence plays
    every pause. Memory grows with the longest chapter's text, and by the 6 MB for an hour of its sound that MP4 needs.
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        about: About,
        text: PrintedText,
        *,
        bit_rate: int | None = None,
        report: Callable[[str], object] = lambda _: None,
    ) -> None:
        super().__init__(path, sample_rate, about)
        self._bit_rate = bit_rate
        self._layout = self._chosen_layout(text, report)
        self._archive: zipfile.ZipFile | None = None
        self._number = 0  # of chapters that are complete
        self._chapters = list(text.document.chapters)
        self._paragraphs = 0  # of the chapters before this one
        self._chapter: Chapter | None = None
        self._sound: EncodedFile | None = None
        self._reader = Reader((), 0)
        self._heard: list[Heard] = []
        self._chunk: tuple[Chunk, int] | None = None  # and where its sound begins in the chapter
        self._spoken: list[Samples] = []  # of the chunk

    def _chosen_layout(self, text: PrintedText, report: Callable[[str], object]) -> Layout:
        """The publisher's own pages, if the text came on pages that can be kept."""
        if text.epub is not None:
            try:
                return PublishersPages(self.about, text)
            except InputError as error:
                report(f"{self.path} gets pages of narrate's own, without pictures: the book {error}.")
        return OwnPages(self.about, text)

    def _sweep(self) -> None:
        super()._sweep()
        sound = re.compile(rf"{re.escape(self._part_prefix)}[0-9a-f]{{16}}\.m4a({re.escape(NEW)})?")
        for name in (path.name for path in self._place.parent.iterdir()):
            if sound.fullmatch(name):
                remove_abandoned(self._place.with_name(name))

    def begin(self, chunk: Chunk) -> None:
        with self._plainly():
            self._end_chunk()
            if self._chapter is None or chunk.chapter != self._chapter.number:
                self._begin_chapter(chunk.chapter)
        super().begin(chunk)
        assert self._sound is not None, "a chapter without a file"
        self._sound.begin(chunk)
        self._chunk = (chunk, self._sound.timeline.samples)

    def write(self, clip: Clip) -> None:
        assert self._sound is not None, "written to before a chunk began"
        if not clip.pause:
            self._spoken.append(clip.samples)
        self._sound.write(clip)
        self.timeline.add(len(clip.samples))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._sound is not None:
            self._sound.__exit__(kind, error, trace)
            self._sound = None
        super().__exit__(kind, error, trace)

    def _begin(self, part: Path) -> None:
        self._archive = zipfile.ZipFile(part, "w")
        store(self._archive, "mimetype", MIME_TYPE.encode(), zipfile.ZIP_STORED)
        self._layout.begin(self._archive)

    def _add(self, samples: NDArray[np.int16]) -> None:
        raise AssertionError("sound goes into the files of the chapters")

    def _end(self) -> None:
        self._end_chunk()
        self._end_chapter()
        while self._chapters:
            self._begin_chapter(self._chapters[0].number, heard=False)
            self._end_chapter()
        assert self._archive is not None, "ended outside its block"
        self._layout.end(self._archive)
        self._archive.close()

    def _close(self) -> None:
        if self._archive is not None:
            with suppress(OSError, ValueError):  # nobody wants what is left any more
                self._archive.close()

    def _begin_chapter(self, number: int, *, heard: bool = True) -> None:
        """Go on to the chapter of this number. Chapters before it of which nothing is heard become pages, too."""
        self._end_chapter()
        while self._chapters and heard and self._chapters[0].number != number:
            self._begin_chapter(self._chapters[0].number, heard=False)
            self._end_chapter()
        self._chapter = self._chapters.pop(0)
        self._reader = Reader(self._chapter.paragraphs, self._paragraphs)
        self._paragraphs += len(self._chapter.paragraphs)
        if heard:
            sound = self._new_part().with_suffix(".m4a")
            about = replace(self.about, title=self._title(), album=self.about.title, cover=None)
            self._sound = EncodedFile(sound, self.sample_rate, about, self._bit_rate)
            self._sound.__enter__()

    def _end_chunk(self) -> None:
        if self._chunk is not None and self._spoken:
            chunk, start = self._chunk
            self._heard += self._reader.heard(chunk, join(self._spoken), self.sample_rate, start)
        self._chunk, self._spoken = None, []

    def _end_chapter(self) -> None:
        if self._chapter is None:
            return
        assert self._archive is not None, "written to outside its block"
        self._number += 1
        samples = self._end_sound(self._archive) if self._sound is not None else 0
        heard, self._heard = self._heard, []
        stretches = self._timed(heard, samples * 1000 // self.sample_rate)
        chapter = HeardChapter(self._number, self._title(), self._chapter, self._reader.pages, stretches)
        self._layout.add(self._archive, chapter)
        self._chapter = None

    def _timed(self, heard: Sequence[Heard], milliseconds: int) -> list[HeardStretch]:
        """One after the other, from the beginning of the chapter's sound to its end."""
        begins = [each.start * 1000 // self.sample_rate for each in heard]
        begins[:1] = [0] * len(heard[:1])
        ends = [*begins[1:], milliseconds]
        return [HeardStretch(each.stretch, *edges) for each, *edges in zip(heard, begins, ends, strict=False)]

    def _end_sound(self, archive: zipfile.ZipFile) -> int:
        """Move the sound of the chapter into the archive. Returns its samples."""
        sound, self._sound = self._sound, None
        assert sound is not None, "a chapter without a file"
        sound.__exit__(None, None, None)
        try:
            if self._heard:
                info = zipfile.ZipInfo(self._layout.sound_name(self._number), EARLIEST)
                with open(sound.path, "rb") as file, archive.open(info, "w", force_zip64=True) as entry:
                    while block := file.read(1 << 20):
                        entry.write(block)
        finally:
            sound.path.unlink(missing_ok=True)
        return sound.timeline.samples

    def _title(self) -> str:
        """The chapter's title in one line; the book's for what stands before the first heading."""
        assert self._chapter is not None, "no chapter"
        return " ".join(self._chapter.title.split()) or (
            str(self._chapter.number) if self._chapter.number else self.about.title
        )
