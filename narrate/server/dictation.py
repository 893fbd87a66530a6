"""A text that a client dictates, and its sound, which begins while the text is still being written."""

from __future__ import annotations

from asyncio import Event
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace

from narrate.server.limits import Limits
from narrate.server.problems import Problem
from narrate.server.speech import Desk, Order, Outcome, Piece, Speech
from narrate.text.characters import STOPS
from narrate.text.chunking.arrivals import Dictation
from narrate.text.language import detect_language

ENOUGH_CHARACTERS = 80  # to tell a language; a sentence is enough, too


class Utterance:
    """One text of a client, from its first word to the end of its sound. Used in the event loop.

    If the `language` is not said, it is found out from the first sentence.
    """

    def __init__(self, desk: Desk, limits: Limits, order: Order) -> None:
        self._desk, self._limits = desk, limits
        self._order = order
        self._text = Dictation()
        self._characters = 0
        self._opening = ""  # what came before the language was known
        self._can_begin = Event()
        self._speech: Speech | None = None
        self.ended = False
        """The client has said its last word."""

    @property
    def format(self) -> str:
        return self._order.format

    @property
    def begun(self) -> bool:
        """The client has said something."""
        return self._characters > 0

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None before, and for a text without a word."""
        return self._speech.outcome if self._speech else None

    @property
    def sample_rate(self) -> int:
        """In Hz; known when the first piece is there."""
        return self._speech.sample_rate if self._speech else 0

    def say(self, text: str) -> None:
        """More of the text. Raises `Problem` 413 when it becomes too long."""
        self._characters += len(text)
        if self._characters > self._limits.pending_characters:
            raise Problem(413, f"One text has at most {self._limits.pending_characters:,} characters.")
        self._text.say(text)
        if not self._can_begin.is_set():
            self._opening += text
            stopped = any(mark in STOPS for mark in self._opening)
            if self._order.language or stopped or len(self._opening) >= ENOUGH_CHARACTERS:
                self._begin()

    def end(self) -> None:
        """That was the whole text."""
        self.ended = True
        self._text.end()
        self._begin()

    def _begin(self) -> None:
        language = self._order.language or detect_language(self._opening)
        self._order = replace(self._order, text=self._text, language=language)
        self._opening = ""
        self._can_begin.set()

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Chunks as they begin, and their sound. Nothing for a text without a word. Raises what goes wrong.

        Whoever ends the loop before its end closes the generator (`contextlib.aclosing`).
        """
        await self._can_begin.wait()
        if not self._characters:
            return
        speech = self._speech = await self._desk.speak(self._order)
        try:
            while (piece := await speech.take()) is not None:
                yield piece
        finally:
            speech.leave()
            await speech.close()


def named_language(wishes: Mapping[str, object]) -> str:
    """The language that the wishes name, "" for none."""
    return str(wishes.get("lang") or "")
