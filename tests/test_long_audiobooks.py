"""Audiobooks as long as books are: 120 hours in one file, killed again and again, and real books read along."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrate.clip import Clip
from narrate.sinks import open_sink
from narrate.sinks.about import About
from narrate.text.book import TextOptions, open_book
from narrate.text.chunking.chunks import cut
from tests.conftest import SHARED
from tests.test_audiobook import probe
from tests.test_publisher import files, rows
from tests.test_read_along import decoded

ROOT = Path(__file__).resolve().parents[1]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not here (apt install ffmpeg)"),
]

LONG = """
import resource, sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
import av, numpy as np
from narrate.sinks.about import About
from narrate.sinks.encoded import EncodedFile
from tests.speech import a_chunk

RATE, FRAME = 24_000, 1024
path, hours, chapters = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
with EncodedFile(path, RATE, About("T", "A", "en")) as sink:
    tone = (np.sin(np.arange(FRAME * 8) * 0.05) * 8000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(tone[np.newaxis], format="s16", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 0
    stream = sink._stream
    packet = stream.encode(frame)[-1]  # one of sound, muxed again and again
    data = bytes(packet)
    frames = hours * 3600 * RATE // FRAME
    for chapter in range(chapters):
        sink.begin(replace(a_chunk(chapter), chapter=chapter + 1, title=f"Chapter {chapter + 1}"))
        count = frames * (chapter + 1) // chapters - frames * chapter // chapters
        for _ in range(count):
            again = av.Packet(data)
            again.stream, again.time_base = stream, Fraction(1, RATE)
            again.pts = again.dts = sink.timeline.samples
            again.duration, again.is_keyframe = FRAME, True
            sink._container.mux(again)
            sink.timeline.add(FRAME)
    sink._stream = SimpleNamespace(encode=lambda _: [])  # what waits in the encoder is not wanted
# What `getrusage` says of a new process counts its parent, too.
status = Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else []
peak = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
print(*peak or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss])
"""


@pytest.mark.timeout(1200)
def test_120_hours_keep_their_last_chapter_and_take_the_memory_that_is_stated(tmp_path: Path) -> None:
    """The README says about 6 MB for each hour of sound."""
    hours, count = 120, 400
    path = tmp_path / "long.m4b"
    done = subprocess.run(
        [sys.executable, "-c", LONG, path, str(hours), str(count)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    megabytes = int(done.stdout) / 1000
    print(
        f"{hours} h: {megabytes:.0f} MB, {megabytes / hours:.1f} MB an hour, {path.stat().st_size / 1e6:.0f} MB on disk"
    )
    assert megabytes < 8 * hours
    frames = hours * 3600 * 24_000 // 1024
    found = probe(path)["chapters"]
    assert len(found) == count
    assert (found[-1]["start"], found[-1]["end"]) == (frames * (count - 1) // count * 1024, frames * 1024)
    assert [one["end"] for one in found[:-1]] == [one["start"] for one in found[1:]]


WRITTEN = """
import sys
from pathlib import Path
from tests.test_audiobook import write_book
print("begun", flush=True)
write_book(Path(sys.argv[1]), [f"Chapter {number}" for number in range(80)], samples=4001)
"""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("suffix", [".m4b", ".mp3"])
def test_killed_30_times_while_muxing_nothing_half_has_the_name(tmp_path: Path, suffix: str) -> None:
    whole, path = tmp_path / "whole" / f"book{suffix}", tmp_path / f"book{suffix}"
    whole.parent.mkdir()

    def begin(target: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WRITTEN, str(target)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    began = time.monotonic()
    _, said = begin(whole).communicate()
    assert whole.exists(), said
    takes = time.monotonic() - began
    chance = random.Random(0)
    killed = complete = 0
    while killed < 30:
        process = begin(path)
        time.sleep(chance.uniform(0, takes))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        if path.exists():
            complete += 1
            assert path.read_bytes() == whole.read_bytes(), "what has the name is whole"
            path.unlink()
        assert len(os.listdir(tmp_path)) <= 3, "what the one before left is swept"
    _, said = begin(path).communicate()
    assert path.read_bytes() == whole.read_bytes(), said
    assert sorted(os.listdir(tmp_path)) == [path.name, "whole"]
    print(f"{suffix}: {killed} kills within {takes:.1f} s, {complete} of them after the file had its name")


@pytest.mark.timeout(600)
@pytest.mark.skipif(not (SHARED / "texts").is_dir(), reason="the shared books are not here")
@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [("wagahai.sjis.txt", 11, "一", "十一"), ("sanguo.txt", 120, "第一回", "第一百二十回")],
)
def test_an_m4b_of_a_real_book_has_its_chapters_to_the_sample(
    tmp_path: Path, name: str, count: int, first: str, last: str
) -> None:
    """Of each chunk 100 ms are written, which takes no time and has as many chapters. What stands before the first
    heading has the title of the book."""
    book = open_book(str(SHARED / "texts" / name), TextOptions())
    assert book.document is not None
    path = tmp_path / "book.m4b"
    about = About(book.title, book.author, book.language)
    samples, begins, chapter = 0, [], None
    with open_sink(path, 8000, about=about) as sink:
        for chunk in cut(book.document):
            begins += [samples] * (chunk.chapter != chapter)
            chapter = chunk.chapter
            sink.begin(chunk)
            sink.write(Clip(chunk, np.full(800, 0.1, dtype=np.float32), 8000))
            samples += 800
    found = probe(path)
    titles = [chapter["tags"]["title"] for chapter in found["chapters"]]
    assert titles == [" ".join(chapter.title.split()) or book.title for chapter in book.document.chapters]
    numbered = [title for title, one in zip(titles, book.document.chapters, strict=True) if one.number]
    assert len(numbered) == count
    assert first in numbered[0]
    assert last in numbered[-1]
    assert [chapter["start"] for chapter in found["chapters"]] == begins
    assert [chapter["end"] for chapter in found["chapters"]] == [*begins[1:], samples]
    (sound,) = (stream for stream in found["streams"] if stream["codec_type"] == "audio")
    assert (sound["codec_name"], sound["channels"], sound["duration_ts"]) == ("aac", 1, samples)
    tags = found["format"]["tags"]
    assert (tags["major_brand"], tags["media_type"], tags["title"]) == ("M4B ", "2", book.title)


BOOKS = [
    ("epub/accessible_epub_3.epub", "1-2", "espeak"),
    ("epub/childrens-literature.epub", "3", "espeak"),
    ("epub/kusamakura-japanese-vertical-writing.epub", "1", "tone:rate=8000"),
    ("se_chickens.epub", "2", "espeak"),
    ("rashomon.sjis.txt", "1", "openjtalk"),
    ("alice.txt", "1", "espeak"),
]


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


@pytest.mark.timeout(1200)
@pytest.mark.skipif(not (SHARED / "texts").is_dir(), reason="the shared books are not here")
@pytest.mark.parametrize(("name", "chapters", "engine"), BOOKS, ids=[book[0].split("/")[-1][:12] for book in BOOKS])
def test_what_lights_up_is_what_is_said_at_20_places(tmp_path: Path, name: str, chapters: str, engine: str) -> None:
    outputs = [tmp_path / f"book.{suffix}" for suffix in ("epub", "wav", "json")]
    wanted = [str(word) for output in outputs for word in ("-o", output)]
    command = [sys.executable, "-m", "narrate", str(SHARED / "texts" / name), "-e", engine, "--chapters", chapters]
    done = subprocess.run([*command, *wanted], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    told = json.loads(outputs[2].read_text(encoding="utf-8"))["sentences"]
    whole, rate = soundfile.read(outputs[1], dtype="float32")
    found = rows(files(outputs[0]))
    sounds = sorted({row[2] for row in found})
    starts = {chapter: next(cue["start"] for cue in told if cue["chapter"] == chapter) for chapter in
              dict.fromkeys(cue["chapter"] for cue in told)}  # fmt: skip
    begins = dict(zip(sounds, starts.values(), strict=True))
    heard = {sound: decoded(outputs[0], sound, tmp_path) for sound in sounds}
    step = max(1, len(found) // 20)
    places = found[::step][:20]
    assert len(places) == 20
    for _, text, sound, begin, end in places:
        assert 0 <= begin < end <= len(heard[sound]) / rate + 0.001
        first, last = round(begin * rate), round(end * rate)
        at = round(begins[sound] * rate)
        cut, take = heard[sound][first:last], whole[at + first : at + last]
        assert np.corrcoef(cut[: len(take)], take[: len(cut)])[0, 1] > 0.9, text
        within = [cue for cue in told if begin <= (cue["start"] + cue["end"]) / 2 - begins[sound] < end]
        words = letters(text)
        if within:
            said = letters("".join(cue["text"] for cue in within))
            assert SequenceMatcher(None, words, said, autojunk=False).ratio() > 0.95, text
        else:  # a line of a verse, of which a subtitle shows more
            middle = (begin + end) / 2 + begins[sound]
            assert any(words in letters(cue["text"]) for cue in told if cue["start"] <= middle < cue["end"]), text
    print(f"{name}: 20 of {len(found)} places, each with the sound of its words")
