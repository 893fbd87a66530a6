"""Qwen3-TTS: nine voices for ten languages, cloned and described ones, on a GPU many chunks at a time.

models.py hub.py speakers.py options.py prompts.py    what to load and where it comes from, who speaks, how
loading.py hardware.py processor.py fitting.py    the package's model, the device, the cores, what fits
codec.py stock.py draws.py budget.py           what a frame is; the package's own loop, kept in hand
trial.py                                       how quick all of it is on a processor
fast.py scheduler.py hearing.py guard.py       the fast runtime: who sits where, what becomes of it
embedding.py runner.py seats.py shapes.py device.py graphs.py    what is computed, where, and how it is started
transformer.py predictor.py cache.py sampling.py vocoder.py      what a frame is made of
products.py attention.py passes.py kernels.py vectors.py stored.py    on a CPU: by code of our own, weights as small
                                               as they are and read once
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from narrate.clip import Clip
from narrate.clock import Clock
from narrate.engines import Abilities, Request, VoiceEntry
from narrate.engines.batched import BATCH, Batched, Rows
from narrate.engines.feed import Feed, RoundCost
from narrate.engines.qwen import fitting, hardware, loading, models, speakers
from narrate.engines.qwen.codec import SAMPLE_RATE
from narrate.engines.qwen.fitting import MOST_SLOTS
from narrate.engines.qwen.models import Model
from narrate.engines.qwen.options import Sampling
from narrate.engines.tuning import Speed, best_batch_size, keep_speed, speed_of
from narrate.errors import EngineError, InputError
from narrate.text.language import LANGUAGES
from narrate.voice import Voice

if TYPE_CHECKING:
    from narrate.engines.qwen.fast import FastRuntime
    from narrate.engines.qwen.prompts import Prompts
    from narrate.engines.qwen.stock import StockRuntime

VOICES = speakers.SPEAKERS
_ROUNDS_TO_REMEMBER = 30


def _rows(text: str) -> Rows:
    return "auto" if text == "auto" else int(text)


class Qwen:
    """The Qwen3-TTS models of the `qwen-tts` package, from 0.1.1 on; an `Engine`.

    `model`: a released name or its short form ("1.7B", "0.6B-Base"), a kind ("base", "voicedesign"), or a folder; else
    the largest CustomVoice model that fits the free memory, on a processor the small one. `device`: cuda, mps or cpu,
    else the best. `dtype`: else bfloat16 on CUDA and on processors that have it, float32 elsewhere. `runtime`: "fast"
    is ours, with `slots` rows at once, each followed by the next chunk as soon as it ends; "compiled" the same through
    `torch.compile`; "stock" the package's, in batches of `batch_size` rows. "auto" for either is what was measured to
    be best here, and so are None `slots` on a processor; where nothing was, and for None elsewhere, it is as many as
    the free memory holds. The sampling options are those of `Sampling`. Raises `InputError` for a value that makes no
    sense.

    Building it takes no time; nothing heavier than a config is read before `prepare`. What was closed may be prepared
    again.
    """

    OPTIONS: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        **dict.fromkeys(("model", "device", "dtype", "runtime"), str),
        **dict.fromkeys(("batch_size", "slots"), _rows),
        "top_k": int,
        **dict.fromkeys(("temperature", "top_p", "repetition_penalty"), float),
    }
    name: ClassVar[str] = "qwen"
    sample_rate: ClassVar[int] = SAMPLE_RATE

    def __init__(
        self,
        *,
        model: str | None = None,
        device: str | None = None,
        dtype: str | None = None,
        runtime: str = "auto",
        batch_size: Rows = BATCH,
        slots: Rows = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        repetition_penalty: float | None = None,
    ) -> None:
        self.runtime = hardware.choose_runtime(runtime, device)
        batch_size = _checked_batch(batch_size)
        self._wanted_rows = batch_size if self.runtime == "stock" else _checked_slots(slots)
        self.sampling = Sampling(temperature, top_k, top_p, repetition_penalty)
        self._wanted_model, self._wanted_device, self._wanted_dtype = model, device, dtype
        self._runtime: StockRuntime | FastRuntime | None = None
        self._speaker: Batched | FastRuntime | None = None

    @cached_property
    def abilities(self) -> Abilities:
        """What the model can do. Raises what `model` raises."""
        return Abilities(
            frozenset(LANGUAGES),
            streams=self.runtime != "stock",
            deterministic=self.sampling.greedy,
            uses_seed=not self.sampling.greedy,
            clones=self.model.kind == "base",
            describes=self.model.kind == "voice_design",
            instructs=self.model.follows_instructions,
        )

    @cached_property
    def device(self) -> str:
        return hardware.choose_device(self._wanted_device)

    @cached_property
    def dtype(self) -> str:
        return hardware.choose_dtype(self.device, self._wanted_dtype)

    @cached_property
    def model(self) -> Model:
        """The model found. Raises `InputError` or `EngineError`."""
        loading.package_version()
        wanted = self._wanted_model or (models.for_processor() if self.device == "cpu" else None)
        return models.find_model(wanted, self.dtype, hardware.free_bytes(self.device))

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

    def voices(self) -> list[VoiceEntry]:
        return speakers.voices(self.model)

    def check(self, voice: Voice) -> None:
        """Raises `InputError` for what this model cannot honour, and for no model. Loads nothing."""
        speakers.check_voice(self.model, voice)
        models.files_of(self.model)

    def prepare(self, voice: Voice, clock: Clock) -> None:
        """Load the model and run it once; read the voice's recording. Call it in the thread that will synthesize."""
        self.check(voice)
        fresh = self._speaker is None
        self._load().prepare(voice, clock)
        if fresh and self._runtime is not None and self.device != "cpu":  # a CPU loads no kernels, and frames are slow
            self._runtime.warm_up(voice)

    def synthesize(self, requests: Iterable[Request | None]) -> Iterator[list[Clip]]:
        """See `Engine.synthesize`. The fast runtime gives a chunk that is waited for in pieces."""
        yield from self._load().synthesize(requests)

    def cancel(self, ids: Collection[str]) -> None:
        if (speaker := self._speaker) is not None:
            speaker.cancel(ids)

    def close(self) -> None:
        """Give the model's memory back."""
        if self._runtime is not None:
            self._remember_speed()
            self._runtime.close()
            self._runtime = self._speaker = None
            hardware.give_back_memory()

    @property
    def feed(self) -> Feed | None:
        """What the fast runtime has learned of its own speed; None if it is not loaded."""
        runtime = self._runtime
        return None if runtime is None or self.runtime == "stock" else cast("FastRuntime", runtime).feed

    def _remember_speed(self) -> None:
        """What rounds cost on a processor, for the next start: so it knows at once how to feed an ear. Whether it is
        quick enough to be chosen was measured when nothing else went on; a busy hour does not change that."""
        feed = self.feed
        if self.device != "cpu" or feed is None or feed.cost.rounds < _ROUNDS_TO_REMEMBER:
            return
        known = speed_of(self.fingerprint)
        rtf = min(feed.rtf, known.rtf) if known else feed.rtf
        with suppress(OSError):
            keep_speed(self.fingerprint, Speed(rtf, feed.slots, feed.cost.a, feed.cost.c))

    @property
    def _rows(self) -> int | None:
        """Rows at once; None for as many as fit."""
        measured = self._wanted_rows == "auto" or (self._wanted_rows is None and self.device == "cpu")
        if not measured:
            return cast("int | None", self._wanted_rows)
        best = best_batch_size(self.fingerprint)
        return best if best is None or self.runtime == "stock" else min(best, MOST_SLOTS)

    def _load(self) -> Batched | FastRuntime:
        """What speaks, with the model loaded."""
        if self._speaker is None:
            from narrate.engines.qwen.prompts import Prompts

            package = loading.load(models.files_of(self.model), self.device, self.dtype)
            prompts = Prompts(package, self.model)
            self._speaker = self._load_stock(prompts) if self.runtime == "stock" else self._load_fast(prompts)
        return self._speaker

    def _load_stock(self, prompts: Prompts) -> Batched:
        from narrate.engines.qwen.stock import StockRuntime

        rows = self._rows or fitting.fitting_rows(prompts.package)
        runtime = StockRuntime(prompts, self.sampling, rows)
        self._runtime = runtime
        return Batched(_Batches(self, runtime), rows)

    def _load_fast(self, prompts: Prompts) -> FastRuntime:
        from narrate.engines.qwen.fast import FastRuntime

        if (why := fitting.unknown(prompts.package)) is not None:
            raise EngineError(
                f"{self.model.name} has {why}, which only the package's runtime knows: use --runtime stock."
            )
        slots = self._rows or fitting.fitting_slots(prompts.package)
        runtime = FastRuntime(prompts, self.sampling, slots, compiled=self.runtime == "compiled")
        known = speed_of(self.fingerprint) if self.device == "cpu" else None
        if known is not None and known.a + known.c > 0:
            runtime.feed.cost = RoundCost(known.a, known.c)
        self._runtime = runtime
        return runtime


