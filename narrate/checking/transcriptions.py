"""A server as the recogniser: any that has OpenAI's /v1/audio/transcriptions."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from narrate.checking.recogniser import RATE, RecogniserError, Sound
from narrate.clip import to_int16
from narrate.engines.resample import resampled
from narrate.pipeline import Background
from narrate.sinks import wav

if TYPE_CHECKING:
    import httpx

PATH = "/v1/audio/transcriptions"
MODEL = "whisper-1"  # what servers with one model take for it
AT_ONCE = 4  # takes
CONNECT_SECONDS = 5.0
PATIENCE_SECONDS = 60.0  # for an answer, and LONGER times as long as the sound
LONGER = 20.0
TRIES = 3


@dataclass(eq=False)
class ServerRecogniser:
    """A `Recogniser` at `address`, which may be a server's root or the whole path; behind # stands the model."""

    address: str
    patience_seconds: float = PATIENCE_SECONDS
    batch: int = field(default=AT_ONCE, init=False)
    _client: httpx.Client | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        self._model = parts.fragment or MODEL
        path = parts.path.rstrip("/").removesuffix("/v1")
        self._url = urlunsplit((parts.scheme, parts.netloc, path if path.endswith(PATH) else path + PATH, "", ""))
        self.name = f"{parts.netloc} {self._model}"

    def prepare(self) -> None:
        self._open()

    def hear(self, sounds: Sequence[Sound]) -> list[str | None]:
        calls = [Background(lambda sound=sound: self._hear(sound), "narrate-transcription") for sound in sounds]  # type: ignore[misc]
        return [call.result() for call in calls]

    def cancel(self) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _open(self) -> httpx.Client:
        try:
            import httpx
        except ImportError:
            raise RecogniserError("A recogniser on a server needs the package httpx. Try: pip install httpx") from None
        with self._lock:
            if self._client is None:
                self._client = httpx.Client(follow_redirects=False)
            return self._client

    def _hear(self, sound: Sound) -> str | None:
        samples = to_int16(resampled(sound.samples, sound.sample_rate, RATE))
        data = wav.header(RATE, len(samples)) + samples.astype("<i2").tobytes()
        why = ""
        for _ in range(TRIES):
            status, text, why = self._ask(data, sound)
            if status == 200:
                return text
            if status in (400, 413, 415, 422):
                return None  # this sound it cannot hear
            if 300 <= status < 500:
                break
        raise RecogniserError(f"The recogniser at {self.name} cannot be used: {why}.")

    def _ask(self, data: bytes, sound: Sound) -> tuple[int, str | None, str]:
        """Status, text, and what is wrong; a status of 0 if there was no answer."""
        import httpx

        client = self._open()
        timeout = httpx.Timeout(self.patience_seconds + LONGER * sound.seconds, connect=CONNECT_SECONDS)
        form = {"model": self._model, "language": sound.language, "response_format": "json"}
        try:
            answer = client.post(self._url, data=form, files={"file": ("take.wav", data, "audio/wav")}, timeout=timeout)
        except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: the client was closed meanwhile
            return 0, None, f"it does not answer ({type(error).__name__})"
        if answer.status_code != 200:
            return answer.status_code, None, f"it answers {answer.status_code}"
        try:
            text = answer.json()["text"]
        except (ValueError, KeyError, TypeError):
            return 500, None, "its answer has no text"
        return 200, text if isinstance(text, str) else None, ""
