"""Keys: what they are called, a terminal that goes away, and a hand on them while narrate reads."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from narrate.clip import Samples, join, silence
from narrate.engines.batched import Batched
from narrate.engines.table import engine_lengths
from narrate.engines.tone import Tone
from narrate.playback.bookmark import Bookmarks
from narrate.store.in_memory import MemoryTakes
from narrate.store.key import take_key
from narrate.synthesis.narrator import Narrator
from narrate.text.book import TextOptions, open_book
from narrate.voice import Voice
from tests.killed import novel
from tests.recorded import Recorder, alsa_recorder
from tests.terminal import Terminal, terminal, wait_until

RATE = 24_000
BLOCK = 1200  # samples that the player writes between two looks at the keys
KEYS = ["left", "right", "up", "down", "[", "]"]
OPTIONS = ("-e", "tone", "--max-chars", "60")

# What keys are called

READER = """
import fcntl, os, signal, termios, time
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from narrate.terminal.keys import Keys
with Keys() as keys:
    print("ready", flush=True)
    while keys.present:
        key = keys.wait(60)
        if key:
            print(key, flush=True)
    begin = time.monotonic()
    print(keys.wait(0.2), time.monotonic() - begin >= 0.2, flush=True)
"""


@contextmanager
def reader() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A program that prints the names of keys, and the hand's side of its terminal."""
    pty = pytest.importorskip("pty")
    hand, keyboard = pty.openpty()
    program = [sys.executable, "-c", READER]
    with subprocess.Popen(program, stdin=keyboard, stdout=subprocess.PIPE, text=True) as running:
        os.close(keyboard)
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        try:
            yield hand, running
        finally:
            running.kill()


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        (b" +-=b?q[]", ["space", "+", "-", "=", "b", "?", "q", "[", "]"]),
        (b"\x1b[A\x1b[B\x1b[C\x1b[D", ["up", "down", "right", "left"]),
        (b"\x1bOA\x1bOB\x1bOC\x1bOD", ["up", "down", "right", "left"]),
        (b"\x1b[1;5C\x1b[5~\x1bOP\x1b[15~\x1bqb", ["b"]),  # Ctrl-right, page up, F1, F5, Alt-q
        ("é".encode(), ["é"]),
    ],
    ids=["plain", "arrows", "application arrows", "others", "beyond ASCII"],
)
def test_names_of_keys(typed: bytes, names: list[str]) -> None:
    with reader() as (hand, running):
        assert running.stdout is not None
        os.write(hand, typed)
        assert [running.stdout.readline().strip() for _ in names] == names
        os.close(hand)


def test_a_terminal_that_goes_away_is_left_in_peace() -> None:
    """No error, no endless reading: from now on `wait` only waits."""
    with reader() as (hand, running):
        assert running.stdout is not None
        os.close(hand)
        assert running.stdout.read() == "None True\n"
        assert running.wait() == 0


# A hand on the keys


class Heard(NamedTuple):
    """A chunk as it sounded, to its end or broken off. `numbers`: several where it broke off too soon to tell."""

    numbers: tuple[int, ...]
    whole: bool


