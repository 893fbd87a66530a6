"""A test signal for a voice: a soft melody as long as the speech would be. Knows numpy and time, and nothing of speech.

It can be as slow as an engine on a GPU, and fail in every way an engine can, so that all that stands on the contract
of engines can be tried out without one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar

import numpy as np

from narrate.clip import Clip, Samples, silence
from narrate.engines import VoiceEntry, check_voice
from narrate.errors import EngineError
from narrate.pace import expected_seconds
from narrate.text.document import Chunk
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
_NAP = 0.05  # seconds: how long a cancelled engine may sleep on
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


def _order(text: str) -> str:
    if text not in ("asked", "reverse"):
        raise ValueError("it must be asked or reverse")
    return text


@dataclass(kw_only=True, eq=False)
class _Tones:
    """What both test engines have in common: how long they take, what goes wrong, and the sound.

    A batch takes `a` + `b` × the seconds of its longest row + `c` × rows + `rtf` × the seconds of all its sound; the
    very first takes `delay` more, as a model takes to load. `sleep` does the waiting, so that a test can count instead.

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
    _cancelled: bool = field(default=False, init=False)
    _closed: bool = field(default=False, init=False)

    OPTIONS: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        "rate": _count,
        **dict.fromkeys(("delay", "a", "b", "c", "rtf"), _amount),
        **dict.fromkeys(("fail", "raise", "lose", "silent", "long"), _indexes),
        "bad": _share,
    }
    name: ClassVar[str] = "tone"
    languages: ClassVar[frozenset[str]] = frozenset(LANGUAGES)
    repeats: ClassVar[bool] = False

    @property
    def sample_rate(self) -> int:
        return self.rate

    @property
    def fingerprint(self) -> Mapping[str, str]:
        return {"engine": "tone", "version": VERSION, "sample_rate": str(self.rate)}

    def check(self, voice: Voice) -> None:
        check_voice(self.name, voice, VOICES, self.languages)

    def cancel(self) -> None:
        self._cancelled = True

    def close(self) -> None:
        self._closed = True

    def _begin(self, voice: Voice) -> None:
        if self._closed:
            raise EngineError(f"The {self.name} engine was closed and cannot speak any more. This is a defect.")
        self.check(voice)
        self._cancelled = False
        self._wait(self.delay)
        self.delay = 0.0

    def _take(self, chunk: Chunk, voice: Voice) -> Samples:
        if chunk.index in self.raise_:
            raise RuntimeError(f"told to raise at chunk {chunk.index}")
        seconds = expected_seconds(chunk.spoken, chunk.language)
        key = f"{chunk.spoken}\0{voice.seed}\0{chunk.attempt}" + f"\0{chunk.take}" * bool(chunk.take)
        samples = melody(seconds, self.rate, key, voice.name or VOICES[0].name)
        return self._befall(chunk, samples)

    def _befall(self, chunk: Chunk, samples: Samples) -> Samples:
        """The take, or a bad one in its place."""
        luck = sha256(f"{chunk.spoken}\0{chunk.attempt}".encode("utf-8", "replace")).digest()
        bad = int.from_bytes(luck[:4], "big") < self.bad * 2**32
        first = chunk.attempt == 0
        if (first and chunk.index in self.silent) or (bad and luck[4] % 2):
            samples[len(samples) // 20 :] = 0.0
            return samples
        if (first and chunk.index in self.long) or bad:
            return np.tile(samples, 20)
        return samples

    def _failed(self, chunk: Chunk) -> Clip:
        return Clip(chunk.index, silence(0, self.rate), self.rate, failure="told to fail")

    def _work(self, rows: Sequence[int]) -> None:
        """Take as long as an engine would for `rows` of so many samples."""
        if rows:
            longest, total = max(rows) / self.rate, sum(rows) / self.rate
            self._wait(self.a + self.b * longest + self.c * len(rows) + self.rtf * total)

    def _wait(self, seconds: float) -> None:
        """Sleep in naps, so that `cancel` is noticed."""
        while seconds > 0 and not self._cancelled:
            self.sleep(min(seconds, _NAP))
            seconds -= _NAP


@dataclass(kw_only=True, eq=False)
class Tone(_Tones):
    """The test signal in batches."""

    order: str = "asked"

    OPTIONS: ClassVar[Mapping[str, Callable[[str], Any]]] = {**_Tones.OPTIONS, "order": _order}

    def synthesize_batch(self, chunks: list[Chunk], voice: Voice) -> list[Clip]:
        """One clip per chunk, in the `order` "asked" or "reverse"; fewer after `cancel`."""
        self._begin(voice)
        clips = []
        for chunk in chunks:
            if chunk.index in self.fail:
                clips.append(self._failed(chunk))
            elif chunk.index not in self.lose:
                clips.append(Clip(chunk.index, self._take(chunk, voice), self.rate))
        self._work([len(clip.samples) for clip in clips if clip.failure is None])
        if self._cancelled:
            return []
        return clips[::-1] if self.order == "reverse" else clips


@dataclass(kw_only=True, eq=False)
class ToneStream(_Tones):
    """The test signal from `slots` places, each of which makes a chunk in `pieces`, one a round, and takes the next.

    Costs count by the round.
    """

    slots: int = 4
    pieces: int = 4

    OPTIONS: ClassVar[Mapping[str, Callable[[str], Any]]] = {**_Tones.OPTIONS, "slots": _count, "pieces": _count}
    name: ClassVar[str] = "tone-stream"

    def synthesize(self, chunks: Iterable[Chunk | None], voice: Voice) -> Iterator[Clip]:
        """Clips of every slot by turns; a chunk's last one is final."""
        self._begin(voice)
        source = iter(chunks)
        rows: list[tuple[int, list[Samples]]] = []  # chunk index, pieces still to come
        arriving = True
        while (arriving or rows) and not self._cancelled:
            while arriving and len(rows) < self.slots:
                try:
                    chunk = next(source)
                except StopIteration:
                    arriving = False
                    break
                if chunk is None:
                    arriving = bool(rows)  # with nothing in hand, whoever gives the chunks must act first
                    break
                if chunk.index in self.fail:
                    yield self._failed(chunk)
                elif chunk.index not in self.lose:
                    rows.append((chunk.index, np.array_split(self._take(chunk, voice), self.pieces)))
            self._work([len(pieces[0]) for _, pieces in rows])
            for index, pieces in rows:
                if not self._cancelled:
                    piece = pieces.pop(0)
                    yield Clip(index, piece, self.rate, final=not pieces)
            rows = [row for row in rows if row[1]]
