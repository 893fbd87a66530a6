"""The stock runtime: the package's own `generate`, a batch at a time, kept from running away and out of memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from narrate.clip import Clip, Samples, silence
from narrate.clock import OFF, Clock
from narrate.engines.qwen.budget import FRAMES_PER_SECOND, budget_frames
from narrate.engines.qwen.draws import Cancelled, Draws, row_seed
from narrate.engines.qwen.hardware import give_back_memory, is_out_of_memory, trim_heap
from narrate.engines.qwen.options import Sampling
from narrate.engines.qwen.prompts import Prompts
from narrate.errors import EngineError
from narrate.text.document import Chunk
from narrate.voice import Voice

SAMPLE_RATE = 24_000
SAMPLES_PER_FRAME = 1920
VOCODER_FRAMES = 900  # decoded at once: about 1.5 GB in bfloat16
_VOCODER_REACH = 325  # the package decodes longer rows in pieces of this many frames


@dataclass(slots=True)
class StockRuntime:
    """Speaks batches with a loaded model.

    `largest_batch` (rows) and `vocoder_frames` (frames decoded at once) shrink when memory runs out, and stay so.
    """

    prompts: Prompts
    sampling: Sampling
    cancelled: Callable[[], bool]
    largest_batch: int
    vocoder_frames: int = VOCODER_FRAMES
    clock: Clock = OFF

    def speak(self, chunks: list[Chunk], voice: Voice) -> list[Clip]:
        """One clip per chunk, in the order given, in batches of at most `largest_batch`.

        A row that ends at its budget comes back as silence with `failure` set. Raises `Cancelled` soon after
        `cancelled()` turned true, and `EngineError` when not even one row fits into memory.
        """
        waiting = list(chunks)
        clips: list[Clip] = []
        while waiting:
            batch = waiting[: self.largest_batch]
            rows = self.generate(batch, voice, [budget_frames(chunk.spoken, chunk.language) for chunk in batch])
            if rows is None:
                self._shrink(len(batch))
                continue
            with self.clock.stage("vocoder"):
                sounds = self.decode([row.codes for row in rows], self.prompts.context(voice))
            clips += [row.clip(sound) for row, sound in zip(rows, sounds, strict=True)]
            del waiting[: len(batch)]
            trim_heap()
        return clips

    def warm_up(self, voice: Voice) -> None:
        """Make three frames of nothing much, so that not the first chunk waits for kernels to load."""
        chunk = Chunk(0, 0, "", "A.", "A.", voice.language or "en", 0.0, 0, 0)
        rows = self.generate([chunk], voice, [3])
        for row in rows or ():
            self.decode([row.frames], self.prompts.context(voice))

    def generate(self, batch: list[Chunk], voice: Voice, budgets: list[int]) -> list[Row] | None:
        """The batch's codes, of each row at most its budget of frames; None when memory ran out."""
        package = self.prompts.package
        network = package.model
        arguments = self.prompts.arguments(batch, voice)
        # One more than the longest budget: the code after a row's last frame is its end.
        arguments |= package._merge_generate_kwargs(**self.sampling.for_package(), max_new_tokens=max(budgets) + 1)
        draws = Draws(
            [row_seed(chunk, voice) for chunk in batch],
            budgets,
            end=network.config.talker_config.codec_eos_token_id,
            device=package.device,
            cancelled=self.cancelled,
        )
        try:
            with self.clock.stage("decode"), draws.installed(network.talker):
                codes, _ = network.generate(**arguments)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None
        return [Row(*row) for row in zip(batch, codes, budgets, draws.broken, strict=True)]

    def decode(self, rows: list[Any], context: Any) -> list[Samples]:
        """Sound of each row of codes [frames, 16], a few rows of like length at a time."""
        lead = 0 if context is None else len(context)
        sounds = [silence(0, SAMPLE_RATE)] * len(rows)
        waiting = sorted((place for place, codes in enumerate(rows) if len(codes)), key=lambda place: len(rows[place]))
        while waiting:
            if self.cancelled():
                raise Cancelled
            places = waiting[-self._rows_at_once(lead + len(rows[waiting[-1]])) :]
            decoded = self._vocode([rows[place] for place in places], context)
            if decoded is None:
                self._shrink_vocoder(len(places))
                continue
            for place, sound in zip(places, decoded, strict=True):
                sounds[place] = np.asarray(sound[lead * SAMPLES_PER_FRAME :], dtype=np.float32)
            del waiting[-len(places) :]
        return sounds

    def _rows_at_once(self, frames: int) -> int:
        return max(1, self.vocoder_frames // min(frames, _VOCODER_REACH))

    def _vocode(self, rows: list[Any], context: Any) -> list[Any] | None:
        import torch

        whole = rows if context is None else [torch.cat([context.to(codes.device), codes]) for codes in rows]
        try:
            sounds, _ = self.prompts.package.model.speech_tokenizer.decode([{"audio_codes": codes} for codes in whole])
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
class Row:
    """What became of a chunk: codes [frames, 16], how many it was allowed, and whether its numbers were broken."""

    chunk: Chunk
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
            sound = silence(len(self.frames) / FRAMES_PER_SECOND, SAMPLE_RATE)
        return Clip(self.chunk.index, sound, SAMPLE_RATE, failure=self.failure)