class Novel:
    """What is read, and how it must sound."""

    def __init__(self, folder: Path, sentences: int) -> None:
        self.path = folder / "novel.txt"
        self.path.write_text(novel(sentences))
        book = open_book(str(self.path), TextOptions(max_chars=60))
        script = book.script(engine_lengths("tone")).since(0)
        self.chunks = [chunk for chunk in script if chunk is not None]
        engine, voice = Batched(Tone()), Voice(language="en")
        narrator = Narrator(engine, voice, MemoryTakes(0), lambda chunk: take_key(engine.fingerprint, voice, chunk))
        clips = list(narrator.clips(self.chunks))
        self.sounds = [join([clip.samples, silence(clip.chunk.pause, RATE)]) for clip in clips]
        self.speech = [len(clip.samples) for clip in clips]  # of each sound, the rest of it is the pause

    def goal(self, key: str, place: int) -> int:
        """Where the key leads from there."""
        if key in ("left", "right"):
            return min(max(0, place + (1 if key == "right" else -1)), len(self.chunks) - 1)
        part = attrgetter("paragraph" if key in ("up", "down") else "chapter")
        starts = [
            chunk.index for chunk in self.chunks if not chunk.index or part(chunk) != part(self.chunks[chunk.index - 1])
        ]
        if key in ("down", "]"):
            return min((start for start in starts if start > place), default=place)
        return max((start for start in starts if start < place), default=0)

    def heard(self, recorded: Samples) -> list[Heard]:
        """Which chunks are recorded, sample by sample."""
        found, place = [], 0
        while recorded[place:].any():
            rest = recorded[place:]
            lengths = [_common(sound, rest) for sound in self.sounds]
            longest = max(lengths)
            whole = longest == len(self.sounds[lengths.index(longest)])
            speech = self.speech[lengths.index(longest)]
            broken_off = longest - (longest if longest < speech else longest - speech) % BLOCK
            length = longest if whole or longest == len(rest) else broken_off
            assert length, f"sound that is in no chunk, {place / RATE:.2f} s after the beginning"
            found.append(Heard(tuple(number for number, common in enumerate(lengths) if common >= length), whole))
            place += length
        return found

    def led_by(self, keys: list[str], heard: list[Heard]) -> set[int]:
        """Where the reading ended: in which of the chunks that may have sounded last.

        Every chunk must be the one after that before it, or the one to which the next of the keys leads from there.
        """
        possible = {(number, 0) for number in heard[0].numbers}  # chunk, and how many keys were followed
        for before, after in zip(heard, heard[1:], strict=False):
            then = set()
            for number, done in possible:
                after_it = min(number + before.whole, len(self.chunks) - 1)
                if before.whole and after_it in after.numbers:
                    then.add((after_it, done))
                goals = {self.goal(keys[done], place) for place in (number, after_it)} if done < len(keys) else set()
                then |= {(goal, done + 1) for goal in goals if goal in after.numbers}
            assert then, f"{before} was followed by {after}, from {possible}, in {heard}, led by {keys}"
            possible = then
        ends = {number for number, done in possible if done == len(keys)}
        assert ends, f"not every key was followed: {possible} of {len(keys)} in {heard}"
        return ends | {min(end + 1, len(self.chunks) - 1) for end in ends if heard[-1].whole}


def _common(sound: Samples, rest: Samples) -> int:
    """How many samples agree from the start."""
    length = min(len(sound), len(rest))
    if not np.array_equal(sound[: min(BLOCK, length)], rest[: min(BLOCK, length)]):
        return 0
    different = np.flatnonzero(sound[:length] != rest[:length])
    return int(different[0]) if len(different) else length


@contextmanager
def reading(novel: Novel, recorder: Recorder, *options: object) -> Iterator[Terminal]:
    command = [sys.executable, "-m", "narrate", str(novel.path), *OPTIONS, *map(str, options)]
    with terminal(command, {**os.environ, **recorder.env}) as window:
        yield window


def let_sound(recorder: Recorder, seconds: float) -> None:
    """Wait until so much more has been recorded."""
    due = size(recorder) + 4 * round(seconds * RATE)
    wait_until(lambda: size(recorder) >= due, "sound")


def size(recorder: Recorder) -> int:
    return recorder.raw.stat().st_size if recorder.raw.exists() else 0


def test_every_jump_lands_on_the_right_sentence(tmp_path: Path, home: Path) -> None:
    book, recorder = Novel(tmp_path, sentences=90), alsa_recorder(tmp_path, paced=True)
    chance = random.Random(8)
    keys = ["right", "down", "]", "left", "up", "[", *chance.choices(KEYS, k=5)]
    with reading(book, recorder) as window:
        let_sound(recorder, 0.5)
        for key in keys:
            window.press(key if key in "[]" else key.capitalize())
            let_sound(recorder, 1.3)  # of which up to 0.9 s were under way to the tape
        window.press("q")
        assert window.exit_code() == 0
    ends = book.led_by(keys, book.heard(recorder.read()))
    (known,) = Bookmarks(home / "places").books()
    assert known.place is not None
    assert known.place.start in {book.chunks[end].start for end in ends}
    assert not list((home / "places").glob("*.now.json")), "the place is kept for good"


