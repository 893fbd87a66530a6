"""Takes that may be recalled: they are held back until slow judges have spoken, as long as nobody waits for them.

For a file every take is held back, so that it is whole and judged at its end. For an ear it is held back only as long
as there is plenty to hear, and never at the beginning; what was handed on already is only reported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf

from narrate.checking.examiner import Case
from narrate.checking.verdict import Verdict, read_verdict, written
from narrate.clip import Samples, to_int16
from narrate.clock import Clock
from narrate.store.takes import Take, Takes
from narrate.synthesis.job import Job, Tried
from narrate.synthesis.judge import halves
from narrate.synthesis.retry import Again, HandOn, Split, next_try
from narrate.synthesis.stats import Stats
from narrate.synthesis.trial import Trial

HELD_SECONDS = 900.0  # of sound that is held back at most, for a file
HELD_FOR_EAR_SECONDS = 120.0  # and for an ear
PLENTY_SECONDS = 30.0  # of sound before the ear, and PAUSES times the longest time from one look at it to the next
PAUSES = 2.0
SHORT_SECONDS = 0.1  # such a time is not worth remembering
RECENT_SECONDS = 120.0  # and a longer one for so long


class Recall:
    """The jobs of one narration whose takes are held back."""

    def __init__(
        self,
        trial: Trial,
        takes: Takes,
        stats: Stats,
        *,
        deterministic: bool,
        buffered: Callable[[], float],
        clock: Clock,
    ) -> None:
        self._trial, self._takes, self._stats = trial, takes, stats
        self._deterministic, self._buffered, self._clock = deterministic, buffered, clock
        self._held: dict[int, Job] = {}
        self._answers: deque[tuple[Job, Tried, Verdict | None]] = deque()
        self._looked_at = clock.now()
        self._pauses: deque[tuple[float, float]] = deque()  # when they ended, and how long they were

    def __bool__(self) -> bool:
        return bool(self._held)

    @property
    def full(self) -> bool:
        """True if nothing more must be made until something is judged."""
        most = HELD_SECONDS if self._buffered() == inf else HELD_FOR_EAR_SECONDS
        takes = (job.latest or job.best for job in self._held.values())
        return sum(take.seconds for take in takes if take is not None) >= most

    @property
    def has_time(self) -> bool:
        """True if nobody waits for what is made now."""
        buffered = self._buffered()
        if buffered == inf:
            return True
        now = self._clock.now()
        pause = max((length for _, length in self._pauses), default=0.0)
        return buffered >= PLENTY_SECONDS + PAUSES * max(pause, now - self._looked_at)

    def holds(self, job: Job, samples: Samples, sample_rate: int) -> bool:
        """Have the take judged. True if it is held back meanwhile."""
        job.tries += 1
        tried = job.latest = Tried(to_int16(samples), sample_rate, job.tries)
        needed = not job.heard and (id(job) in self._held or self.has_time)

        def reply(verdict: Verdict | None) -> None:
            if verdict is not None:  # for good, whatever becomes of the reading
                verdict = replace(verdict, tries=tried.number)
                self._takes.put_verdict(job.key, samples, written(verdict))
            self._answers.append((job, tried, verdict))

        submitted = self._trial.submit(Case(job.chunk, samples, sample_rate), reply, needed=needed)
        if submitted and needed:
            self._held[id(job)] = job
            return True
        self._held.pop(id(job), None)
        return False

    def holds_stored(self, job: Job, take: Take) -> Again | bool:
        """The same for a take that is in the store. `Again`: it was found to be bad, and can be taken again."""
        verdict = read_verdict(self._takes.verdict(job.key))
        if verdict is None or (verdict.heard is None and self._trial.hears):
            return self.holds(job, take.samples, take.sample_rate)
        job.tries = verdict.tries
        job.best = Tried(to_int16(take.samples), take.sample_rate, job.tries, verdict)
        step = self._step(job)
        if isinstance(step, Again) and self.has_time:
            self._held[id(job)] = job
            return step
        self._report(job, verdict)
        return False

    def look(self) -> Iterator[tuple[Job, Again | Split | HandOn]]:
        """What is to be done with jobs that were held back: judges have spoken, or an ear waits."""
        now = self._clock.now()
        if now - self._looked_at > SHORT_SECONDS:
            self._pauses.append((now, now - self._looked_at))
        while self._pauses and self._pauses[0][0] < now - RECENT_SECONDS:
            self._pauses.popleft()
        self._looked_at = now
        while self._answers:
            job, tried, verdict = self._answers.popleft()
            if id(job) in self._held and job.latest is tried:
                yield job, self._judged(job, tried, verdict)
            elif verdict is not None and job.best is None:  # what is heard now was handed on without it
                self._report(job, verdict)
        if self._held and not self.has_time:
            for job in list(self._held.values()):
                yield job, self._let_go(job)

    def failed(self, job: Job, *, raised: bool) -> Again | Split | HandOn:
        """A job whose best take was to be bettered has got no other take."""
        job.tries += 1
        job.latest = None
        step = HandOn() if raised else self._step(job)
        return self._let_go(job) if isinstance(step, HandOn) else step

    def _judged(self, job: Job, tried: Tried, verdict: Verdict | None) -> Again | Split | HandOn:
        job.latest = None
        tried.verdict = verdict
        if job.best is None or _badness(verdict) < _badness(job.best.verdict):
            job.best = tried
            if tried.number > 1:
                self._takes.put(job.key, tried.samples, tried.sample_rate)
        step = HandOn() if verdict is None else self._step(job)
        return self._let_go(job) if isinstance(step, HandOn) else step

    def _step(self, job: Job) -> Again | Split | HandOn:
        assert job.best is not None
        verdict = job.best.verdict
        return next_try(
            job.attempt,
            job.tries,
            good=verdict is None or verdict.good,
            wanted=self._trial.takes,
            divisible=not (job.cut_late or job.halved) and halves(job.chunk) is not None,
            deterministic=self._deterministic,
        )

    def _let_go(self, job: Job) -> HandOn:
        del self._held[id(job)]
        if job.best is not None and job.best.verdict is not None:
            verdict = replace(job.best.verdict, tries=job.tries)
            self._takes.put_verdict(job.key, job.best.samples, written(verdict))
            self._report(job, verdict)
        return HandOn()

    def _report(self, job: Job, verdict: Verdict) -> None:
        self._stats.checked += 1
        if not verdict.good:
            self._stats.doubtful.append((job.chunk, verdict))


def _badness(verdict: Verdict | None) -> tuple[bool, float]:
    return (True, inf) if verdict is None else verdict.badness
