"""What is found out about takes: a recogniser hears them, and their sound is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from narrate.checking.recogniser import Recogniser, RecogniserError, Sound
from narrate.checking.verdict import Verdict
from narrate.clip import Samples
from narrate.text.comparison.compare import compare
from narrate.text.comparison.habits import Habits
from narrate.text.document import Chunk

BATCH = 8  # takes at once where there is no recogniser
FIRST_HEARD = 20  # takes, by which a recogniser is known
UNFIT_RATE = 0.5  # of what is written in them: who hears so much otherwise does not understand the voice


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A take that is to be judged: float32 samples, mono, and their rate in Hz."""

    chunk: Chunk
    samples: Samples
    sample_rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.sample_rate


Measured = tuple[Mapping[str, float], str]
Measure = Callable[[Samples, int, Chunk], Measured]
"""The figures of a take's sound by their names, and in a few words what is odd about it among the others, or "".

They are told of the takes in the order in which those are made (`course.Courses.follow`)."""


def unmeasured(samples: Samples, sample_rate: int, chunk: Chunk) -> Measured:
    return {}, ""


@dataclass(slots=True)
class Examiner:
    """Judges takes, several at once. One thread calls `examine`; any thread may call `cancel`.

    Without a `recogniser`, or once that can do no more, takes are only measured; `say` is told so, once. So it is with
    one that does not understand the voice: it would find every take bad. What it hears otherwise again and again, in
    the same way, is among its `habits` and no longer counts.
    """

    recogniser: Recogniser | None = None
    measure: Measure = unmeasured
    say: Callable[[str], object] = lambda _: None
    habits: Habits = field(default_factory=Habits)
    _rates: list[float] = field(default_factory=list, init=False)  # of the first takes
    _given_up: bool = field(default=False, init=False)
    _cancelled: bool = field(default=False, init=False)

    @property
    def batch(self) -> int:
        return self.recogniser.batch if self.recogniser is not None else BATCH

    @property
    def hears(self) -> bool:
        """True as long as there is a recogniser that works."""
        return self.recogniser is not None and not self._given_up

    def examine(self, cases: Sequence[Case]) -> list[Verdict | None]:
        """What is found about each take; None for one about which nothing can be found out."""
        self._cancelled = False
        heard = self._hear(cases)
        return [self._verdict(case, text) for case, text in zip(cases, heard, strict=True)]

    def cancel(self) -> None:
        """End the `examine` that is under way soon."""
        self._cancelled = True
        if self.recogniser is not None:
            self.recogniser.cancel()

    def close(self) -> None:
        if self.recogniser is not None:
            self.recogniser.close()

    def _hear(self, cases: Sequence[Case]) -> list[str | None]:
        nothing: list[str | None] = [None] * len(cases)
        if self.recogniser is None or self._given_up:
            return nothing
        try:
            return self.recogniser.hear([Sound(case.samples, case.sample_rate, case.chunk.language) for case in cases])
        except RecogniserError as error:
            if not self._cancelled:
                self._give_up(str(error))
            return nothing

    def _know(self, name: str, rate: float) -> None:
        """Find out by the first takes if the recogniser understands the voice."""
        if len(self._rates) < FIRST_HEARD:
            self._rates.append(rate)
            if len(self._rates) == FIRST_HEARD and (usual := median(self._rates)) > UNFIT_RATE:
                self._give_up(
                    f"{name} hears {min(usual, 1.0):.0%} of what this voice says otherwise than it is written."
                )

    def _give_up(self, why: str) -> None:
        if not self._given_up:
            self._given_up = True
            self.say(f"{why} Takes are not checked by hearing any more.")

    def _verdict(self, case: Case, heard: str | None) -> Verdict | None:
        measures, odd = self.measure(case.samples, case.sample_rate, case.chunk)
        if heard is None:
            return Verdict(odd, measures=measures) if measures else None
        try:
            compared = compare(case.chunk.spoken, heard, case.chunk.language)
        except ImportError as error:
            self._give_up(f"What is heard cannot be compared: {error.name} is not installed.")
            return Verdict(odd, measures=measures) if measures else None
        name = self.recogniser.name if self.recogniser is not None else ""
        self._know(name, compared.rate)
        self.habits.learn(case.chunk.spoken, compared)
        compared = self.habits.without(compared, case.chunk.language)
        return Verdict(compared.why or odd, heard, name, compared.rate, measures)

    def reconsider(self, chunk: Chunk, verdict: Verdict) -> Verdict:
        """The verdict about an earlier take of the chunk, now that the recogniser's habits are known."""
        if verdict.good or verdict.heard is None or not self.habits.known:
            return verdict
        before = compare(chunk.spoken, verdict.heard, chunk.language)
        after = self.habits.without(before, chunk.language)
        if verdict.why != before.why:
            return verdict
        return replace(verdict, why=after.why, rate=after.rate)
