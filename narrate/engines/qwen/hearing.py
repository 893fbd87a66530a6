"""What becomes of the fast runtime's rows: who sits where, what has been heard of each, and what goes out when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from narrate.clip import Clip, Samples, join
from narrate.engines import Request
from narrate.engines.feeder import Working, goes_in_pieces
from narrate.engines.qwen.codec import FRAMES_PER_SECOND, SAMPLE_RATE, SAMPLES_PER_FRAME
from narrate.engines.qwen.guard import allowance
from narrate.engines.qwen.runner import Runner
from narrate.engines.qwen.scheduler import Row, Scheduler, Work
from narrate.engines.qwen.seats import BLOCK, BlockResult
from narrate.errors import InputError

_LONGEST_PIECE_FRAMES = 32  # pieces grow up to it from one block


class Pieces:
    """Which rows go out in pieces, because an ear waits for them, and how many samples of each have gone."""

    def __init__(self) -> None:
        self._sent: dict[str, int] = {}
        self._begun = False

    def begin(self, request: Request, now: float) -> None:
        if goes_in_pieces(request, now, first=not self._begun):
            self._sent.setdefault(request.id, 0)
        self._begun = True

    def sent(self, request: Request) -> int | None:
        """The samples that have gone out; None if the row does not go out in pieces."""
        return self._sent.get(request.id)

    def send(self, request: Request, samples: int) -> None:
        self._sent[request.id] = samples

    def forget(self, request: Request) -> None:
        self._sent.pop(request.id, None)


@dataclass(slots=True, eq=False)
class _Take:
    """The sound of a row so far. If it goes out in pieces, the next has at least `piece` frames."""

    request: Request
    tokens: int
    sounds: list[Samples] = field(default_factory=list)
    piece: int = BLOCK
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class _Part:
    """What a block brings to a row: `frames`, of which there are `so_far` then. `failure`: None if the row goes on, ""
    if it is whole, else what went wrong."""

    take: _Take
    slot: int
    frames: int
    so_far: int
    failure: str | None


class Table:
    """Who sits where, and what has been heard of each. `done`: clips that can go out now.

    `hear` says what became of the rows after a block; `collect` takes the sound of the blocks heard, which may be there
    later.
    """

    def __init__(self, slots: int, work: Work, pieces: Pieces) -> None:
        self.scheduler: Scheduler[Request] = Scheduler(slots, lambda request: allowance(request.chunk).limit, work=work)
        self.pieces = pieces
        self.done: list[Clip] = []
        self._takes: dict[int, _Take] = {}
        self._heard: list[tuple[BlockResult, list[_Part]]] = []

    def requests(self) -> list[Request]:
        """Those in the slots, in the order in which they were seated."""
        return [row.item for row in self.scheduler.rows.values()]

    def working(self) -> list[Working]:
        """Those in the slots, and how much is made of each."""
        return [
            Working(row.item, row.frames / FRAMES_PER_SECOND, pieces=self.pieces.sent(row.item) is not None)
            for row in self.scheduler.rows.values()
        ]

    def longest(self) -> int:
        """Tokens and frames of the longest row."""
        return max(self._takes[slot].tokens + row.frames for slot, row in self.scheduler.rows.items())

    @property
    def awaited(self) -> bool:
        """True if an ear waits for some of the sound that was not collected yet."""
        return any(self.pieces.sent(part.take.request) is not None for _, parts in self._heard for part in parts)

    def begin(self, row: Row[Request], tokens: int, now: float) -> None:
        self._takes[row.slot] = _Take(row.item, tokens)
        self.pieces.begin(row.item, now)

    def refuse(self, row: Row[Request], error: Exception) -> None:
        """The row cannot be begun."""
        self.drop(row)
        why = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        self.done.append(row.item.failed(why, SAMPLE_RATE, raised=True))

    def drop(self, row: Row[Request]) -> None:
        """Nobody wants the row any more."""
        self.scheduler.retire(row)
        if (take := self._takes.pop(row.slot, None)) is not None:
            take.wanted = False
        self.pieces.forget(row.item)

    def ended(self) -> list[Request]:
        """Those that have left their slots but whose last sound was not collected yet."""
        parts = [part for _, parts in self._heard for part in parts]
        return [part.take.request for part in parts if part.failure is not None and part.take.wanted]

    def disown(self, requests: Iterable[Request]) -> None:
        """Nobody wants these of the ended any more."""
        names = {request.id for request in requests}
        for _, parts in self._heard:
            for part in parts:
                if part.take.request.id in names:
                    part.take.wanted = False
                    self.pieces.forget(part.take.request)

    def hear(self, block: BlockResult, runner: Runner) -> None:
        """What a block has brought: rows that go on, that ended, and that are given up."""
        frames, ended, broken = block.rows()
        rows = list(self.scheduler.rows.values())
        before = {row.slot: row.frames for row in rows}
        self.scheduler.advance(dict(enumerate(frames)), BLOCK)
        parts = []
        for row in rows:
            failure = _failure(row, ended[row.slot], broken[row.slot])
            take = self._takes[row.slot]
            parts.append(_Part(take, row.slot, row.frames - before[row.slot], row.frames, failure))
            if failure is not None:
                runner.end(row.slot, broken=broken[row.slot])
                self.scheduler.retire(row)
                del self._takes[row.slot]
        self._heard.append((block, parts))

    def collect(self) -> None:
        """Take up the sound of the blocks that were heard, and lay out what can go."""
        for block, parts in self._heard:
            samples = block.samples()
            for part in parts:
                if part.take.wanted:
                    part.take.sounds.append(samples[part.slot, : part.frames * SAMPLES_PER_FRAME].copy())
                    self._lay_out(part)
        self._heard.clear()

    def _lay_out(self, part: _Part) -> None:
        take, request = part.take, part.take.request
        sent = self.pieces.sent(request)
        if part.failure is not None:
            self.pieces.forget(request)
            self.done.append(_last(take, part, sent or 0))
        elif sent is not None and part.so_far - sent // SAMPLES_PER_FRAME >= take.piece:
            take.piece = min(_LONGEST_PIECE_FRAMES, 2 * take.piece)
            whole = join(take.sounds)
            self.pieces.send(request, len(whole))
            self.done.append(request.clip(whole[sent:], SAMPLE_RATE, final=False))


def _failure(row: Row[Request], ended: bool, broken: bool) -> str | None:
    """None if the row goes on, "" if it has ended, else why it is given up."""
    if broken:
        return "the model computed no numbers (NaN)"
    if ended:
        return ""
    if row.overdue:
        return f"ran past {row.frames / FRAMES_PER_SECOND:.0f} s"
    if row.stuck:
        return f"stood still after {row.frames} frames"
    return None


def _last(take: _Take, part: _Part, sent: int) -> Clip:
    whole = join(take.sounds)
    if part.failure:
        return take.request.failed(part.failure, SAMPLE_RATE, seconds=len(whole) / SAMPLE_RATE)
    return take.request.clip(whole[sent:], SAMPLE_RATE)
