"""Exports that are killed again and again, and started again until they are done."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE = 120.0  # seconds for anything another process does, on a busy machine
BATCH = 10  # the command's own
_ORDINARY = (
    "lamp stair gull letter window harbour winter lantern kettle storm rope sailor boat cliff chart bell".split()
)


def novel(sentences: int, seed: int = 0) -> str:
    """A text of chapters, paragraphs and sentences, no two of which are alike."""
    chance = random.Random(seed)
    lines = []
    for number in range(sentences):
        if number % 40 == 0:
            lines.append(f"\n\nCHAPTER {number // 40 + 1}\n\n")
        elif number % 5 == 0:
            lines.append("\n\n")
        words = " ".join(chance.choices(_ORDINARY, k=chance.randrange(4, 9)))
        lines.append(f"The {words} was number {number}. ")
    return "".join(lines).strip() + "\n"


@dataclass(slots=True)
class Export:
    """An export of `source` to `folder`, with a store there; `begun` counts the chunks that engines were given.

    Exports of different names may share a folder, and so the store.
    """

    folder: Path
    source: Path
    options: tuple[str, ...]
    name: str = "book"
    kills: int = 0
    finished: bool = False
    said: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.notes.touch()

    @property
    def notes(self) -> Path:
        return self.folder / f"{self.name}.notes"

    @property
    def target(self) -> Path:
        return self.folder / f"{self.name}.wav"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def batches(self) -> list[list[int]]:
        return [[int(index) for index in line.split()] for line in self.notes.read_text().splitlines()]

    @property
    def begun(self) -> int:
        return sum(map(len, self.batches))

    def start(self, *under: str) -> subprocess.Popen[str]:
        """`under`: a command that starts others, as nohup does."""
        command = [*under, sys.executable, "-m", "tests.witness", self.notes, self.source, *self.options]
        command += ["-o", self.target, "--store", self.store, "-q"]
        env = {**os.environ, "NARRATE_HOME": str(self.folder / "home")}
        return subprocess.Popen(
            list(map(str, command)), cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def finish(self) -> None:
        """Run to the end."""
        self._end(self.start())

    def kill_at(self, moment: Moment) -> None:
        """Run until the moment, and kill; or to the end, if that comes first."""
        before = self.begun
        process = self.start()
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and not moment.has_come(self, before):
            assert time.monotonic() < deadline, "the export hangs"
            time.sleep(0.002)
        time.sleep(moment.later)
        if process.poll() is None:
            process.kill()
            self.kills += 1
        self._end(process)

    def _end(self, process: subprocess.Popen[str]) -> None:
        _, said = process.communicate(timeout=PATIENCE)
        self.said += said
        assert process.returncode in (0, -9), said
        self.finished = process.returncode == 0


@dataclass(frozen=True, slots=True)
class Moment:
    """When to kill: `takes` after the start were begun, or the file is being written (`takes` < 0); then `later`."""

    takes: int
    later: float

    @classmethod
    def at_random(cls, chance: random.Random, most_takes: int) -> Moment:
        """One in six while the program still starts, one in six while it has begun to write, else while it makes."""
        kind = chance.randrange(6)
        if kind == 0:
            return cls(0, chance.uniform(0.0, 0.8))
        if kind == 1:
            return cls(-1, chance.uniform(0.0, 0.1))
        return cls(chance.randrange(1, most_takes), chance.uniform(0.0, 0.05))

    def has_come(self, export: Export, before: int) -> bool:
        if self.takes < 0:
            return any(export.folder.glob(f".{export.name}.part*"))
        return self.takes == 0 or export.begun - before >= self.takes


def kill_until_done(export: Export, kills: int, chance: random.Random, most_takes: int) -> None:
    """Kill the export `kills` times at random moments, then let it finish."""
    while export.kills < kills and not export.finished:
        export.kill_at(Moment.at_random(chance, most_takes))
    if not export.finished:
        export.finish()
