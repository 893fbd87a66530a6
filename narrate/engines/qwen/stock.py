"""The stock runtime: the package's own `generate`, a batch at a time, kept from running away and out of memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from narrate.clip import Clip, Samples, silence
from narrate.clock import OFF, Clock
from narrate.engines import Request
from narrate.engines.qwen.budget import budget_frames
from narrate.engines.qwen.codec import FRAMES_PER_SECOND, SAMPLE_RATE, SAMPLES_PER_FRAME
from narrate.engines.qwen.draws import Cancelled, RowRandom, row_seed
from narrate.engines.qwen.hardware import give_back_memory, is_out_of_memory, trim_heap
from narrate.engines.qwen.options import Sampling
from narrate.engines.qwen.prompts import Prompts
from narrate.errors import EngineError
from narrate.text.document import Chunk
from narrate.voice import Voice

VOCODER_FRAMES = 900  # decoded at once: about 1.5 GB in bfloat16
_VOCODER_REACH = 325  # the package decodes longer rows in pieces of this many frames


@dataclass(slots=True)
class StockRuntime:
    """Speaks batches with a loaded model; rows of different voices share a batch.

    `largest_batch` (rows) and `vocoder_frames` (frames decoded at once) shrink when memory runs out, and stay so.
    """

    prompts: Prompts
    sampling: Sampling
    largest_batch: int
    vocoder_frames: int = VOCODER_FRAMES
    clock: Clock = OFF
    _cancelled: set[str] = field(default_factory=set, init=False)

    def prepare(self, voice: Voice, clock: Clock) -> None:
        """Read the voice's recording, if it has one."""
        self.clock = clock
        self.prompts.context(voice)

    def speak(self, requests: Sequence[Request]) -> list[Clip]:
        """One clip per request, in the order given, in batches of at most `largest_batch`; none for the cancelled.

        A row that ends at its budget comes back as silence with `failure` set. Raises `EngineError` when not even one
        row fits into memory.
        """
        waiting = list(requests)
        clips: list[Clip] = []
        try:
            while waiting := self._wanted(waiting):
                batch = waiting[: self.largest_batch]
                try:
                    made = self._made(batch)
                except Cancelled:
                    continue
                if made is None:
                    self._shrink(len(batch))
                    continue
                clips += made
                del waiting[: len(batch)]
                trim_heap()
            return [clip for clip in clips if clip.request_id not in self._cancelled]
        finally:
            self._cancelled.clear()

    def cancel(self, ids: Collection[str]) -> None:
        """Those of the running batch end with the next frame. May be called from any thread."""
        self._cancelled.update(ids)

    def warm_up(self, voice: Voice) -> None:
        """Make three frames of nothing much, so that not the first chunk waits for kernels to load."""
        chunk = Chunk(0, 0, "", "A.", "A.", voice.language or "en", 0.0, 0, 0)
        rows = self.generate([Request("", chunk, voice)], [3])
        for row in rows or ():
            self.decode([row.frames], [self.prompts.context(voice)])

    def close(self) -> None:
        """Nothing is kept beside the model."""

    def _wanted(self, requests: list[Request]) -> list[Request]:
        return [request for request in requests if request.id not in self._cancelled]

    def _made(self, batch: Sequence[Request]) -> list[Clip] | None:
        """The clips of one batch; None when memory ran out. Raises `Cancelled` when nobody wants any of them."""
        rows = self.generate(batch, [budget_frames(request.chunk.spoken, request.chunk.language) for request in batch])
        if rows is None:
            return None
        rows = [row for row in rows if row.request.id not in self._cancelled]
        with self.clock.stage("vocoder"):
            sounds = self.decode(
                [row.codes for row in rows],
                [self.prompts.context(row.request.voice) for row in rows],
                unwanted=lambda: all(row.request.id in self._cancelled for row in rows),
            )
        return [row.clip(sound) for row, sound in zip(rows, sounds, strict=True)]

    def generate(self, batch: Sequence[Request], budgets: list[int]) -> list[Generated] | None:
        """The batch's codes, of each row at most its budget of frames; None when memory ran out."""
        package = self.prompts.package
        network = package.model
        arguments = self.prompts.arguments(batch)
        # One more than the longest budget: the code after a row's last frame is its end.
        arguments |= package._merge_generate_kwargs(**self.sampling.for_package(), max_new_tokens=max(budgets) + 1)
        random = RowRandom(
            [row_seed(request) for request in batch],
            budgets,
            end=network.config.talker_config.codec_eos_token_id,
            device=package.device,
            dropped=lambda: [row for row, request in enumerate(batch) if request.id in self._cancelled],
        )
        try:
            with self.clock.stage("decode"), random.installed(network.talker):
                codes, _ = network.generate(**arguments)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None
        return [Generated(*row) for row in zip(batch, codes, budgets, random.broken, strict=True)]

    def decode(
        self, rows: Sequence[Any], contexts: Sequence[Any], unwanted: Callable[[], bool] = lambda: False
    ) -> list[Samples]:
        """Sound of each row of codes [frames, 16], a few rows of like length at a time.

        A row's context is what the vocoder hears before it, codes too, or None. Raises `Cancelled` once all is
        `unwanted`.
        """
        whole = [_after(context, codes) for context, codes in zip(contexts, rows, strict=True)]
        sounds = [silence(0, SAMPLE_RATE)] * len(rows)
        waiting = sorted((place for place, codes in enumerate(rows) if len(codes)), key=lambda place: len(whole[place]))
        while waiting:
            if unwanted():
                raise Cancelled
            places = waiting[-self._rows_at_once(len(whole[waiting[-1]])) :]
            decoded = self._vocode([whole[place] for place in places])
            if decoded is None:
                self._shrink_vocoder(len(places))
                continue
            for place, sound in zip(places, decoded, strict=True):
                before = len(whole[place]) - len(rows[place])
                sounds[place] = np.asarray(sound[before * SAMPLES_PER_FRAME :], dtype=np.float32)
            del waiting[-len(places) :]
        return sounds

    def _rows_at_once(self, frames: int) -> int:
        return max(1, self.vocoder_frames // min(frames, _VOCODER_REACH))

    def _vocode(self, rows: Sequence[Any]) -> list[Any] | None:
        try:
            sounds, _ = self.prompts.package.model.speech_tokenizer.decode([{"audio_codes": codes} for codes in rows])
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None
        return list(sounds)

    def _shrink(self, rows: int) -> None:
        give_back_memory()
        if rows == 1:
            raise EngineError(
                "The graphics card's memory does not hold the model and one chunk: close other programs, or use "
                "--model 0.6B, or --device cpu."
            )
        self.largest_batch = rows // 2

    def _shrink_vocoder(self, rows: int) -> None:
        give_back_memory()
        if rows == 1:
            raise EngineError("The memory does not hold the vocoder and one chunk: use --model 0.6B, or --device cpu.")
        self.vocoder_frames //= 2


@dataclass(frozen=True, slots=True)
class Generated:
    """What became of a request: its frames of codes [frames, 16], how many it was allowed, and whether it broke."""

    request: Request
    frames: Any
    budget: int
    broken: bool

    @property
    def failure(self) -> str | None:
        if self.broken:
            return "the model computed no numbers (NaN)"
        if len(self.frames) >= self.budget:
            return f"ran past {self.budget / FRAMES_PER_SECOND:.0f} s"
        return None

    @property
    def codes(self) -> Any:
        """The frames worth decoding: none of a row that failed."""
        return self.frames[:0] if self.failure else self.frames

    def clip(self, sound: Samples) -> Clip:
        """A failed row is silence as long as what it took to find out."""
        if self.failure:
            return self.request.failed(self.failure, SAMPLE_RATE, seconds=len(self.frames) / FRAMES_PER_SECOND)
        return self.request.clip(sound, SAMPLE_RATE)


def _after(context: Any, codes: Any) -> Any:
    """The codes with those before them that the vocoder is to hear first."""
    if context is None:
        return codes
    import torch

    return torch.cat([context.to(codes.device), codes])
