"""What a speech server understands: the dialects of `/v1/audio/speech`, and how a request is put in each. Pure.

Sources: the request classes of vLLM-Omni 0.30, SGLang-Omni 0.1.9, Kokoro-FastAPI 0.8 and OpenAI's API reference. What a
dialect does not know is never sent: one server ignores it in silence, another refuses the request.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from narrate.engines import Request
from narrate.engines.qwen.codec import FRAMES_PER_SECOND
from narrate.pace import longest_seconds
from narrate.text.language import LANGUAGES


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to speak `/v1/audio/speech`. `path` is where takes are asked for.

    `slots`: requests at once that such a server usually holds well, to begin with. `knows` names what may be sent
    besides the text, the model and the voice. `stream` are the further keys that make it send sound as it comes; empty
    if it does so unasked, None if it cannot.
    """

    name: str
    slots: int
    knows: frozenset[str]
    stream: Mapping[str, Any] | None
    languages: frozenset[str] = frozenset(LANGUAGES)
    path: str = "/v1/audio/speech"


NARRATE = Dialect(
    "narrate",
    slots=8,
    knows=frozenset({"language", "seed", "instruct", "describe"}),
    stream={},
    path="/api/take",
)
VLLM = Dialect(
    "vllm-omni",
    slots=64,
    knows=frozenset({"language", "seed", "instruct", "describe", "reference", "budget"}),
    stream={"stream": True, "stream_format": "audio", "response_format": "pcm"},
)
SGLANG = Dialect(
    "sglang-omni",
    slots=8,
    knows=frozenset({"language", "seed", "instruct", "describe", "reference", "budget"}),
    stream={"stream": True, "response_format": "pcm"},
)
KOKORO = Dialect(
    "kokoro",
    slots=2,
    knows=frozenset({"lang_code"}),
    stream={"stream": True, "response_format": "pcm"},
    languages=frozenset({"en", "ja", "zh", "es", "fr", "it", "pt"}),
)
OPENAI = Dialect(
    "openai",
    slots=8,
    knows=frozenset({"instruct"}),
    stream={"response_format": "pcm"},
)
PLAIN = Dialect("plain", slots=2, knows=frozenset(), stream=None)
DIALECTS = {each.name: each for each in (NARRATE, VLLM, SGLANG, KOKORO, OPENAI, PLAIN)}
_KOKORO_LANGUAGES = {"en": "a", "ja": "j", "zh": "z", "es": "e", "fr": "f", "it": "i", "pt": "p"}


def recognise(host: str, models: Iterable[Mapping[str, Any]]) -> Dialect:
    """The dialect of the server at `host` that lists these models. One that is not recognised is sent the least."""
    owners = " ".join(f"{model.get('owned_by', '')} {model.get('id', '')}" for model in models).lower()
    if host == "api.openai.com":
        return OPENAI
    known = {"narrate": NARRATE, "vllm": VLLM, "sglang": SGLANG, "kokoro": KOKORO}
    return next((dialect for word, dialect in known.items() if word in owners), PLAIN)


def body(dialect: Dialect, request: Request, model: str, *, pieces: bool, now: float) -> dict[str, Any]:
    """The JSON to send for a take. `pieces`: the sound should come as it is made. `now` is on the clock of `due`."""
    due = request.due() - now
    voice, chunk = request.voice, request.chunk
    seed = (voice.seed + 7919 * request.attempt) % 2**31
    if dialect is NARRATE:
        return {
            "text": chunk.spoken,
            "language": chunk.language,
            "take": chunk.take,
            "attempt": request.attempt,
            "engine": model,
            "voice": voice.name,
            "seed": voice.seed,
            "instruct": voice.instruct,
            "describe": voice.describe,
            "due_seconds": None if due == inf else max(0.0, due),
        }
    sent: dict[str, Any] = {"model": model, "input": chunk.spoken, "response_format": "wav", "speed": 1.0}
    if voice.name is not None:
        sent["voice"] = voice.name
    if "language" in dialect.knows:
        sent["language"] = LANGUAGES[chunk.language]
    if "lang_code" in dialect.knows and chunk.language in _KOKORO_LANGUAGES:
        sent["lang_code"] = _KOKORO_LANGUAGES[chunk.language]
    if "seed" in dialect.knows:
        sent["seed"] = seed
    if voice.instruct is not None:
        sent["instructions"] = voice.instruct
    if "describe" in dialect.knows and voice.describe is not None:
        sent |= {"task_type": "VoiceDesign", "instructions": voice.describe}
    if "reference" in dialect.knows and voice.reference is not None:
        recording = base64.b64encode(voice.reference.read_bytes()).decode()
        sent |= {"task_type": "Base", "ref_audio": f"data:audio/wav;base64,{recording}", "non_streaming_mode": True}
        if voice.reference_text is not None:
            sent["ref_text"] = voice.reference_text
        else:
            sent["x_vector_only_mode"] = True
    if "budget" in dialect.knows:
        seconds = longest_seconds(chunk.spoken, chunk.language)
        sent["max_new_tokens"] = round(seconds * FRAMES_PER_SECOND)  # a frame is a token
    if pieces and dialect.stream is not None:
        sent |= dialect.stream
    return sent
