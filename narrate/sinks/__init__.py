"""Where sound goes: the contract of sinks, and the door to them.

audiofile.py wav.py encoded.py    files that appear under their name when they are complete
about.py pictures.py              what a file says of its book: tags and cover
timeline.py cue.py mp4.py         when each chapter sounds, and how files say so
loudness.py evening.py            all of a book brought to one loudness, and takes that stand out nearer to the others
split.py acx.py                   a file for each chapter, or as ACX takes them
inspection.py                     a file read back, and what is wrong with it
subtitles.py captions.py          files of text with the times at which it sounds
read_along/                       EPUB whose sentences light up while they sound
stream.py                         standard output
encoded_stream.py                 bytes in a format that can be heard while it is made
speaker.py portaudio.py           the loudspeaker
"""

from __future__ import annotations

import errno
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from narrate.clip import Clip
from narrate.errors import InputError
from narrate.sinks.about import About
from narrate.text.document import Chunk, Document

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".mka", ".m4b", ".m4a")
SUBTITLES = (".srt", ".vtt", ".lrc", ".json")
READ_ALONG = ".epub"
WITH_CUE_SHEET = (".wav", ".flac")  # they hold no chapters; a book with several has them in a file beside


class Ear(NamedTuple):
    """Where the listener is in a sink that takes sound before it is heard.

    `chunk` sounds now, and `into_seconds` of it have sounded; it is None before the first one. `heard_seconds` is how
    long somebody has listened in all, `unheard_seconds` how much of what was written has not sounded yet.
    """

    chunk: Chunk | None
    into_seconds: float
    heard_seconds: float
    unheard_seconds: float


class Sink(ABC):
    """Takes chunks in reading order: `begin`, then the clips of the chunk's sound, then its pause.

    The thread that writes a sink also enters and leaves it. Leaving its block without an error finishes the file or the
    sound, to the last sample; leaving it with one throws away what is not complete.

    To add one: write a module with a subclass, and a line in `open_sink` that says which targets it is for.
    """

    gaps = 0
    """How often the sound broke off because the next of it came late."""
    is_heard = False
    """Somebody listens to it now."""
    finished_share = 1.0
    """How much is done, 0 to 1, of what remains to be done after the last clip."""

    def __enter__(self) -> Self:
        return self

    def begin(self, chunk: Chunk) -> None:
        """The sound of this chunk comes next. A chunk begins again when the listener goes back to it."""
        del chunk

    @property
    def ear(self) -> Ear | None:
        """Where the listener is, if that is not where sound is written: it waits here to be heard. Any thread asks."""
        return None

    @property
    def hangs(self) -> bool:
        """True while a device has not taken anything for seconds in which it should have."""
        return False

    @abstractmethod
    def write(self, clip: Clip) -> None:
        """Deliver all samples of the clip, and wait as long as the device needs. Raises `SinkError`."""

    def rest(self) -> None:
        """No sound will come for a while, and that is as it should be: it is no gap."""
        return

    def drain(self) -> None:
        """All sound is written: let it be heard to the last sample. The listener may go back, and then more comes."""
        return

    def abort(self) -> None:
        """Be silent now, and let no `write` wait any longer. May be called from any thread."""
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class PrintedText(NamedTuple):
    """The text of a book as its pages show it, when it was changed last, in seconds since 1970, and the EPUB that it
    was read from, if it was one."""

    document: Document
    modified_seconds: float = 0.0
    epub: Path | None = None


Opener = Callable[[int], Sink]
"""Makes a sink for sound of the sample rate that it is told."""


def check_target(target: str | Path, *, force: bool = False) -> None:
    """Raise `InputError` if no sound can go to `target`, before anything is made for it. Writes nothing.

    `target` is a file name with one of `SUFFIXES` or `SUBTITLES`, or with `READ_ALONG`, or "-" for standard output. An
    existing file needs `force`.
    """
    if target == "-":
        if sys.stdout.isatty():
            raise InputError("Standard output is a terminal, not a place for sound. Add `| aplay` or `> book.wav`.")
        return
    path = Path(target)
    if _leads_in_a_circle(path):
        raise InputError(f"{path} is a link that leads to itself. Remove it, or choose another name.")
    if path.is_dir():
        raise InputError(f"{path} is a folder. Name a file in it, such as {path / 'book.wav'}.")
    if path.suffix.lower() not in (*SUFFIXES, *SUBTITLES, READ_ALONG):
        named = f"the suffix {path.suffix}" if path.suffix else "a name without a suffix"
        known = f"{' '.join(SUFFIXES)}, {READ_ALONG} for sound and text, or {' '.join(SUBTITLES)} for text"
        raise InputError(f"{path}: no sound format goes with {named}. Choose one of {known}.")
    if not path.parent.is_dir():
        raise InputError(f"The folder {path.parent} does not exist. Create it, or choose another place.")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not an ordinary file. Choose another name.")
    for file in files_of(target) if not force else ():
        if file.exists():
            raise InputError(f"{file} exists already. Choose another name, or replace it with --force.")
    if not os.access(path.resolve().parent, os.W_OK):
        raise InputError(f"The folder {path.parent} cannot be written to. Choose another place.")


def _leads_in_a_circle(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def files_of(target: str | Path) -> list[Path]:
    """The files that may come to be where sound goes to `target`."""
    path = Path(target)
    return [path, path.with_suffix(".cue")] if path.suffix.lower() in WITH_CUE_SHEET else [path]


def open_sink(
    target: str | Path,
    sample_rate: int,
    *,
    force: bool = False,
    about: About | None = None,
    bit_rate: int | None = None,
    text: PrintedText | None = None,
    report: Callable[[str], object] = lambda _: None,
) -> Sink:
    """The sink that `target` names: a sound file or subtitles by its suffix, or WAV on standard output for "-".

    All clips written to it must have `sample_rate`. `about` goes into every file, as far as its format holds it.
    `bit_rate`, in bits per second, is for files that are compressed with losses. `text` is for a book to read along,
    which cannot be without it. `report` is told, in a sentence, what a listener would not expect. Raises `InputError`
    as `check_target` does.
    """
    check_target(target, force=force)
    if target == "-":
        from narrate.sinks.stream import WavStream

        return WavStream(sys.stdout.fileno(), sample_rate)
    path = Path(target)
    if path.suffix.lower() in SUBTITLES:
        from narrate.sinks.subtitles import SubtitleFile

        return SubtitleFile(path, sample_rate, about)
    if path.suffix.lower() == READ_ALONG:
        from narrate.sinks.read_along.book import ReadAlongBook

        if text is None:
            raise InputError(
                f"{path} needs the whole text before its sound, and this text is still being written. "
                "Save the text in a file first, or write the sound alone, such as book.m4b."
            )
        return ReadAlongBook(path, sample_rate, about or About(), text, bit_rate=bit_rate, report=report)
    if path.suffix.lower() == ".wav":
        from narrate.sinks.audiofile import WavFile

        return WavFile(path, sample_rate, about)
    from narrate.sinks.encoded import EncodedFile

    return EncodedFile(path, sample_rate, about or About(), bit_rate)
