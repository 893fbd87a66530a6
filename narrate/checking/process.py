"""A recogniser in a process of its own (see child.py for what is said between the two).

A process that ends is started again, and what it was asked is asked once more, each take alone, so that a take over
which it ends does not take others along. One that does not answer is ended.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from time import monotonic, time
from typing import IO, Any

from narrate.checking.recogniser import RATE, RecogniserError, Sound
from narrate.clip import to_int16
from narrate.engines.resample import resampled
from narrate.pipeline import Background
from narrate.sinks import wav

START_SECONDS = 1800.0  # until it is ready: a model may have to be fetched first
PATIENCE_SECONDS = 60.0  # for the next answer, and LONGER times as long as all the sound
LONGER = 20.0
DEATHS_IN_A_ROW = 4
MOST_LETTERS = 1 << 20  # of a line
FOLDER = "narrate-check-"  # begins the name of the folder with the sounds that are asked for
OLD_SECONDS = 7 * 24 * 3600.0  # nobody uses such a folder for so long
TAIL_BYTES = 2000  # of what it wrote on standard error
_GONE = "it ended"
_SILENT = "it does not answer"
_CANCELLED = "it was cancelled"


class _Ended(Exception):
    """The process has ended, or was ended."""


@dataclass(eq=False)
class ProcessRecogniser:
    """A `Recogniser` that runs `command`."""

    command: Sequence[str]
    start_seconds: float = START_SECONDS
    patience_seconds: float = PATIENCE_SECONDS
    name: str = field(default="", init=False)
    batch: int = field(default=8, init=False)
    starts: int = field(default=0, init=False)
    """How often a process was started."""
    _child: _Child | None = field(default=None, init=False)
    _deaths: int = field(default=0, init=False)
    _cancelled: bool = field(default=False, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def prepare(self) -> None:
        self._cancelled = False
        while True:
            try:
                self._living()
                return
            except _Ended as ended:
                self._count_death(str(ended))

    def hear(self, sounds: Sequence[Sound]) -> list[str | None]:
        self._cancelled = False
        found: dict[int, str | None] = {}
        groups = [list(range(len(sounds)))]
        while groups:
            group = groups.pop(0)
            try:
                self._living().ask({number: sounds[number] for number in group}, found, self.patience_seconds)
            except _Ended as ended:
                left = [number for number in group if number not in found]
                if len(left) < len(group):
                    self._deaths = 0
                self._count_death(str(ended))
                if len(group) == 1:
                    found[group[0]] = None  # it ended over this one, alone
                groups[:0] = [[number] for number in left] if len(group) > 1 else []
            else:
                self._deaths = 0
        return [found.get(number) for number in range(len(sounds))]

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            if self._child is not None:
                self._child.kill(_CANCELLED)

    def close(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.end()

    def _living(self) -> _Child:
        with self._lock:
            if self._cancelled:
                raise RecogniserError(f"The recogniser was stopped ({_CANCELLED}).")
            child = self._child
        if child is None or child.ended:
            self.close()
            child = _Child(self.command)
            self.starts += 1
            with self._lock:
                self._child = child
                if self._cancelled:
                    child.kill(_CANCELLED)
            self.name, self.batch = child.greet(self.start_seconds)
        return child

    def _count_death(self, why: str) -> None:
        """Raises `RecogniserError` if it has ended too often, or was cancelled."""
        self.close()
        self._deaths += 1
        if self._cancelled:
            raise RecogniserError(f"The recogniser was stopped ({_CANCELLED}).")
        if self._deaths >= DEATHS_IN_A_ROW:
            self._deaths = 0
            name = self.name or self.command[0]
            raise RecogniserError(f"The recogniser {name} has failed {DEATHS_IN_A_ROW} times in a row: {why}.")


class _Child:
    """The running process, and a folder for the sounds that it is asked for."""

    def __init__(self, command: Sequence[str]) -> None:
        _sweep()
        self._folder = Path(tempfile.mkdtemp(prefix=FOLDER))
        self._errors = (self._folder / "errors").open("wb")
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
            )
        except OSError as error:
            self._errors.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            why = (error.strerror or str(error)).lower()
            raise RecogniserError(f"The recogniser {command[0]} cannot be started ({why}). Check its name.") from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._why = _GONE
        Background(partial(_listen, self._replies, self._lines), "narrate-recogniser")

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def greet(self, seconds: float) -> tuple[str, int]:
        """Its name, and how many takes it likes at once. Raises `RecogniserError` if it says that it cannot start."""
        said = self._next(monotonic() + seconds)
        if "ready" not in said:
            raise RecogniserError(f"The recogniser cannot start: {said.get('error', 'its first line is not ready')}.")
        batch = said.get("batch", 1)
        return str(said["ready"]), batch if isinstance(batch, int) and 1 <= batch <= 1024 else 1

    def ask(self, sounds: dict[int, Sound], found: dict[int, str | None], patience_seconds: float) -> None:
        """Put what it hears into `found`, answer by answer. Raises `_Ended`."""
        files = {number: self._file(number, sound) for number, sound in sounds.items()}
        patience_seconds += LONGER * sum(sound.seconds for sound in sounds.values())
        try:
            for place, (number, sound) in enumerate(sounds.items(), 1):
                more = place < len(sounds)
                line = {"id": str(number), "audio": str(files[number]), "language": sound.language, "more": more}
                self._requests.write(json.dumps(line).encode() + b"\n")
            self._requests.flush()
        except (OSError, ValueError):
            raise _Ended(self._fate()) from None
        waiting = {str(number): number for number in sounds}
        until = monotonic() + patience_seconds
        while waiting:
            said = self._next(until)
            number = waiting.pop(str(said.get("id")), -1)
            if number >= 0:
                text = said.get("text")
                found[number] = text if isinstance(text, str) else None
                files[number].unlink(missing_ok=True)

    def kill(self, why: str) -> None:
        """May be called from any thread."""
        self._why = why
        self._process.kill()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for file in (self._requests, self._errors):
            with suppress(OSError):
                file.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, number: int, sound: Sound) -> Path:
        path = self._folder / f"{number}.wav"
        samples = to_int16(resampled(sound.samples, sound.sample_rate, RATE))
        path.write_bytes(wav.header(RATE, len(samples)) + samples.astype("<i2").tobytes())
        return path

    def _next(self, until: float) -> dict[str, Any]:
        """The next line that is an answer. Raises `_Ended`."""
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, until - monotonic()))
            except Empty:
                self.kill(_SILENT)
                raise _Ended(_SILENT) from None
            if line is None:
                raise _Ended(self._fate())
            with suppress(ValueError):
                said = json.loads(line)
                if isinstance(said, dict):
                    return said

    def _fate(self) -> str:
        """How it ended, with the last line that it wrote on standard error."""
        if self._why != _GONE:
            return self._why
        code = self._process.wait()
        self._errors.flush()
        with suppress(OSError):
            tail = (self._folder / "errors").read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace").split("\n")
            said = next((line.strip() for line in reversed(tail) if line.strip()), "")
            return f"it ended with code {code}" + (f", and its last words were “{said}”" if said else "")
        return f"it ended with code {code}"


def _sweep() -> None:
    """Remove the folders that killed processes left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        with suppress(OSError):
            if folder.stat().st_mtime < time() - OLD_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _listen(replies: IO[bytes], lines: SimpleQueue[bytes | None]) -> None:
    """Read in a thread of its own, so that waiting for an answer can have an end."""
    with suppress(OSError, ValueError), replies:
        while line := replies.readline(MOST_LETTERS):
            lines.put(line)
            if len(line) >= MOST_LETTERS:
                break
    lines.put(None)
