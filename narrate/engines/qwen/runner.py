"""The computing half of the fast runtime: frames for all slots at once, and their sound. It decides nothing.

A frame is: draw its first code; let the code predictor draw the other 15, each knowing those before; add up their 16
embeddings; let the talker take one step with the sum. Everything is read from and written to tensors that stay in
their place, and nothing is asked of the device in between, so a frame can be recorded as one CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from narrate.clip import Samples
from narrate.clock import OFF, Clock
from narrate.engines.qwen.cache import FrameCache, SlotCache, step_for
from narrate.engines.qwen.codec import CODES
from narrate.engines.qwen.draws import Cancelled
from narrate.engines.qwen.graphs import Graphs
from narrate.engines.qwen.guard import silent_codes
from narrate.engines.qwen.sampling import Draw, Rules
from narrate.engines.qwen.transformer import Layers, joined
from narrate.engines.qwen.vocoder import Context, Vocoder

BLOCK = 4  # frames between two looks at what has ended: 0.3 s of sound, and on average 2 frames lost per row
_FIRST_CAPACITY = 512
_FRAMES = 1024  # uniforms at hand for each row at first: 82 s of sound


@dataclass(frozen=True, slots=True)
class Seat:
    """A row to begin: `prompt` [tokens, channels] in the talker's type, `uniforms`, float32 [limit, 16], to draw with.

    The end is pushed for after `patience` frames (see guard). The vocoder continues from `context`.
    """

    slot: int
    prompt: Tensor
    uniforms: NDArray[np.float32]
    patience: int
    context: Context | None = None


@dataclass(frozen=True, slots=True)
class BlockResult:
    """Of the first slots, after a block: frames of the row so far, whether it has ended, whether its numbers broke, and
    the sound of the block's frames [slots, samples], in which what is past a row's end is noise."""

    frames: list[int]
    ended: list[bool]
    broken: list[bool]
    samples: Samples


class Runner:
    """A loaded model (`package`, as `loading.load` returns it) with `slots` rows, and the `options` of its `generate`.

    The weights are the package's own, laid side by side; the package still works with them. `compiled`: through
    `torch.compile`, which takes about a minute for every shape it meets.
    """

    def __init__(self, package: Any, options: Mapping[str, Any], slots: int, *, compiled: bool = False) -> None:
        talker = package.model.talker
        self.slots = slots
        self.device = package.device
        self._graphs = Graphs(self.device.type == "cuda")
        self._widths = _widths(slots, self.device.type == "cuda")
        self._talker = Layers(talker.model)
        self._rope = self._talker.rope(_FIRST_CAPACITY)
        self._head = talker.codec_head.weight.detach()
        self._cache = SlotCache(self._talker, slots, _FIRST_CAPACITY, self._head)
        self._predictor = _Predictor(talker, Draw.others(options), slots)
        self._rules = Rules(talker.config, options["repetition_penalty"], self.device)
        self._draw = Draw.first(options)
        self._state = _State(slots, self._head)
        self._silent = torch.zeros(len(self._head), dtype=torch.bool, device=self.device)
        self._silent[silent_codes(package.model.speech_tokenizer)] = True
        self.vocoder = Vocoder(package.model.speech_tokenizer.model.decoder, slots)
        self._sound = torch.zeros(slots, BLOCK * self.vocoder.samples_per_frame, device=self.device)
        self._pad = _pad_embedding(package.model)
        self._pages: dict[tuple[int, int], _Page] = {}
        self.clock: Clock = OFF
        self._make_frame = torch.compile(self._frame, dynamic=False) if compiled else self._frame

    def begin(self, seats: Sequence[Seat]) -> None:
        """Take rows up in free slots."""
        size, rows = max(len(seat.prompt) for seat in seats), len(seats)
        if self._graphs.enabled:
            size, rows = step_for(size), 1 << (rows - 1).bit_length()  # few shapes, so few graphs
        with torch.inference_mode():
            self._reserve(size, max(len(seat.uniforms) for seat in seats) + BLOCK)
            for context, slots in _by_context(seats).items():
                self.vocoder.begin(slots, context)
            self._state.begin(seats)
            page = self._page(rows, size)
            page.write(seats, self.slots)
            self._graphs.run(("prompts", rows, size), lambda: self._read(page))

    def advance(self, rows: int, longest: int, cancelled: Callable[[], bool] = lambda: False) -> BlockResult:
        """A block of frames for the first `rows` slots, of which the longest row has `longest` frames and tokens.

        Raises `Cancelled` between two frames once `cancelled()` is true; then only `clear` may follow.
        """
        rows = next(width for width in self._widths if width >= rows)
        length = step_for(longest + BLOCK)
        with torch.inference_mode():
            self._reserve(length, 0)
            with self.clock.stage("decode"):
                for _ in range(BLOCK):
                    if cancelled():
                        raise Cancelled
                    self._graphs.run(("frame", rows, length), lambda: self._make_frame(rows, length))
                self.clock.settle(self._settle)
            with self.clock.stage("vocoder"):
                self._graphs.run(("sound", rows), lambda: self._vocode(rows))
                return self._result(rows)

    def codes(self, slot: int) -> Tensor:
        """The frames of the last block in a slot, [BLOCK, 16]."""
        return self._state.codes[slot].clone()

    def end(self, slot: int, *, broken: bool = False) -> None:
        """The row is done with, or given up."""
        with torch.inference_mode():
            self._state.ended[slot] = True
            if broken:
                self._cache.clear(slot)

    def clear(self) -> None:
        """No rows."""
        with torch.inference_mode():
            self._state.ended.fill_(True)
            self._state.in_block.zero_()

    def _frame(self, rows: int, length: int) -> None:
        state = self._state
        hidden, position = state.hidden[:rows], state.position[:rows]
        frame, ended = state.frame[:rows], state.ended[:rows]
        uniforms = state.uniforms[state.rows[:rows], frame]
        scores = F.linear(hidden, self._head).float()
        said, quiet = state.said[:rows], state.quiet[:rows]
        scores = self._rules(scores, said, frame, state.patience[:rows], quiet)
        first = self._draw(scores, uniforms[:, 0])
        ended |= first == self._rules.end
        said.scatter_(1, first[:, None], True)
        quiet.add_(1).mul_(self._silent[first])
        codes, last = self._predictor(hidden, first, uniforms)
        state.codes[:rows].index_copy_(1, state.in_block, codes[:, None])
        state.in_block.add_(1).remainder_(BLOCK)
        step = self._predictor.embed(codes) + self._pad
        step = self._talker(step, self._rope[position], self._cache.step(position, length))
        hidden.copy_(self._talker.last_norm(step))
        state.broken[:rows] |= ~(hidden.sum(-1) + last.sum(-1)).isfinite()
        live = ~ended
        position += live
        frame += live

    def _read(self, page: _Page) -> None:
        """The talker reads the prompts and is ready for each row's first frame."""
        rows, size, _ = page.prompts.shape
        rope = self._rope[:size].repeat(rows, 1, 1, 1)
        hidden = self._talker(page.prompts.flatten(0, 1), rope, self._cache.prompts(page.slots, size))
        hidden = self._talker.last_norm(hidden[page.lasts])
        self._state.hidden.index_copy_(0, page.slots, hidden)

    def _page(self, rows: int, size: int) -> _Page:
        if not self._graphs.enabled:
            return _Page(rows, size, self._pad)
        if (rows, size) not in self._pages:
            self._pages[rows, size] = _Page(rows, size, self._pad)
        return self._pages[rows, size]

    def _vocode(self, rows: int) -> None:
        self._sound[:rows] = self.vocoder.decode(self._state.codes[:rows])

    def _settle(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _result(self, rows: int) -> BlockResult:
        state = self._state
        told = torch.stack([state.frame[:rows], state.ended[:rows].long(), state.broken[:rows].long()])
        frames, ended, broken = told.tolist()
        return BlockResult(
            frames,
            [bool(one) for one in ended],
            [bool(one) for one in broken],
            self._sound[:rows].to("cpu", copy=True).numpy(),
        )

    def _reserve(self, positions: int, frames: int) -> None:
        if positions > self._cache.capacity:
            self._cache.grow(step_for(positions))
            self._rope = self._talker.rope(self._cache.capacity)
            self._graphs.forget()
        if self._state.grow(frames):
            self._graphs.forget()


class _Page:
    """Prompts [rows, tokens, channels] to be read together, the slots they belong to, and where each one ends.

    After its end a prompt is padded where nothing looks; surplus rows go to the slot nobody uses.
    """

    def __init__(self, rows: int, size: int, like: Tensor) -> None:
        self.prompts = like.new_zeros(rows, size, like.shape[-1])
        self.slots = torch.zeros(rows, dtype=torch.long, device=like.device)
        self.lasts = torch.zeros(rows, dtype=torch.long, device=like.device)

    def write(self, seats: Sequence[Seat], spare: int) -> None:
        rows, size, _ = self.prompts.shape
        slots, lasts = [spare] * rows, [0] * rows
        self.prompts.zero_()
        for row, seat in enumerate(seats):
            self.prompts[row, : len(seat.prompt)] = seat.prompt
            slots[row], lasts[row] = seat.slot, row * size + len(seat.prompt) - 1
        self.slots.copy_(torch.tensor(slots))
        self.lasts.copy_(torch.tensor(lasts))


class _State:
    """What every row carries from frame to frame; the last row is for padding and never lives."""

    def __init__(self, slots: int, like: Tensor) -> None:
        def zeros(*shape: int, dtype: torch.dtype = torch.long) -> Tensor:
            return torch.zeros(slots + 1, *shape, dtype=dtype, device=like.device)

        codes, channels = like.shape
        self.rows = torch.arange(slots + 1, device=like.device)
        self.hidden = zeros(channels, dtype=like.dtype)
        self.position, self.frame, self.patience, self.quiet = zeros(), zeros(), zeros(), zeros()
        self.ended, self.broken = ~zeros(dtype=torch.bool), zeros(dtype=torch.bool)
        self.said = zeros(codes, dtype=torch.bool)
        self.uniforms = zeros(_FRAMES, CODES, dtype=torch.float32)
        self.codes = zeros(BLOCK, CODES)
        self.in_block = torch.zeros(1, dtype=torch.long, device=like.device)

    def begin(self, seats: Sequence[Seat]) -> None:
        device = self.rows.device
        slots = torch.tensor([seat.slot for seat in seats], device=device)
        self.position[slots] = torch.tensor([len(seat.prompt) for seat in seats], device=device)
        self.patience[slots] = torch.tensor([seat.patience for seat in seats], device=device)
        for tensor in (self.frame, self.quiet, self.ended, self.broken, self.said):
            tensor[slots] = 0
        for seat in seats:
            self.uniforms[seat.slot, : len(seat.uniforms)] = torch.from_numpy(seat.uniforms).to(device)

    def grow(self, frames: int) -> bool:
        """Room for the uniforms of longer rows; True if the tensor has moved."""
        have = self.uniforms.shape[1]
        if frames <= have:
            return False
        self.uniforms = F.pad(self.uniforms, (0, 0, 0, step_for(frames) - have))
        return True


class _Predictor:
    """The code predictor: from the talker's state and a frame's first code to the other 15."""

    def __init__(self, talker: Any, draw: Draw, slots: int) -> None:
        network = talker.code_predictor
        self._layers = Layers(network.model)
        self._rope = self._layers.rope(CODES)
        self._draw = draw
        self._heads = [head.weight.detach() for head in network.lm_head]
        books = [talker.model.codec_embedding, *network.model.codec_embedding]
        self._table = joined([book.weight for book in books])
        sizes = [book.num_embeddings for book in books]
        self._offsets = torch.tensor([sum(sizes[:book]) for book in range(CODES)], device=self._table.device)
        # What the predictor hears of a code is the same every time; only the talker's state must be projected anew.
        self._project = network.small_to_mtp_projection
        with torch.inference_mode():
            self._inputs = self._project(self._table).split(sizes)
        self._cache = FrameCache(self._layers, slots, CODES, self._heads[0])

    def __call__(self, hidden: Tensor, first: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
        """Codes [rows, 16], and the predictor's last state [rows, channels]."""
        rows = len(hidden)
        codes = [first]
        begin = torch.stack([self._project(hidden), self._inputs[0][first]], dim=1).flatten(0, 1)
        state = self._layers(begin, self._rope[:2].repeat(rows, 1, 1, 1), self._cache.begin(rows))[1::2]
        for number, head in enumerate(self._heads, start=1):
            if number > 1:
                step = F.embedding(codes[-1], self._inputs[number - 1])
                state = self._layers(step, self._rope[number : number + 1], self._cache.step(rows, number))
            scores = F.linear(self._layers.last_norm(state), head).float()
            codes.append(self._draw(scores, uniforms[:, number]))
        return torch.stack(codes, dim=1), state

    def embed(self, codes: Tensor) -> Tensor:
        """What the talker hears of a frame: the sum of its codes' embeddings, [rows, channels]."""
        return F.embedding(codes + self._offsets, self._table).sum(1)


def _by_context(seats: Sequence[Seat]) -> dict[Context | None, list[int]]:
    """Which slots continue from which context."""
    slots: dict[Context | None, list[int]] = {}
    for seat in seats:
        slots.setdefault(seat.context, []).append(seat.slot)
    return slots


def _widths(slots: int, graphs: bool) -> list[int]:
    """How many of the first slots may be computed at once. A graph is worth recording for few of them; without graphs
    a slot costs more than a shape."""
    steps = (1, 8, 32) if graphs else (1, 2, 4, 8, 16, 32)
    return [*(step for step in steps if step < slots), slots]


def _pad_embedding(network: Any) -> Tensor:
    """What stands for text in every frame: the whole text was in the prompt."""
    talker = network.talker
    with torch.inference_mode():
        pad = torch.tensor([network.config.tts_pad_token_id], device=talker.device)
        embedding: Tensor = talker.text_projection(talker.get_text_embeddings()(pad))
    return embedding
