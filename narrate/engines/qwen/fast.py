"""The fast runtime: chunks go into slots as slots become free, and come out as clips the moment their row ends.

Per block of frames: the scheduler seats chunks, the runner computes, and here codes become clips: whole ones, and for
the chunk that is waited for, pieces while it is still being made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from narrate.clip import Clip, Samples, join, silence
from narrate.clock import OFF, Clock
from narrate.engines.qwen.draws import Cancelled, row_numbers, row_seed
from narrate.engines.qwen.guard import allowance
from narrate.engines.qwen.hardware import give_back_memory, is_out_of_memory
from narrate.engines.qwen.options import Sampling
from narrate.engines.qwen.prompts import Prompts
from narrate.engines.qwen.runner import BLOCK, Progress, Runner, Seat
from narrate.engines.qwen.scheduler import Row, Scheduler, Work
from narrate.engines.qwen.vocoder import Context
from narrate.errors import EngineError, NarrateError
from narrate.text.document import Chunk
from narrate.voice import Voice

SAMPLE_RATE = 24_000
_LONGEST_PIECE = 32  # frames; pieces grow up to it from one block


class FastRuntime:
    """Speaks chunks with a loaded model. `slots` shrinks when memory runs out, and stays so. `compiled`: see `Runner`.

    `work` counts, over everything spoken, how many of the frames computed were of living rows.
    """

    def __init__(
        self,
        prompts: Prompts,
        sampling: Sampling,
        cancelled: Callable[[], bool],
        slots: int,
        *,
        compiled: bool = False,
    ) -> None:
        self.slots = slots
        self.work = Work()
        self.prompts, self._cancelled, self._compiled = prompts, cancelled, compiled
        self._options: Mapping[str, Any] = prompts.package._merge_generate_kwargs(**sampling.for_package())
        self._runner: Runner | None = None
        self._context: tuple[Any, Context] | None = None
        self.clock: Clock = OFF

    def synthesize(self, chunks: Iterable[Chunk | None], voice: Voice) -> Iterator[Clip]:
        """Clips of the chunks in the order in which they are done; the first chunk's in pieces.

        None among the chunks: no more have arrived yet. A row that would not end, or whose numbers broke, is silence
        with `failure` set. Ends early once `cancelled()` is true. Raises `EngineError` when not even one row fits into
        memory.
        """
        source = _Source(iter(chunks))
        table = _Table(self.slots, self.work)
        while not table.scheduler.done and not self._cancelled():
            try:
                fitted = self._step(table, source, voice)
            except Cancelled:
                return
            yield from table.done
            table.done.clear()
            if not fitted:
                source.back.extend(table.chunks())
                self._shrink()
                table = _Table(self.slots, self.work, table.heard)

    @property
    def largest_batch(self) -> int:
        """Rows at once."""
        return self.slots

    def speak(self, chunks: list[Chunk], voice: Voice) -> list[Clip]:
        """One whole clip per chunk, in the order given. Raises `Cancelled`."""
        pieces: dict[int, list[Clip]] = {}
        for clip in self.synthesize(chunks, voice):
            pieces.setdefault(clip.index, []).append(clip)
        if self._cancelled():
            raise Cancelled
        made = [pieces[chunk.index] for chunk in chunks]
        return [replace(parts[-1], samples=join(part.samples for part in parts)) for parts in made]

    def warm_up(self, voice: Voice) -> None:
        """Begin a chunk alone, twice, and in company, so that the first one to be heard waits for no kernels."""
        chunk = Chunk(0, 0, "", "", "Is anybody there?", voice.language or "en", 0.0, 0, 0)
        for rows in (1, 1, self.slots):
            chunks = [replace(chunk, index=index) for index in range(rows)]
            for _ in zip(range(3), self.synthesize(chunks, voice), strict=False):
                pass
        self.work = Work()

    def _step(self, table: _Table, source: _Source, voice: Voice) -> bool:
        """Seat who can be seated and compute one block; False when memory ran out."""
        try:
            runner = self._ready(fresh=not table.scheduler.rows)
            if rows := table.scheduler.admit(source):
                with self.clock.stage("prefill"):
                    self._seat(table, rows, voice, runner)
            if table.scheduler.rows:
                table.hear(runner.advance(table.scheduler.width, table.longest(), self._cancelled), runner)
            return True
        except Cancelled:
            raise
        except Exception as error:
            self._runner = None  # what it holds is in no known state
            if _no_memory(error):
                return False
            raise

    def _ready(self, *, fresh: bool) -> Runner:
        """The runner; a `fresh` one has no rows, not even those of a listener who has gone."""
        if self._runner is None:
            self._runner = Runner(self.prompts.package, self._options, self.slots, compiled=self._compiled)
            self._context = None
        elif fresh:
            self._runner.clear()
        self._runner.clock = self.clock
        return self._runner

    def _seat(self, table: _Table, rows: list[Row[Chunk]], voice: Voice, runner: Runner) -> None:
        """Begin the rows; those that cannot be begun are done with."""
        try:
            prompts = self._embedded([row.item for row in rows], voice)
        except Exception as error:
            if isinstance(error, NarrateError) or _no_memory(error):
                raise
            if len(rows) == 1:
                table.scheduler.retire(rows[0])
                table.done.append(_failed(rows[0], f"{type(error).__name__}: {error}", 0))
                return
            for row in rows:  # one of them is at fault: find out which
                self._seat(table, [row], voice, runner)
            return
        seats = []
        for row, prompt in zip(rows, prompts, strict=True):
            table.take(row, len(prompt))
            numbers = row_numbers(row_seed(row.item, voice), row.limit)
            seats.append(Seat(row.slot, prompt, numbers, allowance(row.item).patience))
        runner.begin(seats, self._before(voice, runner))

    def _embedded(self, chunks: list[Chunk], voice: Voice) -> list[Any]:
        return embedded(self.prompts.package.model, self.prompts.arguments(chunks, voice))

    def _before(self, voice: Voice, runner: Runner) -> Context | None:
        """What the vocoder has heard before each row: the reference of a cloned voice."""
        codes = self.prompts.context(voice)
        if codes is None:
            return None
        if self._context is None or self._context[0] is not codes:
            self._context = codes, runner.vocoder.after(codes.to(runner.device))
        return self._context[1]

    def _shrink(self) -> None:
        give_back_memory()
        if self.slots == 1:
            raise EngineError(
                "The graphics card's memory does not hold the model and one chunk: close other programs, or use "
                "--model 0.6B, or --device cpu."
            )
        self.slots //= 2


class _Source:
    """The chunks still to come; those in `back`, whose slots were lost, come first."""

    def __init__(self, chunks: Iterator[Chunk | None]) -> None:
        self._chunks = chunks
        self.back: list[Chunk] = []

    def __iter__(self) -> Iterator[Chunk | None]:
        return self

    def __next__(self) -> Chunk | None:
        return self.back.pop(0) if self.back else next(self._chunks)


@dataclass(slots=True)
class _Take:
    """The sound of a row so far. If it goes out in pieces, the next has at least `piece` frames."""

    tokens: int
    sounds: list[Samples] = field(default_factory=list)
    piece: int = BLOCK


class _Table:
    """Who sits where, and what has been heard of each. `heard`: the chunk that goes out in pieces, and how many of its
    samples have; `done`: clips that can go out now."""

    def __init__(self, slots: int, work: Work, heard: tuple[int, int] | None = None) -> None:
        self.scheduler: Scheduler[Chunk] = Scheduler(slots, lambda chunk: allowance(chunk).limit, work=work)
        self.heard = heard
        self.done: list[Clip] = []
        self._takes: dict[int, _Take] = {}

    def chunks(self) -> list[Chunk]:
        """Those in hand, in reading order."""
        return sorted((row.item for row in self.scheduler.rows.values()), key=lambda chunk: chunk.index)

    def longest(self) -> int:
        """Tokens and frames of the longest row."""
        return max(self._takes[slot].tokens + row.frames for slot, row in self.scheduler.rows.items())

    def take(self, row: Row[Chunk], tokens: int) -> None:
        """A row begins. The very first one goes out in pieces: somebody is waiting for it. Another attempt does not,
        since it may have to be thrown away as well."""
        self._takes[row.slot] = _Take(tokens)
        if self.heard is None:
            self.heard = (row.item.index, 0) if row.item.attempt == 0 else (-1, 0)

    def hear(self, progress: Progress, runner: Runner) -> None:
        """What a block has brought: rows that ended, rows to give up, and the next piece."""
        rows = list(self.scheduler.rows.values())
        before = {row.slot: row.frames for row in rows}
        self.scheduler.advance(dict(enumerate(progress.frames)), BLOCK)
        samples_per_frame = runner.vocoder.samples_per_frame
        for row in rows:
            take = self._takes[row.slot]
            new = (row.frames - before[row.slot]) * samples_per_frame
            take.sounds.append(progress.samples[row.slot, :new])
            broken = progress.broken[row.slot]
            if broken or progress.ended[row.slot] or row.overdue:
                runner.end(row.slot, broken=broken)
                self.scheduler.retire(row)
                self.done.append(self._last(row, self._takes.pop(row.slot), progress))
            elif piece := self._piece(row, take, samples_per_frame):
                self.done.append(piece)

    def _last(self, row: Row[Chunk], take: _Take, progress: Progress) -> Clip:
        whole = join(take.sounds)
        if progress.broken[row.slot]:
            return _failed(row, "the model computed no numbers (NaN)", len(whole))
        if not progress.ended[row.slot]:
            return _failed(row, f"ran past {len(whole) / SAMPLE_RATE:.0f} s", len(whole))
        return Clip(row.item.index, whole[self._sent(row) :], SAMPLE_RATE)

    def _sent(self, row: Row[Chunk]) -> int:
        return self.heard[1] if self.heard is not None and self.heard[0] == row.item.index else 0

    def _piece(self, row: Row[Chunk], take: _Take, samples_per_frame: int) -> Clip | None:
        """The next piece of the chunk that is waited for, if there is enough of it."""
        if self.heard is None or self.heard[0] != row.item.index:
            return None
        sent = self.heard[1]
        if row.frames * samples_per_frame - sent < take.piece * samples_per_frame:
            return None
        take.piece = min(_LONGEST_PIECE, 2 * take.piece)
        whole = join(take.sounds)
        self.heard = row.item.index, len(whole)
        return Clip(row.item.index, whole[sent:], SAMPLE_RATE, final=False)


def _no_memory(error: Exception) -> bool:
    return isinstance(error, RuntimeError) and is_out_of_memory(error)


def _failed(row: Row[Chunk], why: str, samples: int) -> Clip:
    return Clip(row.item.index, silence(samples / SAMPLE_RATE, SAMPLE_RATE), SAMPLE_RATE, failure=why)


class _Embedded(Exception):  # noqa: N818
    """The package has made the prompts."""


def embedded(network: Any, arguments: Mapping[str, Any]) -> list[Any]:
    """The prompts of the package's `generate`, each [tokens, channels], for the same `arguments`.

    Its `generate` lays them out and hands them to the talker's `generate`, which is where they are taken from.
    """
    made: list[Any] = []

    def keep(*, inputs_embeds: Any, attention_mask: Any, **_: Any) -> None:
        made.extend(prompt[mask.bool()] for prompt, mask in zip(inputs_embeds, attention_mask, strict=True))
        raise _Embedded

    network.talker.generate = keep
    try:
        network.generate(**arguments)
    except _Embedded:
        return made
    finally:
        del network.talker.generate
    raise EngineError("This qwen-tts makes its prompts in another way than 0.1.1: use --runtime stock.")
