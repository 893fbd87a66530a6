"""`narrate review`: the takes in doubt one after the other. The listener hears, keeps, or has them taken again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from narrate.checking.verdict import Verdict, written
from narrate.clip import Clip
from narrate.errors import InputError, NarrateError, SinkError
from narrate.reading.session import Session
from narrate.sinks.speaker import Speaker
from narrate.terminal.display import open_display
from narrate.terminal.listen import ReadingOptions, Run, open_session, open_what_is_read
from narrate.terminal.wording import chapter_title, counted
from narrate.terminal.wrap import wrapped
from narrate.text.characters import one_line
from narrate.text.document import Chunk
from narrate.text.spoken.dictionary import add_rule

CHOICES = {
    "h": "hear it",
    "k": "keep it",
    "a": "take it again",
    "r": "write how a word is read",
    "n": "next",
    "q": "quit",
}
Ask = Callable[[str], str]


@dataclass(slots=True)
class _Case:
    """A take in doubt. `clip` is the one that is heard now, and `attempt` the number of the next."""

    chunk: Chunk
    verdict: Verdict
    clip: Clip
    attempt: int


def review_book(
    options: ReadingOptions, *, ask: Ask = input, stdout: TextIO = sys.stdout, stderr: TextIO = sys.stderr
) -> None:
    """Go through the takes of a book that are in doubt; `ask` gets a line from the listener."""
    options, book = open_what_is_read(options)
    if book.document is None or options.store is None:
        raise InputError("Only a book whose sound is stored can be reviewed. Read it first, without --no-store.")
    with open_display(stderr, "", quiet=True) as display, Run() as run, ExitStack() as stack:
        session = open_session(replace(options, check=False), book, display, stack, run)
        cases = list(_doubtful(session))
        review = Review(session, options.device, options.text.dictionary, ask, stdout)
        if not cases:
            review.say("No sentence of the book is in doubt. `narrate check` hears what was not heard yet.")
            return
        for number, case in enumerate(cases, 1):
            if not review.of(case, f"{number} of {len(cases)}"):
                break
        review.say(f"Kept: {counted(review.kept, 'sentence')}.")


def _doubtful(session: Session) -> Iterator[_Case]:
    for chunk in session.player.script.since(0):
        if chunk is None:
            continue
        key = session.player.narrator.key(chunk)
        verdict = session.verdict(chunk)
        if verdict is not None and not verdict.good and (take := session.takes.get(key)) is not None:
            yield _Case(chunk, verdict, Clip(chunk, take.samples, take.sample_rate), verdict.tries)


@dataclass(slots=True)
class Review:
    """Asks what to do with each case, and does it. `kept` counts what the listener found to be good."""

    session: Session
    device: str | None
    dictionary: Path | None
    ask: Ask
    stdout: TextIO
    kept: int = 0

    def of(self, case: _Case, where: str) -> bool:
        """One case, until the listener wants the next. False if he wants no more."""
        chunk, verdict = case.chunk, case.verdict
        self.say("")
        self.say(f"{where} · {chapter_title(chunk.chapter, chunk.title)} · {verdict.why}")
        self.say(f"  “{one_line(chunk.text)}”")
        if verdict.heard is not None:
            self.say(f"  heard: “{one_line(verdict.heard)}”")
        self._hear(case)
        while True:
            try:
                choice = self.ask(", ".join(f"{key} {what}" for key, what in CHOICES.items()) + ": ").strip().lower()
            except EOFError:
                return False
            match choice:
                case "h" | "":
                    self._hear(case)
                case "k":
                    self._keep(case)
                    return True
                case "a":
                    self._take_again(case)
                case "r":
                    self._write_reading(case)
                case "n":
                    return True
                case "q":
                    return False
                case _:
                    self.say("Type one of these letters.")

    def say(self, line: str) -> None:
        for row in wrapped(line, self.stdout, 2):
            print(row, file=self.stdout, flush=True)

    def _hear(self, case: _Case) -> None:
        try:
            with Speaker(case.clip.sample_rate, self.device) as speaker:
                speaker.write(case.clip)
                speaker.drain()
        except (SinkError, InputError) as error:
            self.say(str(error))

    def _keep(self, case: _Case) -> None:
        takes, key = self.session.takes, self.session.player.narrator.key(case.chunk)
        stored = takes.get(key)
        if stored is None or stored.samples is not case.clip.samples:
            takes.put(key, case.clip.samples, case.clip.sample_rate)
        verdict = replace(case.verdict, why="", tries=case.attempt)
        takes.put_verdict(key, case.clip.samples, written(verdict))
        self.kept += 1

    def _take_again(self, case: _Case) -> None:
        """Another take, which is stored once the listener keeps it."""
        if self.session.engine.abilities.deterministic:
            self.say("This voice says a text the same way every time. Write how a word is read, or take another voice.")
            return
        try:
            clip = self.session.player.narrator.another(case.chunk, case.attempt)
        except NarrateError as error:
            self.say(str(error))
            return
        case.attempt += 1
        if clip.failure is not None:
            self.say(f"That take is of no use ({clip.failure}).")
            return
        case.clip = clip
        self._hear(case)

    def _write_reading(self, case: _Case) -> None:
        if self.dictionary is None:
            self.say("Readings are written to the file of --dict. Start again with --dict FILE.")
            return
        try:
            word, reading = self.ask("Word: ").strip(), self.ask("How it is read: ").strip()
            add_rule(self.dictionary, word, reading, case.chunk.language)
        except EOFError:
            return
        except InputError as error:
            self.say(str(error))
            return
        self.say(f"Written to {self.dictionary}. The next reading says it so.")
