"""WAV on standard output: pipes, files, full disks and readers that go away, each with a real process."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import wave
from pathlib import Path

import av
import numpy as np
import soundfile

from narrate.clip import to_int16
from tests.test_sinks import noise

ROOT = Path(__file__).parents[1]
SAMPLES = noise(3)
PROGRAM = """
from narrate.sinks import open_sink
from tests.test_sinks import RATE, clips, noise
with open_sink("-", RATE) as sink:
    for clip in clips(noise(3)):
        sink.write(clip)
"""


def run(output: int | io.IOBase, program: str = PROGRAM) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", program], stdout=output, stderr=subprocess.PIPE, cwd=ROOT)


def test_a_pipe_gets_a_header_of_unknown_length_and_every_sample() -> None:
    sent = run(subprocess.PIPE).stdout
    assert (sent[:4], sent[4:8], sent[8:12]) == (b"RIFF", b"\xff\xff\xff\xff", b"WAVE")
    assert sent[76:80] == b"\xff\xff\xff\xff"
    assert np.array_equal(np.frombuffer(sent[80:], "<i2"), to_int16(SAMPLES))


def test_a_player_reads_the_pipe_to_its_end() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, cwd=ROOT) as program:
        assert program.stdout is not None
        with av.open(program.stdout, format="wav") as container:
            heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert np.array_equal(heard, to_int16(SAMPLES))


def test_a_redirected_file_gets_its_true_length(tmp_path: Path) -> None:
    path = tmp_path / "book.wav"
    with open(path, "wb") as output:
        run(output)
    with wave.open(str(path)) as book:
        assert book.getnframes() == len(SAMPLES)
    assert np.array_equal(soundfile.read(path, dtype="int16")[0], to_int16(SAMPLES))


def test_what_is_in_the_file_before_and_after_stays(tmp_path: Path) -> None:
    path = tmp_path / "both"
    for mode in ("r+b", "ab"):
        path.write_bytes(b"before")
        with open(path, mode) as output:
            output.seek(0, os.SEEK_END)
            run(output)
        written = path.read_bytes()
        assert written[:6] == b"before"
        assert written[6:10] == b"RIFF"
        assert len(written) == 6 + 80 + 2 * len(SAMPLES)


def test_a_reader_that_goes_away_is_a_closed_pipe() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.read(100)
        program.stdout.close()
        said = program.stderr.read()
    assert b"ClosedPipe: The program that reads standard output has ended." in said
    assert b"BrokenPipeError: [Errno 32] Broken pipe\n\nThe above" in said
    assert b"Exception ignored" not in said


def test_a_full_disk_is_said() -> None:
    with open("/dev/full", "wb") as output:
        said = run(output).stderr
    assert b"SinkError: Standard output cannot be written: the disk is full. Make room" in said


def test_a_terminal_is_no_place_for_sound() -> None:
    ours, theirs = pty.openpty()
    try:
        said = run(theirs).stderr
        assert b"InputError: Standard output is a terminal" in said
    finally:
        os.close(theirs)
        os.close(ours)
