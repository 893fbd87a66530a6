"""Audiobook files as other programs read them: chapters to the sample, tags, cover, length; by FFmpeg's own tools."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrate.clip import Clip
from narrate.sinks import open_sink
from narrate.sinks.about import About
from narrate.sinks.encoded import EncodedFile
from narrate.sinks.mp4 import Box, boxes
from narrate.sinks.pictures import draw_cover
from tests.speech import a_chunk
from tests.test_pictures import a_png

ROOT = Path(__file__).resolve().parents[1]
RATE = 24_000
COVER = draw_cover("猫", "漱石")
ABOUT = About(
    "吾輩は猫である", "夏目漱石", "ja", narrator="ono_anna", description="猫が語る。", publisher="岩波", date="1905",
    series="猫", part="2", cover=COVER,
)  # fmt: skip
ODD_TITLES = ["一", "題" * 120, "a = b; # c \\", "two\nlines", "", "「会話」"]
WITH_CHAPTERS = [".m4b", ".m4a", ".mka", ".mp3", ".ogg", ".opus"]

needs_ffprobe = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not here (apt install ffmpeg)")


def probe(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", "-show_chapters", str(path)]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def decoded(path: Path, rate: int) -> int:
    """How many samples FFmpeg hears in the file."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "a", "-ar", str(rate), "-f", "s16le", "-"]
    return len(subprocess.run(command, capture_output=True, check=True).stdout) // 2


def write_book(path: Path, titles: list[str], *, about: About = ABOUT, rate: int = RATE, samples: int = 3001) -> int:
    """A book of short chapters, each of two chunks and a bit longer than the one before. Returns its samples."""
    total = 0
    with open_sink(path, rate, about=about) as sink:
        for number, title in enumerate(titles, 1):
            for half in range(2):
                chunk = replace(a_chunk(2 * number + half), chapter=number, title=title)
                sink.begin(chunk)
                length = samples + 7 * (number % 11)
                sound = 0.3 * np.sin(np.arange(length) * 0.1)
                sink.write(Clip(chunk, sound.astype(np.float32), rate))
                total += length
    return total


def starts(titles: list[str], samples: int = 3001) -> list[int]:
    lengths = [2 * (samples + 7 * (number % 11)) for number in range(1, len(titles) + 1)]
    return [sum(lengths[:number]) for number in range(len(titles) + 1)]


def atoms(path: Path) -> dict[bytes, Box]:
    """The boxes of an MP4 file at its top, in `moov` and in `moov/udta`, by name."""
    with open(path, "rb") as file:
        found = list(boxes(file, 0, path.stat().st_size))
        for kind in (b"moov", b"udta"):
            box = next(box for box in found if box.kind == kind)
            found += boxes(file, box.content, box.end)
    return {box.kind: box for box in found}


@needs_ffprobe
def test_an_m4b_is_what_players_want(tmp_path: Path) -> None:
    path = tmp_path / "book.m4b"
    samples = write_book(path, ODD_TITLES)
    found = probe(path)
    sound, picture = (next(s for s in found["streams"] if s["codec_type"] == kind) for kind in ("audio", "video"))
    assert (sound["codec_name"], sound["profile"], sound["channels"], sound["sample_rate"]) == ("aac", "LC", 1, "24000")
    assert (sound["duration_ts"], sound["time_base"]) == (samples, "1/24000")
    assert float(found["format"]["duration"]) == pytest.approx(samples / RATE, abs=1e-6)
    assert sound["tags"]["language"] == "jpn"
    assert (picture["codec_name"], picture["disposition"]["attached_pic"]) == ("mjpeg", 1)
    tags = found["format"]["tags"]
    wanted = {
        "major_brand": "M4B ", "title": "吾輩は猫である", "album": "吾輩は猫である", "artist": "夏目漱石",
        "album_artist": "夏目漱石", "composer": "ono_anna", "date": "1905", "genre": "Audiobook", "show": "猫",
        "episode_id": "2", "grouping": "猫 #2", "description": "猫が語る。", "media_type": "2", "copyright": "岩波",
    }  # fmt: skip
    assert {name: tags.get(name) for name in wanted} == wanted


