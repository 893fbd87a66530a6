"""Keys into wishes: where a press of the listener's leads, to the sentence, the paragraph, the chapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from narrate.pipeline import Growing
from narrate.playback.player import Player
from narrate.playback.stretch import FASTEST, SLOWEST
from narrate.terminal.keys import HELP
from narrate.text.document import Chunk

SPEED_STEP = 0.1

_Part = Callable[[Chunk], int]


@dataclass(slots=True)
class Hand:
    """The listener's hand on a player. `mark` keeps the place of a chunk, `say` shows a line."""

    player: Player
    mark: Callable[[Chunk], str]
    say: Callable[[str], None]

    def press(self, key: str) -> None:
        """Do what `HELP` says the key does; other keys do nothing."""
        wishes = self.player.wishes
        if key == "space":
            wishes.pause(not wishes.paused)
        elif key in _MOVES and self.player.chunk is not None:
            self._jump(key)
        elif key in ("+", "=", "-"):
            step = -SPEED_STEP if key == "-" else SPEED_STEP
            wishes.speed = round(min(FASTEST, max(SLOWEST, wishes.speed + step)), 2)
        elif key == "b" and self.player.chunk is not None:
            self.say(f"Marked: {self.mark(self.player.chunk)}")
        elif key == "q":
            wishes.stop()
        elif key == "?":
            for name, meaning in HELP.items():
                self.say(f"  {name:6} {meaning}")

    def _jump(self, key: str) -> None:
        """From where the presses before this one lead, if the player is not there yet."""
        wishes = self.player.wishes
        here = self.player.place if wishes.aim is None else wishes.aim
        wishes.jump(_MOVES[key](self.player.script, here))


def _sentence_back(script: Growing[Chunk], place: int) -> int:
    return max(0, place - 1)


def _sentence_on(script: Growing[Chunk], place: int) -> int:
    return place + 1 if script.get(place + 1) is not None else place


def _part_on(script: Growing[Chunk], place: int, part: _Part) -> int:
    """The first chunk of the next part; the same place in the last part."""
    here = script.get(place)
    following = place
    while here is not None:
        following += 1
        chunk = script.get(following)
        if chunk is None:
            break
        if part(chunk) != part(here):
            return following
    return place


def _part_back(script: Growing[Chunk], place: int, part: _Part) -> int:
    """The first chunk of this part; of the part before, if that is where we are already."""
    first = _beginning(script, place, part)
    return first if first < place or place == 0 else _beginning(script, place - 1, part)


def _beginning(script: Growing[Chunk], place: int, part: _Part) -> int:
    here = script.get(place)
    while here is not None and place > 0:
        before = script.get(place - 1)
        if before is None or part(before) != part(here):
            break
        place -= 1
    return place


_PARAGRAPH: _Part = attrgetter("paragraph")
_CHAPTER: _Part = attrgetter("chapter")
_MOVES: dict[str, Callable[[Growing[Chunk], int], int]] = {
    "left": _sentence_back,
    "right": _sentence_on,
    "up": partial(_part_back, part=_PARAGRAPH),
    "down": partial(_part_on, part=_PARAGRAPH),
    "[": partial(_part_back, part=_CHAPTER),
    "]": partial(_part_on, part=_CHAPTER),
}
