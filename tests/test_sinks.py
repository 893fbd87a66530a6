"""What all sound files have in common: refused early, complete or absent, the same samples, full disks told plainly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from narrate.clip import Clip, Samples
from narrate.errors import InputError, SinkError
from narrate.sinks import SUFFIXES, check_target, open_sink
from tests.speech import a_chunk

RATE = 24_000


def noise(seconds: float, seed: int = 0) -> Samples:
    """Sound that no codec makes small."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * RATE)).astype(np.float32)


def clips(samples: Samples, count: int = 7) -> list[Clip]:
    return [Clip(a_chunk(index), part, RATE) for index, part in enumerate(np.array_split(samples, count))]


def write(path: Path, samples: Samples, *, force: bool = False) -> None:
    with open_sink(path, RATE, force=force) as sink:
        for clip in clips(samples):
            sink.write(clip)


def seconds_of(path: Path) -> float:
    with av.open(str(path)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


@pytest.fixture(params=SUFFIXES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"本 {request.param[1:]}{request.param}"


def test_a_file_holds_all_that_was_written_and_nothing_lies_beside_it(path: Path) -> None:
    write(path, noise(3.3))
    assert seconds_of(path) == pytest.approx(3.3, abs=0.1)  # MP3 and Opus fill their last frame
    assert os.listdir(path.parent) == [path.name]


def test_a_file_without_a_sample_is_a_file(path: Path) -> None:
    with open_sink(path, RATE) as sink:
        sink.write(Clip(a_chunk(0), noise(0), RATE))
    assert path.stat().st_size > 0


def test_a_file_has_its_name_only_when_complete(path: Path) -> None:
    with open_sink(path, RATE) as sink:
        for clip in clips(noise(2)):
            sink.write(clip)
            assert not path.exists()
    assert path.exists()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_nothing(path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), open_sink(path, RATE) as sink:
        sink.write(Clip(a_chunk(0), noise(2), RATE))
        raise error
    assert os.listdir(path.parent) == []


def test_what_is_replaced_stays_until_the_new_file_is_complete(path: Path) -> None:
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="stop"), open_sink(path, RATE, force=True) as sink:
        sink.write(Clip(a_chunk(0), noise(1), RATE))
        raise ValueError("stop")
    assert path.read_bytes() == b"old"
    write(path, noise(1), force=True)
    assert seconds_of(path) == pytest.approx(1, abs=0.1)


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    there = tmp_path / "disk" / path.name
    path.symlink_to(there)
    write(path, noise(1))
    assert path.is_symlink()
    assert there.exists()


def test_the_longest_file_name_is_no_trouble(path: Path) -> None:
    longest = path.with_name("本" * ((255 - len(path.suffix)) // 3) + path.suffix)
    write(longest, noise(0.5))
    assert longest.exists()


_WRITE_WITH_LITTLE_ROOM = """
import resource, sys
from pathlib import Path
from tests.test_sinks import noise, write
path, room = Path(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
write(path, noise(2))
"""


@pytest.mark.parametrize("missing", [1, 60, 4_000, 15_000])
def test_a_file_that_is_one_byte_short_is_no_file(path: Path, missing: int) -> None:
    """The system refuses the last bytes: while clips are written, as the encoder ends, or as the file is closed."""
    write(path, noise(2))
    room = path.stat().st_size - missing
    path.unlink()
    program = [sys.executable, "-c", _WRITE_WITH_LITTLE_ROOM, path, str(room)]
    ended = subprocess.run(program, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert f"SinkError: {path} cannot be written: the file is larger than is allowed there." in ended.stderr
    assert os.listdir(path.parent) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount one")
    return folder


def test_a_full_disk_is_one_plain_line(path: Path, small_disk: Path) -> None:
    target = small_disk / path.name
    try:
        with pytest.raises(SinkError, match="cannot be written: the disk is full. Make room"):
            write(target, noise(60))
        assert os.listdir(small_disk) == []
    finally:
        subprocess.run(["umount", small_disk], check=True)


def test_a_read_only_disk_is_refused_before_anything_is_made(path: Path, small_disk: Path) -> None:
    try:
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        with pytest.raises(InputError, match="cannot be written to"):
            check_target(small_disk / path.name)
    finally:
        subprocess.run(["umount", small_disk], check=True)


def test_wrong_targets_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "old.wav").touch()
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    wrong = {
        "old.wav": "exists already",
        "folder.wav": "is a folder",
        "pipe.wav": "not an ordinary file",
        "missing/book.wav": "does not exist",
        "book.aiff": r"Choose one of \.wav .* \.opus \.mka \.m4b \.m4a, \.epub for .*, or \.srt \.vtt \.lrc \.json for",
        "book": "a name without a suffix",
    }
    for name, words in wrong.items():
        with pytest.raises(InputError, match=words) as caught:
            open_sink(tmp_path / name, RATE)
        assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["folder.wav", "old.wav", "pipe.wav"]


def test_suffixes_may_be_capitals(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        write(tmp_path / f"BOOK{suffix.upper()}", noise(0.2))
    assert len(os.listdir(tmp_path)) == len(SUFFIXES)
