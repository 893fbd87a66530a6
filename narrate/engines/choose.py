"""Which engine reads a language best on this machine, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from narrate.engines import Engine
from narrate.engines.batched import Rows
from narrate.engines.table import ENGINES, EngineEntry, find_engine, load_engine, without_gpu
from narrate.errors import InputError
from narrate.text.language import LANGUAGES
from narrate.voice import Voice


def open_engine(
    spec: str,
    voice: Voice,
    language: str,
    *,
    rows: Rows = None,
    options: Mapping[str, object] | None = None,
    mixed: bool = False,
) -> tuple[Engine, str | None]:
    """The engine that reads a book in `language` with `voice`, and, if it was chosen here, which one it is and why.

    `spec` is "auto" or as `load_engine` takes it, `rows` how many requests it takes at once, `options` its own further
    ones. `mixed`: another engine helps out with what is quoted in a language that this one does not speak. Raises
    `InputError` for an engine, a voice or an option that is not to be had.
    """
    why = None
    if spec == "auto":
        spec, why = choose_engine(language)
    known = find_engine(spec.partition(":")[0]).load().OPTIONS
    own = dict(options or {})
    if "model" in known and "model" not in own and (voice.reference or voice.describe):
        own["model"] = "base" if voice.reference else "voicedesign"
    engine = load_engine(spec, rows=rows, **own)
    engine.check(replace(voice, language=language))
    return _with_help(engine) if mixed else engine, why


def _with_help(engine: Engine) -> Engine:
    """The engine, helped out by another for the languages that it does not speak, if there is one here that does."""
    languages = engine.abilities.languages
    if languages >= LANGUAGES.keys():
        return engine
    from narrate.engines.mixed import Mixed

    foreign = "en" if "en" not in languages else "ja"
    try:
        second = load_engine(choose_engine(foreign)[0])
    except InputError:  # no such engine here: what is quoted in that language, if anything is, fails by name
        return engine
    return Mixed(engine, second)


def choose_engine(language: str, table: Iterable[EngineEntry] = ENGINES) -> tuple[str, str]:
    """The best engine of the table that can speak `language` on this machine, and in one line why it.

    Raises `InputError` with the remedy if none can.
    """
    if language not in LANGUAGES:
        raise InputError(f"No engine speaks '{language}'. Languages: {', '.join(LANGUAGES)}.")
    spoken = LANGUAGES[language]
    better = ""
    for entry in table:
        if not entry.auto or language not in entry.languages:
            continue
        absent = entry.missing() or (without_gpu(entry.name) if entry.wants_gpu else None)
        if absent is None:
            return entry.name, f"{entry.name} ({entry.description}) reads {spoken}{better}"
        better = better or f"; {absent}"
    raise InputError(f"No engine that reads {spoken} can run here{better}.")
