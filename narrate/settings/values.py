"""The values that hold: those of the command line before the environment, the book's file, the user's, the defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from narrate.settings.option import Option, Place

WANTED_NOW = (Place.COMMAND, Place.REQUEST)
"""What is set in other places holds for many texts."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it was set; `place` is None for a default. `where` is for people: "--speed", a file."""

    value: object
    place: Place | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """All that one place has set: for everything, and by tables such as ("engine", "qwen") for what they name."""

    settings: Mapping[str, Setting] = field(default_factory=dict)
    tables: Mapping[tuple[str, str], Mapping[str, Setting]] = field(default_factory=dict)


class Values(Mapping[str, Any]):
    """The values of options and arguments by their names.

    `layers` are the places where they were set, the one that comes first in the precedence first; what none has set has
    its default. `tables` are those that hold, such as ("voice", "ja"), the most particular first: within a layer they
    come before what is set for everything.
    """

    def __init__(
        self,
        options: Sequence[Option],
        layers: Sequence[Layer],
        arguments: Mapping[str, Any] | None = None,
        tables: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._options = {option.name: option for option in options}
        self._layers = tuple(layers)
        self._arguments = arguments or {}
        self._tables = tuple(tables)

    def __getitem__(self, name: str) -> Any:
        return self._arguments[name] if name in self._arguments else self.setting(name).value

    def __iter__(self) -> Iterator[str]:
        return iter([*self._arguments, *self._options])

    def __len__(self) -> int:
        return len(self._arguments) + len(self._options)

    def setting(self, name: str) -> Setting:
        """The value of an option together with its place."""
        option = self._options[name]
        for layer in self._layers:
            for settings in (*(layer.tables.get(table, {}) for table in self._tables), layer.settings):
                found = settings.get(name)
                if found is not None and found.place is not None and found.place in option.places:
                    return found
        return Setting(option.default)

    def commanded(self, name: str) -> bool:
        """True if somebody wants the value here and now: on the command line, or in what a server is asked for."""
        return self.setting(name).place in WANTED_NOW

    def for_other(self, options: Sequence[Option], arguments: Mapping[str, Any]) -> Values:
        """What the same places have set for another command's options."""
        return Values(options, self._layers, arguments)

    def beside(self, book: str) -> Values:
        """The values for this book: the settings file beside it comes before the last layer, the user's own."""
        from narrate.settings.layers import of_book

        layers = [*self._layers[:-1], of_book(book), *self._layers[-1:]]
        return Values([*self._options.values()], layers, self._arguments, self._tables)

    def under(self, layer: Layer) -> Values:
        """The values with a layer that comes before all others."""
        return Values([*self._options.values()], [layer, *self._layers], self._arguments, self._tables)

    def in_language(self, language: str) -> Values:
        """The values for a text in this language, with the table of that language alone."""
        return self._with([("voice", language)])

    def of_engine(self, engine: str) -> Values:
        """The values for an engine of this name, with its own table."""
        return self._with([("engine", engine)])

    def speaking(
        self, language: str, choose: Callable[[str], str], usual: Callable[[str, str], str | None] = lambda *_: None
    ) -> Values:
        """The values for a text in this language, with the tables of its language, its voice and its engine.

        `choose` names the engine that "auto" means for a language, and `usual` the voice that an engine has for a
        language if none was wished for.
        """
        from narrate.engines.table import engine_name

        engine = engine_name(str(self.in_language(language)["engine"]))
        engine = choose(language) if engine == "auto" else engine
        tables = [("voice", language), ("engine", engine)]
        voice = self._with(tables)["voice"] or usual(engine, language)
        return self._with([("voice", str(voice)), *tables] if voice and voice != language else tables)

    def _with(self, tables: Sequence[tuple[str, str]]) -> Values:
        return Values([*self._options.values()], self._layers, self._arguments, tables)
