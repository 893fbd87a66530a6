"""`narrate sample` finds the story that is meant, and reads it as it would any book."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from narrate.cli.listener import VARIABLES, own_language
from narrate.cli.main import run
from narrate.cli.sample import find_sample
from narrate.errors import InputError
from narrate.text.language import LANGUAGES


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("en", "lighthouse.en.txt"),
        ("English", "lighthouse.en.txt"),
        ("lighthouse", "lighthouse.en.txt"),
        ("ja", "umbrella.ja.txt"),
        ("UMBRELLA", "umbrella.ja.txt"),
        ("well.zh.txt", "well.zh.txt"),
    ],
)
def test_a_sample_is_found_by_its_name_and_by_its_language(wanted: str, name: str) -> None:
    assert find_sample(wanted).name == name
    assert find_sample(wanted).is_file()


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "ja_JP.UTF-8", "LC_MESSAGES": "de_DE"}, "de"),
        ({"LANGUAGE": "fr:en", "LANG": "de_DE.UTF-8"}, "fr"),
        ({"LANG": "sv_SE.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "Japanese_Japan.932"}, "ja"),
        ({"LANG": "", "LC_MESSAGES": "ko"}, "ko"),
    ],
)
def test_the_listeners_own_language(environment: dict[str, str], language: str) -> None:
    assert own_language(environment) == language


def test_without_a_name_it_is_the_one_in_the_listeners_language(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "zh_TW.UTF-8")
    assert find_sample(None).name == "well.zh.txt"
    monkeypatch.setenv("LANG", "de_DE.UTF-8")  # no sample is in German
    assert find_sample(None).name == "lighthouse.en.txt"


def test_a_wrong_name_lists_those_there_are() -> None:
    with pytest.raises(InputError, match=r"no sample 'moby'.*lighthouse \(English\), umbrella \(Japanese\), well \("):
        find_sample("moby")


def test_every_sample_is_in_the_language_that_its_name_says() -> None:
    for path in find_sample("en").parent.glob("*.*.txt"):
        assert path.name.split(".")[1] in LANGUAGES


def test_it_is_read_as_any_book(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sample.wav"
    assert run(["sample", "en", "-e", "tone", "-o", str(out), "--chapters", "1", "--no-store"]) == 0
    with wave.open(str(out)) as sound:
        assert sound.getnframes() > 10 * sound.getframerate()
    assert run(["sample", "en", "--list-chapters"]) == 0
    assert "The Letter" in capsys.readouterr().out
    assert run(["sample", "en", "-t", "text"]) == 2
    assert run(["sample", "moby"]) == 2
