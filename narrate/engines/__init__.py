"""Voice engines: the contract that every engine keeps.

A reading asks for takes (`Request`) and gets sound (`Clip`). An engine pulls requests and yields clips in any order.
One that works in batches writes `synthesize_batch` only (batched.py). Requests of several readings, in several voices,
may be in one engine at once.

To add an engine: write a module with a class that keeps `Engine` or `BatchEngine`, and a line in table.py.

table.py                   all engines, and how one is loaded
choose.py                  the engine that suits a language and this machine
in_hand.py                 the requests that an engine has in hand, and those of them that were cancelled
feed.py feeder.py          how many rows an engine that refills its slots works on, and what may go out to an ear
batched.py planner.py      a batch engine as an engine; which requests go together
driver.py                  whether an NVIDIA GPU's driver is new enough for torch
tuning.py                  the batch size that was measured to be best here
espeak.py espeak_child.py  eSpeak NG, in a child process
openjtalk.py               Open JTalk
tone.py                    a test signal
mixed.py resample.py       two engines as one; sound at another sample rate
pool.py                    several members as one engine
members.py worker.py       workers as members of a pool; what runs in one
processes.py ray.py        workers that are processes of this machine, or actors of a Ray cluster
http/                      speech servers as members: anything that speaks /v1/audio/speech
qwen/                      Qwen3-TTS
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Protocol

from narrate.clip import Clip, Samples, silence
from narrate.clock import Clock
from narrate.errors import InputError
from narrate.text.document import Chunk
from narrate.voice import Voice


def never() -> float:
    """No ear waits: the sound goes into a file."""
    return inf


def always() -> bool:
    return True


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One take that an engine is asked for.

    `id` is unique among all readings, `key` the name of the take in the store. `attempt` counts the takes of this chunk
    that were bad: another attempt must be drawn with another seed.

    `due` tells when the ear will want the sound, in seconds on the engine's clock; infinity for a file. It is a
    question and not a number, because a pause, a jump or a gap moves the answer. An engine calls `begin` once, just
    before it goes to work on the request; if the answer is False, it leaves the request out and yields nothing for it.
    `reading` tells the readings apart that share the engine.
    """

    id: str
    chunk: Chunk
    voice: Voice
    key: str = ""
    attempt: int = 0
    reading: int = 0
    due: Callable[[], float] = never
    begin: Callable[[], bool] = always

    def clip(self, samples: Samples, sample_rate: int, *, final: bool = True, failure: str | None = None) -> Clip:
        """A clip that answers this request."""
        return Clip(self.chunk, samples, sample_rate, final=final, failure=failure, request_id=self.id)

    def failed(self, why: str, sample_rate: int, *, seconds: float = 0.0, raised: bool = False) -> Clip:
        """The answer that the take could not be made; `seconds` is how much sound it took to find out."""
        quiet = silence(seconds, sample_rate)
        return Clip(self.chunk, quiet, sample_rate, failure=why, raised=raised, request_id=self.id)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an engine can do. All of it is known before anything is loaded.

    `streams`: it gives a chunk's sound in pieces and takes requests while others are in the making. `deterministic`: it
    gives the same take for the same chunk and voice on every attempt, so that asking again is in vain. `uses_seed`: the
    voice's seed changes the take. The last three say which of the voice's wishes it can follow.
    """

    languages: frozenset[str]
    streams: bool = False
    deterministic: bool = False
    uses_seed: bool = True
    clones: bool = False
    describes: bool = False
    instructs: bool = False


@dataclass(frozen=True, slots=True)
class VoiceEntry:
    """A line of `narrate voices`. `languages` are the two-letter codes of the languages native to the voice."""

    name: str
    languages: tuple[str, ...]
    description: str


class Engine(Protocol):
    """Turns requests into clips. It is built in no time; `prepare` loads what is heavy.

    `fingerprint` names everything in the engine that shapes its sound (package and model version, options): with the
    voice and the spoken text it makes the key of a take. `sample_rate` is in Hz, and None until `prepare` if the engine
    cannot know it before. One thread at a time calls an engine; only `cancel` may be called by any thread.
    """

    @property
    def name(self) -> str: ...
    @property
    def abilities(self) -> Abilities: ...
    @property
    def fingerprint(self) -> Mapping[str, str]: ...
    @property
    def sample_rate(self) -> int | None: ...

    def check(self, voice: Voice) -> None:
        """Raise `InputError` for a voice that this engine does not have or cannot make. Load nothing."""
        ...

    def prepare(self, voice: Voice, clock: Clock) -> None:
        """Load what is needed to speak with the voice; do nothing if that was done before. Tell `clock` from now on
        where the time goes."""
        ...

    def synthesize(self, requests: Iterable[Request | None]) -> Iterator[list[Clip]]:
        """Yield the clips that became ready together, in any order. Every request is answered once, by one clip or by
        several of which the last is `final`; only one that was cancelled, or did not begin, gets no answer.

        None among the requests says that there is none now: go on with those in hand, and end if there are none. An
        empty list says that the engine goes to work for longer. Raise `NarrateError` if the engine can do no more.
        """
        ...

    def cancel(self, ids: Collection[str]) -> None:
        """Drop these requests soon, between two frames if possible, and no others."""
        ...

    def close(self) -> None:
        """Give memory and child processes back. May be called twice."""
        ...


class BatchEngine(Protocol):
    """What an engine writes that works in batches. `batched.Batched` makes an `Engine` of it."""

    @property
    def name(self) -> str: ...
    @property
    def abilities(self) -> Abilities: ...
    @property
    def fingerprint(self) -> Mapping[str, str]: ...
    @property
    def sample_rate(self) -> int | None: ...

    def check(self, voice: Voice) -> None: ...

    def prepare(self, voice: Voice, clock: Clock) -> None: ...

    def synthesize_batch(self, requests: list[Request]) -> list[Clip]:
        """One final clip per request, in any order; none for those that were cancelled meanwhile. If it raises, each
        request of the batch is tried alone."""
        ...

    def cancel(self, ids: Collection[str]) -> None:
        """Any of these that are in the running batch are no longer wanted. Called by any thread."""
        ...

    def close(self) -> None: ...


def check_voice(engine: str, voice: Voice, entries: Iterable[VoiceEntry], languages: Iterable[str]) -> None:
    """Raise `InputError` for what an engine with nothing but named voices cannot make."""
    entries = list(entries)
    names = [entry.name for entry in entries]
    if voice.name is not None and voice.name not in names:
        own = [entry.name for entry in entries if voice.language is None or voice.language in entry.languages]
        choice = ", ".join(own or names)
        raise InputError(f"Engine {engine} has no voice '{voice.name}'{_whose(voice.name)}. Choose one of: {choice}.")
    if voice.language is not None and voice.language not in languages:
        known = ", ".join(sorted(languages))
        raise InputError(f"Engine {engine} does not speak '{voice.language}', only {known}. Try --engine auto.")
    wishes = {"instruct": "instruct", "describe": "describe", "ref-audio": "reference", "ref-text": "reference_text"}
    for flag, wish in wishes.items():
        if getattr(voice, wish) is not None:
            raise InputError(f"Engine {engine} cannot follow --{flag}, only qwen can. Leave it out, or use -e qwen.")


def _whose(name: str) -> str:
    """Which engines have a voice of that name, and for which language; "" if none has."""
    from narrate.engines.table import ENGINES  # which imports this module
    from narrate.text.language import LANGUAGES

    found = [(entry, voice) for entry in ENGINES if entry.auto for voice in entry.voices() if voice.name == name]
    if not found:
        return ""
    entry, voice = found[0]
    return f"; it is a voice of {entry.name} for {' and '.join(LANGUAGES[code] for code in voice.languages)}"
