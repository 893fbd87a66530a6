"""A setting that is kept changes its own line of the file, and nothing else."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.errors import InputError, NarrateError
from narrate.settings.writing import keep_setting, with_setting

FILE = """\
# mine
speed = 1.1   # quick

[voice.ja]
engine = "openjtalk"  # small

[engine.qwen]
temperature = 0.8
"""


@pytest.mark.parametrize(
    ("before", "table", "name", "value", "after"),
    [
        ("", "", "sound-device", "usb", 'sound-device = "usb"\n'),
        ("", "voice.en", "voice", "en-gb", '[voice.en]\nvoice = "en-gb"\n'),
        (FILE, "", "sound-device", "usb", FILE.replace("# quick\n", '# quick\nsound-device = "usb"\n')),
        (FILE, "voice.ja", "engine", "espeak", FILE.replace('engine = "openjtalk"  # small', 'engine = "espeak"')),
        (FILE, "voice.ja", "voice", "mei", FILE.replace("# small\n", '# small\nvoice = "mei"\n')),
        (FILE, "voice.en", "voice", "x", FILE + '\n[voice.en]\nvoice = "x"\n'),
        ("[voice.ja]\n", "", "sound-device", "usb", 'sound-device = "usb"\n\n[voice.ja]\n'),
        ("speed = 1", "", "sound-device", "usb", 'speed = 1\nsound-device = "usb"\n'),
        ('"sound-device" = "a"\n', "", "sound-device", 'a "b" \\', 'sound-device = "a \\"b\\" \\\\"\n'),
    ],
)
def test_only_its_own_line_changes(before: str, table: str, name: str, value: str, after: str) -> None:
    assert with_setting(before, table, name, value) == after


LINES = st.sampled_from(
    ["", "# note", "speed = 1.1", 'engine = "x"', 'voice = "y"', "[voice.ja]", "[voice.en] # mine", "[engine.qwen]",
     'dict = """', "voice.en.voice = 'z'", "a = [", '["b"],', "]", "[[a]]", "\u2028", 'title = "[voice.en]"'],
)  # fmt: skip


@given(
    text=st.lists(LINES, max_size=9).map("\n".join),
    table=st.sampled_from(["", "voice.en", "voice.ja"]),
    name=st.sampled_from(["engine", "voice", "sound-device"]),
    value=st.text(max_size=8).filter(lambda text: not any("\ud800" <= sign <= "\udfff" for sign in text)),
)
def test_whatever_the_file_holds_it_means_the_same_with_the_setting_or_is_refused(
    text: str, table: str, name: str, value: str
) -> None:
    try:
        changed = tomllib.loads(with_setting(text, table, name, value))
    except ValueError:
        return
    before = tomllib.loads(text)
    inner = changed
    for key in filter(None, table.split(".")):
        inner = inner[key]
        before = before.setdefault(key, {})
    assert inner[name] == value
    del inner[name]
    before.pop(name, None)
    assert inner == before


def test_the_file_comes_to_be_and_only_a_file_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    keep_setting(path, "voice.en", "voice", "en-gb")
    keep_setting(path, "voice.en", "voice", "en-us")
    assert tomllib.loads(path.read_text()) == {"voice": {"en": {"voice": "en-us"}}}
    with pytest.raises(InputError, match="not an ordinary file"):
        keep_setting(Path(os.devnull), "", "sound-device", "x")
    assert Path(os.devnull).is_char_device() or os.name == "nt"
    path.write_text("voice = { en = { voice = 'a' } }\n")
    with pytest.raises(InputError, match=r'Put voice = "b" in a table \[voice.en\] yourself'):
        keep_setting(path, "voice.en", "voice", "b")
    (tmp_path / "file").touch()
    with pytest.raises(NarrateError, match="cannot be kept"):
        keep_setting(tmp_path / "file" / "config.toml", "", "sound-device", "x")
