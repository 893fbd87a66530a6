"""The files that a reading writes: where they go, what they say of the book, and which cover they have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from narrate.checking.verdict import Verdict
from narrate.errors import InputError
from narrate.pace import expected_seconds
from narrate.sinks import READ_ALONG, SUBTITLES, Opener, PrintedText, Sink, acx, check_target, files_of, open_sink
from narrate.sinks.about import About
from narrate.sinks.loudness import Aim, Levelled
from narrate.sinks.pictures import draw_cover, look_at
from narrate.sinks.split import Content, Split, SplitFiles, playlist_name
from narrate.text.book import Book
from narrate.text.characters import well_formed
from narrate.text.document import Chapter, Chunk, Edition

KnownVerdict = Callable[[Chunk], Verdict | None]
"""What was found about the take of a chunk; None if nobody has judged it."""

LONGEST_SECONDS = 40 * 3600.0  # of a file that many players play to the end
MOST_SECONDS_A_CHARACTER = 0.3  # of any script: a shorter text needs no counting
HELD_IN_MEMORY = (".m4b", ".m4a")  # formats whose players and whose writing take memory by the hour
REPORTS = (".html", ".htm")
NO_COVER = "none"
COVERS_BESIDE = ("cover.jpg", "cover.jpeg", "cover.png")
WITHOUT_COVER = ("-", ".wav", *SUBTITLES)
_OF_A_CHAPTER = re.compile(r"\d{3}(-\d+)?( - .*)?\.\w+$|\..*\.part-")
_SERIES = re.compile(r"(.*?)\s*#\s*(\S+)\s*$")


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Which files the listener wants: plain data from the command line.

    `outputs` are files, or "-" for standard output. `about` holds what the listener says of the book; where it is
    empty, the book speaks for itself. `cover` is a picture's file, "none", or None for the best that can be found.
    `subtitles` are formats ("srt") of files beside the first output. `split`: each output names a folder instead, its
    suffix the format of the files in it. `lufs` is the loudness that is wanted, None as it comes. `acx`: a folder of
    MP3 files as ACX takes them. `report` is a page about the takes, None for none.
    """

    outputs: tuple[str, ...] = ()
    force: bool = False
    about: About = About()
    cover: str | None = None
    bit_rate: int | None = None
    subtitles: tuple[str, ...] = ()
    split: Split | None = None
    lufs: float | None = None
    acx: bool = False
    report: str | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """All files, and "-"."""
        sound = [output for output in self.outputs if output != "-"]
        beside = [str(Path(sound[0]).with_suffix(f".{form}")) for form in self.subtitles] if sound else []
        return (*self.outputs, *beside)

    @property
    def named(self) -> str:
        """What the listener finds in the end."""
        folders = dict.fromkeys(f"{Path(target).with_suffix('')}/" for target in self.targets)
        return ", ".join(folders if self.in_folders else self.targets)

    @property
    def in_folders(self) -> bool:
        """Each output is a folder with several files."""
        return self.split is not None or self.acx


def check_files(options: FileOptions) -> None:
    """Raise `InputError` if one of the files cannot be written, or the cover cannot be used. Writes nothing."""
    if options.subtitles and options.targets == options.outputs:
        raise InputError("--subtitles needs a file to stand beside. Name one with -o, such as -o book.m4b.")
    if options.acx:
        _check_acx(options)
    if (options.lufs is not None or options.acx) and ("-" in options.outputs or not options.outputs):
        raise InputError("--loudness needs a whole file to measure. Name one with -o, such as -o book.m4b.")
    if options.report is not None:
        _check_report(options)
    for target in options.targets:
        if options.in_folders:
            _check_folder(target, force=options.force)
        else:
            check_target(target, force=options.force)
    written = [file for target in options.targets for file in _files(target, options)]
    for twice in {file for file in written if written.count(file) > 1}:
        raise InputError(f"{twice} would be written twice. Give each output a name of its own.")
    if options.cover not in (None, NO_COVER):
        _picture(Path(options.cover or ""))


def _check_report(options: FileOptions) -> None:
    """Raise `InputError` if the report cannot be written."""
    path = Path(options.report or "")
    if not options.outputs:
        raise InputError("--report is about files that are written. Name one with -o, such as -o book.m4b.")
    if path.suffix.lower() not in REPORTS:
        raise InputError(f"{path}: a report is a page. Give it a name such as {path.with_suffix('.html').name}.")
    if not path.parent.is_dir():
        raise InputError(f"The folder {path.parent} does not exist. Create it, or choose another place.")
    if path.is_dir() or (path.exists() and not options.force):
        raise InputError(f"{path} exists already. Choose another name, or replace it with --force.")


