"""The computing half of the fast runtime: frames for all slots at once, and their sound. It decides nothing.

A frame is: draw its first code; let the code predictor draw the other 15, each knowing those before; add up their 16
embeddings; let the talker take one step with the sum. Everything is read from and written to tensors that stay in
their place, and nothing is asked of the device in between, so a frame can be recorded as one CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from narrate.clock import OFF, Clock
from narrate.engines.qwen.cache import SlotCache, step_for
from narrate.engines.qwen.device import computing_on, under
from narrate.engines.qwen.draws import Cancelled
from narrate.engines.qwen.graphs import Graphs
from narrate.engines.qwen.predictor import Predictor
from narrate.engines.qwen.products import product
from narrate.engines.qwen.sampling import Draw, Rules
from narrate.engines.qwen.seats import BLOCK, BlockResult, Outbox, Page, Seat, State
from narrate.engines.qwen.shapes import Shape, prompt_shape, widths
from narrate.engines.qwen.transformer import Layers
from narrate.engines.qwen.vocoder import Context, Vocoder

_FIRST_CAPACITY = 512
_SHAPES = 256  # that torch.compile may compile a frame for; the ninth would otherwise run as it is written


class Runner:
    """A loaded model (`package`, as `loading.load` returns it) with `slots` rows, and the `options` of its `generate`.

    The weights are the package's own, laid side by side; the package still works with them. `silent`: the first codes
    of frames in which nothing is heard (see guard). `compiled`: through `torch.compile`, which takes about a minute for
    every shape it meets. `at_leisure`: a block is computed while the host goes on.
    """

    def __init__(
        self,
        package: Any,
        options: Mapping[str, Any],
        slots: int,
        *,
        silent: Sequence[int] = (),
        compiled: bool = False,
    ) -> None:
        self.slots = slots
        self.device = package.device
        self.at_leisure = self.device.type == "cuda"
        self.clock: Clock = OFF
        self.graphs = Graphs(self.device)
        self._widths = widths(slots, self.at_leisure)
        self._pages: dict[tuple[int, int], Page] = {}
        self._compiled = torch.compile(Runner._frame, dynamic=False) if compiled else None
        with under(self.device):
            self._hold(package, options, silent)

    def _hold(self, package: Any, options: Mapping[str, Any], silent: Sequence[int]) -> None:
        talker, slots = package.model.talker, self.slots
        self._talker = Layers(talker.model)
        self._rope = self._talker.rope(_FIRST_CAPACITY)
        self._head = product(talker.codec_head)
        codes, like = len(talker.codec_head.weight), talker.model.norm.weight.detach()
        self._cache = SlotCache(self._talker, slots, _FIRST_CAPACITY, like)
        self._predictor = Predictor(talker, Draw.others(options), slots)
        self._rules = Rules(talker.config, options["repetition_penalty"], like.device)
        self._draw = Draw.first(options)
        self._state = State(slots, codes, like)
        self._silent = torch.zeros(codes, dtype=torch.bool, device=like.device)
        self._silent[list(silent)] = True
        self.vocoder = Vocoder(package.model.speech_tokenizer.model.decoder, slots)
        samples = BLOCK * self.vocoder.samples_per_frame
        self._sound = torch.zeros(slots, samples, device=like.device)
        self._outbox = Outbox(slots, samples, self.at_leisure)
        self._pad = _pad_embedding(package.model)

    def begin(self, seats: Sequence[Seat]) -> None:
        """Take rows up in free slots."""
        rows, size = len(seats), max(len(seat.prompt) for seat in seats)
        if self.graphs.enabled:
            rows, size = prompt_shape(rows, size)  # few shapes, so few graphs
        with computing_on(self.device):
            self._reserve(size, max(len(seat.uniforms) for seat in seats) + BLOCK)
            for context, slots in _by_context(seats).items():
                self.vocoder.begin(slots, context)
            self._state.begin(seats)
            page = self._page(rows, size)
            page.write(seats)
            self.graphs.run(("prompts", rows, size), lambda: self._read(page))

    def advance(self, rows: int, longest: int, cancelled: Callable[[], bool] = lambda: False) -> BlockResult:
        """Begin a block of frames for the first `rows` slots, whose longest row has `longest` frames and tokens.

        Raises `Cancelled` between two frames once `cancelled()` is true; then only `clear` may follow.
        """
        rows = next(width for width in self._widths if width >= rows)
        length = step_for(longest + BLOCK)
        with computing_on(self.device):
            self._reserve(length, 0)
            with self.clock.stage("decode"):
                for _ in range(BLOCK):
                    if cancelled():
                        raise Cancelled
                    self._run(("frame", rows, length))
                told = self._outbox.tell(self._state, rows)
                self.clock.settle(self._settle)
            with self.clock.stage("vocoder"):
                self._run(("sound", rows))
                sound = self._outbox.sound(self._sound[:rows])
                self.clock.settle(self._settle)
        return BlockResult(*told, *sound)

    def rehearse(self, shapes: Iterable[Shape], enough: Callable[[], bool]) -> int:
        """Record what the shapes need, one after the other until it is `enough`; how many were. There must be no rows.

        Without CUDA nothing is recorded and nothing happens.
        """
        if not self.graphs.enabled:
            return 0
        done = 0
        with computing_on(self.device):
            for shape in shapes:
                if enough():
                    break
                self._reserve(shape[-1] if shape[0] != "sound" else 0, 0)
                while not self.graphs.settled(shape):
                    self._run(shape)
                done += 1
            self.clear()
        return done

    def codes(self, slot: int) -> Tensor:
        """The frames of the last block in a slot, [BLOCK, 16]."""
        with computing_on(self.device):
            return self._state.codes[slot].clone()

    def end(self, slot: int, *, broken: bool = False) -> None:
        """The row is done with, or given up."""
        with computing_on(self.device):
            self._state.ended[slot].fill_(True)
            if broken:
                self._cache.clear(slot)

    def clear(self) -> None:
        """No rows."""
        with computing_on(self.device):
            self._state.ended.fill_(True)
            self._state.in_block.zero_()

    def after(self, codes: Tensor) -> Context:
        """What the vocoder remembers after `codes` [frames, 16] of a recording."""
        with computing_on(self.device):
            return self.vocoder.after(codes.to(self._pad.device))

    def close(self) -> None:
        """Give everything back; nothing else may follow.

        The graphs go first, then what they work on. An exception's traceback may hold the runner for longer, but no
        memory with it.
        """
        try:
            with computing_on(self.device):
                self.graphs.forget()
        finally:
            vars(self).clear()

    def _run(self, shape: Shape) -> None:
        self.graphs.run(shape, lambda: self._work(shape))

    def _work(self, shape: Shape) -> None:
        match shape:
            case ("frame", rows, length) if self._compiled is not None:
                with torch._dynamo.config.patch(recompile_limit=_SHAPES):
                    self._compiled(self, rows, length)
            case ("frame", rows, length):
                self._frame(rows, length)
            case ("sound", rows):
                self._sound[:rows] = self.vocoder.decode(self._state.codes[:rows])
            case (_, rows, size):
                self._read(self._page(rows, size))

    def _frame(self, rows: int, length: int) -> None:
        state = self._state
        hidden, position = state.hidden[:rows], state.position[:rows]
        frame, ended = state.frame[:rows], state.ended[:rows]
        uniforms = state.uniforms[state.rows[:rows], frame]
        scores = self._head(hidden).float()
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

    def _read(self, page: Page) -> None:
        """The talker reads the prompts and is ready for each row's first frame."""
        rows, size, _ = page.prompts.shape
        rope = self._rope[:size].repeat(rows, 1, 1, 1)
        hidden = self._talker(page.prompts.flatten(0, 1), rope, self._cache.prompts(page.slots, size))
        hidden = self._talker.last_norm(hidden[page.lasts])
        self._state.hidden.index_copy_(0, page.slots, hidden)

    def _page(self, rows: int, size: int) -> Page:
        """A graph reads from the page it was recorded with; without graphs none is kept."""
        page = self._pages.get((rows, size)) or Page(rows, size, self.slots, self._pad)
        if self.graphs.enabled:
            self._pages[rows, size] = page
        return page

    def _settle(self) -> None:
        if self.at_leisure:
            torch.cuda.synchronize(self.device)

    def _reserve(self, positions: int, frames: int) -> None:
        if positions > self._cache.capacity:
            self.graphs.forget()
            self._cache.grow(step_for(positions))
            self._rope = self._talker.rope(self._cache.capacity)
        if self._state.grow(frames):
            self.graphs.forget()


def _by_context(seats: Sequence[Seat]) -> dict[Context | None, list[int]]:
    """Which slots continue from which context."""
    slots: dict[Context | None, list[int]] = {}
    for seat in seats:
        slots.setdefault(seat.context, []).append(seat.slot)
    return slots


def _pad_embedding(network: Any) -> Tensor:
    """What stands for text in every frame: the whole text was in the prompt."""
    talker = network.talker
    with torch.inference_mode():
        pad = torch.tensor([[network.config.tts_pad_token_id]], device=talker.device)
        embedding: Tensor = talker.text_projection(talker.get_text_embeddings()(pad))
    return embedding[0]
