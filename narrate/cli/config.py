"""`narrate config`: which settings hold, and where each of them was set."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

from narrate.cli.command import Argument, Command
from narrate.errors import InputError, NarrateError
from narrate.settings.kinds import Switch
from narrate.settings.layers import BESIDE, of_book, of_environment, of_user, read_settings, user_file
from narrate.settings.option import ONCE, Option, Place, written
from narrate.settings.table import GROUPS, SERVING, SETTINGS, named
from narrate.settings.values import Layer, Values

EDITORS = ("sensible-editor", "nano", "vi", "notepad")
PATTERN = """\
# Settings of narrate. A line without # before it holds. `narrate config` shows what holds, and from where.
# Tables at the end of this file hold for one language, one voice or one engine:
#
# [voice.ja]
# engine = "openjtalk"
# speed = 1.1
#
# [engine.qwen]
# temperature = 0.8
#
# In a file with such tables, write the voice for all else as `default` in a table [voice], and the engine likewise.
"""


def config(values: Values) -> None:
    if values["edit"]:
        _edit(user_file())
        return
    book = values["book"]
    layers = [of_environment(), of_book(book) if book else Layer(), of_user()]
    for line in _report(layers, book, every=values["all"]):
        print(line)


def _report(layers: list[Layer], book: str | None, *, every: bool) -> Iterator[str]:
    """A line for each setting that somebody has set, or for every one: name, value, and where it was set."""
    path = user_file()
    yield f"Your settings: {path}" + ("" if path.exists() else " (not there yet; narrate config --edit creates it)")
    if book:
        beside = Path(book).parent / BESIDE
        yield f"The book's: {beside}" + ("" if beside.exists() else " (not there)")
    yield ""
    values = Values(SETTINGS, layers)
    rows = [(option.name, values.setting(option.name)) for option in SETTINGS if option.places != ONCE]
    cells = [
        (name, "" if setting.value is None else _shown(name, setting.value), setting.where or "default")
        for name, setting in rows
        if setting.place or every
    ]
    yield from _columns(cells)
    for layer in layers:
        for (key, name), table in layer.tables.items():
            yield ""
            yield f"[{key}.{name}]"
            yield from _columns([(each, _shown(each, it.value), _file(it.where)) for each, it in table.items()])
    if not every:
        yield "" if cells else "Nothing is set; everything has its default."
        yield "narrate config --all lists the defaults, too."


def _shown(name: str, value: object) -> str:
    """A value as a settings file has it; of a secret, only that there is one."""
    return "(secret)" if any(option.secret for option in named(name)) else written(_plain(value))


def _file(where: str) -> str:
    return where.rpartition("] in ")[2]


def _plain(value: object) -> object:
    """A value as TOML knows it."""
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value


def _columns(rows: list[tuple[str, str, str]]) -> Iterator[str]:
    first = max((len(row[0]) for row in rows), default=0)
    second = min(max((len(row[1]) for row in rows), default=0), 30)
    for name, value, where in rows:
        yield f"{name:{first}}  {value:{second}}  {where}"


def _edit(path: Path) -> None:
    """Open the file in the user's editor, and say what is wrong in it afterwards. Raises NarrateError."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or next(filter(shutil.which, EDITORS), None)
    if editor is None:
        raise InputError(f"No editor was found. Name one in EDITOR, or edit {path} yourself.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(_pattern(), encoding="utf-8")
        done = subprocess.run([*shlex.split(editor), str(path)], check=False)
    except (OSError, ValueError) as error:
        raise NarrateError(f"{path} cannot be edited with {editor}: {error}.") from None
    if done.returncode:
        raise NarrateError(f"The editor {editor} ended with code {done.returncode}.")
    read_settings(path, Place.USER)
    print(f"Your settings are in {path}.")


def _pattern() -> str:
    """A file in which every setting stands behind a #, with its default and its line of help."""
    lines = [PATTERN]
    for group in (*GROUPS, SERVING[0].group):
        lines.append(f"\n# --- {group} ---\n")
        for option in SETTINGS:
            if option.group == group and Place.USER in option.places:
                lines += textwrap.wrap(option.help, 96, initial_indent="# ", subsequent_indent="# ")
                held = written(_plain(option.default)) if option.default is not None else f"# {option.kind.words}"
                lines.append(f"# {option.name} = {held}\n")
    return "\n".join(lines)


COMMAND = Command(
    run=config,
    arguments=(Argument("book", "BOOK", f"Also show the settings in {BESIDE} beside this book.", required=False),),
    options=(
        Option(
            "edit", Switch(), "Open your settings file in your editor (VISUAL or EDITOR).", places=ONCE, default=False
        ),
        Option("all", Switch(), "Show the defaults, too.", places=ONCE, default=False),
    ),
    details="A setting is any long option without its hyphens, such as speed = 1.2. Options on the command line come "
    f"first, then the environment (NARRATE_SPEED=1.2), then {BESIDE} beside the book, then your own settings file.",
)
