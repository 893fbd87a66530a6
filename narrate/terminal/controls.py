"""What the keys do: pause, speed, marks, and where a press leads, to the sentence, the paragraph or the chapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from narrate.pipeline import LazyList
from narrate.playback.player import Player
from narrate.playback.stretch import FASTEST, SLOWEST
from narrate.terminal.keys import HELP
from narrate.text.document import Chunk

SPEED_STEP = 0.1

_Part = Callable[[Chunk], int]


@dataclass(slots=True)
class Controls:
    """The keyboard's hold on a player. `mark` keeps the place of a chunk and returns its name, `say` shows a line."""

    player: Player
    mark: Callable[[Chunk], str]
    say: Callable[[str], None]

    def press(self, key: str) -> None:
        """Do what `HELP` says the key does; other keys do nothing."""
        transport = self.player.transport
        if key == "space":
            (transport.play if transport.paused else transport.pause)()
        elif key in _MOVES and self.player.chunk is not None:
            self._move(key)
        elif key in ("+", "=", "-"):
            step = -SPEED_STEP if key == "-" else SPEED_STEP
            transport.speed = round(min(FASTEST, max(SLOWEST, transport.speed + step)), 2)
        elif key == "b" and self.player.chunk is not None:
            self.say(f"Marked: {self.mark(self.player.chunk)}")
        elif key == "q":
            transport.stop()
        elif key == "?":
            for name, meaning in HELP.items():
                self.say(f"  {name:6} {meaning}")

    def _move(self, key: str) -> None:
        """From where the presses before this one lead, if the player is not there yet."""
        transport = self.player.transport
        here = self.player.index if transport.aim is None else transport.aim
        transport.seek(_MOVES[key](self.player.script, here))


def _sentence_back(script: LazyList[Chunk], index: int) -> int:
    return max(0, index - 1)


def _sentence_on(script: LazyList[Chunk], index: int) -> int:
    return index + 1 if script.get(index + 1) is not None else index


def _part_on(script: LazyList[Chunk], index: int, part: _Part) -> int:
    """The first chunk of the next part; the same chunk in the last part."""
    here = script.get(index)
    following = index
    while here is not None:
        following += 1
        chunk = script.get(following)
        if chunk is None:
            break
        if part(chunk) != part(here):
            return following
    return index


def _part_back(script: LazyList[Chunk], index: int, part: _Part) -> int:
    """The first chunk of this part; of the part before, if that is where we are already."""
    first = _beginning(script, index, part)
    return first if first < index or index == 0 else _beginning(script, index - 1, part)


def _beginning(script: LazyList[Chunk], index: int, part: _Part) -> int:
    here = script.get(index)
    while here is not None and index > 0:
        before = script.get(index - 1)
        if before is None or part(before) != part(here):
            break
        index -= 1
    return index


_PARAGRAPH: _Part = attrgetter("paragraph")
_CHAPTER: _Part = attrgetter("chapter")
_MOVES: dict[str, Callable[[LazyList[Chunk], int], int]] = {
    "left": _sentence_back,
    "right": _sentence_on,
    "up": partial(_part_back, part=_PARAGRAPH),
    "down": partial(_part_on, part=_PARAGRAPH),
    "[": partial(_part_back, part=_CHAPTER),
    "]": partial(_part_on, part=_CHAPTER),
}
