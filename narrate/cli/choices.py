"""Values of the table as the options of the rooms below: text, voice, files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from narrate.settings.values import Values

if TYPE_CHECKING:
    from narrate.text.book import TextOptions
    from narrate.voice import Voice

TEXT_OPTIONS = (
    "lang",
    "encoding",
    "ruby",
    "ruby-memory",
    "footnotes",
    "chapters",
    "dict",
    "normalize",
    "mixed",
    "max-chars",
    "max-bytes",
)
"""What `text_options` needs."""


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
        chapters=values["chapters"],
        dictionary=values["dict"],
        spell_out=values["normalize"],
        mixed=values["mixed"],
        max_chars=values["max-chars"],
        max_bytes=values["max-bytes"] or MOST_BYTES,
    )


def voice(values: Values) -> Voice:
    """How it should sound."""
    from narrate.voice import Voice

    return Voice(
        name=values["voice"],
        language=values["lang"],
        seed=values["seed"],
        instruct=values["instruct"],
        describe=values["describe"],
        reference=values["ref-audio"],
        reference_text=values["ref-text"],
    )


def engine_options(values: Values) -> dict[str, Any]:
    """What only some engines understand, by the names that they have for it."""
    names = ("model", "device", "dtype", "runtime", "temperature", "top-k", "top-p", "repetition-penalty")
    return {name.replace("-", "_"): values[name] for name in names if values[name] is not None}


def kept_in(values: Values) -> Path | None:
    """The folder for takes, None for none. Where --store and --no-store come from two places, the nearer one wins."""
    kept, none = values.setting("store").place, values.setting("no-store").place
    if not values["no-store"] or (kept is not None and none is not None and kept.value < none.value):
        return store_folder(values)
    return None


def store_folder(values: Values) -> Path:
    from narrate.folders import home

    return values["store"] or home() / "store"
