"""What goes to an engine and what comes back: every chunk once, as sound or as silence that names its failure.

The feed leaves out what the store has, makes equal sentences once, sends bad takes round again with another seed, cuts
in two what fails again and again, and in the end reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from narrate.clip import Clip, Samples, from_int16, join, silence, to_int16
from narrate.errors import EngineError
from narrate.pace import expected_seconds
from narrate.takes import flaw, halves, trim, verdict
from narrate.text.document import Chunk

ATTEMPTS = 3  # a take and two re-takes, then the chunk is cut in two
PASSED_AT_ONCE = 8  # clips from the store between two batches: bounds memory, keeps batches full


class Kept(Protocol):
    @property
    def samples(self) -> Samples: ...

    @property
    def sample_rate(self) -> int: ...


class Takes(Protocol):
    """Where good takes are kept (see job.Store)."""

    def get(self, key: str) -> Kept | None: ...

    def put(self, key: str, samples: Samples, sample_rate: int) -> None: ...


@dataclass(slots=True)
class Tally:
    """What was done, counted while it happens. Seconds are of sound, `engine_seconds` of wall time."""

    made: int = 0
    reused: int = 0
    retaken: int = 0
    made_seconds: float = 0.0
    reused_seconds: float = 0.0
    retaken_seconds: float = 0.0
    engine_seconds: float = 0.0
    failed: list[tuple[Chunk, str]] = field(default_factory=list)

    @property
    def rtf(self) -> float | None:
        """Wall seconds per second of sound made, or None before anything was made."""
        return self.engine_seconds / self.made_seconds if self.made_seconds else None


class Feed:
    """Gives an engine its chunks and takes its clips back.

    As an iterator it yields None when the engine should go on with what it has in hand, and stops when the engine has
    nothing in hand and somebody else must act first. `repeats`: the engine always gives the same take for a chunk, so
    that neither judging its length nor asking again makes sense.
    """

    def __init__(
        self,
        chunks: Iterable[Chunk | None],
        key: Callable[[Chunk], str],
        takes: Takes,
        tally: Tally,
        sample_rate: int,
        repeats: bool = False,
    ) -> None:
        self._source = iter(chunks)
        self._key, self._takes, self._tally = key, takes, tally
        self._sample_rate, self._repeats = sample_rate, repeats
        self.reach = -1  # the highest index given to the engine or found in the store
        self._again: list[Chunk] = []
        self._out: dict[int, Chunk] = {}
        self._keys: dict[str, list[Chunk]] = {}  # by key: chunks waiting for the take that is being made
        self._parts: dict[int, _Parts] = {}
        self._pieces: dict[int, list[Samples]] = {}
        self._passed: list[Clip] = []
        self._exhausted = self._cancelled = False

    @property
    def done(self) -> bool:
        return self._cancelled or (self._exhausted and not self._out and not self._again and not self._passed)

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        self._cancelled = True

    def __iter__(self) -> Iterator[Chunk | None]:
        return self

    def __next__(self) -> Chunk | None:
        if self._cancelled:
            raise StopIteration
        if self._again:
            return self._send(self._again.pop(0))
        while len(self._passed) < PASSED_AT_ONCE and not self._exhausted:
            try:
                chunk = next(self._source)
            except StopIteration:
                self._exhausted = True
                break
            if chunk is None:
                break
            self.reach = max(self.reach, chunk.index)
            if not self._has(chunk):
                return self._send(chunk)
        if self._out:
            return None
        raise StopIteration

    def _send(self, chunk: Chunk) -> Chunk:
        self._out[chunk.index] = chunk
        return chunk

    def _has(self, chunk: Chunk) -> bool:
        """True if the chunk needs no new take: it is stored, or the same sentence is being made."""
        key = self._key(chunk)
        if key in self._keys:
            self._keys[key].append(chunk)
            return True
        kept = self._takes.get(key)
        if kept is None:
            self._keys[key] = []
            return False
        self._pass(chunk, kept)
        return True

    def _pass(self, chunk: Chunk, kept: Kept) -> None:
        clip = Clip(chunk.index, kept.samples, kept.sample_rate)
        self._tally.reused += 1
        self._tally.reused_seconds += clip.seconds
        self._passed.append(clip)

    def passed(self) -> list[Clip]:
        """Clips that needed no engine since the last call."""
        passed, self._passed = self._passed, []
        return passed

    def resend(self) -> None:
        """The engine stumbled over one of the chunks it has in hand: all of them go to it again."""
        for chunk in list(self._out.values()):
            self._send_again(chunk)

    def lost(self, batch: Iterable[Chunk] | None = None, why: str = "the engine returned nothing") -> list[Clip]:
        """Those of the batch (or of all that is out) that did not come back fail."""
        missing = [chunk for chunk in (batch or list(self._out.values())) if self._out.get(chunk.index) is chunk]
        return [clip for chunk in missing for clip in self._bad(chunk, why, 0.0)]

    def come_back(self, clip: Clip) -> list[Clip]:
        """A clip from the engine: what can be heard now because of it."""
        chunk = self._out.get(clip.index)
        if chunk is None:
            raise EngineError(f"the engine answered for chunk {clip.index}, which it was not given. This is a defect.")
        early = self._pieces.setdefault(clip.index, [])
        if not clip.final:
            samples = _on_grid(trim(clip.samples, clip.sample_rate, lead=not early, tail=False))
            early.append(samples)
            return [replace(clip, samples=samples)]
        del self._pieces[clip.index]
        judge = flaw if self._repeats else verdict
        wrong = clip.failure or judge(join([*early, clip.samples]), clip.sample_rate, chunk)
        if wrong and not early:
            return self._bad(chunk, wrong, clip.seconds)
        samples = _on_grid(trim(clip.samples, clip.sample_rate, lead=not early))
        if wrong:  # its beginning was heard already: too late for another take, but it is not kept
            self._tally.failed.append((chunk, wrong))
            return self._finish(chunk, [replace(clip, samples=samples, failure=wrong)])
        return self._good(chunk, replace(clip, samples=samples), join([*early, samples]))

    def _good(self, chunk: Chunk, clip: Clip, whole: Samples) -> list[Clip]:
        parts = self._parts.get(chunk.index)
        if parts is not None:
            return self._next_part(parts, clip)
        self._tally.made += 1
        self._tally.made_seconds += len(whole) / clip.sample_rate
        self._takes.put(self._key(chunk), whole, clip.sample_rate)
        return self._finish(chunk, [clip], whole)

    def _bad(self, chunk: Chunk, wrong: str, seconds: float) -> list[Clip]:
        """Another attempt, then two halves, then silence with a name."""
        self._tally.retaken_seconds += seconds
        if chunk.attempt + 1 < ATTEMPTS and not self._repeats:
            self._tally.retaken += 1
            return self._send_again(replace(chunk, attempt=chunk.attempt + 1))
        parts = self._parts.get(chunk.index)
        if parts is None and (cut := halves(chunk)) is not None:
            self._tally.retaken += 1
            self._parts[chunk.index] = _Parts(chunk, [cut[1]], [])
            return self._send_again(cut[0])
        rate = self._sample_rate
        seconds = expected_seconds(chunk.spoken, chunk.language)
        quiet = Clip(chunk.index, silence(seconds, rate), rate, failure=wrong)
        if parts is not None:
            return self._next_part(parts, quiet)
        self._tally.failed.append((chunk, wrong))
        return self._finish(chunk, [quiet])

    def _send_again(self, chunk: Chunk) -> list[Clip]:
        del self._out[chunk.index]
        self._again.append(chunk)
        return []

    def _next_part(self, parts: _Parts, clip: Clip) -> list[Clip]:
        parts.made.append(clip)
        if parts.waiting:
            return self._send_again(parts.waiting.pop(0))
        del self._parts[clip.index]
        whole = parts.joined()
        if whole.failure:
            self._tally.failed.append((parts.chunk, whole.failure))
            return self._finish(parts.chunk, [whole])
        return self._good(parts.chunk, whole, whole.samples)

    def _finish(self, chunk: Chunk, clips: list[Clip], whole: Samples | None = None) -> list[Clip]:
        """The chunk is done; whoever waited for the same sentence has it too, or makes it for itself."""
        del self._out[chunk.index]
        last = clips[-1]
        for twin in self._keys.pop(self._key(chunk), []):
            if whole is None:
                self._tally.failed.append((twin, last.failure or ""))
                clips.append(replace(last, index=twin.index))
            else:
                self._tally.reused += 1
                self._tally.reused_seconds += len(whole) / last.sample_rate
                clips.append(Clip(twin.index, whole, last.sample_rate))
        return clips


@dataclass(slots=True)
class _Parts:
    """A chunk that is being made in parts, one after the other."""

    chunk: Chunk
    waiting: list[Chunk]
    made: list[Clip]

    def joined(self) -> Clip:
        failure = next((clip.failure for clip in self.made if clip.failure), None)
        return Clip(
            self.chunk.index, join(clip.samples for clip in self.made), self.made[0].sample_rate, failure=failure
        )


def _on_grid(samples: Samples) -> Samples:
    """The nearest 16-bit samples, as floats: what is heard, stored and exported is then the same to the last bit."""
    return from_int16(to_int16(samples))
