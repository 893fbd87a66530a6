"""Servers that want a key and money: the key is shown nowhere, and nobody pays without having been asked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from narrate.engines.http.prices import cost_line
from narrate.settings.layers import of_book, of_environment
from tests.speech_server import Answer, StandIn, serving, sound_of, wav
from tests.terminal import terminal, wait_until

pytest.importorskip("httpx", reason="the package httpx is not installed")

STORY = Path(__file__).resolve().parents[1] / "samples" / "lighthouse.en.txt"
MODELS = {"object": "list", "data": [{"id": "tts-1", "owned_by": "openai"}]}
NAMES = {"voices": ["coral", "sage"]}
KEY = "open-sesame"


def good(asked: dict[str, Any], _: int) -> Answer:
    return Answer(wav(sound_of(asked["input"])))


@pytest.fixture
def server() -> Iterator[StandIn]:
    with serving(StandIn(MODELS, NAMES, good, key=KEY)) as stand_in:
        yield stand_in


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file of a listener without any key."""
    path = tmp_path / "config.toml"
    path.write_text("")
    monkeypatch.setenv("NARRATE_CONFIG", str(path))
    monkeypatch.setenv("NARRATE_HOME", str(tmp_path / "home"))
    for name in ("NARRATE_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return path


def narrate(*arguments: object, code: int = 0, **more: str) -> str:
    """All that is printed; the key is never in it."""
    command = [sys.executable, "-m", "narrate", *map(str, arguments)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=os.environ | more, check=False
    )
    assert done.returncode == code, done.stderr
    assert KEY not in done.stdout + done.stderr
    return done.stdout + done.stderr


# --- the key ----------------------------------------------------------------------------------------------------------


def test_the_voices_of_a_server_are_listed_with_the_key_of_either_place(user: Path, server: StandIn) -> None:
    assert "wants a key" in narrate("voices", "-e", f"http:{server.url}", code=1)
    assert "coral" in narrate("voices", "-e", f"http:{server.url}", NARRATE_API_KEY=KEY)
    user.write_text(f'[engine.http]\napi-key = "{KEY}"\n')
    said = narrate("voices", "-e", server.url)
    assert [line.split()[0] for line in said.splitlines()] == ["coral", "sage"]


def test_a_server_without_a_list_of_voices_says_so(user: Path) -> None:
    with serving(StandIn(MODELS, None, good)) as stand_in:
        assert "does not list its voices" in narrate("voices", "-e", f"http:{stand_in.url}")


def test_the_key_reaches_the_server_and_no_other_engine_minds_it(user: Path, server: StandIn, tmp_path: Path) -> None:
    arguments = ("-t", "It was a dark night.", "-v", "coral", "-o", tmp_path / "night.wav")
    narrate("-e", f"http:{server.url}", *arguments, NARRATE_API_KEY=KEY)
    assert [asked["voice"] for asked in server.asked] == ["coral"]
    narrate("-t", "It was a dark night.", "-e", "tone", "-o", tmp_path / "other.wav", NARRATE_API_KEY=KEY)
    narrate("-t", "It was dark.", "-e", "pool:2*tone", "-o", tmp_path / "more.wav", NARRATE_API_KEY=KEY)


def test_the_key_is_shown_nowhere(user: Path, server: StandIn, tmp_path: Path) -> None:
    user.write_text(f'api-key = "{KEY}"\n[engine.openai]\napi-key = "{KEY}"\n')
    said = narrate("config", "--all")
    assert [line.split()[:2] for line in said.splitlines() if "api-key" in line] == [["api-key", "(secret)"]] * 2
    narrate("config", NARRATE_API_KEY=KEY)
    narrate("doctor")
    narrate(STORY, "-e", f"http:{server.url}", "-v", "nobody", "-o", tmp_path / "x.wav", "--debug", code=2)
    user.write_text(f"api-key = ['{KEY}']\n")
    assert "api-key must be text." in narrate("config", code=2)
    home = tmp_path / "home"
    assert not [path for path in home.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_no_command_line_and_no_book_brings_a_key(user: Path, tmp_path: Path) -> None:
    assert "There is no option --api-key" in narrate(STORY, "--api-key", "x", code=2)
    (tmp_path / "narrate.toml").write_text(f'api-key = "{KEY}"\n')
    with pytest.raises(Exception, match="set NARRATE_API_KEY"):
        of_book(str(tmp_path / "book.txt"))
    assert "api-key" not in of_environment().settings


# --- the price --------------------------------------------------------------------------------------------------------


def test_what_a_million_characters_and_an_hour_cost() -> None:
    assert "about $15.00 for 1,000,000 characters" in (cost_line("openai", "tts-1", 1_000_000, 9e9) or "")
    assert "about $30.00" in (cost_line("openai", "tts-1-hd", 1_000_000, 0.0) or "")
    assert "about $0.90 for 50,000 characters" in (cost_line("openai", "gpt-4o-mini-tts", 50_000, 3600.0) or "")
    assert "price of tts-9 is not known" in (cost_line("openai", "tts-9", 10, 1.0) or "")
    assert cost_line("http", "tts-1", 10, 1.0) is None


def openai(server: StandIn) -> dict[str, str]:
    return {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": KEY, "NARRATE_VOICE": "coral"}


def test_a_plan_says_the_price_and_sends_nothing(user: Path, server: StandIn, tmp_path: Path) -> None:
    said = narrate(STORY, "-e", "openai", "-l", "en", "--plan", "-o", tmp_path / "x.m4b", **openai(server))
    assert "OpenAI charges about $" in " ".join(said.split())
    assert "gpt-4o-mini-tts" in said
    assert not server.asked


def test_where_nobody_can_be_asked_the_price_is_a_line(user: Path, server: StandIn, tmp_path: Path) -> None:
    asked = ("-t", "Two words.", "-e", "openai:model=tts-1", "-l", "en", "-o", tmp_path / "x.wav")
    assert "charges about $0.00 for 10 characters" in " ".join(narrate(*asked, **openai(server)).split())
    assert len(server.asked) == 1
    assert "for 0 characters" in narrate(*asked, "--force", **openai(server))
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", ["n", "y"])
def test_at_a_terminal_a_book_is_asked_for_before_it_is_sent(
    answer: str, user: Path, server: StandIn, tmp_path: Path
) -> None:
    file = tmp_path / "x.wav"
    command = [sys.executable, "-m", "narrate", "-t", "Two words.", "-e", "openai", "-l", "en", "-o", str(file)]
    with terminal(command, os.environ | openai(server)) as window:
        wait_until(lambda: "Send it?" in " ".join(window.screen().split()), "the question")
        assert not server.asked
        window.press(answer, "Enter")
        assert window.exit_code() == 0
    assert file.exists() == bool(server.asked) == (answer == "y")
