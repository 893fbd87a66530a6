"""The process that a recogniser of speech runs in. It imports nothing of narrate, so any environment can run it:

    python -m narrate.checking.child faster-whisper [MODEL] [--device cpu|cuda]
    /another/environment/bin/python …/narrate/checking/child.py qwen-asr [MODEL] [--device cpu|cuda]

On standard input and output travel lines of JSON. Any program that keeps to this can be a recogniser (--recogniser):

    to narrate, first   {"ready": "its name and model", "batch": 8}     how many takes it likes at once
                        {"error": "why it cannot start"}
    from narrate        {"id": "7", "audio": "/…/7.wav", "language": "en", "more": true}
                        a WAV file, 16 bits, mono, 16 kHz; `more`: another line follows at once, so that a program that
                        hears several takes together can wait for it
    to narrate          {"id": "7", "text": "what was heard"}           in any order
                        {"id": "7", "error": "why not"}

It ends when its standard input does, that is, no later than narrate.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import wave
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Any, Protocol

RATE = 16_000  # Hz, of the sound that all of them hear
LONGEST_SECONDS = 30.0  # of sound that Whisper hears at once
WHISPER = {"cpu": "small", "cuda": "large-v3-turbo"}
QWEN = {"cpu": "Qwen/Qwen3-ASR-0.6B-hf", "cuda": "Qwen/Qwen3-ASR-1.7B-hf"}
BATCH = {"cpu": 4, "cuda": 16}
TOKENS_A_SECOND, MOST_TOKENS = 20, 440  # of text: nobody speaks faster, and a model that has lost its way must end
BEAMS = 5
NICER = 10  # than what makes the sound: on few cores that comes first


class Model(Protocol):
    """Hears several takes in one language. `name` is its name and model, `batch` how many takes it likes at once."""

    name: str
    batch: int

    def hear(self, takes: Sequence[Any], language: str) -> list[str]:
        """The texts of takes that are float32 samples of 16 kHz."""
        ...


class Whisper:
    """Whisper by faster-whisper. Of the takes it makes one sound, of which it hears the parts together."""

    def __init__(self, model: str | None, device: str) -> None:
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        model = model or WHISPER[device]
        self.name, self.batch = f"faster-whisper {os.path.basename(model)}", BATCH[device]
        kind = "float16" if device == "cuda" else "int8"
        self._model = WhisperModel(model, device=device, compute_type=kind)
        self._several = BatchedInferencePipeline(self._model)

    def hear(self, takes: Sequence[Any], language: str) -> list[str]:
        import numpy as np

        if not self._model.model.is_multilingual:
            language = "en"
        pieces = [(number, start, end) for number, take in enumerate(takes) for start, end in _pieces(len(take))]
        at, clips, owner = 0, [], {}
        for number, start, end in pieces:
            clips.append({"start": at / RATE, "end": (at + end - start) / RATE})
            owner[int(at / RATE * 100)] = number  # by what faster-whisper calls `seek`
            at += end - start
        sound = np.concatenate([takes[number][start:end] for number, start, end in pieces])
        segments, _ = self._several.transcribe(
            sound,
            language=language,
            clip_timestamps=clips,
            batch_size=len(clips),
            beam_size=BEAMS,
            without_timestamps=True,
            max_new_tokens=_tokens(max(end - start for _, start, end in pieces)),
        )
        texts = [""] * len(takes)
        for segment in segments:
            texts[owner[segment.seek]] += segment.text
        return [text.strip() for text in texts]


class Qwen:
    """Qwen3-ASR as transformers 5 has it."""

    def __init__(self, model: str | None, device: str) -> None:
        import torch
        from transformers import AutoProcessor, Qwen3ASRForConditionalGeneration

        model = model or QWEN[device]
        self.name, self.batch = os.path.basename(model), BATCH[device]
        kind = torch.bfloat16 if device == "cuda" else torch.float32
        self._processor = AutoProcessor.from_pretrained(model)
        self._model = Qwen3ASRForConditionalGeneration.from_pretrained(model, dtype=kind).to(device).eval()

    def hear(self, takes: Sequence[Any], language: str) -> list[str]:
        import torch

        asked = self._processor.apply_transcription_request(list(takes), language=[language] * len(takes))
        asked = asked.to(self._model.device, self._model.dtype)
        with torch.inference_mode():
            made = self._model.generate(**asked, max_new_tokens=_tokens(max(map(len, takes))), do_sample=False)
        said = made[:, asked["input_ids"].shape[1] :]
        texts = self._processor.decode(said, return_format="transcription_only")
        return [text.strip() for text in texts]


KINDS: dict[str, Callable[[str | None, str], Model]] = {"faster-whisper": Whisper, "qwen-asr": Qwen}


def _pieces(samples: int) -> list[tuple[int, int]]:
    """A take as parts of equal length, each short enough."""
    parts = max(1, -(-samples // round(LONGEST_SECONDS * RATE)))
    cuts = [samples * part // parts for part in range(parts + 1)]
    return list(zip(cuts, cuts[1:], strict=False))


def _tokens(samples: int) -> int:
    """How many tokens may be said in so much sound."""
    return min(MOST_TOKENS, 16 + round(TOKENS_A_SECOND * samples / RATE))


def read_wav(path: str) -> Any:
    """The float32 samples of a WAV file as narrate writes it."""
    import numpy as np

    with wave.open(path) as file:
        data = file.readframes(file.getnframes())
    return np.frombuffer(data, "<i2").astype(np.float32) / 32768.0


def serve(model: Model, lines: IO[str], replies: IO[str]) -> None:
    """Answer the lines until there are no more."""
    waiting: list[dict[str, Any]] = []
    for line in lines:
        asked = json.loads(line)
        waiting.append(asked)
        if not asked.get("more") or len(waiting) >= model.batch:
            _answer(model, waiting, replies)
            waiting = []


def _answer(model: Model, asked: Sequence[dict[str, Any]], replies: IO[str]) -> None:
    for language in dict.fromkeys(one["language"] for one in asked):
        together = [one for one in asked if one["language"] == language]
        try:
            texts = model.hear([read_wav(one["audio"]) for one in together], language)
            found = [{"id": one["id"], "text": text} for one, text in zip(together, texts, strict=True)]
        except Exception as error:  # an answer all the same: another take may do better
            found = [{"id": one["id"], "error": f"{type(error).__name__}: {error}"} for one in together]
        for each in found:
            print(json.dumps(each), file=replies, flush=True)


def _why(error: Exception, model: str | None) -> str:
    """Why the model could not be loaded, in one line."""
    if "EntryNotFound" in type(error).__name__ or "Connection" in type(error).__name__:
        which = f"its model {model}" if model else "its model"
        return f"{which} is not on this machine, and the hub of models cannot be reached"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200].rstrip('.')}"


def _device(wanted: str | None) -> str:
    if wanted:
        return wanted
    try:
        import ctranslate2

        return "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    except ImportError:
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"


def main(words: Sequence[str]) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides what it means
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library may print must not end up among the answers
    with suppress(AttributeError, OSError):  # Windows has no such thing
        os.nice(NICER)
    kind, *rest = words
    device = rest.pop(rest.index("--device") + 1) if "--device" in rest else None
    model = next((word for word in rest if word != "--device"), None)
    try:
        loaded = KINDS[kind](model, _device(device))
    except Exception as error:
        print(json.dumps({"error": _why(error, model)}), file=replies, flush=True)
        return 1
    print(json.dumps({"ready": loaded.name, "batch": loaded.batch}), file=replies, flush=True)
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    serve(loaded, sys.stdin, replies)
    return 0


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except BrokenPipeError:  # narrate has gone
        code = 0
    os._exit(code)  # not through the interpreter's farewell, which may wait for a library's threads
