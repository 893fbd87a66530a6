"""`narrate setup`: the weights of the neural voice, a voice and a sound device, with three questions at most.

It says what will be fetched, how large it is, under which licence and where to, and asks before anything is fetched.
Then the speed of the voice is measured here.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from narrate.cli.command import Command
from narrate.cli.preferences import ask_the_rest, keep_named, somebody_there
from narrate.engines.table import find_engine
from narrate.errors import EngineError, InputError, NarrateError
from narrate.settings.kinds import File, Switch, Text
from narrate.settings.option import ONCE, Option
from narrate.settings.values import Values

if TYPE_CHECKING:
    from narrate.engines.qwen.hub import Download

POLL_SECONDS = 0.2
STEP = 0.1  # of the whole, between two lines where there is no terminal


@dataclass(frozen=True, slots=True)
class SetupOptions:
    """`model` as `--model` names it, None for what suits this machine. `source` is a folder that has it already. `yes`:
    nobody is asked."""

    model: str | None = None
    source: Path | None = None
    yes: bool = False


def fetch_weights(options: SetupOptions, stderr: TextIO = sys.stderr) -> None:
    """Raises `InputError` for what cannot be fetched or was declined, `EngineError` if it could not be fetched."""
    if (missing := find_engine("qwen").missing()) is not None:
        raise InputError(f"{missing}. Then run narrate setup again.")
    from narrate.engines.qwen import hardware, hub, models

    device = hardware.choose_device(None)
    name = models.for_processor()
    if options.model or device != "cpu":
        name = models.full_name(options.model, hardware.choose_dtype(device, None), hardware.free_bytes(device))
    if options.source is not None:
        _copy(options.source, name, stderr, options.yes)
    elif (folder := hub.found(name)) is not None:
        print(f"{name} is here: {folder}", file=stderr)
    else:
        _fetch(hub.look_up(name), stderr, options.yes)
    if device == "cpu" and name in models.RELEASED[:2]:
        _measure(stderr)


def _fetch(download: Download, stderr: TextIO, yes: bool) -> None:
    from narrate.engines.qwen import hub
    from narrate.pipeline import Background

    missing = download.bytes - download.here
    print(f"Model    {download.name}", file=stderr)
    print(f"Licence  {download.licence}", file=stderr)
    rest = f", {_gigabytes(download.here)} of it are here already" if download.here else ""
    print(f"Size     {_gigabytes(download.bytes)} in {len(download.files)} files{rest}", file=stderr)
    print(f"Goes to  {download.folder}", file=stderr, flush=True)
    _check_room(download.folder, missing)
    _ask(f"Fetch {_gigabytes(missing)}?", stderr, yes)
    with _Bar(download.bytes, stderr) as bar:
        fetching = Background(lambda: hub.fetch(download), "narrate-setup")
        while not fetching.wait(POLL_SECONDS):
            bar(download.here)
        folder = fetching.result()
        bar(download.bytes)
    print(f"{download.name} is here: {folder}", file=stderr)


def _copy(source: Path, name: str, stderr: TextIO, yes: bool) -> None:
    from narrate.engines.qwen import hub

    if not source.is_dir():
        raise InputError(f"There is no folder {source}.")
    size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    _check_room(hub.own_folder(name), size)
    _ask(f"Copy {_gigabytes(size)} from {source} to {hub.own_folder(name)}, as {name}?", stderr, yes)
    copied = 0

    def told(count: int) -> None:
        nonlocal copied
        copied += count
        bar(copied)

    with _Bar(size, stderr) as bar:
        folder = hub.copy_from(source, name, told)
    print(f"{name} is here: {folder}", file=stderr)


def _measure(stderr: TextIO) -> None:
    from narrate.engines.qwen import trial

    print("Measuring how quick it is on this machine …", file=stderr, flush=True)
    speed = trial.known_speed(measure=True, again=True)
    if speed is None or speed.rtf >= trial.FAILED:
        raise EngineError("The model was tried and did not run here: `narrate doctor` says what this machine has.")
    verdict = "it is chosen by itself from now on"
    if not speed.quick_enough:
        verdict = "that is too slow to listen to; -e qwen -o FILE writes a file all the same"
    print(f"A second of speech takes {speed.rtf:.2g} s, with {speed.rows} rows at once: {verdict}.", file=stderr)


def _check_room(folder: Path, needed: int) -> None:
    from narrate.engines.qwen.hub import SPARE_BYTES

    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if free < needed + SPARE_BYTES:
        raise InputError(
            f"{there} has {_gigabytes(free)} free, and {_gigabytes(needed + SPARE_BYTES)} are needed. Make room, or "
            "name another folder with HF_HOME."
        )


def _ask(question: str, stderr: TextIO, yes: bool) -> None:
    """Raises `InputError` if the answer is no, or nobody is there to answer."""
    if yes:
        return
    if not somebody_there(stderr):
        raise InputError(f"{question} Nobody is there to answer: add --yes.")
    print(f"{question} [y/N] ", end="", file=stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InputError("Nothing was fetched.")


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e7 else f"{count / 1e6:.2f} MB"


class _Bar(AbstractContextManager["_Bar"]):
    """How many bytes of the whole are here: a bar on a terminal, elsewhere a line at every tenth."""

    def __init__(self, total: int, stderr: TextIO) -> None:
        self._total, self._stderr, self._said = max(1, total), stderr, 0.0
        self._show: Callable[[int], object] = self._line
        self._progress = None
        if stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

            columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            self._progress = progress = Progress(*columns, console=Console(file=stderr))
            task = progress.add_task("", total=self._total)
            self._show = lambda done: progress.update(task, completed=done)

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def __call__(self, done: int) -> None:
        self._show(done)

    def _line(self, done: int) -> None:
        share = done / self._total
        if share >= self._said + STEP or (share >= 1 > self._said):
            self._said = share // STEP * STEP if share < 1 else 1.0
            print(f"{share:4.0%}  {_gigabytes(done)}", file=self._stderr, flush=True)


def setup(values: Values) -> None:
    """What was named is kept, the weights are fetched, and what was not named is asked, if somebody is there.

    A refusal or a hub that cannot be reached is told after the other questions.
    """
    options = SetupOptions(values["model"], values["from"], values["yes"])
    voice, device = values["voice"], values["sound-device"]
    keep_named(voice, device, sys.stderr)
    wanted = bool(options.model or options.source or options.yes)
    asked = somebody_there(sys.stderr) and not wanted
    fault: NarrateError | None = None
    if wanted or not (voice or device):
        try:
            fetch_weights(options)
        except NarrateError as error:
            if not asked:
                raise
            fault = error
    if asked:
        ask_the_rest(voice, device, sys.stderr)
    if fault is not None:
        raise fault


COMMAND = Command(
    run=setup,
    options=(
        Option(
            "model",
            Text("MODEL"),
            "Which model: 0.6B, 1.7B, base or voicedesign; otherwise what suits this machine.",
            places=ONCE,
        ),
        Option("from", File("FOLDER"), "Copy the weights from this folder instead of fetching them.", places=ONCE),
        Option("voice", Text("NAME"), "Keep this voice for its language, without asking.", places=ONCE),
        Option(
            "sound-device",
            Text("NAME"),
            "Play on this device from now on, without asking; `narrate devices` lists them.",
            places=ONCE,
        ),
        Option("yes", Switch(), "Fetch them without asking.", short="y", places=ONCE, default=False),
    ),
)
