"""What hears a take and writes down what was said. Which one, `open_recogniser` says; it is loaded when it is needed.

faster-whisper[:MODEL]     Whisper, in a process of its own
qwen-asr[:MODEL]           Qwen3-ASR, in a process of its own
http://…[#MODEL]           a server with /v1/audio/transcriptions
anything else              a command that keeps to the lines that child.py describes
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

from narrate.clip import Samples
from narrate.errors import InputError, NarrateError

RATE = 16_000  # Hz, of what recognisers are given
KINDS = {"faster-whisper": "faster_whisper", "qwen-asr": "transformers"}
"""Those that are built in, and the package that each of them needs."""
DEFAULT = "faster-whisper"
INSTALL = "pip install 'narrate-aloud[check]'"


class RecogniserError(NarrateError):
    """The recogniser cannot be loaded, or has ended again and again."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What is to be heard: float32 samples, mono, in [-1, 1], their rate in Hz, and a two-letter language."""

    samples: Samples
    sample_rate: int
    language: str

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.sample_rate


class Recogniser(Protocol):
    """Hears takes. One thread calls `hear`; any thread may call `cancel` and `close`."""

    @property
    def name(self) -> str:
        """What hears, with its model; "" as long as that is not known."""
        ...

    @property
    def batch(self) -> int:
        """How many takes it likes at once."""
        ...

    def prepare(self) -> None:
        """Load what is needed. Raises `RecogniserError`."""
        ...

    def hear(self, sounds: Sequence[Sound]) -> list[str | None]:
        """The text of each; None for one that it could not hear. Raises `RecogniserError` if it can do no more, and
        when it was cancelled."""
        ...

    def cancel(self) -> None:
        """End the `hear` that is under way soon. The next one works again."""
        ...

    def close(self) -> None:
        """Give processes and memory back. May be called twice."""
        ...


def open_recogniser(spec: str | None = None) -> Recogniser:
    """The recogniser that `spec` names, as above; None is the usual one. Loads nothing.

    Raises `InputError` if it is not installed, saying what to install.
    """
    spec = (spec or DEFAULT).strip()
    if spec.startswith(("http://", "https://")):
        from narrate.checking.transcriptions import ServerRecogniser

        return ServerRecogniser(spec)
    from narrate.checking.process import ProcessRecogniser

    kind, _, model = spec.partition(":")
    if kind not in KINDS:
        return ProcessRecogniser(shlex.split(spec))
    missing = missing_package(kind)
    if missing:
        raise InputError(missing)
    command = [sys.executable, "-m", "narrate.checking.child", kind, *([model] if model else [])]
    return ProcessRecogniser(command)


def missing_package(kind: str) -> str | None:
    """What to install for a recogniser that is built in; None if it is there."""
    if find_spec(KINDS[kind]) is None or (kind == "qwen-asr" and find_spec("transformers.models.qwen3_asr") is None):
        how = INSTALL if kind == DEFAULT else "pip install 'transformers>=5.15' in an environment of its own"
        return f"Takes are not checked, because the recogniser {kind} is not installed. Try: {how}"
    return None
