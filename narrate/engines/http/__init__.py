"""Speech servers as an engine: `-e http:URL[,URL…]`, anything that speaks `/v1/audio/speech`; several are a pool.

dialect.py   what each kind of server understands, and a request in its words
server.py    one server as a member of a pool: its calls, and what its answers mean
sound.py     what it sent, as samples, whatever it says of it
measure.py   how many requests at once it holds well
prices.py    what OpenAI's costs
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from narrate.clock import Clock
from narrate.engines import Abilities, VoiceEntry
from narrate.engines.http.dialect import DIALECTS, NARRATE, Dialect, recognise
from narrate.engines.http.server import Facts, Server, ask_json
from narrate.engines.pool import Pool
from narrate.errors import EngineError, InputError
from narrate.pipeline import Background
from narrate.text.language import LANGUAGES
from narrate.voice import Voice

if TYPE_CHECKING:
    import httpx

VOICES: tuple[VoiceEntry, ...] = ()  # which there are, only the server knows
VERSION = "1"  # a new one whenever the same answer becomes other samples: it is part of the key of a take
REMEDY = "Start a server, and give the same command again: it goes on where it was."
OPENAI_MODEL = "gpt-4o-mini-tts"
OPENAI_URL = "https://api.openai.com"
OPENAI_VOICES = ("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse",
                 "marin", "cedar")  # fmt: skip
_USUAL_RATE = 24_000


def _urls(text: str) -> tuple[str, ...]:
    url = text if "://" in text else f"http:{text}" if text.startswith("//") else f"http://{text}"
    return (url.rstrip("/").removesuffix("/v1"),)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError("it must be 1 or more")
    return count


def _dialect(text: str) -> str:
    if text not in DIALECTS:
        raise ValueError(f"it must be one of {', '.join(DIALECTS)}")
    return text


class Http(Pool):
    """The servers at `urls`. Each is asked once what it is; one that does not answer is tried again later.

    `model` is what the server calls it; None is its first. `slots` are the most requests that one server gets at once.
    Raises `InputError` for servers that do not make the same takes, and `EngineError` if none answers.
    """

    OPTIONS: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        "url": _urls,
        "model": str,
        "slots": _count,
        "dialect": _dialect,
    }

    def __init__(
        self,
        url: Sequence[str] = (),
        model: str | None = None,
        slots: int | None = None,
        dialect: str | None = None,
        *,
        name: str = "http",
        api_key: str | None = None,
    ) -> None:
        if not url:
            raise InputError("Name the server: -e http:http://localhost:8040, or several with commas between them.")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        servers = _find(url, model, DIALECTS[dialect] if dialect else None, headers, slots)
        self.facts = servers[0].facts
        self._headers = headers
        spoken = frozenset(self.facts.languages) or self.facts.dialect.languages
        super().__init__(
            name=name,
            members=servers,
            abilities=Abilities(
                spoken,
                streams=self.facts.dialect.stream is not None,
                deterministic=self.facts.deterministic,
                uses_seed=self.facts.uses_seed,
                clones="reference" in self.facts.dialect.knows,
                describes="describe" in self.facts.dialect.knows,
                instructs="instruct" in self.facts.dialect.knows,
            ),
            fingerprint={
                "engine": "http",
                "version": VERSION,
                "dialect": self.facts.dialect.name,
                "model": self.facts.model,
                **({"identity": self.facts.identity} if self.facts.identity else {}),
            },
            sample_rate=None if self.facts.dialect is NARRATE else _USUAL_RATE,  # a narrate is asked later
            check_voice=self._check,
            remedy=REMEDY,
        )

    def prepare(self, voice: Voice, clock: Clock) -> None:
        super().prepare(voice, clock)
        if self.facts.dialect is NARRATE:
            self.sample_rate = _rate_of(self.members, voice, self.facts.model) or _USUAL_RATE
            for member in self.members:
                member.rate = self.sample_rate  # type: ignore[attr-defined]

    def voices(self) -> tuple[VoiceEntry, ...]:
        """The voices that the server lists."""
        languages = tuple(sorted(self.abilities.languages))
        return tuple(VoiceEntry(name, languages, "of the server") for name in self.facts.voices)

    def _check(self, voice: Voice) -> None:
        if voice.language is not None and voice.language not in self.abilities.languages:
            known = ", ".join(sorted(self.abilities.languages))
            raise InputError(f"The server does not speak '{voice.language}', only {known}.")
        voices = self.facts.voices
        if voice.name is not None and voices and voice.name not in voices:
            raise InputError(f"The server has no voice '{voice.name}'. Choose one of: {', '.join(voices[:30])}.")
        if voice.name is None and not (self.facts.dialect is NARRATE or voice.describe or voice.reference):
            if not voices:
                raise InputError("This server does not list its voices. Name one with --voice.")
            raise InputError(f"Name a voice of the server with --voice: {', '.join(voices[:30])}.")
        wishes = {"instruct": "instructs", "describe": "describes", "reference": "clones"}
        flags = {"instruct": "instruct", "describe": "describe", "reference": "ref-audio"}
        for wish, ability in wishes.items():
            if getattr(voice, wish) is not None and not getattr(self.abilities, ability):
                raise InputError(f"The server cannot follow --{flags[wish]}. Leave it out, or choose another server.")


class OpenAI(Http):
    """OpenAI's own server, or the one that OPENAI_BASE_URL names. It wants a key, and costs money (prices.py)."""

    OPTIONS: ClassVar[Mapping[str, Callable[[str], Any]]] = {"model": str, "slots": _count}

    def __init__(self, model: str | None = None, slots: int | None = None, *, api_key: str | None = None) -> None:
        key = os.environ.get("OPENAI_API_KEY") or api_key
        if not key:
            raise InputError("OpenAI wants a key. Set OPENAI_API_KEY, or use an engine that runs here: -e auto.")
        url = _urls(os.environ.get("OPENAI_BASE_URL") or OPENAI_URL)
        super().__init__(url, model or OPENAI_MODEL, slots, "openai", name="openai", api_key=key)


