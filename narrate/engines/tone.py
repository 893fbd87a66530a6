"""A test signal for a voice: a soft melody as long as the speech would be. Knows numpy and time, and nothing of speech.

It can be as slow as an engine on a GPU, and fail in every way an engine can, so that all that stands on the contract
of engines can be tried out without one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from math import inf
from typing import Any, ClassVar

import numpy as np

from narrate.clip import Clip, Samples, join
from narrate.clock import OFF, Clock
from narrate.engines import Abilities, Request, VoiceEntry, check_voice
from narrate.engines.batched import Rows
from narrate.engines.feed import Feed
from narrate.engines.feeder import Feeder, Working, goes_in_pieces
from narrate.engines.in_hand import InHand
from narrate.engines.tuning import best_batch_size
from narrate.errors import EngineError, InputError
from narrate.pace import expected_seconds
from narrate.text.language import LANGUAGES
from narrate.voice import Voice

VERSION = "1"  # a new one whenever the samples change: it is part of the key of a take
VOICES = (
    VoiceEntry("low", tuple(LANGUAGES), "a melody around 200 Hz"),
    VoiceEntry("high", tuple(LANGUAGES), "the same an octave higher"),
)
_ROOT = {"low": 130.8, "high": 261.6}  # Hz
_STEPS = (1.0, 9 / 8, 5 / 4, 3 / 2, 5 / 3, 2.0, 9 / 4, 5 / 2)  # pentatonic: no two notes clash
_NOTE = 0.25  # seconds
_FADE = 0.01  # seconds at either end, against clicks
_NAP_SECONDS = 0.05  # how long a cancelled engine may sleep on
_SLOTS = 4
_LONG = inf  # seconds of a round's sound, where it depends on the chunks: rounds are quick then, and nothing is planned
_TOLD = "told to fail"
_NONE: frozenset[int] = frozenset()


def melody(seconds: float, sample_rate: int, key: str, voice: str = "low") -> Samples:
    """`seconds` of soft notes chosen by `key`: other keys, other melodies. Peak 0.35, no gap, no click."""
    count = max(1, round(seconds * sample_rate))
    steps = np.array([_STEPS[byte % len(_STEPS)] for byte in sha256(key.encode("utf-8", "replace")).digest()])
    notes = np.arange(count) // max(1, round(_NOTE * sample_rate))
    phase = np.cumsum(_ROOT[voice] * steps[notes % len(steps)]) * (2 * np.pi / sample_rate)
    samples = 0.3 * np.sin(phase) + 0.05 * np.sin(2 * phase)
    fade = min(count // 2, round(_FADE * sample_rate))
    ramp = np.arange(1, fade + 1) / (fade + 1)
    samples[:fade] *= ramp
    samples[count - fade :] *= ramp[::-1]
    return samples.astype(np.float32)


def _indexes(text: str) -> frozenset[int]:
    return frozenset(int(index) for index in text.split("+"))


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise ValueError("it must be between 0 and 1")
    return share


def _amount(text: str) -> float:
    amount = float(text)
    if not 0 <= amount < float("inf"):
        raise ValueError("it must be 0 or more")
    return amount


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError("it must be 1 or more")
    return count


def _rows(text: str) -> Rows:
    return "auto" if text == "auto" else _count(text)


def _order(text: str) -> str:
    if text not in ("asked", "reverse"):
        raise ValueError("it must be asked or reverse")
    return text


@dataclass(kw_only=True, eq=False)
class _Tones:
    """What both test engines have in common: how long they take, what goes wrong, and the sound.

    A batch takes `a` + `b` × the seconds of its longest row + `c` × rows + `rtf` × the seconds of all its sound.
    `prepare`, or else the very first batch, takes `delay`, as a model takes to load. `sleep` does the waiting, so that
    a test can count instead.

    By chunk index, always: `fail` (says so), `raise_`, `lose` (no answer). On the first attempt only: `silent` (after
    the first twentieth), `long` (twenty times over); these befall a `bad` share of all takes too, on any attempt.
    """

    rate: int = 24_000
    delay: float = 0.0
    a: float = 0.0
    b: float = 0.0
    c: float = 0.0
    rtf: float = 0.0
    fail: frozenset[int] = _NONE
    raise_: frozenset[int] = _NONE
    lose: frozenset[int] = _NONE
    silent: frozenset[int] = _NONE
    long: frozenset[int] = _NONE
    bad: float = 0.0
    sleep: Callable[[float], object] = time.sleep
    _closed: bool = field(default=False, init=False)

    OPTIONS: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        "rate": _count,
        **dict.fromkeys(("delay", "a", "b", "c", "rtf"), _amount),
        **dict.fromkeys(("fail", "raise", "lose", "silent", "long"), _indexes),
        "bad": _share,
    }
    name: ClassVar[str] = "tone"
    abilities: ClassVar[Abilities] = Abilities(frozenset(LANGUAGES))

    @property
    def sample_rate(self) -> int:
        return self.rate

    @property
    def fingerprint(self) -> Mapping[str, str]:
        return {"engine": "tone", "version": VERSION, "sample_rate": str(self.rate)}

    def check(self, voice: Voice) -> None:
        check_voice(self.name, voice, VOICES, self.abilities.languages)

    def prepare(self, voice: Voice, clock: Clock) -> None:
        self._load()
        self.check(voice)

    def close(self) -> None:
        self._closed = True

    def _load(self) -> None:
        if self._closed:
            raise EngineError(f"The {self.name} engine was closed and cannot speak any more. This is a defect.")
        self._wait(self.delay, lambda: True)
        self.delay = 0.0

    def _take(self, request: Request) -> Samples:
        chunk, voice = request.chunk, request.voice
        if chunk.index in self.raise_:
            raise RuntimeError(f"told to raise at chunk {chunk.index}")
        seconds = expected_seconds(chunk.spoken, chunk.language)
        key = f"{chunk.spoken}\0{voice.seed}\0{request.attempt}" + f"\0{chunk.take}" * bool(chunk.take)
        samples = melody(seconds, self.rate, key, voice.name or VOICES[0].name)
        return self._befall(request, samples)

    def _befall(self, request: Request, samples: Samples) -> Samples:
        """The take, or a bad one in its place."""
        index, first = request.chunk.index, request.attempt == 0
        luck = sha256(f"{request.chunk.spoken}\0{request.attempt}".encode("utf-8", "replace")).digest()
        bad = int.from_bytes(luck[:4], "big") < self.bad * 2**32
        if (first and index in self.silent) or (bad and luck[4] % 2):
            samples[len(samples) // 20 :] = 0.0
            return samples
        if (first and index in self.long) or bad:
            return np.tile(samples, 20)
        return samples

    def _work(self, rows: Sequence[int], wanted: Callable[[], bool]) -> None:
        """Take as long as an engine would for `rows` of so many samples, or until nothing of it is `wanted`."""
        if rows:
            longest, total = max(rows) / self.rate, sum(rows) / self.rate
            self._wait(self.a + self.b * longest + self.c * len(rows) + self.rtf * total, wanted)

    def _wait(self, seconds: float, wanted: Callable[[], bool]) -> None:
        """Sleep in naps, so that `cancel` is noticed."""
        while seconds > 0 and wanted():
            self.sleep(min(seconds, _NAP_SECONDS))
            seconds -= _NAP_SECONDS


@dataclass(kw_only=True, eq=False)
class Tone(_Tones):
    """The test signal in batches."""

    order: str = "asked"
    _cancelled: set[str] = field(default_factory=set, init=False)

    OPTIONS: ClassVar[Mapping[str, Callable[[str], Any]]] = {**_Tones.OPTIONS, "order": _order}

    def synthesize_batch(self, requests: list[Request]) -> list[Clip]:
        """One clip per request, in the `order` "asked" or "reverse"; none for those that were cancelled meanwhile."""
        self._load()
        for voice in {request.voice for request in requests}:
            self.check(voice)
        try:
            clips = [self._clip(request) for request in requests if request.chunk.index not in self.lose]
            lengths = [len(clip.samples) for clip in clips if clip.failure is None]
            self._work(lengths, lambda: any(request.id not in self._cancelled for request in requests))
            wanted = [clip for clip in clips if clip.request_id not in self._cancelled]
        finally:
            self._cancelled.clear()
        return wanted[::-1] if self.order == "reverse" else wanted

    def cancel(self, ids: Collection[str]) -> None:
        self._cancelled.update(ids)

    def _clip(self, request: Request) -> Clip:
        if request.chunk.index in self.fail:
            return request.failed(_TOLD, self.rate)
        return request.clip(self._take(request), self.rate)


@dataclass(kw_only=True, eq=False)
class ToneStream(_Tones):
    """The test signal from `slots` places, each of which makes a chunk piece by piece, one a round, and takes the next.

    A chunk has as many `pieces`, each of which goes out when it is made. If `piece` is given, rounds make so many
    seconds of each chunk, and only what an ear waits for goes out before it is whole. Costs count by the round.
    """

    slots: Rows = None
    pieces: int = 4
    piece: float = 0.0
    _clock: Clock = field(default=OFF, init=False)
    _in_hand: InHand = field(default_factory=InHand, init=False)
    _feed: Feed | None = field(default=None, init=False)
    _spoken: bool = field(default=False, init=False)  # has anything begun in this round

    OPTIONS: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        **_Tones.OPTIONS,
        "slots": _rows,
        "pieces": _count,
        "piece": _amount,
    }
    name: ClassVar[str] = "tone-stream"
    abilities: ClassVar[Abilities] = Abilities(frozenset(LANGUAGES), streams=True)

    def prepare(self, voice: Voice, clock: Clock) -> None:
        super().prepare(voice, clock)
        self._clock = clock

    def synthesize(self, requests: Iterable[Request | None]) -> Iterator[list[Clip]]:
        """The next piece of every slot together; a chunk's last one is final."""
        self._load()
        feed = self._feed = self._feed or Feed(self._slots(), self.piece or _LONG)
        feeder = Feeder(requests, self._in_hand, feed, self._clock)
        rows: list[_Row] = []
        self._spoken = False
        try:
            while True:
                clips = self._fill(rows, feeder.rows(_working(rows, self.rate)), feeder)
                if not rows:
                    if ready := feeder.release([], clips):
                        yield ready
                    return
                if clips:
                    yield clips
                start = self._clock.now()
                with self._clock.stage("speak"):
                    self._work([len(row.pieces[0]) for row in rows], lambda: not self._in_hand.all_cancelled)
                seated, rows = len(rows), self._still_wanted(rows)
                if len(rows) == seated:  # else it was perhaps broken off
                    feed.cost.learn(seated, self._clock.now() - start)
                clips = [clip for row in rows if (clip := self._piece(row)) is not None]
                rows = [row for row in rows if row.pieces]
                ready = feeder.release(_working(rows, self.rate), clips)
                self._in_hand.release(clip.request_id for clip in ready if clip.final)
                yield ready
        finally:
            self._in_hand.clear()

    def cancel(self, ids: Collection[str]) -> None:
        self._in_hand.cancel(ids)

    def _slots(self) -> int:
        return (best_batch_size(self.fingerprint) if self.slots == "auto" else self.slots) or _SLOTS

    def _fill(self, rows: list[_Row], most: int, requests: Iterator[Request | None]) -> list[Clip]:
        """Seat requests in free slots until there are `most` rows. Returns the clips of those that fail at once."""
        failed: list[Clip] = []
        while len(rows) < most and (request := next(requests, None)) is not None:
            if (clip := self._refused(request)) is not None:
                failed.append(clip)
                self._in_hand.release([request.id])
            elif request.chunk.index in self.lose:
                self._in_hand.release([request.id])
            else:
                first, self._spoken = not self._spoken, True
                whole = bool(self.piece) and not goes_in_pieces(request, self._clock.now(), first=first)
                rows.append(_Row(request, self._cut(self._take(request)), whole))
        return failed

    def _cut(self, samples: Samples) -> list[Samples]:
        if self.piece:
            step = max(1, round(self.piece * self.rate))
            return [samples[start : start + step] for start in range(0, len(samples), step)]
        return np.array_split(samples, self.pieces)

    def _refused(self, request: Request) -> Clip | None:
        """The clip of a request that fails at once."""
        try:
            self.check(request.voice)
        except InputError as error:
            return request.failed(str(error), self.rate, raised=True)
        return request.failed(_TOLD, self.rate) if request.chunk.index in self.fail else None

    def _piece(self, row: _Row) -> Clip | None:
        """What goes out of the row now."""
        row.made.append(row.pieces.pop(0))
        if row.pieces and row.whole:
            return None
        out = join(row.made[row.out :])
        row.out = len(row.made)
        return row.request.clip(out, self.rate, final=not row.pieces)

    def _still_wanted(self, rows: Sequence[_Row]) -> list[_Row]:
        dropped = [row.request.id for row in rows if self._in_hand.is_cancelled(row.request.id)]
        self._in_hand.release(dropped)
        return [row for row in rows if row.request.id not in dropped]


@dataclass(slots=True)
class _Row:
    """A request in a slot, and the pieces still to come. `whole`: nothing goes out before the last of them.

    Of the pieces that are `made`, so many are `out`.
    """

    request: Request
    pieces: list[Samples]
    whole: bool
    made: list[Samples] = field(default_factory=list)
    out: int = 0


def _working(rows: Iterable[_Row], rate: int) -> list[Working]:
    return [Working(row.request, sum(map(len, row.made)) / rate, pieces=not row.whole) for row in rows]
