"""The fast runtime: requests go into slots as slots become free, and come out as clips the moment their row ends.

Per block of frames: the scheduler seats requests, the runner computes, and here codes become clips: whole ones, and of
a request that an ear waits for, pieces while it is still being made.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from narrate.clip import Clip, Samples, join
from narrate.clock import OFF, Clock
from narrate.engines import Request
from narrate.engines.in_hand import Arrivals, InHand
from narrate.engines.qwen.codec import SAMPLE_RATE, SAMPLES_PER_FRAME
from narrate.engines.qwen.draws import Cancelled, row_seed, row_uniforms
from narrate.engines.qwen.guard import allowance
from narrate.engines.qwen.hardware import give_back_memory, is_out_of_memory
from narrate.engines.qwen.options import Sampling
from narrate.engines.qwen.prompts import Prompts, clone_key, recent
from narrate.engines.qwen.runner import BLOCK, BlockResult, Runner, Seat
from narrate.engines.qwen.scheduler import Row, Scheduler, Work
from narrate.engines.qwen.vocoder import Context
from narrate.errors import EngineError, InputError
from narrate.text.document import Chunk
from narrate.voice import Voice

SOON_SECONDS = 0.25  # a chunk before it would last longer, so nothing lies ready for an ear that is due so soon
WARM_BLOCKS = 8  # until all slots are taken and every graph is recorded
_LONGEST_PIECE_FRAMES = 32  # pieces grow up to it from one block


class FastRuntime:
    """Speaks requests with a loaded model; rows of different voices sit side by side.

    `slots` shrinks when memory runs out, and stays so. `compiled`: see `Runner`. `work` counts, over everything spoken,
    how many of the frames computed were of living rows.
    """

    def __init__(self, prompts: Prompts, sampling: Sampling, slots: int, *, compiled: bool = False) -> None:
        self.slots = slots
        self.work = Work()
        self.clock: Clock = OFF
        self.prompts, self._compiled = prompts, compiled
        self._options: Mapping[str, Any] = prompts.package._merge_generate_kwargs(**sampling.for_package())
        self._runner: Runner | None = None
        self._contexts: dict[Hashable, Context] = {}
        self._in_hand = InHand()

    def prepare(self, voice: Voice, clock: Clock) -> None:
        """Read the voice's recording, if it has one."""
        self.clock = clock
        self.prompts.context(voice)

    def synthesize(self, requests: Iterable[Request | None]) -> Iterator[list[Clip]]:
        """See `Engine.synthesize`. The clips of a block of frames come together.

        A row that would not end, or whose numbers broke, is silence with `failure` set. Raises `EngineError` when not
        even one row fits into memory.
        """
        source = _Source(requests, self._in_hand)
        table = _Table(self.slots, self.work, _Pieces())
        try:
            while True:
                self._drop_cancelled(table)
                seated = table.scheduler.admit(source)
                if not table.scheduler.rows:
                    return
                with self.clock.stage("speak"):
                    fitted = self._step(table, seated)
                self._in_hand.release(clip.request_id for clip in table.done if clip.final)
                yield table.done
                table.done = []
                if not fitted:
                    source.back[:0] = table.requests()
                    self._shrink()
                    table = _Table(self.slots, self.work, table.pieces)
        finally:
            self._in_hand.clear()

    def cancel(self, ids: Collection[str]) -> None:
        """Their rows end with the block that is being made. May be called from any thread."""
        self._in_hand.cancel(ids)

    def warm_up(self, voice: Voice) -> None:
        """Begin a chunk alone, twice, and in company, so that the first one to be heard waits for no kernels."""
        chunk = Chunk(0, 0, "", "", "Is anybody there?", voice.language or "en", 0.0, 0, 0)
        for rows in (1, 1, self.slots):
            for _ in zip(range(WARM_BLOCKS), self.synthesize(_warming(chunk, voice, rows)), strict=False):
                pass
        self.work = Work()

    def _drop_cancelled(self, table: _Table) -> None:
        rows = [row for row in table.scheduler.rows.values() if self._in_hand.is_cancelled(row.item.id)]
        for row in rows:
            table.drop(row)
            if self._runner is not None:
                self._runner.end(row.slot)
        self._in_hand.release(row.item.id for row in rows)

    def _step(self, table: _Table, seated: list[Row[Request]]) -> bool:
        """Begin those who were seated and compute one block; False when memory ran out."""
        try:
            runner = self._ready(fresh=len(seated) == len(table.scheduler.rows))
            if seated:
                with self.clock.stage("prefill"):
                    self._begin(table, seated, runner)
            if table.scheduler.rows:
                block = runner.advance(table.scheduler.width, table.longest(), lambda: self._in_hand.all_cancelled)
                table.hear(block, runner)
            return True
        except Cancelled:
            return True  # nobody is left at the table: the next look at it finds out, and the runner begins anew
        except Exception as error:
            self._runner = None  # what it holds is in no known state
            if _no_memory(error):
                return False
            raise

    def _ready(self, *, fresh: bool) -> Runner:
        """The runner; a `fresh` one has no rows, not even those of a listener who has gone."""
        if self._runner is None:
            self._runner = Runner(self.prompts.package, self._options, self.slots, compiled=self._compiled)
            self._contexts.clear()
        elif fresh:
            self._runner.clear()
        self._runner.clock = self.clock
        return self._runner

    def _begin(self, table: _Table, rows: list[Row[Request]], runner: Runner) -> None:
        """Begin the rows; those that cannot be begun are done with."""
        try:
            prompts = self._embedded([row.item for row in rows])
            contexts = [self._before(row.item.voice, runner) for row in rows]
        except Exception as error:
            if isinstance(error, EngineError) or _no_memory(error):
                raise
            if len(rows) == 1:
                table.refuse(rows[0], error)
                return
            for row in rows:  # one of them is at fault: find out which
                self._begin(table, [row], runner)
            return
        seats = []
        for row, prompt, context in zip(rows, prompts, contexts, strict=True):
            table.begin(row, len(prompt), self.clock.now())
            uniforms = row_uniforms(row_seed(row.item), row.limit)
            seats.append(Seat(row.slot, prompt, uniforms, allowance(row.item.chunk).patience, context))
        runner.begin(seats)

    def _embedded(self, requests: list[Request]) -> list[Any]:
        return embedded(self.prompts.package.model, self.prompts.arguments(requests))

    def _before(self, voice: Voice, runner: Runner) -> Context | None:
        """What the vocoder has heard before a row with this voice: the reference of a cloned one."""
        codes = self.prompts.context(voice)
        if codes is None:
            return None
        return recent(self._contexts, clone_key(voice), lambda: runner.vocoder.after(codes.to(runner.device)))

    def _shrink(self) -> None:
        give_back_memory()
        if self.slots == 1:
            raise EngineError(
                "The graphics card's memory does not hold the model and one chunk: close other programs, or use "
                "--model 0.6B, or --device cpu."
            )
        self.slots //= 2


