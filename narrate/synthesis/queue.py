"""What goes to an engine and what comes back: every chunk once, as sound or as silence that names its failure.

The feed leaves out what the store has, makes equal sentences once, sends bad takes round again with another seed, cuts
in two what fails again and again, and in the end reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from narrate.clip import Clip, Samples, from_int16, join, silence, to_int16
from narrate.clock import OFF, Clock
from narrate.errors import EngineError
from narrate.pace import expected_seconds
from narrate.synthesis.judge import flaw, halves, trim, verdict
from narrate.text.document import Chunk

ATTEMPTS = 3  # a take and two re-takes, then the chunk is cut in two
PASSED_AT_ONCE = 8  # clips from the store between two batches: bounds memory, keeps batches full
ELSEWHERE_AT_ONCE = 40  # takes that are waited for while another process makes them
PAST_ELSEWHERE = 200  # chunks: how far past the first of them work may go on; what it makes waits in memory


class Kept(Protocol):
    @property
    def samples(self) -> Samples: ...

    @property
    def sample_rate(self) -> int: ...


class Takes(Protocol):
    """Where good takes are kept (see store/takes.py)."""

    def get(self, key: str) -> Kept | None: ...

    def put(self, key: str, samples: Samples, sample_rate: int) -> None: ...

    def claim(self, key: str) -> bool:
        """False if another process is making the take: it will be here soon."""
        ...

    def release(self, key: str) -> None:
        """The take will not be made after all."""
        ...


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
    that neither judging its length nor asking again makes sense. `share`: wait for takes that another process
    is making.
    """

    def __init__(
        self,
        chunks: Iterable[Chunk | None],
        key: Callable[[Chunk], str],
        takes: Takes,
        tally: Tally,
        sample_rate: int,
        *,
        repeats: bool = False,
        share: bool = False,
        clock: Clock = OFF,
    ) -> None:
        self._source = iter(chunks)
        self._key, self._takes, self._tally = key, takes, tally
        self._sample_rate, self._repeats, self._share, self._clock = sample_rate, repeats, share, clock
        self.begun: set[int] = set()  # indexes of chunks that the store had, or that the engine has begun
        self._again: list[Chunk] = []
        self._suspects: list[Chunk] = []  # the engine raised over one of them: each goes alone
        self._out: dict[int, Chunk] = {}
        self._keys: dict[str, list[Chunk]] = {}  # by key: chunks waiting for the take that is being made
        self._parts: dict[int, _Parts] = {}
        self._pieces: dict[int, list[Samples]] = {}
        self._passed: list[Clip] = []
        self._elsewhere: list[Chunk] = []  # being made by another process
        self._exhausted = self._cancelled = False
        self._last = 0  # index of the chunk that was taken from the source last

    @property
    def done(self) -> bool:
        rest = self._out or self._again or self._suspects or self._passed or self._elsewhere
        return self._cancelled or (self._exhausted and not rest)

    @property
    def waits_for_others(self) -> bool:
        """True if there is nothing to do but to wait for another process."""
        return bool(self._elsewhere) and not (self._out or self._again or self._suspects)

    @property
    def out(self) -> list[Chunk]:
        """What the engine (or the planner before it) has in hand."""
        return list(self._out.values())

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
        if self._suspects:
            return None if self._out else self._send(self._suspects.pop(0))
        if self._again:
            return self._send(self._again.pop(0))
        while len(self._passed) < PASSED_AT_ONCE:
            chunk = self._from_elsewhere() or self._from_source()
            if chunk is None:
                break
            if not self._has(chunk):
                return self._send(chunk)
        if self._out:
            return None
        raise StopIteration

    def _from_source(self) -> Chunk | None:
        """The next chunk that is not being made elsewhere; None if there is none now."""
        while not self._exhausted and not self._too_much_elsewhere:
            try:
                chunk = next(self._source)
            except StopIteration:
                self._exhausted = True
                break
            if chunk is None:
                break
            self._last = chunk.index
            if self._ours(chunk):
                return chunk
            self._elsewhere.append(chunk)
        return None

    @property
    def _too_much_elsewhere(self) -> bool:
        first = self._elsewhere[0].index if self._elsewhere else self._last
        return len(self._elsewhere) >= ELSEWHERE_AT_ONCE or self._last - first >= PAST_ELSEWHERE

    def _from_elsewhere(self) -> Chunk | None:
        """A chunk that another process has made meanwhile, or has given up."""
        for chunk in self._elsewhere:
            if self._ours(chunk):
                self._elsewhere.remove(chunk)
                return chunk
        return None

    def _ours(self, chunk: Chunk) -> bool:
        """True if the take is in the store, or to be made here."""
        key = self._key(chunk)
        if key in self._keys or not self._share:
            return True
        with self._clock.stage("store"):
            return self._takes.get(key) is not None or self._takes.claim(key)

    def _send(self, chunk: Chunk) -> Chunk:
        self._out[chunk.index] = chunk
        return chunk

    def _has(self, chunk: Chunk) -> bool:
        """True if the chunk needs no new take: it is stored, or the same sentence is being made."""
        key = self._key(chunk)
        if key in self._keys:
            self._keys[key].append(chunk)
            return True
        with self._clock.stage("store"):
            kept = self._takes.get(key)
        if kept is None:
            self._keys[key] = []
            return False
        self._pass(chunk, kept)
        return True

    def _pass(self, chunk: Chunk, kept: Kept) -> None:
        self.begun.add(chunk.index)
        clip = Clip(chunk.index, kept.samples, kept.sample_rate)
        self._tally.reused += 1
        self._tally.reused_seconds += clip.seconds
        self._passed.append(clip)

    def begin(self, batch: list[Chunk]) -> list[Chunk]:
        """The engine turns to these chunks now. Returns those that are still to be made.

        Who shares the work has claimed them long before. Who does not, because somebody is listening, may be in no
        hurry with what lies far ahead, and claims nothing that others could make meanwhile.
        """
        self.begun.update(chunk.index for chunk in batch)
        if self._share:
            return batch
        with self._clock.stage("store"):
            return [chunk for chunk in batch if not self._made_meanwhile(chunk)]

    def _made_meanwhile(self, chunk: Chunk) -> bool:
        """True if somebody else has made the chunk; otherwise it is claimed."""
        key = self._key(chunk)
        kept = None if chunk.index in self._parts else self._takes.get(key)
        if kept is None:
            self._takes.claim(key)
            return False
        del self._out[chunk.index]
        for each in (chunk, *self._keys.pop(key, ())):
            self._pass(each, kept)
        return True

    def stored(self) -> Iterator[Clip]:
        """What is in the store from here on, up to the first chunk that must be made: it can be heard at once."""
        while not (self._cancelled or self._out or self._again or self._suspects):
            chunk = self._from_elsewhere() or self._from_source()
            if chunk is None:
                return
            if not self._has(chunk):
                self._again.append(chunk)
            yield from self.passed()

    def passed(self) -> list[Clip]:
        """Clips that needed no engine since the last call."""
        passed, self._passed = self._passed, []
        return passed

    def suspect(self, chunks: Iterable[Chunk]) -> None:
        """The engine raised over one of the chunks: each goes to it again, alone, to find out which."""
        for chunk in chunks:
            if self._out.pop(chunk.index, None) is not None:
                self._suspects.append(chunk)
        self._suspects.sort(key=lambda chunk: chunk.index)

    def raised(self, chunk: Chunk, why: str) -> list[Clip]:
        """The engine raised over this chunk alone. Asking again rarely helps: one more attempt, then halves."""
        return self._bad(chunk, why, 0.0, raised=True)

    def lost(self, chunks: Iterable[Chunk]) -> list[Clip]:
        """Those of the chunks that did not come back are bad."""
        missing = [chunk for chunk in chunks if self._out.get(chunk.index) is chunk]
        return [clip for chunk in missing for clip in self._bad(chunk, "the engine returned nothing", 0.0)]

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
        with self._clock.stage("store"):
            self._takes.put(self._key(chunk), whole, clip.sample_rate)
        return self._finish(chunk, [clip], whole)

    def _bad(self, chunk: Chunk, wrong: str, seconds: float, *, raised: bool = False) -> list[Clip]:
        """Another attempt, then two halves, then silence with a name."""
        self._tally.retaken_seconds += seconds
        attempt = ATTEMPTS - 1 if raised and chunk.attempt < ATTEMPTS - 1 else chunk.attempt + 1
        if attempt < ATTEMPTS and not self._repeats:
            return self._send_again(replace(chunk, attempt=attempt), alone=raised)
        parts = self._parts.get(chunk.index)
        if parts is None and (cut := halves(chunk)) is not None:
            first, second = (replace(half, attempt=ATTEMPTS - 1 if raised else 0) for half in cut)
            self._parts[chunk.index] = _Parts(chunk, [second], [])
            return self._send_again(first, alone=raised)
        rate = self._sample_rate
        seconds = expected_seconds(chunk.spoken, chunk.language)
        quiet = Clip(chunk.index, silence(seconds, rate), rate, failure=wrong)
        if parts is not None:
            return self._next_part(parts, quiet)
        self._tally.failed.append((chunk, wrong))
        return self._finish(chunk, [quiet])

    def _send_again(self, chunk: Chunk, *, alone: bool = False) -> list[Clip]:
        self._tally.retaken += 1
        self._out.pop(chunk.index, None)
        (self._suspects if alone else self._again).append(chunk)
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
        if whole is None:
            self._takes.release(self._key(chunk))
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