def test_pausing_marking_and_the_list_of_keys(tmp_path: Path, home: Path) -> None:
    book, recorder = Novel(tmp_path, sentences=20), alsa_recorder(tmp_path, paced=True)
    with reading(book, recorder) as window:
        let_sound(recorder, 1.0)
        window.press("Space")
        wait_until(lambda: "paused" in window.screen(), "the pause")
        before = -1
        while before != size(recorder):  # what was under way
            before = size(recorder)
            time.sleep(0.3)
        window.press("?")
        wait_until(lambda: "a chapter back or forward" in window.screen(), "the list")
        window.press("b")
        wait_until(lambda: "Marked" in window.screen(), "the mark")
        assert size(recorder) == before
        window.press("Space")
        let_sound(recorder, 2.0)
        window.press("q")
        assert window.exit_code() == 0
        assert "the place is kept" in " ".join(window.screen().split())
    assert book.led_by([], book.heard(recorder.read()))
    (known,) = Bookmarks(home / "places").books()
    assert [mark.place.start for mark in known.marks][0] in [chunk.start for chunk in book.chunks[:3]]


def test_faster_and_slower(tmp_path: Path) -> None:
    book, recorder = Novel(tmp_path, sentences=2), alsa_recorder(tmp_path, paced=True)
    due = len(np.trim_zeros(join(book.sounds), "b"))
    with reading(book, recorder) as window:
        let_sound(recorder, 0.0)
        window.press(*"+++++++-")
        wait_until(lambda: "speed 1.6" in window.screen(), "the speed")
        assert window.exit_code() == 0
        assert "gaps" not in window.screen()
    heard = len(np.trim_zeros(recorder.read(), "b"))
    assert due / 1.7 < heard < 0.9 * due, "1.7 times as fast at most, and nothing lost"


def test_a_closed_window_ends_the_reading_and_keeps_the_place(tmp_path: Path, home: Path) -> None:
    book, recorder = Novel(tmp_path, sentences=60), alsa_recorder(tmp_path, paced=True)
    with reading(book, recorder) as window:
        let_sound(recorder, 0.5)
        window.press("]")
        let_sound(recorder, 1.5)
        window.close()
        wait_until(lambda: not list((home / "store" / "open").iterdir()), "the program's end")
    heard = book.heard(np.fromfile(recorder.raw, dtype="<f4"))  # the tape was in the window too, and has no end
    ends = book.led_by(["]"], heard)
    (known,) = Bookmarks(home / "places").books()
    assert known.place is not None
    assert known.place.start in {book.chunks[place].start for end in ends for place in (end, end + 1)}
    assert not list((home / "places").glob("*.now.json"))


def said_on(window: Terminal) -> str:
    return " ".join(window.screen().split())


def test_going_to_a_chapter_a_time_and_a_mark(tmp_path: Path, home: Path) -> None:
    book, recorder = Novel(tmp_path, sentences=60), alsa_recorder(tmp_path, paced=True)
    chapters = [chunk.index for chunk in book.chunks if chunk.chapter != book.chunks[chunk.index - 1].chapter]
    with reading(book, recorder) as window:
        let_sound(recorder, 0.5)
        window.press("b")
        wait_until(lambda: "Marked" in window.screen(), "the mark")
        window.press("g", "9", "BSpace", "2")
        wait_until(lambda: "Go to (chapter, mark or time): 2" in window.screen(), "what is typed")
        window.press("Enter")
        wait_until(lambda: "2 · " in window.screen(), "the chapter")
        let_sound(recorder, 1.3)
        window.press("g", "n", "o", "Enter")
        wait_until(lambda: "There is no chapter 'no'" in said_on(window), "that there is none")
        window.press("g", "q", "Escape")
        wait_until(lambda: "Go to" not in window.screen(), "the end of it")
        window.press("m")
        wait_until(lambda: "m1" in window.screen(), "the marks")
        window.press("m", "1", "Enter")
        let_sound(recorder, 1.3)
        window.press("q")
        assert window.exit_code() == 0
    heard = book.heard(recorder.read())
    numbers = [number for one in heard for number in one.numbers]
    assert chapters[1] in numbers
    assert numbers[-1] < chapters[1], "the mark was near the beginning"


def test_ctrl_z_gives_the_cursor_back_and_is_no_gap(tmp_path: Path) -> None:
    book, recorder = Novel(tmp_path, sentences=60), alsa_recorder(tmp_path, paced=True)
    command = " ".join([sys.executable, "-m", "narrate", str(book.path), *OPTIONS])
    with terminal(["bash", "--norc", "-i"], {**os.environ, **recorder.env, "PS1": "$ "}) as window:
        window.press(command, "Enter")
        let_sound(recorder, 0.5)
        assert not window.cursor()
        window.press("C-z")
        wait_until(lambda: "Stopped" in window.screen(), "the shell")
        assert window.cursor()
        assert "left in the chapter" not in window.screen(), "the panel is taken away"
        window.press("fg", "Enter")
        let_sound(recorder, 1.0)
        wait_until(lambda: "left in the chapter" in window.screen(), "the panel")
        assert not window.cursor()
        assert "gap" not in window.screen()
        window.press("q")
        wait_until(lambda: "the place is kept" in said_on(window), "the end")
        assert window.cursor()


