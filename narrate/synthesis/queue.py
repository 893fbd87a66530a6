"""What goes to an engine and what comes back: every chunk once, as sound or as silence that names its failure.

The queue leaves out what the store has, makes equal sentences once, sends bad takes back with another seed, cuts in two
what fails again and again, and in the end reports it (retry.py). With a trial it holds takes back until they are judged
(recall.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from math import inf

from narrate.clip import Clip, Samples, join, on_grid, silence
from narrate.clock import OFF, Clock
from narrate.engines import Request
from narrate.errors import EngineError
from narrate.pace import chunk_seconds
from narrate.store.takes import Take, Takes
from narrate.synthesis.elsewhere import Elsewhere
from narrate.synthesis.job import Job
from narrate.synthesis.judge import Judge, first_fault, halves, trim
from narrate.synthesis.recall import Recall
from narrate.synthesis.retry import Again, HandOn, Split, next_step
from narrate.synthesis.stats import Stats
from narrate.synthesis.trial import Trial
from narrate.text.document import Chunk
from narrate.voice import Voice

READY_AT_ONCE = 8  # clips from the store between two batches: bounds memory, keeps batches full
BROKE_OFF = "it broke off after its beginning was heard"


class WorkQueue:
    """The chunks of one narration on their way through an engine.

    `chunks` may give None: no more have arrived yet. `key` names the take of a chunk. `wait_for_others`: wait for takes
    that another process is making, instead of making them twice. `buffered` tells how many seconds of sound wait to be
    heard, infinitely many if nobody listens. As long as the engine has something in hand, it is asked for no more than
    `ahead_seconds` of sound beyond the ear. `trial` is where slow judges hear the takes.
    """

    def __init__(
        self,
        chunks: Iterable[Chunk | None],
        *,
        voice: Voice,
        key: Callable[[Chunk], str],
        takes: Takes,
        judges: Sequence[Judge],
        stats: Stats,
        sample_rate: Callable[[], int],
        deterministic: bool = False,
        wait_for_others: bool = False,
        buffered: Callable[[], float] = lambda: inf,
        ahead_seconds: float = inf,
        clock: Clock = OFF,
        trial: Trial | None = None,
    ) -> None:
        self._source = iter(chunks)
        self._voice, self._key, self._takes, self._judges = voice, key, takes, judges
        self._stats, self._sample_rate, self._clock = stats, sample_rate, clock
        self._deterministic, self._wait_for_others, self._buffered = deterministic, wait_for_others, buffered
        self._ahead_seconds = ahead_seconds
        self._recall = (
            Recall(trial, takes, stats, deterministic=deterministic, buffered=buffered, clock=clock) if trial else None
        )
        self.begun: set[int] = set()
        """Indexes of chunks that the store had, or that the engine has begun."""
        self.seconds = 0.0
        """Wall time that was spent here and not in the engine."""
        self._name, self._numbers = secrets.token_hex(4), count()
        self._again: list[Job] = []
        self._isolated: list[Job] = []  # the engine raised over one of them: each goes alone
        self._alone = False  # what the engine has in hand must stay alone
        self._out: dict[str, Job] = {}  # by the id of the request
        self._twins: dict[str, list[Chunk]] = {}  # by key: chunks that wait for the take that is being made
        self._ready: list[Clip] = []
        self._judged: list[Clip] = []  # they were held back, and can be heard now
        self._elsewhere: Elsewhere[Job] = Elsewhere()
        self._offset = 0.0
        self._exhausted = self._cancelled = False

    # -- for the narrator ---------------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        rest = (
            self._out or self._again or self._isolated or self._ready or self._judged or self._elsewhere or self._recall
        )
        return self._cancelled or (self._exhausted and not rest)

    @property
    def asked_for_all(self) -> bool:
        """True if no chunk is left that nobody has asked for."""
        return self._exhausted

    @property
    def waits_for_others(self) -> bool:
        """True if there is nothing to do but to wait for another process, or for slow judges."""
        return bool(self._elsewhere or self._recall) and not (
            self._out or self._again or self._isolated or self._judged
        )

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    @property
    def out(self) -> list[str]:
        """The ids of the requests that the engine has in hand."""
        return list(self._out)

    @property
    def in_hand(self) -> list[Chunk]:
        """The chunks that the engine has in hand."""
        return [job.chunk for job in self._out.values()]

    def cancel(self) -> None:
        """No more requests. May be called from any thread."""
        self._cancelled = True

    def requests(self) -> Iterator[Request | None]:
        """One round for the engine. None says that there is no request now, but some are in hand. The round ends when
        the engine has nothing in hand and somebody else must act first, and at the end of the book."""
        while not self._cancelled:
            start = self._clock.now()
            job = self._next_job()
            self.seconds += self._clock.now() - start
            if job is not None:
                yield self._request(job)
            elif self._out:
                yield None
            else:
                return

    def from_store(self) -> Iterator[Clip]:
        """What needs no engine from here on, up to the first chunk that must be made: it can be heard at once."""
        while not (self._cancelled or self._out or self._again or self._isolated):
            job = self._elsewhere.take(self._ours) or self._from_source()
            if job is None:
                return
            if not self._has(job):
                self._again.append(job)
            yield from self.take_ready()

    def take_ready(self) -> list[Clip]:
        """The clips that needed no engine since the last call."""
        self._look()
        ready, self._ready = self._ready + self._judged, []
        self._judged = []
        return ready

    def accept(self, clip: Clip) -> list[Clip]:
        """A clip from the engine. Returns what can be heard now because of it."""
        job = self._out.get(clip.request_id)
        if job is None:
            if self._cancelled:
                return []
            raise EngineError(f"The engine answered a request that it was not given ({clip.index}). This is a defect.")
        if clip.raised:
            return self._raised(clip.request_id, clip.failure or "an error", clip)
        if not clip.final:
            return self._piece(job, clip)
        del self._out[clip.request_id]
        if job.handed_on:
            return []
        before, job.back = job.back, []
        whole = join([*job.heard, *before, clip.samples])
        wrong = clip.failure or first_fault(self._judges, whole, clip.sample_rate, job.asked)
        if wrong and not job.heard:
            return self._bad(job, wrong, clip.sample_rate, len(whole) / clip.sample_rate)
        samples = on_grid(trim(clip.samples, clip.sample_rate, lead=not (job.heard or before)))
        samples = join([*before, samples])
        if wrong:  # its beginning was heard already: it is too late for another take, and it is not kept
            return self._failed(job, Clip(job.chunk, samples, clip.sample_rate, failure=wrong))
        return self._good(job, samples, clip.sample_rate)

    def raised(self, why: str) -> list[Clip]:
        """The engine raised an error over the requests in hand. If there are several, each is asked for again, alone,
        to find out which was at fault."""
        if len(self._out) == 1:
            return self._raised(next(iter(self._out)), why, None)
        jobs, self._out = [job for job in self._out.values() if not job.handed_on], {}
        broken = [job for job in jobs if job.heard]
        for job in jobs:
            job.back = []
        self._isolated += sorted((job for job in jobs if not job.heard), key=lambda job: job.chunk.index)
        return [clip for job in broken for clip in self._broke_off(job)]

    def missing(self) -> list[Clip]:
        """The engine has ended its round: what it still had in hand did not come back."""
        jobs, self._out = [job for job in self._out.values() if not job.handed_on], {}
        answers = []
        for job in jobs:
            if job.heard:
                answers += self._broke_off(job)
            else:
                answers += self._bad(job, "the engine returned nothing", self._sample_rate(), 0.0)
        return answers

    # -- what is to be made -------------------------------------------------------------------------------------------

    def _next_job(self) -> Job | None:
        self._look()
        if self._out and (self._isolated or self._alone):
            return None
        self._alone = bool(self._isolated)
        if self._isolated:
            return self._isolated.pop(0)
        if self._again:
            return self._again.pop(0)
        while len(self._ready) < READY_AT_ONCE and not self._is_far_ahead():
            job = self._elsewhere.take(self._ours) or self._from_source()
            if job is None or not self._has(job):
                return job
        return None

    def _is_far_ahead(self) -> bool:
        if self._ahead_seconds == inf or not self._out:
            return False
        front = min(job.offset for job in list(self._out.values()))
        return self._buffered() + self._offset - front > self._ahead_seconds

    def _from_source(self) -> Job | None:
        """The next chunk that no other process is making; None if there is none now."""
        while not (self._exhausted or self._elsewhere.full or (self._recall is not None and self._recall.full)):
            try:
                chunk = next(self._source)
            except StopIteration:
                self._exhausted = True
                break
            if chunk is None:
                break
            job = Job(chunk, self._key(chunk), self._offset)
            self._offset += chunk_seconds(chunk) + chunk.pause
            self._elsewhere.reached(chunk.index)
            if self._ours(job):
                return job
            self._elsewhere.add(job, chunk.index)
        return None

    def _ours(self, job: Job) -> bool:
        """True if the take is in the store, or to be made here."""
        if job.key in self._twins or not self._wait_for_others:
            return True
        with self._clock.stage("store"):
            return self._takes.get(job.key) is not None or self._takes.claim(job.key)

    def _has(self, job: Job) -> bool:
        """True if the chunk needs no new take: it is stored, or the same sentence is being made."""
        if job.key in self._twins:
            self._twins[job.key].append(job.chunk)
            return True
        with self._clock.stage("store"):
            take = self._takes.get(job.key)
        if take is None:
            self._twins[job.key] = []
            return False
        if not self._holds_stored(job, take):
            self._reuse(job.chunk, take)
        return True

    def _holds_stored(self, job: Job, take: Take) -> bool:
        """True if slow judges shall hear the take first, or have found it to be bad."""
        held = self._recall is not None and self._recall.holds_stored(job, take)
        if not held:
            return False
        self._twins[job.key] = []
        self.begun.add(job.chunk.index)
        self._stats.reused += 1
        self._stats.reused_seconds += take.seconds
        if isinstance(held, Again):
            self._send_again(job, held.attempt)
        return True

    def _reuse(self, chunk: Chunk, take: Take) -> None:
        self.begun.add(chunk.index)
        clip = Clip(chunk, take.samples, take.sample_rate)
        self._stats.reused += 1
        self._stats.reused_seconds += clip.seconds
        self._ready.append(clip)

    def _request(self, job: Job) -> Request:
        identity = f"{self._name}-{next(self._numbers)}"
        self._out[identity] = job

        def due() -> float:
            buffered = self._buffered()
            if buffered == inf:
                return inf
            earlier = [other for other in list(self._out.values()) if other.offset < job.offset]
            missing = job.offset - min((other.offset for other in earlier), default=job.offset)
            return self._clock.now() + buffered + missing - sum(other.heard_seconds for other in earlier)

        return Request(
            identity, job.asked, self._voice, job.key, job.attempt, due=due, begin=lambda: self._begin(identity)
        )

    def _begin(self, identity: str) -> bool:
        """The engine turns to this request now. False if it is no longer wanted.

        Whoever waits for others has claimed its takes before. Somebody who listens may be in no hurry with what lies
        far ahead, and claims only now, so that others can make it meanwhile.
        """
        job = self._out.get(identity)
        if job is None or self._cancelled:
            return False
        if job.handed_on:
            del self._out[identity]
            return False
        self.begun.add(job.chunk.index)
        if self._wait_for_others:
            return True
        with self._clock.stage("store"):
            take = None if job.halved or job.tries else self._takes.get(job.key)
            if take is None:
                self._takes.claim(job.key)
                return True
        del self._out[identity]
        for chunk in (job.chunk, *self._twins.pop(job.key, ())):
            self._reuse(chunk, take)
        return False

    # -- what came back -----------------------------------------------------------------------------------------------

    def _piece(self, job: Job, clip: Clip) -> list[Clip]:
        """A piece of a chunk goes out at once, unless the whole shall be judged first."""
        if job.handed_on:
            return []
        samples = on_grid(trim(clip.samples, clip.sample_rate, lead=not (job.heard or job.back), tail=False))
        if self._recall is not None and not job.heard and (job.tries or self._recall.has_time):
            job.back.append(samples)
            return []
        samples, job.back = join([*job.back, samples]), []
        job.heard.append(samples)
        job.heard_seconds += len(samples) / clip.sample_rate
        return [Clip(job.chunk, samples, clip.sample_rate, final=False)]

    def _good(self, job: Job, samples: Samples, sample_rate: int) -> list[Clip]:
        if job.parts:
            return self._next_part(job, Clip(job.chunk, samples, sample_rate))
        whole = join([*job.heard, samples])
        if job.tries:  # another take than that which is stored; it is kept if it is better
            self._stats.retaken_seconds += len(whole) / sample_rate
        else:
            self._stats.made += 1
            self._stats.made_seconds += len(whole) / sample_rate
            with self._clock.stage("store"):
                self._takes.put(job.key, whole, sample_rate)
        if self._recall is not None and self._recall.holds(job, whole, sample_rate):
            return []
        return self._delivered(job, samples, whole, sample_rate) if job.best is None else self._do(job, HandOn())

    def _delivered(self, job: Job, samples: Samples, whole: Samples, sample_rate: int) -> list[Clip]:
        """The last sound of the chunk, and all of it for every equal sentence that waited for it."""
        job.handed_on = True
        clips = [Clip(job.chunk, samples, sample_rate)]
        for twin in self._twins.pop(job.key, ()):
            self._stats.reused += 1
            self._stats.reused_seconds += len(whole) / sample_rate
            clips.append(Clip(twin, whole, sample_rate))
        return clips

    def _look(self) -> None:
        """Do what slow judges have decided."""
        for job, step in self._recall.look() if self._recall is not None else ():
            self._judged += self._do(job, step)

    def _do(self, job: Job, step: Again | Split | HandOn) -> list[Clip]:
        match step:
            case Again(attempt):
                return self._send_again(job, attempt)
            case Split(attempt):
                job.parts, job.half_attempt, job.cut_late = list(halves(job.chunk) or ()), attempt, True
                return self._send_again(job, attempt)
        if job in self._again:
            self._again.remove(job)
        take = job.best or job.latest
        assert take is not None
        return self._delivered(job, take.samples, take.samples, take.sample_rate)

    def _raised(self, identity: str, why: str, clip: Clip | None) -> list[Clip]:
        job = self._out.pop(identity)
        if job.handed_on:
            return []
        if job.heard:
            return self._broke_off(job)
        rate = clip.sample_rate if clip else self._sample_rate()
        return self._bad(job, why, rate, 0.0, raised=True)

    def _bad(self, job: Job, wrong: str, sample_rate: int, seconds: float, *, raised: bool = False) -> list[Clip]:
        """Another attempt, then two halves, then silence with a name."""
        self._stats.retaken_seconds += seconds
        job.back = []
        if self._recall is not None and job.best is not None:
            job.parts, job.made = [], []
            return self._do(job, self._recall.failed(job, raised=raised))
        cut = None if job.halved else halves(job.chunk)
        step = next_step(job.attempt, raised=raised, divisible=cut is not None, deterministic=self._deterministic)
        if isinstance(step, Again):
            return self._send_again(job, step.attempt, alone=step.alone)
        if isinstance(step, Split) and cut is not None:
            job.parts, job.half_attempt = list(cut), step.attempt
            return self._send_again(job, step.attempt, alone=step.alone)
        quiet = Clip(job.chunk, silence(chunk_seconds(job.asked), sample_rate), sample_rate, failure=wrong)
        return self._next_part(job, quiet) if job.parts else self._failed(job, quiet)

    def _send_again(self, job: Job, attempt: int, *, alone: bool = False) -> list[Clip]:
        self._stats.retaken += 1
        job.attempt = attempt
        (self._isolated if alone else self._again).append(job)
        return []

    def _next_part(self, job: Job, clip: Clip) -> list[Clip]:
        """A half is made, or given up: the other half is next, or both become one take."""
        job.made.append(clip)
        job.parts.pop(0)
        if job.parts:
            return self._send_again(job, job.half_attempt)
        whole = join(part.samples for part in job.made)
        failure = next((part.failure for part in job.made if part.failure), None)
        if failure:
            return self._failed(job, Clip(job.chunk, whole, clip.sample_rate, failure=failure))
        return self._good(job, whole, clip.sample_rate)

    def _broke_off(self, job: Job) -> list[Clip]:
        """Its beginning was heard, so that a new take would say it twice."""
        rate = self._sample_rate()
        return self._failed(job, Clip(job.chunk, silence(0.0, rate), rate, failure=BROKE_OFF))

    def _failed(self, job: Job, last: Clip) -> list[Clip]:
        """The chunk is given up. So is every equal sentence that waited for its take."""
        self._takes.release(job.key)
        whole = replace(last, samples=join([*job.heard, last.samples]))
        twins = self._twins.pop(job.key, [])
        self._stats.failed += [(chunk, last.failure or "") for chunk in (job.chunk, *twins)]
        return [last, *(replace(whole, chunk=twin) for twin in twins)]
