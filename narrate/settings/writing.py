"""Settings written into the user's file, all else in which stays as it is: comments, order, blank lines."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from narrate.errors import InputError, NarrateError
from narrate.files import write_atomically
from narrate.settings.option import written

TABLE = re.compile(r"[ \t]*\[")


def keep_setting(path: Path, table: str, name: str, value: str) -> None:
    """Write `name = value` into a table of the file, such as "voice.ja", or above all tables ("").

    The file comes to be if it is not there. Raises `InputError` if it holds the setting in a form that is not changed
    here, `NarrateError` if it cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not an ordinary file, so no setting can be kept in it.")
        text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
        changed = with_setting(text, table, name, value)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path.resolve(), changed.encode())
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise NarrateError(f"The setting {name} cannot be kept in {path}: {why}.") from None
    except ValueError:  # no UTF-8, no TOML, or a form that is not changed here
        where = f"in a table [{table}]" if table else "at its top"
        raise InputError(
            f"{path} is written in a form that is not changed here. Put {name} = {written(value)} {where} yourself."
        ) from None


def with_setting(text: str, table: str, name: str, value: str) -> str:
    """The text of a settings file with that setting in it. Raises `ValueError` if it cannot be put there."""
    wanted = _with(tomllib.loads(text), table, name, value)
    lines = text.splitlines(keepends=True)
    line = f"{name} = {written(value)}\n"
    begin, end = _part(lines, table)
    if begin is None:
        before = [*lines, "" if not lines or lines[-1].endswith("\n") else "\n", "\n" * bool(lines)]
        changed = [*before, f"[{table}]\n", line]
    else:
        key = re.compile(rf"[ \t]*[\"']?{re.escape(name)}[\"']?[ \t]*=")
        here = next((at for at in range(begin, end) if key.match(lines[at])), None)
        if here is not None:
            changed = [*lines[:here], line, *lines[here + 1 :]]
        else:
            last = max((at + 1 for at in range(begin, end) if lines[at].strip()), default=begin)
            kept = lines[:last]
            if kept and not kept[-1].endswith("\n"):
                kept[-1] += "\n"
            changed = [*kept, line, *(["\n"] if not table and last == end < len(lines) else []), *lines[last:]]
    result = "".join(changed)
    if tomllib.loads(result) != wanted:
        raise ValueError(f"{name} stands in the file in another form")
    return result


def _part(lines: list[str], table: str) -> tuple[int | None, int]:
    """The lines of a table, its head left out; None if the file has no such table."""
    heads = [at for at, line in enumerate(lines) if TABLE.match(line)]
    if not table:
        return 0, heads[0] if heads else len(lines)
    for number, at in enumerate(heads):
        if re.fullmatch(rf"\[\s*{re.escape(table)}\s*\]\s*(#.*)?", lines[at].strip()):
            return at + 1, heads[number + 1] if number + 1 < len(heads) else len(lines)
    return None, 0


def _with(settings: dict[str, Any], table: str, name: str, value: str) -> dict[str, Any]:
    """What the file shall mean afterwards."""
    inner = settings
    for key in filter(None, table.split(".")):
        inner = inner.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ValueError(f"{key} is no table")
    inner[name] = value
    return settings