@pytest.mark.parametrize("widths", [(40,), (120, 40, 80), (60, 100)])
def test_a_resized_window_keeps_no_stale_lines(tmp_path: Path, widths: tuple[int, ...]) -> None:
    book, recorder = Novel(tmp_path, sentences=60), alsa_recorder(tmp_path, paced=True)
    with reading(book, recorder) as window:
        wait_until(lambda: "left in the chapter" in window.screen(), "the panel")
        for width in widths:
            window.resize(width, 24)
            time.sleep(0.5)
        let_sound(recorder, 0.5)
        wait_until(lambda: sum(map(window.visible().count, "━─")) == widths[-1] - 1, "one bar")
        assert window.visible().count("tone · en") == 1
        window.press("q")
        assert window.exit_code() == 0
        assert "─" not in window.visible(), "nothing of the panel is left"


def test_where_ctrl_c_stopped_is_said(tmp_path: Path) -> None:
    book, recorder = Novel(tmp_path, sentences=60), alsa_recorder(tmp_path, paced=True)
    with reading(book, recorder) as window:
        let_sound(recorder, 0.5)
        window.press("C-c")
        assert window.exit_code() == 130
        assert re.search(r"Stopped at 0:0\d of \d+:\d\d \(\d+%\); the place is kept, and narrate", said_on(window))


def test_a_dumb_terminal_gets_lines(tmp_path: Path) -> None:
    book, recorder = Novel(tmp_path, sentences=60), alsa_recorder(tmp_path, paced=True)
    command = [sys.executable, "-m", "narrate", str(book.path), *OPTIONS]
    with terminal(["env", "TERM=dumb", *command], {**os.environ, **recorder.env}) as window:
        let_sound(recorder, 0.5)
        wait_until(lambda: "? for keys" in window.screen(), "the hint")
        window.press("Space")
        wait_until(lambda: "paused · 0:0" in window.screen(), "the pause")
        assert "━" not in window.screen()
        window.press("q")
        assert window.exit_code() == 0


def test_the_sleep_timer_keeps_the_next_chapter_for_the_next_time(tmp_path: Path, home: Path) -> None:
    book, recorder = Novel(tmp_path, sentences=60), alsa_recorder(tmp_path, paced=False)
    second = next(chunk for chunk in book.chunks if chunk.chapter == book.chunks[0].chapter + 1)
    with reading(book, recorder, "--sleep", "chapter") as window:
        assert window.exit_code() == 0
        assert "the sleep timer stopped it at" in said_on(window)
    (known,) = Bookmarks(home / "places").books()
    assert known.place is not None
    assert known.place.start == second.start
    heard = book.heard(recorder.read())
    assert heard[-1] == Heard((second.index - 1,), True), "the chapter was heard to its end, and no more"


def test_keys_while_a_file_is_written_too(tmp_path: Path, home: Path) -> None:
    """Pausing works, jumps would break the file, and q leaves the rest of it to be written in silence."""
    book, recorder = Novel(tmp_path, sentences=60), alsa_recorder(tmp_path, paced=True)
    whole, both = tmp_path / "whole.wav", tmp_path / "both.wav"
    command = [sys.executable, "-m", "narrate", str(book.path), *OPTIONS, "-q", "-o", str(whole)]
    subprocess.run(command, check=True)
    with reading(book, recorder, "-o", both, "--play") as window:
        let_sound(recorder, 0.5)
        window.press("Space")
        wait_until(lambda: "paused" in window.screen(), "the pause")
        window.press("Space", "]")
        wait_until(lambda: "needs every sentence once" in said_on(window), "why not")
        window.press("q")
        assert window.exit_code() == 0
        assert "The file is written to its end" in said_on(window)
    assert both.read_bytes() == whole.read_bytes()
    (known,) = Bookmarks(home / "places").books()
    assert known.place is not None
    assert known.place.fraction < 0.2, "the place is where the ear stopped"
    assert len(np.fromfile(recorder.raw, dtype="<f4")) < sum(map(len, book.sounds)) / 2
