"""The voices that programs may ask for: those of the engines, and OpenAI's names for voices that suit a language."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from narrate.engines import VoiceEntry
from narrate.engines.choose import choose_engine
from narrate.engines.table import ENGINES, find_engine, voices
from narrate.errors import InputError
from narrate.server.service import Service

# The names of OpenAI's voices, and whether a woman's voice is meant.
ALIASES = {
    "alloy": True, "ash": False, "ballad": False, "coral": True, "echo": False, "fable": False, "nova": True,
    "onyx": False, "sage": True, "shimmer": True, "verse": False, "marin": True, "cedar": False,
}  # fmt: skip
_WOMAN = re.compile(r"\b(?:female|woman)\b", re.IGNORECASE)


def suited(wishes: Mapping[str, object], service: Service, language: str) -> dict[str, object]:
    """The wishes with a voice of the engine in the place of one of OpenAI's. Raises InputError."""
    asked = wishes.get("voice")
    if not isinstance(asked, str) or asked not in ALIASES:
        return dict(wishes)
    others = {name: wish for name, wish in wishes.items() if name != "voice"}
    known = voices(engine_for(service, others, language))
    if any(voice.name == asked for voice in known):
        return dict(wishes)
    chosen = voice_for(asked, known, language)
    return others if chosen is None else {**others, "voice": chosen}


def engine_for(service: Service, wishes: Mapping[str, object], language: str) -> str:
    """The name of the engine that speaks a text in this language for these wishes. Raises InputError."""
    name = service.speaking(wishes, language).engine.partition(":")[0]
    return choose_engine(language).name if name == "auto" else name


def voice_for(alias: str, known: Sequence[VoiceEntry], language: str) -> str | None:
    """The voice that stands for one of OpenAI's: of those native to the language one that fits, always the same."""
    native = [voice for voice in known if language in voice.languages]
    fitting = [voice for voice in native if bool(_WOMAN.search(voice.description)) == ALIASES[alias]]
    alike = [name for name, woman in ALIASES.items() if woman == ALIASES[alias]]
    choice = fitting or native
    return choice[alike.index(alias) % len(choice)].name if choice else None


def engines(service: Service) -> list[str]:
    """The names of the engines that can run here, the server's own choice first; a test signal only if it is that."""
    own = str(service.options.values["engine"]).partition(":")[0]
    found = [entry.name for entry in ENGINES if entry.auto and entry.missing() is None and entry.name != own]
    return found if own == "auto" else [own, *found]


def listing(service: Service) -> list[dict[str, object]]:
    """The voices of all these engines, as programs read them."""
    return [
        {
            "id": voice.name,
            "name": voice.name,
            "engine": engine,
            "languages": list(voice.languages),
            "description": voice.description,
        }
        for engine in engines(service)
        for voice in find_engine(engine).voices()
    ]


def check_engine(wishes: Mapping[str, object]) -> None:
    """Raise InputError for an engine with options of its own, which are for whoever starts the server."""
    if ":" in str(wishes.get("engine", "")):
        raise InputError("A request names an engine without options, such as espeak.")