def are_finished(options: FileOptions) -> bool:
    """True if all files of sound are there. They appear under their names when they are complete."""
    sound = [output for output in options.outputs if output != "-"]
    return bool(sound) and all(_files(output, options)[0].is_file() for output in sound)


def is_unfinished_split(options: FileOptions) -> bool:
    """True if the folders for chapters hold nothing but chapters, and no playlist, which is written last."""
    if not options.in_folders or not options.outputs:
        return False
    folders = [Path(target).with_suffix("") for target in options.targets]
    names = [entry.name for folder in folders if folder.is_dir() for entry in folder.iterdir()]
    return all(_OF_A_CHAPTER.match(name) for name in names)


def _files(target: str, options: FileOptions) -> list[Path]:
    """The files that no other target may write; of a folder its playlist stands for all."""
    if not options.in_folders:
        return files_of(target)
    path = Path(target)
    return [path if path.suffix.lower() in SUBTITLES else path.with_suffix("") / playlist_name(path.stem)]


def _check_acx(options: FileOptions) -> None:
    """Raise `InputError` for files that ACX does not take."""
    for target in options.targets:
        if not target.lower().endswith(".mp3"):
            raise InputError(f"ACX takes MP3 files only, and not {target}. Name one output, such as -o book.mp3.")
    if options.split is not None and not options.split.chapters:
        raise InputError("ACX takes a file for each chapter. Leave out --split, or write --split chapter.")


def _check_folder(target: str, *, force: bool) -> None:
    """Raise `InputError` unless the folder that `target` means can be made, or is empty, or may be replaced."""
    if target == "-":
        raise InputError("Standard output cannot be split into chapters. Name a file with -o, such as -o book.mp3.")
    if target.lower().endswith(READ_ALONG):
        raise InputError(f"{target} has its chapters in one file. Leave out --split, or name a sound file with -o.")
    folder = Path(target).with_suffix("")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder. Choose another name with -o.")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise InputError(f"The folder {folder} is not empty. Choose another name, or replace files with --force.")
    check_target(target, force=True)


def length_warning(options: FileOptions, book: Book, speed: float) -> str | None:
    """A sentence for a listener whose file would be longer than many players play, None for all others."""
    long = [target for target in options.targets if target.lower().endswith(HELD_IN_MEMORY)]
    if not long or options.in_folders or book.document is None:
        return None
    if len(book.document.source) * MOST_SECONDS_A_CHARACTER < LONGEST_SECONDS:
        return None
    seconds = sum(_seconds(chapter, book.language) for chapter in book.document.chapters) / speed
    if seconds < LONGEST_SECONDS:
        return None
    return (
        f"{long[0]} will be about {seconds / 3600:.0f} hours long; many players do not play more than "
        f"{LONGEST_SECONDS / 3600:.0f} hours to the end. --split 10h makes several files of it."
    )


def file_openers(
    options: FileOptions,
    book: Book,
    voice: str,
    report: Callable[[str], object] = lambda _: None,
    verdict: KnownVerdict = lambda _: None,
) -> list[Opener]:
    """What makes the sinks of all files of the book. `voice` is who reads, unless the listener names a narrator.

    `report` is told, in a sentence, what was done to the loudness, and what a listener would not expect. `verdict`
    tells what was found about a take, for a report.
    """
    if not options.targets:
        return []
    return [*_sound_openers(options, book, voice, report), *_report_opener(options, book, voice, report, verdict)]


def _report_opener(
    options: FileOptions, book: Book, voice: str, report: Callable[[str], object], verdict: KnownVerdict
) -> list[Opener]:
    if options.report is None:
        return []
    from narrate.checking.report_file import ReportFile

    path, about = Path(options.report), about_book(replace(options, cover=NO_COVER), book, voice)
    said = (about.title, about.author, about.narrator)
    return [lambda sample_rate: ReportFile(path, sample_rate, said, verdict, report)]


def _sound_openers(options: FileOptions, book: Book, voice: str, report: Callable[[str], object]) -> list[Opener]:
    openers = _plain_openers(options, book, voice, report)
    aim = acx.BOOK if options.acx else Aim(options.lufs) if options.lufs is not None else None
    if aim is None:
        return openers
    folder = Path(options.outputs[0]).parent
    return [lambda sample_rate: Levelled(sample_rate, aim, openers, folder, report)]


