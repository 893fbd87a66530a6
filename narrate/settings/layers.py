"""Where settings come from: the environment, the file beside a book, the user's file, and what a server is asked for.

A settings file is TOML. Its keys are the long options; [engine.qwen] holds for one engine, [voice.ja] for one language
and [voice.ono_anna] for one voice. TOML allows no key beside a table of the same name: in a file with such tables,
`default` in [engine] or [voice] is the engine or the voice for all else.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from narrate.errors import InputError
from narrate.settings.option import Option, Place
from narrate.settings.table import OPTIONS, SETTINGS
from narrate.settings.values import Layer, Setting
from narrate.text.language import LANGUAGES

DEFAULT = "default"  # in [engine] and [voice]: the one for all that has no table
BESIDE = "narrate.toml"  # the settings file beside a book
VARIABLE = "NARRATE_"
NO_SETTINGS = ("NARRATE_HOME", "NARRATE_CONFIG")  # folders and files, no settings
MOST_BYTES = 1 << 20
_OPTIONS = {option.name: option for option in SETTINGS}


def user_file() -> Path:
    """The user's settings file, whether it exists or not: `NARRATE_CONFIG`, or where the system keeps such files."""
    import platformdirs

    named = os.environ.get("NARRATE_CONFIG")
    return Path(named).expanduser() if named else platformdirs.user_config_path("narrate") / "config.toml"


def of_user() -> Layer:
    """What the user's settings file says. Raises InputError."""
    path = user_file()
    if not path.exists():
        if os.environ.get("NARRATE_CONFIG"):
            raise InputError(
                f"NARRATE_CONFIG names {path}, which does not exist. Create it with `narrate config --edit`."
            )
        return Layer()
    return read_settings(path, Place.USER)


def of_book(book: str) -> Layer:
    """What the file narrate.toml beside the book says, if there is one. Raises InputError."""
    path = Path(book).parent / BESIDE
    return read_settings(path, Place.BOOK) if book != "-" and path.is_file() else Layer()


def of_environment() -> Layer:
    """What NARRATE_ variables say. Raises InputError for a wrong value, and for a name that is nearly one of ours.

    Other names that begin so are left alone: container platforms set NARRATE_SERVICE_HOST and its like, and even
    NARRATE_PORT, to an address that begins with tcp://.
    """
    options = {option.variable: option for option in SETTINGS if Place.ENVIRONMENT in option.places}
    found = {}
    for name, text in os.environ.items():
        if not name.startswith(VARIABLE) or name in NO_SETTINGS or text.startswith("tcp://"):
            continue
        if option := options.get(name):
            found[option.name] = Setting(option.read(text, name), Place.ENVIRONMENT, name)
        elif near := get_close_matches(name, options, 1, 0.85):
            raise InputError(f"narrate knows no variable {name}. Did you mean {near[0]}?")
    return Layer(found)


def of_request(wishes: Mapping[str, object]) -> Layer:
    """What somebody asks of a server, as from JSON: the names of the table and their values. Raises InputError."""
    return Layer(_checked(wishes, "the request", Place.REQUEST, Path(), OPTIONS))


def read_settings(path: Path, place: Place) -> Layer:
    """A settings file. Raises InputError naming the file for what is no TOML, no setting or no value of it."""
    tables: dict[tuple[str, str], Mapping[str, Setting]] = {}
    settings: dict[str, object] = {}
    late = [option for option in OPTIONS if option.late]
    for key, value in _load(path).items():
        if key not in ("engine", "voice") or not isinstance(value, dict):
            settings[key] = value
            continue
        for name, table in value.items():
            if name == DEFAULT:
                settings[key] = table
                continue
            where = f"[{key}.{name}] in {path}"
            if not isinstance(table, dict):
                raise InputError(f"{path}: {key}.{name} must be a table. Write [{key}.{name}] on a line of its own.")
            _check_name(key, name, where)
            tables[key, name] = _checked(table, where, place, path.parent, _allowed(key, name, late))
    return Layer(_checked(settings, str(path), place, path.parent, SETTINGS), tables)


