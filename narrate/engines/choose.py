"""Which engine reads a language best on this machine, and why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import NamedTuple

from narrate.engines import Engine
from narrate.engines.batched import Rows
from narrate.engines.table import ENGINES, EngineEntry, engine_name, find_engine, load_engine, without_gpu
from narrate.errors import InputError
from narrate.files import write_atomically
from narrate.folders import home
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
        choice = choose_engine(language, measure=True)
        spec, why = choice.name, choice.why
        if choice.better and _say_once(choice.better):
            why = f"{why}. {choice.better.rstrip('.')}"
    known = find_engine(engine_name(spec)).load().OPTIONS
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


class Choice(NamedTuple):
    """The name of an engine, in one sentence why it, and how to get a better one, if there is one."""

    name: str
    why: str
    better: str | None = None


def choose_engine(language: str, table: Iterable[EngineEntry] = ENGINES, *, measure: bool = False) -> Choice:
    """The best engine of the table that can speak `language` on this machine.

    One whose speed here is not known counts as too slow, unless it may be measured now. Raises `InputError` with the
    remedy if none can.
    """
    if language not in LANGUAGES:
        raise InputError(f"No engine speaks '{language}'. Languages: {', '.join(LANGUAGES)}.")
    spoken = LANGUAGES[language]
    better = easiest = None
    for entry in table:
        if not entry.auto or language not in entry.languages:
            continue
        absent = entry.missing() or (_too_slow(entry, measure) if entry.wants_gpu and without_gpu() else None)
        if absent is None:
            return Choice(entry.name, f"{entry.name} ({entry.description}) reads {spoken}", better)
        better = better or f"{entry.name} ({entry.description}) would read it better, but {absent}."
        easiest = f"{entry.name} ({entry.description}) would, but {absent}."  # the small voices come last
    raise InputError(f"No voice that reads {spoken} is here. {easiest or ''}".strip())


def _too_slow(entry: EngineEntry, measure: bool) -> str | None:
    """Why an engine that wants a GPU should not run on this processor; None if it is quick enough here."""
    if entry.processor is None:
        return without_gpu()
    return import_module(entry.processor).not_chosen(measure=measure)  # type: ignore[no-any-return]


def _say_once(sentence: str) -> bool:
    """True the first time that this sentence is to be said to the user; it is remembered."""
    path = home() / "said.json"
    digest = hashlib.blake2b(sentence.encode(), digest_size=8).hexdigest()
    said: list[str] = []
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        said = [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
    if digest in said:
        return False
    with suppress(OSError):  # where nothing can be kept it is said again
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps([*said, digest]).encode())
    return True