class _Batches:
    """The stock runtime as a `BatchEngine`."""

    def __init__(self, qwen: Qwen, runtime: StockRuntime) -> None:
        self._qwen, self._runtime = qwen, runtime
        self.name, self.sample_rate = qwen.name, qwen.sample_rate
        self.abilities, self.fingerprint = qwen.abilities, qwen.fingerprint

    def check(self, voice: Voice) -> None:
        self._qwen.check(voice)

    def prepare(self, voice: Voice, clock: Clock) -> None:
        self._runtime.prepare(voice, clock)

    def synthesize_batch(self, requests: list[Request]) -> list[Clip]:
        return self._runtime.speak(requests)

    def cancel(self, ids: Collection[str]) -> None:
        self._runtime.cancel(ids)

    def close(self) -> None:
        self._qwen.close()


def _checked_batch(rows: Rows) -> Rows:
    if isinstance(rows, int) and rows < 1:
        raise InputError(f"--batch-size {rows} is out of range; use auto, or 1 or more.")
    return rows


def _checked_slots(rows: Rows) -> Rows:
    if isinstance(rows, int) and not 1 <= rows <= MOST_SLOTS:
        raise InputError(f"{rows} slots are out of range; use auto, or 1 to {MOST_SLOTS}.")
    return rows