def _plain_openers(options: FileOptions, book: Book, voice: str, report: Callable[[str], object]) -> list[Opener]:
    about = about_book(options, book, voice)
    if options.acx:
        made = partial(acx.AcxFolder, bit_rate=options.bit_rate, report=report)
        folders = [Path(target).with_suffix("") for target in options.targets]
        contents = _contents(book, timed=True)
        return [lambda rate, folder=folder: made(folder, rate, about, contents) for folder in folders]  # type: ignore[misc]
    if options.split is not None:
        contents = _contents(book, timed=not options.split.chapters)
        return [partial(_split, target, options, options.split, about, contents) for target in options.targets]
    text = printed(book)
    return [
        partial(
            open_sink, target, force=options.force, about=about, bit_rate=options.bit_rate, text=text, report=report
        )
        for target in options.targets
    ]


def printed(book: Book) -> PrintedText | None:
    """The text of the book as its pages show it; None while it is still being written."""
    if book.document is None:
        return None
    if book.path is None:
        return PrintedText(book.document)
    epub = book.path if book.path.suffix.lower() == READ_ALONG else None
    try:
        return PrintedText(book.document, book.path.stat().st_mtime, epub)
    except OSError:  # it was removed after it had been read
        return PrintedText(book.document)


def _split(
    target: str, options: FileOptions, split: Split, about: About, contents: Sequence[Content], sample_rate: int
) -> Sink:
    def open_file(path: Path, sample_rate: int, about: About) -> Sink:
        return open_sink(path, sample_rate, force=options.force, about=about, bit_rate=options.bit_rate)

    path = Path(target)
    sound = path.suffix.lower() not in SUBTITLES
    folder = path.with_suffix("")
    return SplitFiles(folder, path.suffix, sample_rate, about, contents, open_file, playlist=sound, split=split)


def _contents(book: Book, *, timed: bool) -> list[Content]:
    """The chapters of the book, with about how long they sound if they are to be `timed`."""
    if book.document is None:
        return []
    return [
        Content(chapter.number, chapter.title, _seconds(chapter, book.language) if timed else 0.0)
        for chapter in book.document.chapters
    ]


def _seconds(chapter: Chapter, language: str) -> float:
    texts = ("".join(span.sound for span in paragraph.spans) for paragraph in chapter.paragraphs)
    return sum(expected_seconds(text, language) for text in texts)


def about_book(options: FileOptions, book: Book, voice: str) -> About:
    """What the files say of the book: what the listener said, else what the book says."""
    given = _well_formed(options.about)
    edition = book.document.edition if book.document else Edition()
    series = given.series or edition.series
    part = given.part if given.series else edition.part
    about = About(
        title=given.title or book.title,
        author=given.author or book.author,
        language=book.language,
        narrator=given.narrator or voice,
        description=given.description or edition.description,
        publisher=edition.publisher,
        date=edition.date,
        series=series,
        part=part,
    )
    if all(output.endswith(WITHOUT_COVER) for output in options.outputs):
        return about
    return replace(about, cover=_cover(options.cover, book, about))


def _well_formed(about: About) -> About:
    """What the listener says, without bytes that are no text."""
    return replace(
        about,
        title=well_formed(about.title),
        author=well_formed(about.author),
        narrator=well_formed(about.narrator),
        description=well_formed(about.description),
        series=well_formed(about.series),
        part=well_formed(about.part),
    )


def series_and_part(text: str) -> tuple[str, str]:
    """ "Name #3" as ("Name", "3"); without a number the part is ""."""
    found = _SERIES.match(text)
    return (found[1], found[2]) if found and found[1] else (text.strip(), "")


def _cover(wanted: str | None, book: Book, about: About) -> bytes | None:
    """The picture that the listener names, else the book's own, else one beside the book, else a plain one."""
    if wanted == NO_COVER:
        return None
    if wanted is not None:
        return _picture(Path(wanted))
    for data in _found(book):
        with suppress(InputError):
            return look_at(data).data
    return draw_cover(about.title, about.author)


def _found(book: Book) -> Iterator[bytes]:
    if book.document and book.document.cover:
        yield book.document.cover
    for name in COVERS_BESIDE if book.path else ():
        with suppress(OSError):
            yield (book.path.parent / name).read_bytes() if book.path else b""


def _picture(path: Path) -> bytes:
    try:
        return look_at(path.read_bytes()).data
    except OSError as error:
        raise InputError(f"The cover {path} cannot be read: {(error.strerror or str(error)).lower()}.") from None
    except InputError as error:
        raise InputError(f"The cover {path} {error}.") from None
