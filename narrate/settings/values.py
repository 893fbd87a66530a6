"""Values of options, each with the place that it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from narrate.settings.option import Option, Place


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it was set; `place` is None for a default. `where` is for people: "--speed", a file."""

    value: object
    place: Place | None = None
    where: str = ""


class Values(Mapping[str, Any]):
    """The values of a command by the names of its options and arguments. What nobody has set has its default."""

    def __init__(
        self, options: tuple[Option, ...], settings: Mapping[str, Setting], arguments: Mapping[str, Any]
    ) -> None:
        self._options = {option.name: option for option in options}
        self._settings = settings
        self._arguments = arguments

    def __getitem__(self, name: str) -> Any:
        return self._arguments[name] if name in self._arguments else self.setting(name).value

    def __iter__(self) -> Iterator[str]:
        return iter([*self._arguments, *self._options])

    def __len__(self) -> int:
        return len(self._arguments) + len(self._options)

    def setting(self, name: str) -> Setting:
        """The value of an option together with its place."""
        return self._settings.get(name) or Setting(self._options[name].default)

    def commanded(self, name: str) -> bool:
        """True if the value was given on the command line."""
        return self.setting(name).place is Place.COMMAND