class _Source:
    """The requests still to come; those in `back`, whose slots were lost, come first."""

    def __init__(self, requests: Iterable[Request | None], in_hand: InHand) -> None:
        self._arrivals = Arrivals(requests, in_hand)
        self._in_hand = in_hand
        self.back: list[Request] = []

    def __iter__(self) -> Iterator[Request | None]:
        return self

    def __next__(self) -> Request | None:
        while self.back:
            request = self.back.pop(0)
            if not self._in_hand.is_cancelled(request.id):
                return request
            self._in_hand.release([request.id])
        following = self._arrivals.next()
        if following is None and self._arrivals.ended:
            raise StopIteration
        return following


class _Pieces:
    """Which rows go out in pieces, because an ear waits for them, and how many samples of each have gone.

    Those are the first one of all, and every other for which nothing lies ready before it. Another attempt at a chunk
    never goes out in pieces, since it may have to be thrown away as well; nor does what is made for a file.
    """

    def __init__(self) -> None:
        self._sent: dict[str, int] = {}
        self._begun = False

    def begin(self, request: Request, now: float) -> None:
        due = request.due() - now
        if request.attempt == 0 and due < inf and (due < SOON_SECONDS or not self._begun):
            self._sent.setdefault(request.id, 0)
        self._begun = True

    def sent(self, request: Request) -> int | None:
        """The samples that have gone out; None if the row does not go out in pieces."""
        return self._sent.get(request.id)

    def send(self, request: Request, samples: int) -> None:
        self._sent[request.id] = samples

    def forget(self, request: Request) -> None:
        self._sent.pop(request.id, None)


