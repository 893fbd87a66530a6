"""`--plan` foretells what the reading then comes to, and leaves nothing behind but takes that the reading uses."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from narrate.engines.choose import open_engine
from narrate.reading.plan import chapters, sample
from narrate.reading.session import Session
from narrate.store.in_memory import MemoryTakes
from narrate.text.book import TextOptions, open_book
from narrate.voice import Voice
from tests.terminal import terminal, wait_until

STORY = Path(__file__).resolve().parents[1] / "samples" / "lighthouse.en.txt"


def seconds(hms: str) -> float:
    total = 0.0
    for part in hms.split(":"):
        total = 60 * total + float(part)
    return total


def narrate(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "narrate", *map(str, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


def planned(*arguments: object) -> tuple[dict[str, float], str]:
    """The lengths of the table by chapter, and all that was said."""
    said = narrate(*arguments, "--plan").stdout
    rows = re.findall(r"^ +(\d+|all) +([\d:]+)", said, re.M)
    return {name: seconds(length) for name, length in rows}, said


def a_session(engine: str, speed: float = 1.0) -> Session:
    book = open_book(str(STORY), TextOptions())
    return Session(book, open_engine(engine, Voice(), "en")[0], Voice(), MemoryTakes(), [], speed=speed)


@pytest.mark.parametrize("suffix", [".flac", ".mp3", ".m4b", ".wav", ".opus", ".epub"])
def test_length_and_size_are_those_of_the_file_that_is_then_written(suffix: str, tmp_path: Path) -> None:
    target = tmp_path / f"story{suffix}"
    arguments = (STORY, "-e", "tone", "-o", target, "--cover", "none")
    lengths, said = planned(*arguments)
    assert not target.exists()
    narrate(*arguments, "-q")
    (size,) = re.findall(rf"^File: about ([\d.]+) MB for {re.escape(str(target))}$", said, re.M)
    assert float(size) == pytest.approx(target.stat().st_size / 1e6, rel=0.1, abs=0.06)
    if suffix in (".flac", ".wav"):
        assert lengths["all"] == pytest.approx(soundfile.info(target).duration, rel=0.1)
    assert sum(length for name, length in lengths.items() if name != "all") == pytest.approx(lengths["all"], abs=2)
    assert list(lengths) == ["0", "1", "2", "all"]


def test_the_loudness_is_planned(tmp_path: Path) -> None:
    """A book brought to another loudness is a FLAC file of another size."""
    sizes = []
    for loudness in ((), ("--loudness", "-40")):
        target = tmp_path / f"story{len(loudness)}.flac"
        arguments = (STORY, "-e", "tone", "-o", target, *loudness)
        _, said = planned(*arguments)
        narrate(*arguments, "-q")
        (size,) = re.findall(r"^File: about ([\d.]+) MB for ", said, re.M)
        assert float(size) == pytest.approx(target.stat().st_size / 1e6, rel=0.1, abs=0.06)
        sizes.append(target.stat().st_size)
    assert sizes[1] < 0.8 * sizes[0]


def test_what_is_made_already_has_its_own_length(tmp_path: Path) -> None:
    target = tmp_path / "story.wav"
    narrate(STORY, "-e", "tone", "-o", target, "-q")
    lengths, said = planned(STORY, "-e", "tone", "-o", tmp_path / "again.wav")
    assert lengths["all"] == pytest.approx(soundfile.info(target).duration, abs=1)
    assert ". 100% of the speech was made before." in said
    lengths, said = planned(STORY, "-e", "tone", "-s", "2")
    assert lengths["all"] == pytest.approx(soundfile.info(target).duration / 2, abs=1)
    assert "All of it was made before" in said


def test_chapters_that_are_chosen_are_planned() -> None:
    whole, _ = planned(STORY, "-e", "tone")
    second, _ = planned(STORY, "-e", "tone", "--chapters", "2")
    assert second == {"2": whole["2"], "all": whole["2"]}


def test_a_slow_voice_is_not_let_run_on() -> None:
    session = a_session("tone:rtf=0.2")
    found = sample(session, wall_seconds=0.5)
    sound = sum(clip.seconds for clip in found.clips)
    assert found.rtf is not None
    assert found.rtf > 0.18  # a busy machine may only take longer
    assert session.takes.has(session.player.narrator.key(found.clips[0].chunk))
    assert sound < 0.5 * sum(chapter.seconds for chapter in chapters(session))


def test_a_second_sample_begins_where_the_first_ended() -> None:
    session = a_session("tone:rtf=0.2")
    first = sample(session, wall_seconds=0.0).clips[-1].chunk.index
    assert sample(session, wall_seconds=0.0).clips[0].chunk.index > first


def test_a_voice_slower_than_speech_is_said_to_be() -> None:
    _, said = planned(STORY, "-e", "tone:rtf=0.01")
    assert re.search(r"^The voice speaks [\d.]+ times as fast here as you listen, so there will be no gaps", said, re.M)
    _, said = planned(STORY, "-e", "tone:rtf=1.5", "--max-chars", "10")
    assert re.search(
        r"^The voice speaks more slowly here than you listen. Write a file first, which takes about \d", said, re.M
    )


def test_at_a_terminal_a_line_says_that_it_is_measuring_and_is_taken_away() -> None:
    command = [sys.executable, "-m", "narrate", str(STORY), "-e", "tone:rtf=0.5", "--plan"]
    with terminal(command, os.environ) as window:
        wait_until(lambda: "Measuring how fast it is made here …" in window.screen(), "that it is measuring")
        assert window.exit_code() == 0
        rows = window.screen().splitlines()
        assert re.search(r"The voice speaks [\d.]+ times as fast here as you listen, so there will", " ".join(rows))
        assert not [row for row in rows if "Measuring" in row or "[K" in row]


def test_a_plan_asks_for_nothing_and_replaces_nothing(tmp_path: Path) -> None:
    target = tmp_path / "story.wav"
    target.write_bytes(b"somebody's work")
    planned(STORY, "-e", "tone", "-o", target)
    assert target.read_bytes() == b"somebody's work"
    assert [path.name for path in tmp_path.iterdir()] == ["story.wav"]
    refused = narrate(STORY, "--plan", "-o", "story.doc", code=2)
    assert ".wav" in refused.stderr
    assert refused.stdout == ""


def test_a_folder_and_a_pattern_of_names_are_planned_too(tmp_path: Path) -> None:
    _, said = planned(STORY, "-e", "tone", "-o", f"{tmp_path}/books/", "-o", tmp_path / "{title}.wav")
    sizes = [float(size) for size in re.findall(r"^File: about ([\d.]+) MB for ", said, re.M)]
    assert len(sizes) == 2
    assert sizes[0] < sizes[1]
    assert not list(tmp_path.iterdir())


def test_text_that_is_still_being_written_has_no_plan() -> None:
    """Standard input stays open for as long as narrate runs."""
    command = [sys.executable, "-m", "narrate", "-", "-e", "tone", "--plan"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        child.stdin.write("It rained.\n")
        child.stdin.flush()
        assert child.wait() == 2
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.read() == ""
        assert "cannot be planned" in child.stderr.read()


# --- -t ---------------------------------------------------------------------------------------------------------------


def test_a_text_on_the_command_line_is_read(tmp_path: Path) -> None:
    target = tmp_path / "said.flac"
    narrate("-t", "雨が降っていた。傘はなかった。", "-e", "tone", "-o", target)
    with soundfile.SoundFile(target) as file:
        assert file.frames > file.samplerate
        assert file.title == "雨が降っていた。傘はなかった。"
    assert "Nothing was read yet" in narrate("books").stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-t", "…"], "no words"),
        (["-t", ""], "--text must be a text to read, not empty."),
        (["-t", "Hello.", str(STORY)], "not both"),
        (["-q"], "Name a book, or give a text with -t"),
    ],
)
def test_a_text_that_cannot_be_read(arguments: list[str], words: str) -> None:
    assert words in narrate(*arguments, code=2).stderr
