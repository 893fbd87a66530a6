"""From requests to what the package's `generate` takes, for its own loop; `embedding` lays prompts out for ours."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from narrate.clip import Samples, join, silence
from narrate.engines import Request
from narrate.engines.qwen.codec import SAMPLE_RATE
from narrate.engines.qwen.models import Model
from narrate.engines.qwen.speakers import check_voice, speaker_for
from narrate.errors import InputError
from narrate.text.document import Chunk
from narrate.text.language import LANGUAGES
from narrate.voice import Voice

_REFERENCE_TAIL_SECONDS = 0.5  # of silence: without it the reference's last sound bleeds into the first words
_CLONES_KEPT = 16

Made = TypeVar("Made")


@dataclass(slots=True)
class Prompts:
    """Makes prompts for one loaded model. `package` is the `Qwen3TTSModel` that `loading.load` returns."""

    package: Any
    model: Model
    _clones: dict[Hashable, Any] = field(default_factory=dict, init=False)

    def arguments(self, requests: Sequence[Request]) -> dict[str, Any]:
        """Keyword arguments of `Qwen3TTSForConditionalGeneration.generate`, one row per request, each with its voice.

        Raises `InputError` for a voice that the model does not have.
        """
        package, voices = self.package, [request.voice for request in requests]
        chunks = [request.chunk for request in requests]
        self.check(voices)
        arguments: dict[str, Any] = {
            "input_ids": self._ids([self.said(chunk) for chunk in chunks]),
            "languages": [language_of(chunk) for chunk in chunks],
            "non_streaming_mode": True,  # the whole text in the prompt: the other way drifts in speed on long texts
        }
        if self.model.kind == "base":
            clones = [self.clone(voice) for voice in voices]
            arguments["ref_ids"] = self._ids([self.heard(voice) for voice in voices])
            arguments["voice_clone_prompt"] = package._prompt_items_to_voice_clone_prompt(clones)
            return arguments
        if self.model.kind == "custom_voice":
            arguments["speakers"] = [self.speaker(request) for request in requests]
        manners = [self.manner(voice) for voice in voices]
        arguments["instruct_ids"] = [self._ids([manner])[0] if manner else None for manner in manners]
        return arguments

    def check(self, voices: Iterable[Voice]) -> None:
        """Raises `InputError` for a voice that the model does not have."""
        for voice in set(voices):
            check_voice(self.model, voice)

    def speaker(self, request: Request) -> str | None:
        """Who says it, in the model's spelling; None where voices have no names."""
        if self.model.kind != "custom_voice":
            return None
        return speaker_for(self.model, request.voice, request.voice.language or request.chunk.language)

    def manner(self, voice: Voice) -> str | None:
        """How to speak, in the package's layout: the description of a voice, or the instruction to one."""
        manner = voice.describe if self.model.kind == "voice_design" else voice.instruct
        return self.package._build_instruct_text(_plain(manner)) if manner else None

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of the texts' tokens."""
        ids: list[list[int]] = self.package.processor(text=list(texts))["input_ids"]
        return ids

    def said(self, chunk: Chunk) -> str:
        """What the chunk says, in the package's layout: three tokens before it and five after it are the layout's."""
        text: str = self.package._build_assistant_text(_plain(chunk.spoken))
        return text

    def heard(self, voice: Voice) -> str:
        """What the voice's recording says, in the package's layout: three tokens before it, two after it."""
        text: str = self.package._build_ref_text(_plain(self.clone(voice).ref_text))
        return text

    def clone(self, voice: Voice) -> Any:
        """The package's prompt of the reference voice (codes and speaker embedding), computed once per reference."""
        return recent(self._clones, clone_key(voice), lambda: self._cloned(voice))

    def context(self, voice: Voice) -> Any:
        """Codes [frames, 16] that the vocoder hears before each row and that are cut off again; None without clone."""
        return self.clone(voice).ref_code if self.model.kind == "base" else None

    def _cloned(self, voice: Voice) -> Any:
        assert voice.reference is not None
        padded = join([_read_reference(voice.reference), silence(_REFERENCE_TAIL_SECONDS, SAMPLE_RATE)])
        (clone,) = self.package.create_voice_clone_prompt((padded, SAMPLE_RATE), voice.reference_text)
        return clone

    def _ids(self, texts: list[str]) -> list[Any]:
        ids: list[Any] = self.package._tokenize_texts(texts)
        return ids


def clone_key(voice: Voice) -> Hashable:
    """What a clone is computed from."""
    return voice.reference, voice.reference_text


def recent(cache: dict[Hashable, Made], key: Hashable, make: Callable[[], Made]) -> Made:
    """What `make` gives for the key, kept in the cache until as many others as are kept were asked for since."""
    made = cache.pop(key) if key in cache else make()
    cache[key] = made
    while len(cache) > _CLONES_KEPT:
        del cache[next(iter(cache))]
    return made


def language_of(chunk: Chunk) -> str:
    """The chunk's language as the package calls it."""
    return LANGUAGES.get(chunk.language, "auto").lower()


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
    return np.asarray(soxr.resample(samples.mean(axis=1), sample_rate, SAMPLE_RATE), dtype=np.float32)
