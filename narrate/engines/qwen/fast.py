"""The fast runtime: requests go into slots as slots become free, and come out as clips the moment their row ends.

Per block of frames: the scheduler seats requests, the runner computes, and what became of the rows is heard. On CUDA
the next block is begun before the sound of the last is looked at, unless an ear waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from narrate.clip import Clip
from narrate.clock import OFF, Clock
from narrate.engines import Request
from narrate.engines.feed import Feed
from narrate.engines.feeder import Feeder
from narrate.engines.in_hand import InHand
from narrate.engines.qwen.codec import FRAMES_PER_SECOND
from narrate.engines.qwen.device import under
from narrate.engines.qwen.draws import Cancelled, row_seed, row_uniforms
from narrate.engines.qwen.embedding import Embedding
from narrate.engines.qwen.guard import allowance, silent_codes
from narrate.engines.qwen.hardware import give_back_memory, is_out_of_memory
from narrate.engines.qwen.hearing import Pieces, Table
from narrate.engines.qwen.options import Sampling
from narrate.engines.qwen.prompts import Prompts, clone_key, recent
from narrate.engines.qwen.runner import Runner
from narrate.engines.qwen.scheduler import Row, Work, rows_at_once
from narrate.engines.qwen.seats import BLOCK, BlockResult, Seat
from narrate.engines.qwen.shapes import of_a_book
from narrate.engines.qwen.vocoder import Context
from narrate.errors import EngineError
from narrate.text.document import Chunk
from narrate.voice import Voice

REHEARSAL_SECONDS = 6.0  # for graphs to be recorded before anything is heard; the rest is recorded when it is met
_WARM_BLOCKS = 2


class FastRuntime:
    """Speaks requests with a loaded model; rows of different voices sit side by side.

    `slots` shrinks when memory runs out, and stays so. `compiled`: see `Runner`. `work` counts, over everything spoken,
    how many of the frames computed were of living rows.
    """

    def __init__(self, prompts: Prompts, sampling: Sampling, slots: int, *, compiled: bool = False) -> None:
        self.slots = slots
        self.work = Work()
        self.clock: Clock = OFF
        self.feed = Feed(slots, BLOCK / FRAMES_PER_SECOND)
        self.prompts, self._compiled = prompts, compiled
        self._options: Mapping[str, Any] = prompts.package._merge_generate_kwargs(**sampling.for_package())
        self._embed = Embedding(prompts)
        self._runner: Runner | None = None
        self._silent: list[int] | None = None
        self._contexts: dict[Hashable, Context] = {}
        self._in_hand = InHand()
        self._begun = (0, 0.0)  # rows of the block that was begun last, and the seconds that its beginning took

    def prepare(self, voice: Voice, clock: Clock) -> None:
        """Read the voice's recording, if it has one."""
        self.clock = clock
        with under(self.prompts.package.device):
            self.prompts.context(voice)

    def synthesize(self, requests: Iterable[Request | None]) -> Iterator[list[Clip]]:
        """See `Engine.synthesize`. The clips of a block of frames come together.

        A row that would not end, or whose numbers broke, is silence with `failure` set. Raises `EngineError` when not
        even one row fits into memory.
        """
        feeder = Feeder(requests, self._in_hand, self.feed, self.clock)
        table = Table(self.slots, self.work, Pieces())
        try:
            while True:
                self._drop_cancelled(table)
                seated = table.scheduler.admit(feeder, feeder.rows(table.working()))
                if not table.scheduler.rows:
                    table.collect()
                    if ready := self._ready_clips(table, feeder):
                        yield ready
                    return
                blocks: list[BlockResult] = []
                with self.clock.stage("speak"):
                    fitted = self._tried(lambda: self._begin_block(table, seated, blocks))  # noqa: B023
                    table.collect()
                if table.done and (ready := self._ready_clips(table, feeder)):
                    yield ready
                with self.clock.stage("speak"):
                    fitted = fitted and self._tried(lambda: self._hear(table, blocks))  # noqa: B023
                yield self._ready_clips(table, feeder)
                if not fitted:
                    feeder.put_back(table.requests())
                    self._shrink()
                    table = Table(self.slots, self.work, table.pieces)
        finally:
            self._in_hand.clear()

    def cancel(self, ids: Collection[str]) -> None:
        """Their rows end with the block that is being made. May be called from any thread."""
        self._in_hand.cancel(ids)

    def warm_up(self, voice: Voice) -> None:
        """Begin a chunk, and record what a book will need, so that the first one to be heard waits for nothing."""
        chunk = Chunk(0, 0, "", "", "Is anybody there?", voice.language or "en", 0.0, 0, 0)
        request = Request("warm-up", chunk, voice)
        for _ in zip(range(_WARM_BLOCKS), self.synthesize([request]), strict=False):
            pass
        self.work = Work()
        if self._runner is not None:
            (prompt,) = self._embed([request])
            shapes = of_a_book(self.slots, rows_at_once(self.slots), len(prompt), BLOCK)
            end = self.clock.now() + REHEARSAL_SECONDS
            if not self._tried(lambda: self._ready(fresh=True).rehearse(shapes, lambda: self.clock.now() > end)):
                self._shrink()

    def close(self) -> None:
        """Let go of the rows and of what they need; the model stays. What is spoken next builds it anew."""
        if (runner := self._runner) is not None:
            self._runner = None
            runner.close()

    def _ready_clips(self, table: Table, feeder: Feeder) -> list[Clip]:
        """The clips that may go out now; the feeder keeps back what would leave a gap behind it."""
        ready, table.done = feeder.release(table.working(), table.done), []
        self._in_hand.release(clip.request_id for clip in ready if clip.final)
        return ready

    def _drop_cancelled(self, table: Table) -> None:
        rows = [row for row in table.scheduler.rows.values() if self._in_hand.is_cancelled(row.item.id)]
        for row in rows:
            table.drop(row)
            if self._runner is not None:
                self._runner.end(row.slot)
        ended = [request for request in table.ended() if self._in_hand.is_cancelled(request.id)]
        table.disown(ended)
        self._in_hand.release([row.item.id for row in rows] + [request.id for request in ended])

    def _tried(self, work: Callable[[], object]) -> bool:
        """Do the work; False when memory ran out."""
        try:
            work()
            return True
        except Cancelled:
            return True  # nobody is left at the table: the next look at it finds out, and the runner begins anew
        except Exception as error:
            with suppress(RuntimeError):  # a device in trouble may refuse even that, and the first error says why
                self.close()  # what the runner holds is in no known state
            if _no_memory(error):
                return False
            raise

    def _begin_block(self, table: Table, seated: list[Row[Request]], blocks: list[BlockResult]) -> None:
        """Begin those who were seated, and one block, which comes into `blocks`."""
        runner = self._ready(fresh=len(seated) == len(table.scheduler.rows))
        if seated:
            start = self.clock.now()
            with self.clock.stage("prefill"):
                self._begin(table, seated, runner)
            self.feed.learn_seats(len(seated), self.clock.now() - start)
        if table.scheduler.rows:
            start, rows = self.clock.now(), len(table.scheduler.rows)
            blocks.append(runner.advance(table.scheduler.width, table.longest(), lambda: self._in_hand.all_cancelled))
            self._begun = (rows, self.clock.now() - start)

    def _hear(self, table: Table, blocks: list[BlockResult]) -> None:
        """What became of the rows; their sound at once if somebody waits for it or nothing can be done meanwhile."""
        runner = self._runner
        if runner is None:
            return
        start = self.clock.now()
        for block in blocks:
            table.hear(block, runner)
            rows, seconds = self._begun
            self.feed.cost.learn(rows, seconds + self.clock.now() - start)
        if not runner.at_leisure or table.awaited or not table.scheduler.rows:
            table.collect()

    def _ready(self, *, fresh: bool) -> Runner:
        """The runner; a `fresh` one has no rows, not even those of a listener who has gone."""
        if self._runner is None:
            package = self.prompts.package
            if self._silent is None:
                with under(package.device):
                    self._silent = silent_codes(package.model.speech_tokenizer)
            give_back_memory()  # of a runner before it
            self._runner = Runner(package, self._options, self.slots, silent=self._silent, compiled=self._compiled)
            self._contexts.clear()
        elif fresh:
            self._runner.clear()
        self._runner.clock = self.clock
        return self._runner

    def _begin(self, table: Table, rows: list[Row[Request]], runner: Runner) -> None:
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
        return self._embed(requests)

    def _before(self, voice: Voice, runner: Runner) -> Context | None:
        """What the vocoder has heard before a row with this voice: the reference of a cloned one."""
        codes = self.prompts.context(voice)
        if codes is None:
            return None
        return recent(self._contexts, clone_key(voice), lambda: runner.after(codes))

    def _shrink(self) -> None:
        give_back_memory()
        if self.slots == 1:
            raise EngineError(
                "The graphics card's memory does not hold the model and one chunk: close other programs, or use "
                "--model 0.6B, or --device cpu."
            )
        self.slots //= 2
        self.feed.slots = self.slots


def _no_memory(error: Exception) -> bool:
    return isinstance(error, RuntimeError) and is_out_of_memory(error)
