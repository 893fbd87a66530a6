"""Many readings share one engine: each gets a seat, which it cannot tell from the engine itself.

reading ─▶ Seat ─▶ Schedule: who is next ─▶ engine, in a thread of its own
               ◀─ what is ready, addressed to everybody who asked for it

A reading hands its requests over in its own thread, and takes its clips there; one that does not take them holds up
nobody. Only the exchange's thread touches the model.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, replace

from narrate.clip import Clip
from narrate.clock import OFF, Clock
from narrate.engines import Engine, Request
from narrate.errors import EngineError, NarrateError
from narrate.pipeline import Background
from narrate.synthesis.load import Load, Meter
from narrate.synthesis.schedule import Answer, Asked, Job, Reading, Schedule
from narrate.synthesis.seat import Seat
from narrate.voice import Voice

ROOM_SHARE = 0.9  # of what the engine can make is promised to listeners; the rest is for files and for bad luck
RETRY_SECONDS = 30.0  # nobody knows when a listener will leave
VOICES_KNOWN = 256  # that were prepared
CLOSED = "The engine was closed and cannot speak any more. This is a defect."
SEAT_CLOSED = "The reading was closed and cannot go on. This is a defect."


@dataclass(slots=True, eq=False)
class _Preparation:
    voice: Voice
    done: bool = False
    error: Exception | None = None


class Exchange:
    """One engine for many readings. It owns the engine: nobody else may call it, and it is closed with the exchange.

    `clock` is the engine's. Any thread may ask for a seat, for the load, and close it. Use it as a context manager, or
    call `close`.
    """

    def __init__(self, engine: Engine, clock: Clock = OFF) -> None:
        self.engine = engine
        self.clock = clock
        self._schedule, self._meter = Schedule(), Meter()
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)  # what the engine's thread waits for
        self._seats: dict[Reading, Seat] = {}
        self._preparations: list[_Preparation] = []
        self._prepared: dict[Voice, None] = {}
        self._failure: Exception | None = None
        self._closing = False
        self._thread = Background(self._run, "narrate-exchange")

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def seat(self, speed: float = 1.0, place: int = 0) -> Seat:
        """An engine for one reading, whose listener hears `speed` seconds of speech in a second. Of those into files,
        the ones with the lowest `place` are made first."""
        with self._lock:
            if self._closing:
                raise EngineError(CLOSED)
            seat = Seat(self, self._schedule.open(speed, place))
            self._seats[seat.reading] = seat
            return seat

    @property
    def load(self) -> Load:
        """How busy the engine is."""
        with self._lock:
            now = self.clock.now()
            self._meter.look(now)
            ears = self._schedule.ears(now)
            in_hand = self._schedule.in_hand
            return Load(
                readings=self._schedule.readings,
                ears=len(ears),
                waiting=self._schedule.waiting,
                in_hand=len(in_hand),
                rows=sum(job.begun is not None for job in in_hand),
                busy_share=self._meter.busy.rate,
                sound_rate=self._meter.sound.rate,
                ears_rate=sum(ear.speed for ear in ears),
                capacity=self._meter.capacity,
                failure=None if self._failure is None else str(self._failure),
            )

    def has_room(self, speed: float = 1.0) -> bool:
        """True if one more listener can be served, without gaps for those who are here."""
        return self.retry_seconds(speed) == 0

    def retry_seconds(self, speed: float = 1.0) -> float:
        """After how many seconds one more listener may ask again; 0 if there is room now."""
        load = self.load
        if load.failure is not None:
            return RETRY_SECONDS
        full = load.capacity is not None and load.ears_rate + speed > ROOM_SHARE * load.capacity
        return RETRY_SECONDS if full and load.ears else 0.0

    def close(self) -> None:
        """End every reading and give the engine's memory back. May be called twice, and by any thread but the
        engine's."""
        with self._lock:
            self._closing = True
            dropped = [job.id for job in self._schedule.in_hand]
            self._wake_all()
        self._cancel(dropped)
        self._thread.result()

    # -- for the seats, in the threads of their readings --------------------------------------------------------------

    def prepare(self, voice: Voice, seat: Seat) -> None:
        """Have the engine prepare the voice, between two rounds; raises what that raises."""
        known = replace(voice, language=None, seed=0)  # what is loaded for a voice does not hang on these
        with self._lock:
            self._refuse(seat)
            prepared = known in self._prepared
        if prepared:
            self.engine.check(voice)
            return
        preparation = _Preparation(voice)
        with self._lock:
            self._preparations.append(preparation)
            self._schedule.resting = True
            self._work.notify()
            seat.changed.wait_for(lambda: preparation.done or self._closing or seat.closed or self._failure is not None)
            if preparation.error is not None:
                raise preparation.error
            self._refuse(seat)
            self._prepared[known] = None
            if len(self._prepared) > VOICES_KNOWN:
                del self._prepared[next(iter(self._prepared))]

    def has_place(self, reading: Reading) -> bool:
        with self._lock:
            return self._schedule.room(reading) > 0

    def add(self, request: Request, seat: Seat) -> None:
        """Hand a request over."""
        with self._lock:
            asked, ready = self._schedule.add(seat.reading, request, self.clock.now())
            if asked.job.begun is not None:
                self._tell(asked)
            seat.clips += ready
            self._work.notify()

    def wait(self, seat: Seat, *, for_place: bool) -> None:
        """Wait until something has changed for the reading: it has clips, or room if it waits for that."""

        def changed() -> bool:
            if seat.clips or seat.begun or not seat.reading.out or seat.closed:
                return True
            return self._closing or self._failure is not None or (for_place and self._schedule.room(seat.reading) > 0)

        with self._lock:
            seat.changed.wait_for(changed)

    def take(self, seat: Seat) -> tuple[list[Asked], list[Clip]]:
        """What the engine has begun for the reading, and the clips that are ready."""
        with self._lock:
            begun, seat.begun = seat.begun, []
            clips, seat.clips = seat.clips, []
            if not (begun or clips):
                self._refuse(seat)
            return begun, clips

    def settle(self, clips: Iterable[Clip]) -> None:
        """The reading has put these clips away."""
        with self._lock:
            self._schedule.settle(clip.request_id for clip in clips if clip.final)

    def drop(self, ids: Collection[str], seat: Seat) -> None:
        """The reading wants these no more."""
        with self._lock:
            dropped = self._schedule.drop(seat.reading, ids)
            seat.clips = [clip for clip in seat.clips if clip.request_id not in ids]
            seat.begun = [asked for asked in seat.begun if asked.request.id not in ids]
            seat.changed.notify_all()
        self._cancel(dropped)

    def leave(self, seat: Seat) -> None:
        """The reading has ended."""
        with self._lock:
            seat.closed = True
            self._seats.pop(seat.reading, None)
            dropped = self._schedule.close(seat.reading)
            seat.clips, seat.begun = [], []
            seat.changed.notify_all()
        self._cancel(dropped)

    def condition(self) -> threading.Condition:
        return threading.Condition(self._lock)

    def _cancel(self, ids: Collection[str]) -> None:
        if ids:
            self.engine.cancel(ids)

    def _refuse(self, seat: Seat) -> None:
        if self._failure is not None:  # each reading gets an error of its own, with the traceback of the engine's
            raise copy(self._failure).with_traceback(self._failure.__traceback__)
        if self._closing:
            raise EngineError(CLOSED)
        if seat.closed:
            raise EngineError(SEAT_CLOSED)

    # -- the engine's thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._is_wanted():
                self._prepare_all()
                if self._failure is None:
                    self._round()
        except BaseException as error:
            self._fail(EngineError(f"The exchange has failed ({type(error).__name__}: {error}). This is a defect."))
            raise
        finally:
            self.engine.close()

    def _is_wanted(self) -> bool:
        """Wait until there is something to do. False once the exchange is closed."""
        with self._lock:
            self._meter.works(self.clock.now(), False)
            self._work.wait_for(
                lambda: (
                    self._closing
                    or (self._failure is None and (bool(self._preparations) or self._schedule.waiting > 0))
                )
            )
            self._meter.works(self.clock.now(), True)
            return not self._closing

    def _prepare_all(self) -> None:
        while True:
            with self._lock:
                if not self._preparations or self._failure is not None:
                    self._schedule.resting = False
                    return
                preparation = self._preparations.pop(0)
            try:
                self.engine.prepare(preparation.voice, self.clock)
            except Exception as error:
                preparation.error = error
            with self._lock:
                preparation.done = True
                self._wake_all()

    def _round(self) -> None:
        """Let the engine work until it has nothing in hand."""
        rate = self.engine.sample_rate or 0
        try:
            for clips in self.engine.synthesize(self._requests()):
                self._deliver(clips)
        except NarrateError as error:
            self._fail(error)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            with self._lock:
                self._send(self._schedule.raised(why, rate, self.clock.now()))
        else:
            with self._lock:
                self._send(self._schedule.missing(rate, self.clock.now()))

    def _requests(self) -> Iterator[Request | None]:
        while True:
            with self._lock:
                if self._closing:
                    return
                if self._schedule.lost:
                    self._schedule.resting = True
                job = self._schedule.next(self.clock.now())
            yield None if job is None else self._wrapped(job)

    def _wrapped(self, job: Job) -> Request:
        """The job's request as the engine gets it."""
        return replace(job.request, due=lambda: self._due(job), begin=lambda: self._begin(job))

    def _due(self, job: Job) -> float:
        with self._lock:
            return self._schedule.due(job, self.clock.now())

    def _begin(self, job: Job) -> bool:
        with self._lock:
            if self._closing or not self._schedule.begin(job, self.clock.now()):
                return False
            for asked in job.asked.values():
                self._tell(asked)
            return True

    def _tell(self, asked: Asked) -> None:
        """Let the reading know that its take has begun; once, though the engine may begin again after an error."""
        if not asked.told:
            asked.told = True
            seat = self._seats[asked.reading]
            seat.begun.append(asked)
            seat.changed.notify_all()

    def _deliver(self, clips: list[Clip]) -> None:
        if not clips:
            return
        with self._lock:
            made = sum(clip.seconds for clip in clips if clip.failure is None)
            now = self.clock.now()
            self._meter.made(now, made, full=self._schedule.was_full())
            self._schedule.capacity = self._meter.capacity
            self._send(self._schedule.answer(clips, now))

    def _send(self, answers: Iterable[Answer]) -> None:
        for asked, clip in answers:
            seat = self._seats[asked.reading]
            seat.clips.append(clip)
            seat.changed.notify_all()

    def _fail(self, error: Exception) -> None:
        with self._lock:
            self._failure = error
            self._wake_all()

    def _wake_all(self) -> None:
        self._work.notify_all()
        for seat in self._seats.values():
            seat.changed.notify_all()
