"""All settings as one table, from the same lines as the help."""

from __future__ import annotations

from narrate.settings.option import Option, Place
from narrate.settings.table import GROUPS, SERVING, SETTINGS

HEAD = """\
# Settings

Made by `narrate help --settings`. A setting is a long option without its hyphens. Places: `c` the command line, `e` the
environment, `b` the file narrate.toml beside a book, `u` your own settings file, `r` what is asked of a server. `t`: it
may stand in a table such as `[voice.ja]` or `[engine.qwen]`."""
COLUMNS = ("| setting | values | default | environment | places |", "|---|---|---|---|---|")
PLACES = {Place.COMMAND: "c", Place.ENVIRONMENT: "e", Place.BOOK: "b", Place.USER: "u", Place.REQUEST: "r"}


def settings_table() -> str:
    """All settings: their keys, values, defaults, variables, and where they may be set."""
    lines = [HEAD]
    for group in (*GROUPS, SERVING[0].group):
        lines += [
            "",
            f"## {group}",
            "",
            "| setting | values | default | environment | places |",
            "|---|---|---|---|---|",
        ]
        lines += [_setting(option) for option in SETTINGS if option.group == group]
    return "\n".join(lines) + "\n"


def _setting(option: Option) -> str:
    places = "".join(letter for place, letter in PLACES.items() if place in option.places) + "t" * option.late
    variable = f"`{option.variable}`" if Place.ENVIRONMENT in option.places else ""
    default = f"`{_default(option)}`" if option.default not in (None, (), "") else ""
    return f"| `{option.name}` | {option.kind.words} | {default} | {variable} | {places} |"


def _default(option: Option) -> str:
    return str(option.default).lower() if isinstance(option.default, bool) else f"{option.default}"
