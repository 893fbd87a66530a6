"""Files of a whole text for a listener to take away: made like those of the command line, from the takes that exist."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from narrate.errors import InputError, NarrateError
from narrate.pipeline import Background
from narrate.reading.export import FileOptions, file_openers
from narrate.reading.session import Progress
from narrate.server.events import Log
from narrate.server.readings import Reading
from narrate.server.service import Service
from narrate.text.characters import one_line

_log = logging.getLogger(__name__)

Format = Literal["m4b", "mp3", "opus", "flac", "epub"]
State = Literal["making", "done", "failed"]
LOOK_SECONDS = 0.5  # between two words about how far it is
MOST_EXPORTS = 4  # that are being made at the same time
KEPT = 20  # finished files; the oldest goes first
FORBIDDEN = str.maketrans(dict.fromkeys('/\\:*?"<>|', "_"))  # in file names, on one system or another


class NoSuchFile(InputError):
    """Nobody has asked for this file."""


class Export:
    """A file that is being made. Its progress is told in the events of its reading."""

    def __init__(self, reading: Reading, form: Format, folder: Path) -> None:
        self.reading, self.form = reading, form
        self.wishes = dict(reading.wishes)
        self.name = f"{one_line(reading.book.title).translate(FORBIDDEN).strip(' .')[:100] or 'book'}.{form}"
        self.path = folder / f"{reading.id}.{form}"
        self.state: State = "making"
        self.share = 0.0
        self.left_seconds: float | None = None
        self.why = ""
        self._stop = threading.Event()
        self._making: Background[None] | None = None

    @property
    def url(self) -> str:
        return f"/api/readings/{self.reading.id}/files/{self.form}/file"

    @property
    def size(self) -> int | None:
        try:
            return self.path.stat().st_size if self.state == "done" else None
        except OSError:
            return None

    def start(self, service: Service) -> None:
        self._making = Background(partial(self._make, service), "narrate-export")

    def _make(self, service: Service) -> None:
        try:
            with ExitStack() as stack:
                book, who = self.reading.book, replace(self.reading.speaking, speed=1.0)
                files = FileOptions(outputs=(str(self.path),), force=True)
                openers = file_openers(files, book, who.voice.name or self.reading.engine_name)
                with service.open_session(book, who, openers, stack, writing=True) as session:
                    while not session.wait(LOOK_SECONDS):
                        if self._stop.is_set():
                            raise InputError("It was stopped.")
                        for event in session.events():
                            if isinstance(event, Progress):
                                self._tell(event)
                if session.stats.failed:
                    self.why = f"{len(session.stats.failed)} sentences could not be spoken; there is silence instead."
            self.state, self.share, self.left_seconds = "done", 1.0, 0.0
        except NarrateError as error:
            self._fail(str(error))
        except Exception as error:
            _log.exception("An export of %s has failed.", self.reading.book.title)
            self._fail(f"This is a defect of narrate ({type(error).__name__}: {error}).")
        self._tell_log(self.reading.log)

    def _fail(self, why: str) -> None:
        self.state, self.why = "failed", why

    def _tell(self, progress: Progress) -> None:
        finished = progress.finished_share
        self.share = (progress.share or 0.0) if finished is None else 0.99 + 0.01 * finished
        self.left_seconds = progress.left_seconds
        self._tell_log(self.reading.log, passing=True)

    def _tell_log(self, log: Log, *, passing: bool = False) -> None:
        url = self.url if self.state == "done" else None
        data = {
            "format": self.form,
            "state": self.state,
            "share": self.share,
            "left_seconds": self.left_seconds,
            "size": self.size,
            "url": url,
            "why": self.why,
        }
        (log.mention if passing else log.tell)("export", data)

    def stop(self) -> None:
        """Break it off, and wait until it has ended."""
        self._stop.set()
        if self._making is not None:
            self._making.wait()

    def throw_away(self) -> None:
        self.stop()
        self.path.unlink(missing_ok=True)


class Exports:
    """All files that are made, or were, in a folder of this server alone."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._service, self._folder = service, folder
        self._lock = threading.Lock()
        self._exports: dict[tuple[str, Format], Export] = {}

    def make(self, reading: Reading, form: Format) -> Export:
        """Begin to make a file; one that is being made or done already is not made again. Raises `InputError`."""
        with self._lock:
            known = self._exports.get((reading.id, form))
            if known is not None and known.state != "failed" and known.wishes == reading.wishes:
                return known
            making = [export for export in self._exports.values() if export.state == "making"]
            if len(making) >= MOST_EXPORTS:
                raise InputError("Several files are being made already. Wait until one is finished.")
            if known is not None:
                known.throw_away()
            self._make_room()
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            export = self._exports[reading.id, form] = Export(reading, form, self._folder)
            export.start(self._service)
            return export

    def _make_room(self) -> None:
        done = [key for key, export in self._exports.items() if export.state != "making"]
        for key in done[: max(0, len(done) - KEPT)]:
            self._exports.pop(key).throw_away()

    def find(self, reading: Reading, form: Format) -> Export:
        """Raises `NoSuchFile`."""
        with self._lock:
            if (reading.id, form) in self._exports:
                return self._exports[reading.id, form]
        raise NoSuchFile("Nobody has asked for this file.")

    def close(self) -> None:
        """Break off what is being made."""
        with self._lock:
            exports = list(self._exports.values())
        for export in exports:
            export.stop()
