"""Weights come to this machine only when asked, whole, from where they are; and without them it is said at once."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrate.engines.table import find_engine
from tests.hub import COMMIT, Hub, hub, model_files

if find_engine("qwen").missing():
    pytest.skip("the qwen extra is not installed", allow_module_level=True)

NAME = "Qwen/Qwen3-TTS-12Hz-0.6B-Base"
PIECE = 10 * 2**20  # what the hub's client writes at once
WEIGHTS = "model.safetensors"
CONFIG = {"tokenizer_type": "qwen3_tts_tokenizer_12hz", "tts_model_type": "base", "talker_config": {}}


@pytest.fixture
def files() -> dict[str, bytes]:
    """As many and as they are called in a released model, but small."""
    return {
        ".gitattributes": b"x" * 1500,
        "README.md": b"# Qwen3-TTS",
        "config.json": json.dumps(CONFIG).encode(),
        "generation_config.json": b'{"a": 1}',
        WEIGHTS: os.urandom(3_000_000),
        "speech_tokenizer/config.json": b'{"b": 1}',
        "speech_tokenizer/model.safetensors": os.urandom(400_000),
        "tokenizer_config.json": b"{}",
    }


@pytest.fixture
def stand_in(files: dict[str, bytes]) -> Iterator[Hub]:
    with hub(NAME, files) as stand_in:
        yield stand_in


@pytest.fixture
def env(stand_in: Hub, tmp_path: Path, home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_") and "proxy" not in key.lower()}
    return {**kept, "HF_ENDPOINT": stand_in.address, "HF_HUB_CACHE": str(tmp_path / "cache"), "NO_PROXY": "127.0.0.1"}


def narrate(*arguments: object, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "narrate", *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def snapshot(env: dict[str, str]) -> Path:
    return Path(env["HF_HUB_CACHE"]) / f"models--{NAME.replace('/', '--')}" / "snapshots" / COMMIT


def test_it_says_what_it_would_fetch_and_fetches_nothing_unasked(stand_in: Hub, env: dict[str, str]) -> None:
    done = narrate("setup", "--model", "0.6B-Base", env=env)
    assert done.returncode == 2
    *said, question = done.stderr.splitlines()
    assert said == [
        f"Model    {NAME}",
        "Licence  apache-2.0",
        "Size     3.40 MB in 6 files",
        f"Goes to  {snapshot(env).parents[1]}",
    ]
    assert question == "narrate: Fetch 3.40 MB? Nobody is there to answer: add --yes."
    assert done.stdout == ""
    assert stand_in.fetched() == []
    assert not Path(env["HF_HUB_CACHE"]).exists()


def test_it_fetches_what_a_model_needs_and_nothing_twice(
    stand_in: Hub, env: dict[str, str], files: dict[str, bytes]
) -> None:
    done = narrate("setup", "--model", "0.6B-Base", "--yes", env=env)
    assert done.returncode == 0, done.stderr
    assert "100%  3.40 MB" in done.stderr
    assert done.stderr.splitlines()[-1] == f"{NAME} is here: {snapshot(env)}"
    needed = {name: content for name, content in files.items() if name not in (".gitattributes", "README.md")}
    assert {name: (snapshot(env) / name).read_bytes() for name in needed} == needed
    assert sorted(stand_in.fetched()) == sorted(needed)
    stand_in.asked.clear()
    again = narrate("setup", "--model", "0.6B-Base", env=env)
    assert (again.returncode, again.stderr) == (0, f"{NAME} is here: {snapshot(env)}\n")
    assert stand_in.asked == []


def test_what_was_broken_off_goes_on_where_it_stopped(
    stand_in: Hub, env: dict[str, str], files: dict[str, bytes]
) -> None:
    files[WEIGHTS] = os.urandom(24_000_000)
    stand_in.break_after = 15_000_000
    command = [sys.executable, "-m", "narrate", "setup", "--model", "0.6B-Base", "--yes"]
    child = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        while not any(asked[1].endswith(WEIGHTS) and asked[0] == "GET" for asked in stand_in.asked):
            assert child.poll() is None, child.stderr and child.stderr.read()
            time.sleep(0.02)
        blobs = snapshot(env).parents[1] / "blobs"
        while not any(path.stat().st_size >= PIECE for path in blobs.glob("*.incomplete")):
            assert child.poll() is None
            time.sleep(0.02)
    finally:
        child.kill()
        child.communicate()
    assert not (snapshot(env) / WEIGHTS).exists()
    said = narrate("book.txt", "-e", "qwen", "--model", "0.6B-Base", env=env)
    assert said.returncode != 0
    stand_in.break_after = None
    stand_in.asked.clear()
    done = narrate("setup", "--model", "0.6B-Base", "--yes", env=env)
    assert done.returncode == 0, done.stderr
    assert " GB in 6 files, 0.01 GB of it are here already" in done.stderr
    assert (snapshot(env) / WEIGHTS).read_bytes() == files[WEIGHTS]
    ranges = [asked for _, path, asked in stand_in.asked if path.endswith(f"{COMMIT}/{WEIGHTS}") and asked]
    assert ranges
    assert all(int(asked.removeprefix("bytes=").rstrip("-")) >= PIECE for asked in ranges)


def test_a_hub_that_breaks_off_is_said_in_one_line(stand_in: Hub, env: dict[str, str]) -> None:
    stand_in.break_after = 10
    done = narrate("setup", "--model", "0.6B-Base", "--yes", env=env)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"narrate: {NAME} cannot be fetched (")
    assert "Run the same command again to go on" in last
    assert "Traceback" not in done.stderr


def test_it_works_behind_a_proxy(stand_in: Hub, env: dict[str, str], files: dict[str, bytes]) -> None:
    behind = {
        **env,
        "HF_ENDPOINT": "http://hub.invalid",
        "HTTP_PROXY": stand_in.address,
        "http_proxy": stand_in.address,
    }
    done = narrate("setup", "--model", "0.6B-Base", "--yes", env=behind)
    assert done.returncode == 0, done.stderr
    assert (snapshot(env) / WEIGHTS).read_bytes() == files[WEIGHTS]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"HF_HUB_OFFLINE": "1"}, "cannot be fetched (HF_HUB_OFFLINE is set)"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "cannot be fetched (no network)"),
    ],
)
def test_without_a_network_it_says_how_else(
    change: dict[str, str], said: str, stand_in: Hub, env: dict[str, str]
) -> None:
    done = narrate("setup", "--model", "0.6B-Base", "--yes", env={**env, **change})
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert said in line
    assert "narrate setup --from FOLDER" in line
    assert stand_in.asked == []


def test_an_unknown_model_is_refused(env: dict[str, str], stand_in: Hub) -> None:
    done = narrate("setup", "--model", "3B", "--yes", env=env)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "0.6B-CustomVoice" in done.stderr
    done = narrate("setup", "--model", "somebody/nothing", "--yes", env=env)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "There is no model somebody/nothing on the hub" in done.stderr


def test_it_takes_a_model_from_a_folder(
    env: dict[str, str], files: dict[str, bytes], tmp_path: Path, home: Path, stand_in: Hub
) -> None:
    source = tmp_path / "stick"
    for name, content in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    asked = narrate("setup", "--model", "0.6B-Base", "--from", source, env=env)
    assert asked.returncode == 2
    assert f"Copy 3.40 MB from {source} to " in asked.stderr
    assert not (home / "models").exists()
    done = narrate("setup", "--model", "0.6B-Base", "--from", source, "--yes", env=env)
    assert done.returncode == 0, done.stderr
    (copied,) = (home / "models").iterdir()
    assert done.stderr.splitlines()[-1] == f"{NAME} is here: {copied}"
    assert model_files(copied) == files
    assert stand_in.asked == []
    (source / WEIGHTS).unlink()
    half = narrate("setup", "--model", "0.6B-Base", "--from", source, "--yes", env=env)
    assert half.returncode == 2
    assert "does not hold a whole Qwen3-TTS model" in half.stderr
    assert model_files(copied) == files
    assert [path.name for path in (home / "models").iterdir()] == [copied.name]


def test_a_first_reading_without_weights_says_what_it_needs_before_anything_begins(
    env: dict[str, str], tmp_path: Path, stand_in: Hub
) -> None:
    book = tmp_path / "book.txt"
    book.write_text("The lamp was lit.")
    done = narrate(book, "-e", "qwen", "-o", tmp_path / "book.wav", env=env)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "narrate: The weights of Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice (2.5 GB) are not on this machine."
    )
    assert "narrate setup --model 0.6B-CustomVoice" in line
    assert env["HF_HUB_CACHE"] in line
    assert stand_in.asked == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["book.txt"]


@pytest.mark.parametrize(("answer", "code"), [("n", 2), ("", 2), ("y", 0)])
def test_at_a_terminal_it_asks(answer: str, code: int, stand_in: Hub, env: dict[str, str]) -> None:
    terminal = Terminal([sys.executable, "-m", "narrate", "setup", "--model", "0.6B-Base"], env)
    terminal.expect("[y/N]")
    assert stand_in.fetched() == []
    assert terminal.answer(answer) == code
    assert (snapshot(env) / WEIGHTS).exists() == (code == 0)
    assert ("Nothing was fetched." in terminal.said) == (code == 2)
    assert "Which voice" not in terminal.said  # who names a model wants that alone


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.fixture
def asked(env: dict[str, str], config: Path) -> dict[str, str]:
    """Somebody who reads English, and whose machine has several sound devices."""
    package = config.parent / "site"
    package.mkdir()
    (package / "sounddevice.py").write_text(DEVICES)
    path = os.pathsep.join(filter(None, (str(package), env.get("PYTHONPATH"))))
    return {
        **env,
        "NARRATE_CONFIG": str(config),
        "LANG": "en_US.UTF-8",
        "LC_ALL": "",
        "LANGUAGE": "",
        "PYTHONPATH": path,
    }


DEVICES = """
class PortAudioError(Exception):
    pass