@dataclass(slots=True)
class _Take:
    """The sound of a row so far. If it goes out in pieces, the next has at least `piece` frames."""

    tokens: int
    sounds: list[Samples] = field(default_factory=list)
    piece: int = BLOCK


class _Table:
    """Who sits where, and what has been heard of each. `done`: clips that can go out now."""

    def __init__(self, slots: int, work: Work, pieces: _Pieces) -> None:
        self.scheduler: Scheduler[Request] = Scheduler(slots, lambda request: allowance(request.chunk).limit, work=work)
        self.pieces = pieces
        self.done: list[Clip] = []
        self._takes: dict[int, _Take] = {}

    def requests(self) -> list[Request]:
        """Those in hand, in the order in which they were seated."""
        return [row.item for row in self.scheduler.rows.values()]

    def longest(self) -> int:
        """Tokens and frames of the longest row."""
        return max(self._takes[slot].tokens + row.frames for slot, row in self.scheduler.rows.items())

    def begin(self, row: Row[Request], tokens: int, now: float) -> None:
        self._takes[row.slot] = _Take(tokens)
        self.pieces.begin(row.item, now)

    def refuse(self, row: Row[Request], error: Exception) -> None:
        """The row cannot be begun."""
        self.drop(row)
        why = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        self.done.append(row.item.failed(why, SAMPLE_RATE, raised=True))

    def drop(self, row: Row[Request]) -> None:
        """Nobody wants the row any more."""
        self.scheduler.retire(row)
        self._takes.pop(row.slot, None)
        self.pieces.forget(row.item)

    def hear(self, block: BlockResult, runner: Runner) -> None:
        """What a block has brought: rows that ended, rows to give up, and the next pieces."""
        rows = list(self.scheduler.rows.values())
        before = {row.slot: row.frames for row in rows}
        self.scheduler.advance(dict(enumerate(block.frames)), BLOCK)
        for row in rows:
            take = self._takes[row.slot]
            take.sounds.append(block.samples[row.slot, : (row.frames - before[row.slot]) * SAMPLES_PER_FRAME])
            broken = block.broken[row.slot]
            if broken or block.ended[row.slot] or row.overdue:
                runner.end(row.slot, broken=broken)
                self.done.append(self._last(row, take, block))
                self.drop(row)
            elif piece := self._piece(row, take):
                self.done.append(piece)

    def _last(self, row: Row[Request], take: _Take, block: BlockResult) -> Clip:
        whole = join(take.sounds)
        seconds = len(whole) / SAMPLE_RATE
        if block.broken[row.slot]:
            return row.item.failed("the model computed no numbers (NaN)", SAMPLE_RATE, seconds=seconds)
        if not block.ended[row.slot]:
            return row.item.failed(f"ran past {seconds:.0f} s", SAMPLE_RATE, seconds=seconds)
        return row.item.clip(whole[self.pieces.sent(row.item) or 0 :], SAMPLE_RATE)

    def _piece(self, row: Row[Request], take: _Take) -> Clip | None:
        """The next piece of a row that goes out in pieces, if there is enough of it."""
        sent = self.pieces.sent(row.item)
        if sent is None or row.frames * SAMPLES_PER_FRAME - sent < take.piece * SAMPLES_PER_FRAME:
            return None
        take.piece = min(_LONGEST_PIECE_FRAMES, 2 * take.piece)
        whole = join(take.sounds)
        self.pieces.send(row.item, len(whole))
        return row.item.clip(whole[sent:], SAMPLE_RATE, final=False)


def _warming(chunk: Chunk, voice: Voice, rows: int) -> list[Request]:
    return [Request(f"warm-up {row}", replace(chunk, index=row), voice) for row in range(rows)]


def _no_memory(error: Exception) -> bool:
    return isinstance(error, RuntimeError) and is_out_of_memory(error)


class _Embedded(Exception):
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
