"""The command: every wrong input is one clear line and an exit code, and leaves nothing half-written behind."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[1]
STORY = ROOT / "samples" / "lighthouse.en.txt"


def narrate(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "narrate", *map(str, arguments)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload,no-any-return]


def assert_one_line(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """One line of complaint, last on stderr; no traceback."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    complaints = [line for line in done.stderr.splitlines() if line.startswith("narrate:")]
    assert len(complaints) == 1, done.stderr
    for word in words:
        assert word in complaints[0]


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder of things nobody can read aloud."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.txt").touch()
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "symbols.txt").write_text("★☆★ …… —— !!!\n\n* * *\n", encoding="utf-8")
    (tmp_path / "there.wav").write_bytes(b"somebody's work")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.txt", "no such file"),
        ("folder", "folder"),
        ("empty.txt", "empty"),
        ("binary.txt", "narrate:"),
        ("symbols.txt", "nothing to say"),
    ],
)
def test_what_cannot_be_read(odd: Path, name: str, words: str) -> None:
    before = sorted(odd.rglob("*"))
    assert_one_line(narrate(odd / name, "-e", "tone", "-o", odd / "out.wav"), 2, words)
    assert sorted(odd.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-v", "nobody", "-e", "espeak"], "no voice 'nobody'"),
        (["-l", "ja", "-e", "espeak"], "does not speak 'ja'"),
        (["-l", "xx"], "xx"),
        (["-e", "nothing"], "There is no engine 'nothing'"),
        (["-e", "tone:nothing=1"], "no option 'nothing'"),
        (["-e", "tone", "--instruct", "happily"], "--instruct"),
        (["-s", "3"], "speed"),
        (["--batch-size", "0"], "--batch-size"),
        (["--max-chars", "3"], "--max-chars"),
        (["--chapters", "40", "-e", "tone"], "40"),
        (["--from", "Chapter 99", "-e", "tone"], "Chapter 99"),
        (["--from", "9:00:00", "-e", "tone"], "over before"),
        (["--encoding", "klingon"], "klingon"),
        (["--dict", "nowhere.txt"], "nowhere.txt"),
        (["--no-such-option"], "--no-such-option"),
        (
            ["-v", "mei", "-e", "espeak"],
            "; it is a voice of openjtalk for Japanese. Choose one of: en-us,",
        ),
        (["-v", "ono_anna", "-e", "espeak"], "it is a voice of qwen for Japanese"),
        (["--ref-text", "x", "-e", "espeak"], "cannot follow --ref-text, only qwen can."),
        (["--ref-audio", "x", "-e", "espeak"], "cannot follow --ref-audio"),
        (["--temperature", "1", "-e", "espeak"], "--temperature is for qwen, not for espeak."),
        (
            ["--chapters", "2", "--from", "1", "-e", "tone"],
            "among the chapters that --chapters 2 chooses",
        ),
        (["--from", "99:99:99", "-e", "tone"], "99:99:99 is not a time. Write minutes and seconds, 12:30"),
        (["--from", "12:60", "-e", "tone"], "12:60 is not a time"),
        (["--from", "1:02:03:04", "-e", "tone"], "is not a time"),
        (["-e", "nothing"], "Choose one of: auto, qwen, openjtalk, espeak."),
        (["--sleep", "soon"], "such as 30"),
        (["--sleep", "30"], "--sleep is for listening"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_wished_for(odd: Path, arguments: list[str], words: str) -> None:
    before = sorted(odd.rglob("*"))
    assert_one_line(narrate(STORY, "-o", odd / "out.wav", *arguments), 2, words)
    assert sorted(odd.rglob("*")) == before


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere/out.wav", "does not exist"),
        ("there.wav", "--force"),
        ("out.xyz", ".wav"),
        ("out", ".wav"),
    ],
)
def test_where_nothing_can_be_written(odd: Path, target: str, words: str) -> None:
    assert_one_line(narrate(STORY, "-e", "tone", "-o", odd / target), 2, words)
    assert (odd / "there.wav").read_bytes() == b"somebody's work"