class default:
    device = [0, 0]


def query_devices():
    return [{"name": name, "max_output_channels": 2} for name in ("Speakers", "USB \\"old\\"")]
"""


def test_without_options_there_are_three_questions_at_most(asked: dict[str, str], config: Path) -> None:
    terminal = Terminal([sys.executable, "-m", "narrate", "setup"], {**asked, "HF_ENDPOINT": "http://127.0.0.1:9"})
    terminal.expect("Which voice shall read English?")  # nothing can be fetched, so that is not asked
    terminal.expect("leave it to narrate: ")
    terminal.answer("0", wait=False)
    terminal.expect("0 is none of them.")
    terminal.expect("leave it to narrate: ")
    number = next(line.split()[0] for line in terminal.said.splitlines() if " en-gb " in line)
    terminal.answer(number, wait=False)
    terminal.expect("Which device shall play?")
    terminal.expect("leave it to narrate: ")
    assert terminal.answer("2") == 1  # because of what could not be fetched
    assert "cannot be fetched (no network)" in terminal.said
    kept = tomllib.loads(config.read_text())
    assert kept == {"sound-device": 'USB "old"', "voice": {"en": {"engine": "espeak", "voice": "en-gb"}}}


def test_enter_leaves_all_as_it_is(asked: dict[str, str], config: Path) -> None:
    terminal = Terminal([sys.executable, "-m", "narrate", "setup"], {**asked, "HF_ENDPOINT": "http://127.0.0.1:9"})
    for _ in range(2):
        terminal.expect("leave it to narrate: ")
        terminal.answer("", wait=False)
    assert terminal.end() == 1
    assert not config.exists()


def test_without_a_terminal_what_is_named_is_kept_and_nobody_is_asked(asked: dict[str, str], config: Path) -> None:
    done = narrate("setup", "--voice", "mei", "--sound-device", "USB", env=asked)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        f"mei of openjtalk reads Japanese from now on ({config}).",
        f'USB "old" plays from now on ({config}).',
    ]
    kept = tomllib.loads(config.read_text())
    assert kept == {"sound-device": 'USB "old"', "voice": {"ja": {"engine": "openjtalk", "voice": "mei"}}}
    shown = narrate("config", env=asked)
    assert 'sound-device  "USB \\"old\\""' in shown.stdout
    wrong = narrate("setup", "--voice", "nobody", env=asked)
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "narrate: There is no voice 'nobody'. `narrate voices` lists them.\n",
    )


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self._child = subprocess.Popen(command, env=env, stdin=theirs, stderr=theirs, stdout=theirs)
        os.close(theirs)
        self.said, self._seen = "", 0

    def expect(self, words: str) -> None:
        """Wait until the words come after those that were expected before."""
        while (found := self.said.find(words, self._seen)) < 0:
            assert self._read(), self.said
        self._seen = found + len(words)

    def answer(self, text: str, *, wait: bool = True) -> int:
        """Type an answer. Returns the exit code if the program shall end then."""
        os.write(self._ours, f"{text}\n".encode())
        return self.end() if wait else 0

    def end(self) -> int:
        while self._read():
            pass
        return self._child.wait()

    def _read(self) -> bool:
        try:
            more = os.read(self._ours, 1000)
        except OSError:  # they have closed their end
            return False
        self.said += more.decode()
        return bool(more)
