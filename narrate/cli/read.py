"""`narrate BOOK`: read a book aloud, or write it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from narrate.cli.command import Argument, Command
from narrate.errors import InputError
from narrate.settings.choices import kept_in, speaking, text_options
from narrate.settings.table import OPTIONS
from narrate.settings.values import Values

if TYPE_CHECKING:
    from narrate.reading.export import FileOptions
    from narrate.sinks.split import Split
    from narrate.terminal.listen import ReadingOptions


def read(values: Values) -> int:
    _check(values)
    from narrate.terminal.books import find_books, read_books
    from narrate.terminal.listen import read_aloud

    def options_for(book: str) -> ReadingOptions:
        return _options(values.beside(book), book)

    books: Sequence[str] = values["book"] or ()
    if values["list-chapters"] and books:
        from narrate.cli.listing import list_chapters

        for book in find_books(books):
            list_chapters(book, text_options(values.beside(book)))
        return 0
    if values["plan"]:
        from narrate.terminal.plan import show_plan

        for options in map(options_for, find_books(books)) if books else [_options(values, "-")]:
            show_plan(options)
        return 0
    if not books:
        return read_aloud(_options(values, "-"))
    return read_books(books, options_for)


def _check(values: Values) -> None:
    """Raise InputError for options that contradict one another."""
    if values["text"] is not None and values["book"]:
        raise InputError(f"Either {values['book'][0]} or the text of --text can be read, not both.")
    if values["text"] is None and not values["book"]:
        raise InputError("There is nothing to read. Name a book, or give a text with -t. See narrate --help.")
    for one, other in (("from", "from-start"), ("store", "no-store")):
        if values.commanded(one) and values.commanded(other):
            raise InputError(f"--{one} and --{other} contradict each other. Leave one of them out.")
    if values.commanded("sound-device") and values["output"] and not values["play"]:
        raise InputError("--sound-device is for listening, and -o writes a file. Add --play to do both.")


def _options(values: Values, book: str) -> ReadingOptions:
    """The options of a reading of this book. Who speaks is settled once the language of the book is known."""
    from narrate.playback.sleep import parse_sleep
    from narrate.terminal.listen import ReadingOptions

    return ReadingOptions(
        source=book,
        literal=values["text"],
        text=text_options(values),
        files=file_options(values),
        play=values["play"],
        start="" if values["from-start"] else values["from"],
        device=values["sound-device"],
        store=kept_in(values),
        fresh_takes=values["fresh-takes"],
        sleep=parse_sleep(values["sleep"]) if values["sleep"] is not None else None,
        check=values["check"] or values["takes"] > 1,
        recogniser=values["recogniser"],
        takes=values["takes"],
        quiet=values["quiet"],
        verbose=values["verbose"],
        spoken_in=partial(speaking, values),
    )


def stored_options(values: Values, book: str) -> ReadingOptions:
    """The options of a reading of this book that plays nothing and writes nothing: it looks at what is stored."""
    from narrate.terminal.listen import ReadingOptions

    return ReadingOptions(
        source=book,
        text=text_options(values),
        store=kept_in(values),
        fresh_takes=values["fresh-takes"],
        recogniser=values["recogniser"],
        spoken_in=partial(speaking, values),
    )


def file_options(values: Values) -> FileOptions:
    """Which files are written, and what they say of the book."""
    from narrate.reading.export import FileOptions, series_and_part
    from narrate.sinks.about import About

    outputs: tuple[str, ...] = values["output"]

    def of_files(name: str) -> Any:
        return values[name] if _fits(values, name) else None

    series, part = series_and_part(values["series"] or "")
    cover = values["cover"]
    loudness = of_files("loudness")
    return FileOptions(
        outputs=outputs,
        force=values["force"] or values["plan"] or _may_replace(outputs),
        about=About(
            title=values["title"] or "",
            author=values["author"] or "",
            narrator=values["narrator"] or "",
            description=values["description"] or "",
            series=series,
            part=part,
        ),
        cover=str(cover) if cover is not None else None,
        bit_rate=values["bitrate"] * 1000 if values["bitrate"] else None,
        split=_split(of_files("split")),
        lufs=None if loudness in ("acx", "off") else loudness,
        acx=loudness == "acx",
        subtitles=tuple(dict.fromkeys(of_files("subtitles") or ())),
        report=str(values["report"]) if values["report"] is not None else None,
    )


def _fits(values: Values, name: str) -> bool:
    """False for an option that was set for all books and that this reading has no file for: then it is left out. On the
    command line it stays, so that it is refused."""
    from narrate.sinks import READ_ALONG

    files = [output for output in values["output"] if output != "-"]
    whole = bool(files) and len(files) == len(values["output"])
    alone = whole and not values["play"] and not any(file.lower().endswith(READ_ALONG) for file in files)
    fitting = {"subtitles": bool(files), "loudness": whole, "split": alone}
    return fitting[name] or values.commanded(name)


def _split(wanted: str | float | None) -> Split | None:
    """ "chapter", or the hours of which no file is longer."""
    from narrate.sinks.split import Split

    if wanted is None or isinstance(wanted, str):
        return Split() if wanted else None
    return Split(chapters=False, most_seconds=wanted * 3600)


def _may_replace(outputs: Sequence[str]) -> bool:
    """Ask, if there is somebody to ask, whether existing files may be replaced."""
    there = [output for output in outputs if output != "-" and Path(output).is_file()]
    if not there or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    question = f"{there[0]} exists already. Replace it?"
    return typer.confirm(question if len(there) == 1 else f"{', '.join(there)} exist already. Replace them?", err=True)


BOOK = "Books: files, folders of them, or addresses of the web; - is standard input."
COMMAND = Command(
    run=read,
    arguments=(Argument("book", "BOOK...", BOOK, required=False, many=True),),
    options=OPTIONS,
)
