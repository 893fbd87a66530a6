"""What the fast runtime knows of its rows on the device: who begins, what each carries along, what goes to the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from narrate.clip import Samples
from narrate.engines.qwen.cache import step_for
from narrate.engines.qwen.codec import CODES
from narrate.engines.qwen.device import placed
from narrate.engines.qwen.vocoder import Context

BLOCK = 4  # frames between two looks at what has ended: 0.3 s of sound, and on average 2 frames lost per row
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


class State:
    """What every row carries from frame to frame; the last row is for padding and never lives."""

    def __init__(self, slots: int, codes: int, like: Tensor) -> None:
        def zeros(*shape: int, dtype: torch.dtype = torch.long) -> Tensor:
            return torch.zeros(slots + 1, *shape, dtype=dtype, device=like.device)

        channels = len(like)
        self.rows = torch.arange(slots + 1, device=like.device)
        self.hidden = zeros(channels, dtype=like.dtype)
        self.position, self.frame, self.patience, self.quiet = zeros(), zeros(), zeros(), zeros()
        self.ended, self.broken = ~zeros(dtype=torch.bool), zeros(dtype=torch.bool)
        self.said = zeros(codes, dtype=torch.bool)
        self.uniforms = zeros(_FRAMES, CODES, dtype=torch.float32)
        self.codes = zeros(BLOCK, CODES)
        self.in_block = torch.zeros(1, dtype=torch.long, device=like.device)

    def begin(self, seats: Sequence[Seat]) -> None:
        """All numbers of the rows in two copies that the host does not wait for."""
        device = self.rows.device
        numbers = [[seat.slot, len(seat.prompt), seat.patience] for seat in seats]
        slots, tokens, patience = placed(numbers, device).unbind(1)
        self.position.index_copy_(0, slots, tokens)
        self.patience.index_copy_(0, slots, patience)
        for tensor in (self.frame, self.quiet, self.ended, self.broken, self.said):
            tensor.index_fill_(0, slots, 0)
        longest = max(len(seat.uniforms) for seat in seats)
        uniforms = np.zeros((len(seats), longest, CODES), np.float32)
        for row, seat in enumerate(seats):
            uniforms[row, : len(seat.uniforms)] = seat.uniforms
        self.uniforms[:, :longest].index_copy_(0, slots, placed(uniforms, device))

    def grow(self, frames: int) -> bool:
        """Room for the uniforms of longer rows; True if the tensor has moved."""
        have = self.uniforms.shape[1]
        if frames <= have:
            return False
        self.uniforms = F.pad(self.uniforms, (0, 0, 0, step_for(frames) - have))
        return True


class Page:
    """Prompts [rows, tokens, channels] to be read together, the slots they belong to, and where each one ends.

    After its end a prompt is padded where nothing looks; surplus rows go to the slot `spare`, which nobody uses.
    """

    def __init__(self, rows: int, size: int, spare: int, like: Tensor) -> None:
        self.prompts = like.new_zeros(rows, size, like.shape[-1])
        self.slots = torch.full((rows,), spare, dtype=torch.long, device=like.device)
        self.lasts = torch.zeros(rows, dtype=torch.long, device=like.device)
        self._spare = spare

    def write(self, seats: Sequence[Seat]) -> None:
        """In four operations, however many seats: what is in them, where it goes, and the numbers."""
        rows, size, _ = self.prompts.shape
        lengths = [len(seat.prompt) for seat in seats]
        slots, lasts = [self._spare] * rows, [0] * rows
        places: list[int] = []
        for row, (seat, length) in enumerate(zip(seats, lengths, strict=True)):
            slots[row], lasts[row] = seat.slot, row * size + length - 1
            places += range(row * size, row * size + length)
        numbers = placed([*slots, *lasts, *places], self.slots.device)
        self.slots.copy_(numbers[:rows])
        self.lasts.copy_(numbers[rows : 2 * rows])
        self.prompts.zero_()
        self.prompts.flatten(0, 1).index_copy_(0, numbers[2 * rows :], torch.cat([seat.prompt for seat in seats]))


class BlockResult:
    """Of the first slots, after a block: what became of the rows, and its sound, each when the device is done with it.

    To be read before the block after the next is begun, whose result takes its place.
    """

    def __init__(self, told: Tensor, told_at: Any, sound: Tensor, heard_at: Any) -> None:
        self._told, self._told_at = told, told_at
        self._sound, self._heard_at = sound, heard_at

    def rows(self) -> tuple[list[int], list[bool], list[bool]]:
        """Frames of each row so far, whether it has ended, whether its numbers broke."""
        if self._told_at is not None:
            self._told_at.synchronize()
        frames, ended, broken = self._told.t().tolist()
        return frames, [bool(one) for one in ended], [bool(one) for one in broken]

    def samples(self) -> Samples:
        """The sound of the block's frames, float32 [slots, samples]; what is past a row's end is noise."""
        if self._heard_at is not None:
            self._heard_at.synchronize()
        samples: Samples = self._sound.numpy()
        return samples


class Outbox:
    """Where blocks go to on the host, two in turn. On CUDA the device writes them by itself (`at_leisure`), so that the
    host can begin the next one before it looks at the last. It can write only into memory without gaps."""

    def __init__(self, slots: int, samples: int, at_leisure: bool) -> None:
        self._at_leisure = at_leisure
        pinned = at_leisure and torch.cuda.is_available()
        self._told = [torch.zeros(slots, 3, dtype=torch.long, pin_memory=pinned) for _ in range(2)]
        self._sounds = [torch.zeros(slots, samples, pin_memory=pinned) for _ in range(2)]
        self._turn = 0

    def tell(self, state: State, rows: int) -> tuple[Tensor, Any]:
        """The rows' numbers are on their way; when they are there."""
        self._turn = 1 - self._turn
        told = torch.stack([state.frame[:rows], state.ended[:rows].long(), state.broken[:rows].long()], dim=1)
        return self._sent(told, self._told[self._turn][:rows])

    def sound(self, sound: Tensor) -> tuple[Tensor, Any]:
        """The same of the block's sound [rows, samples]."""
        return self._sent(sound, self._sounds[self._turn][: len(sound)])

    def _sent(self, tensor: Tensor, there: Tensor) -> tuple[Tensor, Any]:
        there.copy_(tensor, non_blocking=True)
        if not self._at_leisure:
            return there, None
        event = torch.cuda.Event()
        event.record()
        return there, event