def _find(
    urls: Sequence[str], model: str | None, dialect: Dialect | None, headers: Mapping[str, str], slots: int | None
) -> list[Server]:
    """The servers, each with what it says of itself. One that does not answer is taken to be like the others."""
    asked = [Background(partial(_facts, url, model, dialect, headers), "narrate-probe") for url in urls]
    found: list[Facts | None] = []
    errors: list[EngineError] = []
    for probe in asked:
        try:
            found.append(probe.result())
        except EngineError as error:
            found.append(None)
            errors.append(error)
    first = next((facts for facts in found if facts is not None), None)
    if first is None:
        raise errors[0]
    for url, facts in zip(urls, found, strict=True):
        if facts is not None and _sound_of(facts) != _sound_of(first):
            raise InputError(
                f"{url} does not speak as {urls[found.index(first)]} does ({facts.dialect.name}, {facts.model}; "
                f"{first.dialect.name}, {first.model}). A book must be read by servers that are alike."
            )
    return [Server(url, facts or first, headers, slots) for url, facts in zip(urls, found, strict=True)]


def _sound_of(facts: Facts) -> tuple[str, str, str]:
    return facts.dialect.name, facts.model, facts.identity


def _facts(url: str, model: str | None, dialect: Dialect | None, headers: Mapping[str, str]) -> Facts:
    """What the server says of itself. Raises EngineError if it does not answer, or wants a key."""
    import httpx

    with httpx.Client(headers=dict(headers)) as client:
        listed = ask_json(client, url, "/v1/models") or {}
        models = [each for each in listed.get("data", ()) if isinstance(each, dict)]
        dialect = dialect or recognise(httpx.URL(url).host, models)
        if dialect is NARRATE:
            return _narrate_facts(client, url, model)
        names = [str(each["id"]) for each in models if each.get("id")]
        voices = _voices(client, url, dialect)
    chosen = model or next((name for name in names if "tts" in name.lower()), names[0] if names else "tts-1")
    return Facts(dialect, chosen, voices, uses_seed="seed" in dialect.knows)


def _narrate_facts(client: httpx.Client, url: str, model: str | None) -> Facts:
    said = ask_json(client, url, "/api/engine", engine=model or "auto")
    if not isinstance(said, dict) or not said.get("languages"):
        raise EngineError(f"{url} is a narrate server that has no engine '{model or 'auto'}'.")
    identity = hashlib.blake2b(json.dumps(said["languages"], sort_keys=True).encode(), digest_size=8).hexdigest()
    engines = said["languages"].values()
    return Facts(
        NARRATE,
        model or "auto",
        tuple(said.get("voices", ())),
        tuple(language for language in said["languages"] if language in LANGUAGES),
        deterministic=all(each["deterministic"] for each in engines),
        uses_seed=any(each["uses_seed"] for each in engines),
        identity=identity,
    )


def _rate_of(members: Sequence[Any], voice: Voice, model: str) -> int | None:
    """The sample rate of a narrate server for this voice, from the first that answers."""
    import httpx

    for member in members:
        query = {"engine": model, "language": voice.language or "en"} | ({"voice": voice.name} if voice.name else {})
        try:
            with httpx.Client(headers=dict(member.headers)) as client:
                response = client.get(f"{member.url}/api/engine/rate", params=query, timeout=300.0)
        except httpx.HTTPError:
            continue
        if response.status_code == 200:
            return int(response.json()["sample_rate"])
    return None


def _voices(client: httpx.Client, url: str, dialect: Dialect) -> tuple[str, ...]:
    """The names of the voices, in whichever of the usual shapes they are listed."""
    if dialect.name == "openai":
        return OPENAI_VOICES
    listed = ask_json(client, url, "/v1/audio/voices")
    if isinstance(listed, dict):
        listed = next((listed[key] for key in ("voices", "data") if isinstance(listed.get(key), list)), [])
    names = (
        each if isinstance(each, str) else next((each[key] for key in ("id", "voice_id", "name") if each.get(key)), "")
        for each in listed or ()
        if isinstance(each, str | dict)
    )
    return tuple(dict.fromkeys(str(name) for name in names if name))