def test_force_replaces_and_an_interrupted_one_does_not(odd: Path) -> None:
    target = odd / "there.wav"
    reading = subprocess.Popen(
        [sys.executable, "-m", "narrate", STORY, "-e", "tone:rtf=0.5", "-o", target, "--force"], stderr=subprocess.PIPE
    )
    while not list(odd.glob(".*part*")):
        assert reading.poll() is None
        time.sleep(0.01)
    reading.send_signal(signal.SIGINT)
    _, said = reading.communicate(timeout=30)
    assert reading.returncode == 130, said
    assert b"Traceback" not in said
    assert target.read_bytes() == b"somebody's work"
    assert narrate(STORY, "-e", "tone", "-o", target, "--force").returncode == 0
    assert soundfile.info(target).frames > 24_000


def test_a_full_disk(odd: Path) -> None:
    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = narrate(STORY, "-e", "tone", "--no-store", "-o", odd / "out.wav", preexec_fn=little_room)
    assert_one_line(done, 1, "out.wav")
    assert not list(odd.glob("*out*"))


def test_a_reader_of_standard_output_that_goes_away() -> None:
    narrate_it = f"{sys.executable} -m narrate {STORY} -e tone:rtf=0.01 --no-store -o - | head -c 1000 >/dev/null"
    done = subprocess.run(
        ["bash", "-c", f"{narrate_it}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True, check=False
    )
    assert_one_line(done, 141, "standard output")


def test_chunks_into_a_pipe_that_closes() -> None:
    command = "yes 'A sentence that is long enough to fill a pipe in the end.' | head -n 20000 > $0/l.txt;"
    command += f" {sys.executable} -m narrate chunks $0/l.txt --json | head -n 1; exit ${{PIPESTATUS[0]}}"
    folder = os.environ["NARRATE_HOME"]
    done = subprocess.run(["bash", "-c", command, folder], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, ""), "as other programs it ends in silence"
    assert json.loads(done.stdout)["index"] == 0


def test_wav_on_standard_output(tmp_path: Path) -> None:
    target = tmp_path / "out.wav"
    with target.open("wb") as out:
        code = subprocess.run(
            [sys.executable, "-m", "narrate", STORY, "-e", "tone", "-q", "-o", "-"], stdout=out, check=False
        ).returncode
    assert code == 0
    assert narrate(STORY, "-e", "tone", "-o", tmp_path / "file.wav").returncode == 0
    assert soundfile.info(target).frames == soundfile.info(tmp_path / "file.wav").frames


def test_what_could_not_be_spoken_is_named_and_told_by_the_exit_code(tmp_path: Path) -> None:
    done = narrate(STORY, "-e", "tone:fail=2", "-o", tmp_path / "out.wav")
    assert done.returncode == 3
    named = [line for line in done.stderr.splitlines() if line.startswith("narrate: not spoken")]
    assert len(named) == 1
    chunks = [json.loads(line) for line in narrate("chunks", STORY, "-e", "tone", "--json").stdout.splitlines()]
    assert " ".join(chunks[2]["text"].split()) in named[0]
    assert (tmp_path / "out.wav").exists()


def test_quiet_is_quiet(tmp_path: Path) -> None:
    done = narrate(STORY, "-e", "tone", "-q", "-o", tmp_path / "out.wav")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_defect_shows_its_traceback_only_under_debug(tmp_path: Path) -> None:
    """An engine that raises at every chunk is given up; --debug shows where it raised."""
    broken = "tone:raise=" + "+".join(map(str, range(40)))
    done = narrate(STORY, "-e", broken, "-o", tmp_path / "out.wav")
    assert_one_line(done, 1, "again and again")
    debugged = narrate(STORY, "-e", broken, "-o", tmp_path / "out.wav", "--debug")
    assert "Traceback" in debugged.stderr
    assert "told to raise" in debugged.stderr


def test_chunks_as_json_have_the_fields_promised() -> None:
    lines = narrate("chunks", STORY, "--json").stdout.splitlines()
    source = STORY.read_text(encoding="utf-8")
    fields = ["index", "chapter", "title", "text", "spoken", "language", "pause", "start", "end"]
    for number, line in enumerate(lines):
        chunk = json.loads(line)
        assert list(chunk) == fields
        assert chunk["index"] == number
        first = re.findall(r"\w+", chunk["text"])[0]
        assert first in source[chunk["start"] : chunk["end"]]


def test_chapters_are_listed_and_chosen(tmp_path: Path) -> None:
    listed = narrate(STORY, "--list-chapters").stdout.splitlines()
    assert [line.split()[0] for line in listed if "Chapter" in line] == ["1", "2"]
    second = narrate("chunks", STORY, "--chapters", "2", "--json").stdout.splitlines()
    assert {json.loads(line)["chapter"] for line in second} == {2}


def test_voices_and_their_engines() -> None:
    listed = narrate("voices", "-e", "espeak").stdout
    assert "en-us" in listed
    assert all("espeak" in line for line in listed.splitlines())


def test_test_engines_are_listed_only_by_their_name() -> None:
    assert " tone" not in narrate("voices").stdout
    assert " tone" in narrate("voices", "-e", "tone").stdout


def test_a_seed_makes_nothing_anew_where_it_changes_nothing(tmp_path: Path) -> None:
    assert narrate(STORY, "-e", "espeak", "-o", tmp_path / "a.wav").returncode == 0
    again = narrate(STORY, "-e", "espeak", "--seed", "-1", "-o", tmp_path / "b.wav", "--verbose")
    assert "0 takes made" in again.stderr


def test_the_room_for_takes_is_what_the_readme_says() -> None:
    (readme,) = re.findall(r"`--store DIR`; (\d+) GB at most", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert f"of at most {readme}.00 GB" in narrate("store").stdout


def test_a_sound_device_that_is_not_there() -> None:
    """With none at all or with others: it says what to do instead."""
    done = narrate(STORY, "-e", "tone", "--sound-device", "no such loudspeaker")
    assert_one_line(done, done.returncode, "-o book.wav" if done.returncode == 1 else "no such loudspeaker")
    assert done.returncode in (1, 2)


def test_a_book_through_standard_input_is_read_like_a_file(tmp_path: Path) -> None:
    with STORY.open("rb") as story:
        piped = subprocess.run(
            [sys.executable, "-m", "narrate", "chunks", "-", "--json"], stdin=story, capture_output=True, check=True
        )
    assert piped.stdout.decode() == narrate("chunks", STORY, "--json").stdout


def test_chunks_reports_the_dictionary_rules_it_followed(tmp_path: Path) -> None:
    rules = tmp_path / "rules.txt"
    rules.write_text("Abernathy = Aber Nathy\n/\\bcats?\\b/ = kitty\nzebra = horse\n", encoding="utf-8")
    done = narrate("chunks", STORY, "--dict", rules, "--json")
    spoken = " ".join(json.loads(line)["spoken"] for line in done.stdout.splitlines())
    assert spoken.count("Aber Nathy") == STORY.read_text(encoding="utf-8").count("Abernathy")
    assert "dictionary: Abernathy → Aber Nathy" in done.stderr
    assert "zebra" not in done.stderr


def test_what_is_left_out_is_listed_by_kind(tmp_path: Path) -> None:
    book = tmp_path / "book.md"
    book.write_text("Word.[^1]\n\n```\ncode()\n```\n\n[^1]: A note.\n", encoding="utf-8")
    rows = narrate("chunks", "--excluded", book).stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["code", "footnote", "reference"]
    assert rows[0].endswith("code()")
    facts = json.loads(narrate("chunks", "--excluded", "--json", book).stdout.splitlines()[1])
    assert facts["kind"] == "footnote"
    assert facts["text"].strip() == "A note."
