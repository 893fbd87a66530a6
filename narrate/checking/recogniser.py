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
"""Those that are built in, and the module that each of them needs."""
DEFAULT = "faster-whisper"
COMPARING = {
    "": {"rapidfuzz": "rapidfuzz", "num2words": "num2words"},
    "ja": {"pyopenjtalk": "pyopenjtalk-plus", "fugashi": "fugashi", "unidic_lite": "unidic-lite"},
    "zh": {"pypinyin": "pypinyin", "opencc": "opencc", "cn2an": "cn2an"},
}
"""The modules that compare texts of a language, and of all (""), with the packages that they come in."""


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


def open_recogniser(spec: str | None = None, language: str = "") -> Recogniser:
    """The recogniser that `spec` names, as above; None is the usual one. Loads nothing.

    Raises `InputError` if it is not installed, or what compares texts of the language, saying what to install.
    """
    spec = (spec or DEFAULT).strip()
    if (why := missing(spec, language)) is not None:
        raise InputError(why)
    if spec.startswith(("http://", "https://")):
        from narrate.checking.transcriptions import ServerRecogniser

        return ServerRecogniser(spec)
    from narrate.checking.process import ProcessRecogniser

    kind, _, model = spec.partition(":")
    if kind not in KINDS:
        return ProcessRecogniser(shlex.split(spec))
    command = [sys.executable, "-m", "narrate.checking.child", kind, *([model] if model else [])]
    return ProcessRecogniser(command)


def missing(spec: str | None, language: str = "") -> str | None:
    """What to install for the recogniser, and to compare what it hears in that language; None if all is there."""
    kind = (spec or DEFAULT).partition(":")[0]
    if kind == "qwen-asr" and not _is_there("transformers.models.qwen3_asr"):
        return "Takes are not checked, because qwen-asr needs transformers 5. Try: pip install 'transformers>=5.15'"
    needed = dict(COMPARING[""], **COMPARING.get(language, {}))
    if kind in KINDS:
        needed[KINDS[kind]] = kind
    packages = sorted(name for module, name in needed.items() if not _is_there(module))
    if not packages:
        return None
    verb = "is" if len(packages) == 1 else "are"
    named = ", ".join(packages)
    return f"Takes are not checked, because {named} {verb} not installed. Try: pip install {' '.join(packages)}"


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:  # not even what it is a part of
        return False
