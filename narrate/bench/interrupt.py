"""From a command to the first sample of the new place: what a listener waits for who jumps about in a book."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from narrate.bench.listener import Paced
from narrate.bench.measure import Workload
from narrate.clip import Clip
from narrate.pipeline import Background, LazyList
from narrate.playback.player import Player
from narrate.store.in_memory import MemoryTakes
from narrate.synthesis.narrator import Narrator
from narrate.text.book import open_book
from narrate.text.document import Chunk

CACHE_BYTES = 64 << 20  # takes in memory, as for a listener
FAR = 60  # chunks beyond all that is made
POLL_SECONDS = 0.001  # seconds between two looks whether the new place sounds
GIVE_UP_SECONDS = 120.0


@dataclass(slots=True)
class Jumps:
    """Seconds from each command to the sound, for places that were made already, and for others."""

    buffered: list[float] = field(default_factory=list)
    unbuffered: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Ears:
    """Notes when the first sound of the place that is waited for comes to the sink."""

    place: int | None = None
    heard: float | None = None

    def __call__(self, clip: Clip) -> None:
        if clip.index == self.place and self.heard is None:
            self.heard = time.perf_counter()


def jump_about(workload: Workload, times: int, jumps: Jumps, told: Callable[[str, float], object]) -> None:
    """Play at a loudspeaker's pace and jump `times` to either kind of place; `jumps` fills as it goes.

    The text is read over and over, every time with takes of its own, so that there are always places not made yet.
    """
    ears, made = _Ears(), set[int]()
    narrator = Narrator(
        workload.engine,
        workload.voice,
        MemoryTakes(CACHE_BYTES),
        workload.key(),
        ready=lambda clip: made.add(clip.index) if clip.final else None,
    )
    script = LazyList(_over_and_over(workload))
    sink = Paced(time.perf_counter, time.sleep, ears)
    player = Player(script, narrator, [lambda _: sink], listening=True)
    playing = Background(player.play, "narrate-playing")
    try:
        dice = random.Random(1)
        for number in range(times):
            for kind, seconds in (("buffered", jumps.buffered), ("unbuffered", jumps.unbuffered)):
                told(f"jump {number + 1} of {times}, {kind}", player.written_seconds)
                seconds.append(_jump(player, ears, made, dice, playing, far=kind == "unbuffered"))
    finally:
        player.transport.stop()
        narrator.interrupt()
        playing.wait(10.0)


def _over_and_over(workload: Workload) -> Iterator[Chunk]:
    index = 0
    for take in count():
        book = open_book(workload.source, workload.text)
        for chunk in workload.script(book, workload.recorder()).since(0):
            if chunk is not None:
                yield replace(chunk, index=index, take=take)
                index += 1


def _jump(
    player: Player, ears: _Ears, made: set[int], dice: random.Random, playing: Background[None], *, far: bool
) -> float:
    """Wait until there is somewhere to go, and a moment that has nothing to do with blocks of sound; then go there."""
    _wait(lambda: player.chunk is not None and len(made - {player.index}) >= 2, playing)
    time.sleep(dice.uniform(0.3, 0.6))
    if far:
        place = max(made) + FAR + dice.randrange(FAR)
        player.script.get(place)
    else:
        place = dice.choice(sorted(made - {player.index})[-40:])
    ears.heard, ears.place = None, place
    start = time.perf_counter()
    player.transport.seek(place)
    _wait(lambda: ears.heard is not None, playing)
    assert ears.heard is not None
    return ears.heard - start


def _wait(until: Callable[[], bool], playing: Background[None]) -> None:
    deadline = time.perf_counter() + GIVE_UP_SECONDS
    while not until():
        if playing.wait(POLL_SECONDS):
            playing.result()
        if time.perf_counter() > deadline:
            raise TimeoutError(f"nothing was heard for {GIVE_UP_SECONDS:.0f} s")
