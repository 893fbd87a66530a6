"""Qwen3-TTS: nine voices for ten languages, cloned and described ones, on a GPU many chunks at a time.

models.py speakers.py options.py prompts.py    what to load, who speaks, how
loading.py hardware.py memory.py               the package's model, the device, what fits
stock.py draws.py budget.py                    the package's own loop, kept in hand
fast.py scheduler.py runner.py guard.py        the fast runtime: who sits where, what is computed
transformer.py cache.py sampling.py vocoder.py graphs.py    what a frame is made of
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from narrate.clip import Clip
from narrate.clock import OFF, Clock
from narrate.engines import VoiceEntry
from narrate.engines.qwen import hardware, loading, memory, models, speakers
from narrate.engines.qwen.draws import Cancelled
from narrate.engines.qwen.memory import MOST_SLOTS
from narrate.engines.qwen.models import Model
from narrate.engines.qwen.options import Sampling
from narrate.errors import EngineError, InputError
from narrate.text.document import Chunk
from narrate.text.language import LANGUAGES
from narrate.voice import Voice

if TYPE_CHECKING:
    from narrate.engines.qwen.fast import FastRuntime
    from narrate.engines.qwen.stock import StockRuntime

VOICES = speakers.SPEAKERS
BATCH = 10


def _rows(text: str) -> int | None:
    return None if text == "auto" else int(text)


class Qwen:
    """The Qwen3-TTS models of the `qwen-tts` package, from 0.1.1 on.

    `model`: a released name or its short form ("1.7B", "0.6B-Base"), a kind ("base", "voicedesign"), or a folder; else
    the largest CustomVoice model that fits the free memory. `device`: cuda, mps or cpu, else the best. `dtype`: else
    bfloat16 on CUDA, float32 elsewhere. `runtime`: "fast" is ours, with `slots` rows at once, each followed by the next
    chunk as soon as it ends; "compiled" the same through `torch.compile`; "stock" the package's, in batches of
    `batch_size` rows. None of either is as many as the free memory holds. The sampling options are those of
    `Sampling`. Raises `InputError` for a value that makes no sense.

    Only with a runtime of ours has the engine a `synthesize`. Building it takes no time; nothing heavier than a config
    is read before the first sound is asked for.
    """

    OPTIONS: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        **dict.fromkeys(("model", "device", "dtype", "runtime"), str),
        **dict.fromkeys(("batch_size", "slots"), _rows),
        "top_k": int,
        **dict.fromkeys(("temperature", "top_p", "repetition_penalty"), float),
    }
    name: ClassVar[str] = "qwen"
    sample_rate: ClassVar[int] = 24_000
    languages: ClassVar[frozenset[str]] = frozenset(LANGUAGES)

    def __init__(
        self,
        *,
        model: str | None = None,
        device: str | None = None,
        dtype: str | None = None,
        runtime: str = "auto",
        batch_size: int | None = BATCH,
        slots: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        repetition_penalty: float | None = None,
    ) -> None:
        self.runtime = hardware.choose_runtime(runtime, device)
        if batch_size is not None and batch_size < 1:
            raise InputError(f"--batch-size {batch_size} is no size; use auto, or 1 or more.")
        if slots is not None and not 1 <= slots <= MOST_SLOTS:
            raise InputError(f"{slots} slots cannot be; use auto, or 1 to {MOST_SLOTS}.")
        self.sampling = Sampling(temperature, top_k, top_p, repetition_penalty)
        self._wanted_model, self._wanted_device, self._wanted_dtype = model, device, dtype
        self._wanted_batch, self._wanted_slots = batch_size, slots
        self._runtime: StockRuntime | FastRuntime | None = None
        self._cancelled = False
        self.clock: Clock = OFF
        """Is told where the time goes inside."""
        if self.runtime != "stock":
            self.synthesize = self._synthesize

    @property
    def repeats(self) -> bool:
        """True if another attempt at a chunk would give the same take."""
        return self.sampling.greedy

    @cached_property
    def device(self) -> str:
        return hardware.choose_device(self._wanted_device)

    @cached_property
    def dtype(self) -> str:
        return hardware.choose_dtype(self.device, self._wanted_dtype)

    @cached_property
    def model(self) -> Model:
        """The model found, its files perhaps still to be fetched. Raises `InputError` or `EngineError`."""
        loading.package_version()
        return models.find_model(self._wanted_model, self.dtype, hardware.free_bytes(self.device))

    @cached_property
    def fingerprint(self) -> Mapping[str, str]:
        return {
            "engine": self.name,
            "package": f"qwen-tts {loading.package_version()}",
            "runtime": self.runtime,
            "model": self.model.identity,
            "device": self.device.partition(":")[0],
            "dtype": self.dtype,
            **self.sampling.fingerprint(),
        }

    @property
    def batch_size(self) -> int:
        """Rows at once, as far as is known: fewer after memory ran out; as many as fit, once the model is loaded."""
        if self._runtime is not None:
            return self._runtime.largest_batch
        return (self._wanted_batch if self.runtime == "stock" else self._wanted_slots) or BATCH

    def voices(self) -> list[VoiceEntry]:
        return speakers.voices(self.model)

    def check(self, voice: Voice) -> None:
        """Raises `InputError` for what this model cannot honour, and for no model. Loads nothing."""
        speakers.check_voice(self.model, voice)

    def prepare(self, voice: Voice) -> None:
        """Load the model and run it once. Call it in the thread that will synthesize, while the text is being read."""
        self.check(voice)
        if self._runtime is None:
            self._runtime = self._load()
            if self.device != "cpu":  # there the first batch needs no kernels loaded, and three frames cost seconds
                self._runtime.warm_up(voice)

    def _synthesize(self, chunks: Iterable[Chunk | None], voice: Voice) -> Iterator[Clip]:
        """Clips in the order in which they are done, the first chunk's in pieces. See `Engine.synthesize`."""
        yield from self._ready(voice).synthesize(chunks, voice)  # type: ignore[union-attr]

    def synthesize_batch(self, chunks: list[Chunk], voice: Voice) -> list[Clip]:
        """One clip per chunk; none at all after `cancel`. A row that would not end is silence with `failure` set."""
        try:
            return self._ready(voice).speak(chunks, voice)
        except Cancelled:
            return []

    def _ready(self, voice: Voice) -> StockRuntime | FastRuntime:
        self._cancelled = False
        self.check(voice)
        if self._runtime is None:
            with self.clock.stage("load engine"):
                self._runtime = self._load()
        self._runtime.clock = self.clock
        return self._runtime

    def cancel(self) -> None:
        """Make what is running end within one frame. May be called from any thread."""
        self._cancelled = True

    def close(self) -> None:
        """Give the model's memory back; the next batch would load it again."""
        if self._runtime is not None:
            self._runtime = None
            hardware.give_back_memory()

    def _load(self) -> StockRuntime | FastRuntime:
        from narrate.engines.qwen.prompts import Prompts

        package = loading.load(models.fetch(self.model), self.device, self.dtype)
        prompts = Prompts(package, self.model)
        if self.runtime == "stock":
            from narrate.engines.qwen.stock import StockRuntime

            rows = self._wanted_batch or hardware.fitting_rows(package, BATCH)
            return StockRuntime(prompts, self.sampling, lambda: self._cancelled, rows)
        from narrate.engines.qwen.fast import FastRuntime

        if (why := memory.unknown(package)) is not None:
            raise EngineError(
                f"{self.model.name} has {why}, which only the package's runtime knows: use --runtime stock."
            )
        slots = self._wanted_slots or memory.fitting_slots(package)
        compiled = self.runtime == "compiled"
        return FastRuntime(prompts, self.sampling, lambda: self._cancelled, slots, compiled=compiled)