def _load(path: Path) -> dict[str, object]:
    try:
        data = path.read_bytes()[: MOST_BYTES + 1]
        if len(data) > MOST_BYTES:
            raise InputError(f"{path} is too large for a settings file.")
        text = data.decode("utf-8-sig")
        return tomllib.loads(text)
    except OSError as error:
        raise InputError(
            f"The settings file {path} cannot be read: {(error.strerror or str(error)).lower()}."
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a valid settings file: it is not UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        why = str(error).rstrip(".")
        raise InputError(f"{path} is not a valid settings file: {why}. {_remedy(text)}") from None


def _remedy(text: str) -> str:
    """What to write instead of that which is no TOML."""
    top, *tables = re.split(r"^\s*(?=\[)", text, flags=re.M)
    for key in ("engine", "voice"):
        if re.search(rf"^\s*{key}\s*=", top, re.M) and any(table.startswith(f"[{key}.") for table in tables):
            return f"Beside tables such as [{key}.…], the {key} for all else is `{DEFAULT}` in a table [{key}]."
    return 'Write lines such as: voice = "ryan"'


def _allowed(key: str, name: str, late: Sequence[Option]) -> list[Option]:
    """A table for a language may choose the engine and the voice, that for an engine the voice, that for a voice
    neither: so no table decides about one that was chosen before it."""
    if key == "engine":
        return [option for option in late if option.name != "engine"]
    return [option for option in late if name in LANGUAGES or option.name not in ("engine", "voice")]


def _check_name(key: str, name: str, where: str) -> None:
    """Raise InputError for a table of an engine that does not exist, or of a voice that is nearly one that does."""
    from narrate.engines.table import ENGINES

    if key == "engine":
        known = [entry.name for entry in ENGINES]
        if name not in known:
            raise InputError(f"{where}: there is no engine '{name}'. {_nearest(name, known)}")
        return
    if name in LANGUAGES:
        return
    if len(name) == 2:
        raise InputError(
            f"{where}: '{name}' is not a language that narrate speaks. Choose one of {', '.join(LANGUAGES)}."
        )
    known = [voice.name for entry in ENGINES for voice in entry.voices()]
    if name not in known and (near := get_close_matches(name, known, 1, 0.75)):  # a model of one's own has others
        raise InputError(f"{where}: there is no voice '{name}'. Did you mean {near[0]}?")


def _checked(
    wishes: Mapping[str, object], where: str, place: Place, folder: Path, allowed: Sequence[Option]
) -> dict[str, Setting]:
    names = [option.name for option in allowed]
    found: dict[str, Setting] = {}
    for name, value in wishes.items():
        option = _OPTIONS.get(name)
        if option is None:
            raise InputError(f"{where}: there is no setting '{name}'. {_nearest(name, names)}")
        if place not in option.places:
            raise InputError(f"{where}: {name} cannot be set here. {_elsewhere(option)}")
        if name not in names:
            raise InputError(f"{where}: {name} cannot be set in this table. Write it at the top of the file.")
        found[name] = Setting(option.accept(value, f"{where}: {name}", folder), place, where)
    return found


def _nearest(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name.replace("_", "-"), names, 1, 0.6)
    return f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}."


def _elsewhere(option: Option) -> str:
    """Where an option may be set that cannot be set where somebody tried to."""
    if Place.COMMAND not in option.places:
        return f"Write it into your own settings file, {user_file()}, or set {option.variable}."
    if Place.USER in option.places:
        return f"Write it into your own settings file, {user_file()}, or use {option.flag}."
    if Place.BOOK in option.places:
        return f"Write it into {BESIDE} beside the book, or use {option.flag}."
    return f"Use {option.flag} on the command line."
