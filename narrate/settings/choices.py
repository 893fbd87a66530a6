"""Values of the table as the options of the rooms below: text, voice, files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from narrate.errors import InputError
from narrate.settings.values import WANTED_NOW, Setting, Values
from narrate.voice import Voice

if TYPE_CHECKING:
    from narrate.engines.batched import Rows
    from narrate.engines.table import EngineEntry
    from narrate.text.book import TextOptions

TEXT_OPTIONS = (
    "lang",
    "encoding",
    "ruby",
    "ruby-memory",
    "footnotes",
    "code",
    "alt",
    "tables",
    "announce",
    "chapters",
    "dict",
    "normalize",
    "mixed",
    "max-chars",
    "max-bytes",
)
"""What `text_options` needs."""
ENGINE_OPTIONS = (
    "model",
    "device",
    "dtype",
    "runtime",
    "temperature",
    "top-k",
    "top-p",
    "repetition-penalty",
    "api-key",
)
"""What only some engines understand."""
WISHES = {"instruct": "instruct", "describe": "describe", "ref-audio": "reference", "ref-text": "reference_text"}
"""What only an engine with models can follow, and the voice's fields for it."""


@dataclass(frozen=True, slots=True)
class Speaking:
    """Who speaks and how: what a listener may have settled for each language."""

    voice: Voice = field(default_factory=Voice)
    speed: float = 1.0
    engine: str = "auto"
    engine_options: Mapping[str, object] = field(default_factory=dict)
    rows: Rows = None


def text_options(values: Values) -> TextOptions:
    """How the text is read, made sayable and cut."""
    from narrate.text.book import TextOptions
    from narrate.text.encoding import MOST_BYTES

    return TextOptions(
        language=values["lang"],
        encoding=values["encoding"],
        ruby=values["ruby"],
        ruby_memory=values["ruby-memory"],
        footnotes=values["footnotes"],
        code=values["code"],
        alt=values["alt"],
        tables=values["tables"],
        announce=values["announce"],
        chapters=values["chapters"],
        dictionary=values["dict"],
        spell_out=values["normalize"],
        mixed=values["mixed"],
        max_chars=values["max-chars"],
        max_bytes=values["max-bytes"] or MOST_BYTES,
    )


def speaking(values: Values, language: str | None = None) -> Speaking:
    """Who speaks and how. With the `language` of the book, the tables for it, its engine and its voice hold too.

    What stands in a settings file or in the environment for an engine that can do more is left out for one that cannot;
    on the command line or in a request it stays, so that the engine refuses it. Raises InputError for a voice of
    another engine.
    """
    from narrate.engines.choose import choose_engine

    names = {name for name in (*ENGINE_OPTIONS, *WISHES) if values.get(name) is not None}
    if language is not None:
        made_up = values["describe"] is not None or values["ref-audio"] is not None
        usual = (lambda *_: None) if made_up else _usual_voice
        values = values.speaking(language, lambda language: choose_engine(language)[0], usual)
        names = _understood(values, language)
    wishes = {field: values[name] for name, field in WISHES.items() if name in names}
    return Speaking(
        voice=Voice(name=values["voice"], language=values["lang"], seed=values["seed"], **wishes),
        speed=values["speed"],
        engine=values["engine"],
        engine_options={name.replace("-", "_"): values[name] for name in ENGINE_OPTIONS if name in names},
        rows=values["batch-size"],
    )


def _usual_voice(engine: str, language: str) -> str | None:
    """The voice that an engine takes for a language; of each language the first one is."""
    from narrate.engines.table import voices

    return next((voice.name for voice in voices(engine) if language in voice.languages), None)


def _understood(values: Values, language: str) -> set[str]:
    """The options for some engines only that were given on the command line, or that this engine understands."""
    from narrate.engines.choose import choose_engine
    from narrate.engines.table import engine_name, find_engine

    engine = engine_name(values["engine"])
    entry = find_engine(choose_engine(language)[0] if engine == "auto" else engine)
    known: Collection[str] = entry.understood()
    _check_voice(values.setting("voice"), entry, "model" in known)
    given = {name for name in (*ENGINE_OPTIONS, *WISHES) if values[name] is not None}
    return {
        name
        for name in given
        if values.commanded(name) or name.replace("-", "_") in known or (name in WISHES and "model" in known)
    }


def _check_voice(voice: Setting, entry: EngineEntry, has_models: bool) -> None:
    """Raise InputError for a voice that was set for all books, and that the engine of this one does not have. What is
    given on the command line is the engine's to judge, and so are voices that a model may have added."""
    known = [each.name for each in entry.voices()]
    if voice.value is None or voice.place in WANTED_NOW or has_models or entry.remote or voice.value in known:
        return
    raise InputError(
        f"{voice.where}: the voice {voice.value} is set, but {entry.name}, which reads this book, does not have it. "
        f"Set a voice for each language, in tables such as [voice.en]; narrate voices lists them."
    )


def kept_in(values: Values) -> Path | None:
    """The folder for takes, None for none. Where --store and --no-store come from two places, the nearer one wins."""
    kept, none = values.setting("store").place, values.setting("no-store").place
    if not values["no-store"] or (kept is not None and none is not None and kept.value < none.value):
        return store_folder(values)
    return None


def store_folder(values: Values) -> Path:
    from narrate.folders import home

    return values["store"] or home() / "store"
