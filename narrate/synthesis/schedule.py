"""Who is next: the requests of many readings in front of one engine. Pure: no threads, and no clock of its own.

Ears come first, and of them the one that runs dry first. Files take what is left, a library's in the order of its
books, others so that the one that has had the least sound is next (start-time fair queueing: Goyal, Vin and Cheng
1996). What has waited too long is next once, so that no reading starves. If the ears together hear more than the engine
can make, those that came last wait, so that not all of them have gaps. What several readings ask for is made once.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from math import inf

from narrate.clip import Clip, join
from narrate.engines import Request
from narrate.pace import chunk_seconds

WINDOW = 64  # requests that wait for the engine, of all readings together: enough to choose batches from
LEAST_WINDOW = 4  # of one reading, however many there are
STARVED_SECONDS = 30.0  # a reading of which nothing was begun for so long, though it asked, is next, once
LATER_SECONDS = 60.0  # an ear that cannot be carried comes after those that have so much more to hear
SURE = 1.25  # times as long as others took: hardly a take takes longer to make
PRESSED = 3  # times as long as the engine takes to look again: an ear with less than that to hear is in need
FORGET = 0.9  # of what older takes count for, per newer one
DRY_SECONDS = 0.02  # who has less than this to hear has nothing
CARRIED_SHARE = 0.95  # of what the engine makes may be heard; the next ear is one too many
LISTENS_SECONDS = 30.0  # an ear that has asked for nothing for so long is paused
LATE_SECONDS = 1.0  # the engine hears how late something is, but of what is beyond this only a hundredth
OVERTAKEN = 64  # requests that were begun later and are answered, beside four times those in hand: this one is lost
NOTHING = "the engine returned nothing"

Identity = tuple[str, int, str]


@dataclass(slots=True, eq=False)
class Reading:
    """One reading before the engine, numbered in the order of arrival. If it listens, it hears `speed` seconds of sound
    in a second.

    `sounding`: it has had something to hear. `later`: the engine cannot carry it beside those that came before.
    `place`: of files the lowest are made first; `share` is how many seconds of sound its files were given.
    """

    number: int
    speed: float = 1.0
    place: int = 0
    listens: bool = False
    sounding: bool = False
    later: bool = False
    share: float = 0.0
    asked_at: float = -inf
    begun_at: float = -inf
    dry_since: float | None = None
    out: dict[str, Asked] = field(default_factory=dict)
    """What it asked for and is not answered, by the id of the request."""


@dataclass(slots=True, eq=False)
class Asked:
    """A request as a reading handed it over. `whole`: no ear waits for it, so its sound comes in one clip. `told`: the
    reading knows, or will soon, that the engine has begun."""

    reading: Reading
    request: Request
    job: Job
    whole: bool
    told: bool = False


@dataclass(slots=True, eq=False)
class Job:
    """A take on its way through the engine, for one reading, or for several that asked for the same.

    `given`: the engine has it. `begun`: the engine works on it, as the so manieth. When it is over its clips stay in
    `made` for whoever asks for the same before the take can be in the store.
    """

    request: Request  # as the engine gets it, with an id of its own
    identity: Identity
    since: float
    asked: dict[str, Asked] = field(default_factory=dict)
    made: list[Clip] = field(default_factory=list)
    given: bool = False
    begun: int | None = None
    begun_at: float = 0.0
    over: bool = False
    overtaken: int = 0

    @property
    def id(self) -> str:
        return self.request.id


Answer = tuple[Asked, Clip]


class Schedule:
    """What waits for an engine, and what it has in hand. One thread at a time may use it.

    `resting`: the engine shall come to rest. It is given nothing, and what it has not begun comes back.
    """

    def __init__(self) -> None:
        self.resting = False
        self.capacity: float | None = None
        """Seconds of sound that the engine makes in a second if it is given all that it takes; None: not known yet."""
        self._readings: list[Reading] = []
        self._arrivals, self._numbers, self._begun = count(), count(), count()
        self._name = secrets.token_hex(4)
        self._jobs: dict[str, Job] = {}  # those that are not over
        self._same: dict[Identity, Job] = {}
        self._unsettled: dict[str, Job] = {}  # by the id of a reading's request
        self._alone: list[Job] = []  # the engine raised an error over one of them
        self._pace = 0.0  # seconds that a take is in the making, for each second of its sound
        self._turn = 0.0  # seconds from one time that the engine gives something to the next
        self._turned_at = 0.0
        self._pressed = False  # an ear will soon fall silent
        self._least_waiting = inf  # takes that had not begun, since `was_full` was asked

    # -- readings -----------------------------------------------------------------------------------------------------

    def open(self, speed: float = 1.0, place: int = 0) -> Reading:
        reading = Reading(next(self._arrivals), speed, place)
        self._readings.append(reading)
        return reading

    def close(self, reading: Reading) -> list[str]:
        """The reading has ended. Returns the ids of what the engine shall drop."""
        dropped = self.drop(reading, reading.out)
        self._readings = [each for each in self._readings if each is not reading]
        return dropped

    @property
    def readings(self) -> int:
        return len(self._readings)

    def ears(self, now: float) -> list[Reading]:
        """The readings that somebody listens to now, in the order of arrival."""
        return [each for each in self._readings if each.listens and (each.out or now - each.asked_at < LISTENS_SECONDS)]

    def room(self, reading: Reading) -> int:
        """How many more requests the reading may hand over."""
        asking = sum(bool(each.out) or each is reading for each in self._readings)
        waiting = sum(asked.job.begun is None for asked in reading.out.values())
        return max(LEAST_WINDOW, WINDOW // max(1, asking)) - waiting

    # -- requests -----------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many takes have not begun."""
        return sum(job.begun is None for job in self._jobs.values())

    def was_full(self) -> bool:
        """True if the engine had all that it could take since this was asked last, and more."""
        least, self._least_waiting = min(self._least_waiting, self.waiting), inf
        return least > 0

    @property
    def in_hand(self) -> list[Job]:
        """What the engine has. It has begun some of it."""
        return [job for job in self._jobs.values() if job.given]

    @property
    def lost(self) -> bool:
        """True if the engine seems to have forgotten a request, because much that was begun later is answered."""
        begun = [job for job in self._jobs.values() if job.begun is not None]
        return any(job.overtaken > OVERTAKEN + 4 * len(begun) for job in begun)

    def add(self, reading: Reading, request: Request, now: float) -> tuple[Asked, list[Clip]]:
        """A reading asks for a take. Returns what there is of it already, if another reading asked before."""
        reading.listens, reading.asked_at = request.due() < inf, now
        if not reading.listens and not reading.out:
            reading.share = max(reading.share, self._least_share())
        identity = (request.key, request.attempt, request.chunk.spoken)
        job = self._same.get(identity) if request.key else None
        if job is None:
            name = f"{self._name}-{next(self._numbers)}"
            job = Job(replace(request, id=name, reading=reading.number), identity, now)
            self._jobs[job.id] = job
            if request.key:
                self._same[identity] = job
        asked = Asked(reading, request, job, whole=not reading.listens)
        self._unsettled[request.id] = job
        job.asked[request.id] = asked
        if not job.over:
            reading.out[request.id] = asked
        ready = bool(job.made) and (job.over or not asked.whole)
        return asked, [_addressed(asked, _joined(job.made))] if ready else []

    def drop(self, reading: Reading, ids: Collection[str]) -> list[str]:
        """The reading wants these no more. Returns the ids of what the engine shall drop."""
        dropped = []
        for name in list(ids):
            job = self._unsettled.get(name)
            if job is None or job.asked[name].reading is not reading:
                continue
            del self._unsettled[name], job.asked[name]
            reading.out.pop(name, None)
            if not job.asked:
                self._forget(job)
                if job.given and not job.over:
                    dropped.append(job.id)
        return dropped

    def next(self, now: float) -> Job | None:
        """What the engine shall have next. None if there is nothing now."""
        if self.resting or (self._alone and self.in_hand):
            return None
        job = self._alone.pop(0) if self._alone else self._most_urgent(now)
        if job is not None:
            job.given = True
            self._charge(job, 1)
        return job

    def due(self, job: Job, now: float) -> float:
        """When the take is due, as the engine shall see it. Once it is begun this is when an ear wants it, or now if it
        cannot be whole by then: an engine that gives sound in pieces begins to give it then."""
        asked = list(job.asked.values())
        if job.begun is not None:
            due = min((each.request.due() for each in asked), default=inf)
            return min(due, now) if due - now < self._making(job) and not job.made else due
        due = min((self._deadline(each, now) for each in asked), default=inf)
        late = now - due
        return due if late <= LATE_SECONDS else now - LATE_SECONDS - (late - LATE_SECONDS) / 100

    def begin(self, job: Job, now: float) -> bool:
        """The engine turns to the take. False if it is no longer wanted, or shall wait."""
        if job.id not in self._jobs:
            return False
        if self.resting:
            self._take_back(job)
            return False
        if not any(other.begun is not None for other in self._jobs.values()):
            self._turned_at = now
        job.begun, job.begun_at = next(self._begun), now
        self._least_waiting = min(self._least_waiting, self.waiting)
        for asked in job.asked.values():
            asked.reading.begun_at = now
        return True

    def answer(self, clips: Iterable[Clip], now: float) -> list[Answer]:
        """What the engine has given now, for everybody who asked for it."""
        if now > self._turned_at:
            self._turn = _average(self._turn, now - self._turned_at)
            self._turned_at = now
        return [answer for clip in clips for answer in self._answer(clip, now)]

    def _answer(self, clip: Clip, now: float) -> list[Answer]:
        job = self._jobs.get(clip.request_id)
        if job is None:
            return []
        job.made.append(clip)
        answers = [
            (asked, _addressed(asked, _joined(job.made) if asked.whole else clip))
            for asked in job.asked.values()
            if clip.final or not asked.whole
        ]
        for asked, _ in answers:
            asked.reading.sounding = True
        if clip.final:
            self._finish(job, now)
        return answers

    def settle(self, ids: Iterable[str]) -> None:
        """The readings have put away what they got for these, so that whoever asks for the same finds it stored."""
        for name in ids:
            job = self._unsettled.pop(name, None)
            if job is not None:
                del job.asked[name]
                if not job.asked:
                    self._forget(job)

    # -- what goes wrong ----------------------------------------------------------------------------------------------

    def missing(self, sample_rate: int, now: float) -> list[Answer]:
        """The engine has come to rest: what it has not answered has failed."""
        return self.answer([job.request.failed(NOTHING, sample_rate) for job in self.in_hand], now)

    def raised(self, why: str, sample_rate: int, now: float) -> list[Answer]:
        """The engine raised an error. If it was at work on several takes, each of them comes again, alone.

        What was heard in part is not made anew, because that would say its beginning twice.
        """
        in_hand = self.in_hand
        begun = [job for job in in_hand if job.begun is not None]
        suspects = begun or in_hand
        if not suspects and (job := self._most_urgent(now)) is not None:
            suspects = [job]
        for job in in_hand:
            if job not in suspects:
                self._take_back(job)
        if len(suspects) == 1:
            return self.answer([suspects[0].request.failed(why, sample_rate, raised=True)], now)
        return [answer for job in suspects for answer in self._isolate(job, why, sample_rate)]

    def _isolate(self, job: Job, why: str, sample_rate: int) -> list[Answer]:
        broken = [asked for asked in job.asked.values() if job.made and not asked.whole]
        answers = [(asked, asked.request.failed(why, sample_rate, raised=True)) for asked in broken]
        job.made.clear()
        self._take_back(job)
        self._alone.append(job)
        for asked in broken:
            self.drop(asked.reading, [asked.request.id])
        return answers

    # -- who is next --------------------------------------------------------------------------------------------------

    def _most_urgent(self, now: float) -> Job | None:
        """The take that must be begun first if all are to be ready when they are due."""
        firsts = [asked for reading in self._readings if (asked := _first(reading)) is not None]
        self._carry(now)
        ears = [(asked, asked.request.due() - self._making(asked.job)) for asked in firsts if not asked.whole]
        self._pressed = any(
            start < now + PRESSED * self._grace and asked.reading.sounding and not asked.reading.later
            for asked, start in ears
        )
        chosen = min(firsts, key=lambda asked: self._rank(asked, now), default=None)
        return None if chosen is None else chosen.job

    def _rank(self, asked: Asked, now: float) -> tuple[float, int, float, int]:
        reading = asked.reading
        deadline = self._deadline(asked, now)
        making = self._making(asked.job) if reading.sounding else 0.0
        return deadline - making, reading.place, reading.share, reading.number

    def _making(self, job: Job) -> float:
        """Seconds that the take will be in the making."""
        return SURE * self._pace * chunk_seconds(job.request.chunk)

    @property
    def _grace(self) -> float:
        """Who must begin within so many seconds must begin now: later the engine may not look again in time."""
        return SURE * self._turn

    def _deadline(self, asked: Asked, now: float) -> float:
        """The moment by which the requests of all readings are put in order."""
        reading = asked.reading
        deadline = inf if asked.whole else self._for_an_ear(asked, now) + LATER_SECONDS * reading.later
        starved = max(asked.job.since, reading.begun_at) + STARVED_SECONDS
        if starved < min(now, deadline) and _first(reading, given=True) is asked:
            return starved
        return deadline

    def _for_an_ear(self, asked: Asked, now: float) -> float:
        """When the ear wants the take. If it has nothing to hear it counts from when that began, so that of two the one
        that waits longer comes first. A first sound gives way to ears that would fall silent; and if it is short, what
        follows it must be made with it."""
        reading = asked.reading
        front = min(reading.out.values(), key=_place)
        due = asked.request.due()
        dry = (front.request.due() if front is not asked else due) - now <= DRY_SECONDS
        if not dry:
            reading.sounding, reading.dry_since = True, None
            return due
        reading.dry_since = now if reading.dry_since is None else reading.dry_since
        if reading.sounding:
            return reading.dry_since + due - now
        after = max(0.0, due - now - self._making(asked.job) - self._grace)
        since = now + self._grace - 0.001 * (now - reading.dry_since) if self._pressed else reading.dry_since
        return since + after

    def _carry(self, now: float) -> None:
        """Find the ears that the engine cannot carry. The first one it always tries."""
        heard = 0.0
        for reading in self.ears(now):
            alone, heard = heard == 0.0, heard + reading.speed
            reading.later = not alone and self.capacity is not None and heard > CARRIED_SHARE * self.capacity

    def _least_share(self) -> float:
        return min((each.share for each in self._readings if each.out and not each.listens), default=0.0)

    def _charge(self, job: Job, times: int) -> None:
        """Files pay for what is begun for them; several that want the same share the price."""
        for asked in job.asked.values():
            asked.reading.share += times * chunk_seconds(job.request.chunk) / len(job.asked)

    # -- the life of a job --------------------------------------------------------------------------------------------

    def _take_back(self, job: Job) -> None:
        if job.given:
            self._charge(job, -1)
        job.given, job.begun, job.overtaken = False, None, 0

    def _finish(self, job: Job, now: float) -> None:
        job.over = True
        if job.begun is not None:
            pace = (now - job.begun_at) / chunk_seconds(job.request.chunk)
            self._pace = _average(self._pace, pace)
        del self._jobs[job.id]
        for name, asked in job.asked.items():
            asked.reading.out.pop(name, None)
        if job.begun is not None:
            for other in self._jobs.values():
                other.overtaken += other.begun is not None and other.begun < job.begun
        if job.made[-1].failure is not None:
            self._forget(job)

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        if self._same.get(job.identity) is job:
            del self._same[job.identity]
        if job in self._alone:
            self._alone.remove(job)


def _first(reading: Reading, *, given: bool = False) -> Asked | None:
    """The reading's earliest chunk that has not begun, `given` to the engine or not."""
    waiting = (asked for asked in reading.out.values() if asked.job.begun is None and (given or not asked.job.given))
    return min(waiting, key=_place, default=None)


def _place(asked: Asked) -> int:
    return asked.request.chunk.index


def _average(before: float, now: float) -> float:
    return FORGET * before + (1 - FORGET) * now if before else now


def _joined(clips: list[Clip]) -> Clip:
    if len(clips) == 1:
        return clips[0]
    return replace(clips[-1], samples=join(clip.samples for clip in clips))


def _addressed(asked: Asked, clip: Clip) -> Clip:
    return replace(clip, chunk=asked.request.chunk, request_id=asked.request.id)
