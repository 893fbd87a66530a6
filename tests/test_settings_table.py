"""The table of settings beside the code is that of this version, and has a row for every option."""

from __future__ import annotations

from pathlib import Path

import pytest

from narrate.cli.main import run
from narrate.cli.settings_table import settings_table
from narrate.settings.option import Place
from narrate.settings.table import SETTINGS

FILE = Path(__file__).resolve().parents[1] / "narrate" / "settings" / "README.md"


def test_the_file_is_that_of_this_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "--settings"]) == 0
    written = "write it anew: narrate help --settings > narrate/settings/README.md"
    assert capsys.readouterr().out == settings_table() == FILE.read_text(encoding="utf-8"), written


def test_every_setting_has_one_row_with_its_variable_and_its_default() -> None:
    rows = [line.strip("|").split(" | ") for line in settings_table().splitlines() if line.startswith("| `")]
    assert [row[0].strip(" `") for row in rows] == [option.name for option in SETTINGS]
    for (_, values, default, variable, places), option in zip(rows, SETTINGS, strict=True):
        assert values
        assert (variable.strip("` ") == option.variable) == (Place.ENVIRONMENT in option.places)
        assert ("b" in places, "u" in places) == (Place.BOOK in option.places, Place.USER in option.places)
        assert ("r" in places, "c" in places) == (Place.REQUEST in option.places, Place.COMMAND in option.places)
        assert ("t" in places) == option.late
        if option.default not in (None, ()):
            assert default.strip("` ") == str(option.default).lower()
