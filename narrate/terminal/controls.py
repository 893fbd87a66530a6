"""What the keys do: pause, speed, marks, and where a press leads: to a sentence, a chapter, a mark, a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter

from narrate.errors import InputError
from narrate.pipeline import LazyList
from narrate.playback.start import chunk_at
from narrate.playback.stretch import FASTEST, SLOWEST
from narrate.reading.session import Session
from narrate.terminal.display import Display
from narrate.terminal.keys import HELP
from narrate.text.document import Chunk

SPEED_STEP = 0.1
PROMPT = "Go to (chapter, mark or time): "
MARK = re.compile(r"m\s*(\d+)")
LONGEST_TYPED = 200  # characters
STAYS_WHOLE = "The file that is written needs every sentence once, at one speed. Listen without -o to jump."

_Part = Callable[[Chunk], int]


@dataclass(slots=True)
class Controls:
    """The keyboard's hold on a reading. Files that are written while somebody listens stay whole."""

    session: Session
    display: Display
    _typed: str | None = field(default=None, init=False)  # where to go, while it is being typed

    def press(self, key: str) -> None:
        """Do what `HELP` says the key does; other keys do nothing."""
        if self._typed is not None:
            self._type(key, self._typed)
            return
        transport, player = self.session.transport, self.session.player
        if key == "space":
            (transport.play if transport.paused else transport.pause)()
        elif key == "b" and player.chunk is not None:
            self._mark(player.chunk)
        elif key == "s":
            self._sleep()
        elif key == "q":
            self._stop()
        elif key == "?":
            for name, meaning in HELP.items():
                self.display.say(f"  {name:6} {meaning}")
        elif self.session.writing and key in (*_MOVES, "+", "=", "-", "g", "m"):
            self.display.say(STAYS_WHOLE)
        elif key in _MOVES and player.chunk is not None:
            self._move(key)
        elif key in ("+", "=", "-"):
            step = -SPEED_STEP if key == "-" else SPEED_STEP
            transport.speed = round(min(FASTEST, max(SLOWEST, transport.speed + step)), 2)
        elif key == "g" or (key == "m" and self._list_marks()):
            self._typed, self.display.prompt = "", PROMPT

    def _move(self, key: str) -> None:
        """From where the presses before this one lead, if the player is not there yet."""
        player = self.session.player
        here = player.index if player.transport.aim is None else player.transport.aim
        player.transport.seek(_MOVES[key](player.script, here))

    def _mark(self, chunk: Chunk) -> None:
        mark = self.session.mark(chunk)
        self.display.say("This text has no places to mark." if mark is None else f"Marked: {mark.name}")

    def _list_marks(self) -> bool:
        """List the marks; False if there are none."""
        marks = self.session.marks()
        if not marks:
            self.display.say("There are no marks in this book yet; b sets one.")
        for number, mark in enumerate(marks, 1):
            self.display.say(f"  m{number:<5} {mark.place.fraction:4.0%}  {mark.name}")
        return bool(marks)

    def _sleep(self) -> None:
        session = self.session
        choice = session.sleep.following()
        session.sleep.set(choice, session.player.chunk, session.player.written_seconds)
        self.display.say(f"Sleep timer: {said_of(choice)}.")

    def _stop(self) -> None:
        if not self.session.writing:
            self.session.transport.stop()
        elif self.session.listening:
            self.session.stop_listening()
            self.display.say("The place is kept. The file is written to its end; Ctrl-C breaks it off.")

    def _type(self, key: str, typed: str) -> None:
        """A key of the line in which somebody says where to go."""
        if key in ("enter", "escape"):
            self._typed = self.display.prompt = None
            if key == "enter" and typed.strip():
                self._go(typed.strip())
            return
        if key == "backspace":
            typed = typed[:-1]
        elif key == "space":
            typed += " "
        elif len(key) == 1 and key.isprintable():
            typed = (typed + key)[:LONGEST_TYPED]
        self._typed, self.display.prompt = typed, PROMPT + typed

    def _go(self, where: str) -> None:
        marks = self.session.marks()
        number = MARK.fullmatch(where)
        try:
            if number and 1 <= int(number[1]) <= len(marks):
                index = chunk_at(self.session.player.script, marks[int(number[1]) - 1].place.start)
            else:
                index = self.session.find(where)
        except InputError as error:
            self.display.say(str(error))
            return
        self.session.transport.seek(index)


def said_of(choice: float | str | None) -> str:
    """When the sleep timer ends the reading."""
    if choice is None:
        return "off"
    return "at the end of this chapter" if choice == "chapter" else f"in {choice:g} minutes"


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