@needs_ffprobe
@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_chapters_of_an_m4b_are_right_to_the_sample(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "book.m4b"
    write_book(path, ODD_TITLES, rate=rate)
    found = probe(path)["chapters"]
    edges = starts(ODD_TITLES)
    assert {chapter["time_base"] for chapter in found} == {f"1/{rate}"}
    assert [(chapter["start"], chapter["end"]) for chapter in found] == list(zip(edges, edges[1:], strict=False))
    titles = [chapter["tags"]["title"] for chapter in found]
    assert titles == ["一", "題" * 120, "a = b; # c \\", "two lines", "5", "「会話」"]


@needs_ffprobe
@pytest.mark.parametrize("suffix", [".mka", ".mp3", ".ogg", ".opus"])
def test_other_formats_have_the_same_chapters_to_the_millisecond(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"book{suffix}"
    titles = [f"章 {number}" for number in range(1, 13)]
    samples = write_book(path, titles, samples=9001)
    found = probe(path)["chapters"]
    assert [chapter["tags"]["title"] for chapter in found] == titles
    edges = [start / RATE for start in starts(titles, 9001)]
    assert [float(chapter["start_time"]) for chapter in found] == pytest.approx(edges[:-1], abs=0.001)
    assert [float(chapter["end_time"]) for chapter in found[:-1]] == pytest.approx(edges[1:-1], abs=0.001)
    assert decoded(path, RATE) == samples


@needs_ffprobe
@pytest.mark.parametrize("suffix", [".m4b", ".mka", ".mp3", ".ogg", ".flac"])
@pytest.mark.parametrize("cover", [COVER, a_png(30, 20), None])
def test_the_cover_comes_back_as_it_was(tmp_path: Path, suffix: str, cover: bytes | None) -> None:
    path = tmp_path / f"book{suffix}"
    write_book(path, ["a", "b"], about=replace(ABOUT, cover=cover))
    pictures = [stream for stream in probe(path)["streams"] if stream["codec_type"] == "video"]
    assert [picture["disposition"]["attached_pic"] for picture in pictures] == ([] if cover is None else [1])
    if cover is not None:
        command = ["ffmpeg", "-v", "error", "-i", path, "-map", "v", "-c", "copy", "-f", "image2pipe", "-"]
        assert subprocess.run(command, capture_output=True, check=True).stdout == cover


@needs_ffprobe
def test_an_m4b_is_as_long_as_what_was_written(tmp_path: Path) -> None:
    """Its edit list leaves out the encoder's delay; FFmpeg alone plays the rest of the last frame."""
    path = tmp_path / "book.m4b"
    samples = write_book(path, ["a", "b", "c"])
    assert samples <= decoded(path, RATE) < samples + 1024
    assert b"elst" in path.read_bytes()[: atoms(path)[b"moov"].end]


def test_an_m4b_can_be_played_while_it_is_fetched(tmp_path: Path) -> None:
    path = tmp_path / "book.m4b"
    write_book(path, ["a", "b"])
    found = atoms(path)
    assert found[b"moov"].start < found[b"mdat"].start
    assert path.read_bytes()[8:12] == b"M4B "


@needs_ffprobe
@pytest.mark.parametrize(("count", "nero"), [(255, True), (256, False), (300, False)])
def test_no_list_of_chapters_is_cut_short(tmp_path: Path, count: int, nero: bool) -> None:
    """A Nero list holds 255 chapters, and players that find one look no further."""
    path = tmp_path / "book.m4b"
    titles = [f"第{number}回" for number in range(1, count + 1)]
    write_book(path, titles)
    found = probe(path)["chapters"]
    assert [chapter["tags"]["title"] for chapter in found] == titles
    assert (b"chpl" in atoms(path)) == nero


@pytest.mark.parametrize(("title", "nero"), [("a" * 255, True), ("a" * 256, False), ("題" * 86, False)])
def test_no_title_is_cut_short(tmp_path: Path, title: str, nero: bool) -> None:
    path = tmp_path / "book.m4b"
    write_book(path, ["one", title])
    assert (b"chpl" in atoms(path)) == nero


@needs_ffprobe
@pytest.mark.parametrize("suffix", WITH_CHAPTERS)
def test_a_book_with_one_chapter_has_no_marks(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"book{suffix}"
    write_book(path, ["all of it"])
    assert probe(path)["chapters"] == []
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_sound_that_holds_no_chapters_has_a_cue_sheet_beside_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"book{suffix}"
    write_book(path, ["一", "二"])
    sheet = (tmp_path / "book.cue").read_text(encoding="utf-8")
    assert f'FILE "book{suffix}" WAVE' in sheet
    assert sheet.count("TRACK") == 2
    assert (tmp_path / "book.cue").stat().st_mode & 0o777 == path.stat().st_mode & 0o777
    assert sorted(os.listdir(tmp_path)) == ["book.cue", path.name]


@needs_ffprobe
@pytest.mark.parametrize("title", ["猫", "odd", "even"])
def test_a_wav_file_names_its_book(tmp_path: Path, title: str) -> None:
    path = tmp_path / "book.wav"
    samples = write_book(path, ["一"], about=About(title, "漱石", "ja", date="1905"))
    found = probe(path)
    assert found["format"]["tags"] == {
        "title": title, "album": title, "artist": "漱石", "date": "1905", "language": "jpn", "genre": "Audiobook",
    }  # fmt: skip
    assert found["streams"][0]["duration_ts"] == samples
    data = path.read_bytes()
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8


def test_the_bit_rate_is_the_listeners(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 10 * RATE).astype(np.float32)
    sizes = {}
    for bit_rate in (32_000, 96_000):
        path = tmp_path / f"{bit_rate}.m4b"
        with open_sink(path, RATE, bit_rate=bit_rate) as sink:
            sink.write(Clip(a_chunk(0), noise, RATE))
        sizes[bit_rate] = path.stat().st_size
    assert sizes[96_000] > 2 * sizes[32_000]


KILLED = """
import os, signal, sys
from pathlib import Path
import narrate.sinks.audiofile as audiofile
import narrate.sinks.encoded as encoded
from tests.test_audiobook import write_book

def killed(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)

path, moment = Path(sys.argv[1]), sys.argv[2]
if moment == "chapters":
    encoded.EncodedFile._marks = killed
    encoded._chapter_comments = killed
elif moment == "head":
    encoded.EncodedFile._head = killed
else:
    audiofile.HeldFile.move_to = killed
write_book(path, ["a", "b", "c"])
"""


@pytest.mark.parametrize("suffix", WITH_CHAPTERS)
@pytest.mark.parametrize("moment", ["head", "chapters", "name"])
def test_killed_while_muxing_it_leaves_nothing_and_the_next_run_writes_the_same_bytes(
    tmp_path: Path, suffix: str, moment: str
) -> None:
    whole, path = tmp_path / f"whole{suffix}", tmp_path / f"book{suffix}"
    write_book(whole, ["a", "b", "c"])
    done = subprocess.run([sys.executable, "-c", KILLED, path, moment], cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not path.exists()
    write_book(path, ["a", "b", "c"])
    assert sorted(os.listdir(tmp_path)) == sorted([path.name, whole.name])
    if suffix not in (".ogg", ".opus", ".mka"):  # these have random numbers of their own inside
        assert path.read_bytes() == whole.read_bytes()


def narrate(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "narrate", *map(str, arguments)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT)


MARKDOWN = "# 本\n\n" + "\n\n".join(f"## 章{number} 題\n\nこれは短い文である。" for number in range(1, 4))


@needs_ffprobe
def test_one_run_writes_all_files_that_are_named(tmp_path: Path) -> None:
    (tmp_path / "book.md").write_text(MARKDOWN, encoding="utf-8")
    (tmp_path / "cover.png").write_bytes(a_png(30, 20))
    outputs = [argument for suffix in ("m4b", "mp3", "wav") for argument in ("-o", tmp_path / f"out.{suffix}")]
    said = ["--author", "漱石", "--series", "猫 #3", "--narrator", "Anna", "--description", "about"]
    done = narrate(tmp_path / "book.md", "-e", "tone:rate=8000", *outputs, *said)
    assert done.returncode == 0, done.stderr
    m4b, mp3 = probe(tmp_path / "out.m4b"), probe(tmp_path / "out.mp3")
    assert [chapter["tags"]["title"] for chapter in m4b["chapters"]] == ["章1 題", "章2 題", "章3 題"]
    assert len(mp3["chapters"]) == 3
    assert [s["codec_name"] for s in m4b["streams"] if s["codec_type"] == "video"] == ["png"], "it lies beside the book"
    tags = m4b["format"]["tags"]
    assert (tags["title"], tags["artist"], tags["composer"], tags["show"], tags["episode_id"], tags["description"]) == (
        "本", "漱石", "Anna", "猫", "3", "about",
    )  # fmt: skip
    assert mp3["format"]["tags"]["series-part"] == "3"
    assert "章3 題" in (tmp_path / "out.cue").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "a.m4b", "--cover", "nowhere.jpg"], "cannot be read"),
        (["-o", "a.m4b", "--cover", "book.md"], "is no JPEG or PNG"),
        (["-o", "a.m4b", "-o", "a.m4b"], "would be written twice"),
        (["-o", "a.wav", "-o", "a.flac"], "a.cue would be written twice"),
        (["-o", "there.flac"], "there.cue exists already"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_made(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "book.md").write_text(MARKDOWN, encoding="utf-8")
    (tmp_path / "there.cue").touch()
    placed = [argument if argument.startswith("-") else tmp_path / argument for argument in arguments]
    done = narrate(tmp_path / "book.md", "-e", "tone:rate=8000", *placed)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["book.md", "there.cue"]


WITH_LITTLE_ROOM = """
import resource, sys
from pathlib import Path
from tests.test_audiobook import write_book
path, room = Path(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
write_book(path, ["a", "b", "c"])
"""


@pytest.mark.parametrize("suffix", WITH_CHAPTERS)
@pytest.mark.parametrize("missing", [1, 100])
def test_no_room_for_the_last_rewriting_leaves_no_file(tmp_path: Path, suffix: str, missing: int) -> None:
    path = tmp_path / f"book{suffix}"
    write_book(path, ["a", "b", "c"])
    room = path.stat().st_size - missing
    path.unlink()
    program = [sys.executable, "-c", WITH_LITTLE_ROOM, path, str(room)]
    ended = subprocess.run(program, capture_output=True, text=True, cwd=ROOT)
    assert f"SinkError: {path} cannot be written: the file is larger than is allowed there." in ended.stderr
    assert os.listdir(tmp_path) == []


def test_how_far_the_last_rewriting_is_can_be_seen(tmp_path: Path) -> None:
    shares: list[float] = []

    class Watched(EncodedFile):
        def __setattr__(self, name: str, value: object) -> None:
            if name == "finished_share":
                shares.append(float(str(value)))
            super().__setattr__(name, value)

    with Watched(tmp_path / "book.mp3", RATE, ABOUT) as sink:
        for number, title in enumerate(("One", "Two"), 1):
            chunk = replace(a_chunk(number), chapter=number, title=title)
            sink.begin(chunk)
            sink.write(Clip(chunk, np.zeros(RATE, np.float32), RATE))
    assert shares == sorted(shares)
    assert len(shares) > 20
    assert shares[0] < 0.1
    assert 0.9 < shares[-1] <= 1.0
