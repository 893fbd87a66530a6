"""From chunks and a voice to what the package's `generate` takes: its own prompt layout, made by its own functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from narrate.clip import Samples, join, silence
from narrate.engines.qwen.models import Model
from narrate.engines.qwen.speakers import speaker_for
from narrate.errors import InputError
from narrate.text.document import Chunk
from narrate.text.language import LANGUAGES
from narrate.voice import Voice

_SAMPLE_RATE = 24_000
_REFERENCE_TAIL = 0.5  # seconds of silence after a reference: without it its last sound bleeds into the first words


@dataclass(slots=True)
class Prompts:
    """Makes prompts for one loaded model. `package` is the `Qwen3TTSModel` that `loading.load` returns."""

    package: Any
    model: Model
    _reference: tuple[Path, str] | None = field(default=None, init=False)
    _clone: Any = field(default=None, init=False)

    def arguments(self, chunks: list[Chunk], voice: Voice) -> dict[str, Any]:
        """Keyword arguments of `Qwen3TTSForConditionalGeneration.generate`, one row per chunk. Raises `InputError`."""
        package, rows = self.package, len(chunks)
        arguments: dict[str, Any] = {
            "input_ids": self._ids([package._build_assistant_text(_plain(chunk.spoken)) for chunk in chunks]),
            "languages": [LANGUAGES.get(chunk.language, "auto").lower() for chunk in chunks],
            "non_streaming_mode": True,  # the whole text in the prompt: the other way drifts in speed on long texts
        }
        if self.model.kind == "base":
            clone = self.clone(voice)
            arguments["ref_ids"] = self._ids([package._build_ref_text(_plain(clone.ref_text))]) * rows
            arguments["voice_clone_prompt"] = package._prompt_items_to_voice_clone_prompt([clone] * rows)
            return arguments
        if self.model.kind == "custom_voice":
            arguments["speakers"] = [speaker_for(self.model, voice, voice.language or row.language) for row in chunks]
        manner = voice.describe if self.model.kind == "voice_design" else voice.instruct
        ids = self._ids([package._build_instruct_text(_plain(manner))])[0] if manner else None
        arguments["instruct_ids"] = [ids] * rows
        return arguments

    def clone(self, voice: Voice) -> Any:
        """The package's prompt of the reference voice (codes and speaker embedding), computed once per reference."""
        assert voice.reference is not None
        assert voice.reference_text is not None
        reference = (voice.reference, voice.reference_text)
        if self._reference != reference:
            padded = join([_read_reference(voice.reference), silence(_REFERENCE_TAIL, _SAMPLE_RATE)])
            (self._clone,) = self.package.create_voice_clone_prompt((padded, _SAMPLE_RATE), voice.reference_text)
            self._reference = reference
        return self._clone

    def context(self, voice: Voice) -> Any:
        """Codes [frames, 16] that the vocoder hears before each row and that are cut off again; None without clone."""
        return self.clone(voice).ref_code if self.model.kind == "base" else None

    def _ids(self, texts: list[str]) -> list[Any]:
        ids: list[Any] = self.package._tokenize_texts(texts)
        return ids


def _plain(text: str) -> str:
    """A book may hold `<|im_end|>`; the tokenizer must not take it for the end of the text."""
    return text.replace("<", "< ")


def _read_reference(path: Path) -> Samples:
    """Mono samples at the model's rate. Raises `InputError`.

    The package would resample too, with librosa, whose first use on a machine compiles for half a minute.
    """
    import soundfile
    import soxr

    try:
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{path} cannot be read as sound ({error}); use WAV, FLAC, OGG or MP3.") from error
    if len(samples) < sample_rate // 2:
        raise InputError(f"{path} is too short to take a voice from; use three seconds of speech or more.")
    return np.asarray(soxr.resample(samples.mean(axis=1), sample_rate, _SAMPLE_RATE), dtype=np.float32)
