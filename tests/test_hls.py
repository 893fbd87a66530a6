"""Runs of sound: fragments that are whole, segments that grow, sentences with their times, and where the ear is."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.clip import Clip
from narrate.errors import SinkError
from narrate.server.fragments import FRAME_SAMPLES, LEAD_IN_SAMPLES, Encoder
from narrate.server.hls import LONGEST_SEGMENT_SECONDS, RUNS_KEPT, PageSink, Run, Runs, Told
from tests.speech import a_chunk

RATE = 24000


def a_tone(samples: int, start: int = 0) -> np.ndarray:
    times = np.arange(start, start + samples) / RATE
    return np.asarray(8000 * np.sin(2 * np.pi * 300 * times), dtype=np.int16)


def decoded(data: bytes) -> np.ndarray:
    import av

    with av.open(io.BytesIO(data)) as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(frames)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(0, 30_000), min_size=1, max_size=12),
    st.sampled_from([8000, 16000, 22050, 24000, 48000]),
)
def test_however_sound_is_cut_its_fragments_are_whole_and_as_long(pieces: list[int], rate: int) -> None:
    encoder = Encoder(rate)
    found = [fragment for piece in pieces for fragment in encoder.add(a_tone(piece))] + encoder.end()
    total = sum(pieces)
    expected = 0 if not total else -(-total // FRAME_SAMPLES) * FRAME_SAMPLES + LEAD_IN_SAMPLES
    assert (found[-1].end if found else 0) == expected
    assert [fragment.start for fragment in found[1:]] == [fragment.end for fragment in found[:-1]]
    assert all(fragment.data[4:8] == b"moof" for fragment in found)
    if found:
        assert found[0].start == 0
        assert encoder.head[4:8] == b"ftyp"
        assert len(decoded(encoder.head + b"".join(fragment.data for fragment in found))) == expected


def test_the_sound_begins_after_the_lead_in() -> None:
    encoder, tone = Encoder(RATE), a_tone(RATE)
    found = encoder.add(tone) + encoder.end()
    sound = decoded(encoder.head + b"".join(fragment.data for fragment in found))
    middle = tone[5000:15000].astype(float)
    best = max(range(3 * FRAME_SAMPLES), key=lambda lag: float(np.dot(sound[lag + 5000 : lag + 15000], middle)))
    period = RATE // 300
    assert (best - LEAD_IN_SAMPLES) % period in (0, 1, period - 1)
    assert np.abs(sound[: LEAD_IN_SAMPLES // 2]).max() < 0.05


def test_a_rate_that_no_browser_plays_is_refused() -> None:
    with pytest.raises(SinkError, match="12345 Hz"):
        Encoder(12345)


class Book:
    """A sink for a page, and what it told."""

    def __init__(self, folder: Path) -> None:
        self.told: list[Told] = []
        self.runs = Runs(folder, self.told.append)
        self.sink = PageSink(self.runs, RATE)

    def say(self, index: int, seconds: float) -> None:
        chunk = a_chunk(index)
        self.sink.begin(chunk)
        step = RATE // 20
        for start in range(0, round(seconds * RATE), step):
            self.sink.write(Clip(chunk, a_tone(step, start).astype(np.float32) / 32768, RATE))

    @property
    def run(self) -> Run:
        assert self.runs.current is not None
        return self.runs.current


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "runs")


def test_sentences_follow_one_another_in_the_time_of_their_run(book: Book) -> None:
    for index in range(5):
        book.say(index, 2.0)
    lead = LEAD_IN_SAMPLES / RATE
    assert [sentence.start for sentence in book.run.sentences] == pytest.approx(
        [lead + 2.0 * each for each in range(5)]
    )
    ends = [sentence.end for sentence in book.run.sentences]
    assert ends[:-1] == pytest.approx([lead + 2.0 * each for each in range(1, 5)])
    assert ends[-1] is None
    book.sink.drain()
    assert book.run.sentences[-1].end == pytest.approx(lead + 10.0)
    assert book.run.complete


def test_first_segments_are_short_and_later_ones_are_not(book: Book) -> None:
    for index in range(20):
        book.say(index, 3.0)
    lengths = [segment.end - segment.start for segment in book.run.segments]
    assert lengths[0] < 0.6
    assert max(lengths) <= LONGEST_SEGMENT_SECONDS + 0.2
    assert lengths[-1] > 3
    assert all(abs(a.end - b.start) < 1e-9 for a, b in zip(book.run.segments, book.run.segments[1:], strict=False))


def test_segments_are_short_again_when_the_ear_comes_near(book: Book) -> None:
    for index in range(10):
        book.say(index, 3.0)
    book.runs.hears(1, book.run.written)
    before = len(book.run.segments)
    book.say(10, 3.0)
    lengths = [segment.end - segment.start for segment in book.run.segments[before + 1 :]]
    assert lengths
    assert max(lengths) < 1.1


def test_a_jump_begins_a_run_and_so_does_the_same_sentence_again(book: Book) -> None:
    book.say(0, 1.0)
    book.say(1, 1.0)
    book.say(7, 1.0)
    book.say(7, 1.0)
    book.runs.break_off()
    book.say(8, 1.0)
    assert [told.run.number for told in book.told if told.kind == "run"] == [1, 2, 3, 4]
    assert [told.run.number for told in book.told if told.kind == "complete"] == [1, 2, 3]
    assert book.run.sentences[0].chunk.index == 8
    assert book.run.of(8) is not None
    assert book.run.of(7) is None


def test_old_runs_are_thrown_away(book: Book, tmp_path: Path) -> None:
    for index in (0, 5, 10, 15):
        book.say(index, 1.0)
        book.sink.drain()
    assert sorted(each.name for each in (tmp_path / "runs").iterdir()) == ["3", "4"]
    assert RUNS_KEPT == 2
    assert book.runs.find(2) is None
    assert book.runs.find(3) is not None
    book.runs.drop()
    assert not (tmp_path / "runs").exists()


def test_the_ear_is_where_the_page_says(book: Book) -> None:
    for index in range(4):
        book.say(index, 2.0)
    first = book.sink.ear
    assert first.chunk is not None
    assert first.chunk.index == 0
    assert first.unheard_seconds == pytest.approx(8.0, abs=0.1)
    assert book.runs.hears(1, book.run.sentences[2].start + 0.5)
    ear = book.sink.ear
    assert ear.chunk is not None
    assert (ear.chunk.index, round(ear.into_seconds, 3)) == (2, 0.5)
    assert ear.unheard_seconds == pytest.approx(3.5, abs=0.01)
    assert book.runs.hears(1, book.run.sentences[3].start - 0.001)  # a player comes out a little before a beginning
    assert book.sink.ear.chunk is not None
    assert book.sink.ear.chunk.index == 3
    assert not book.runs.hears(7, 1.0)


def test_what_was_listened_to_is_counted_by_the_listeners_clock(book: Book) -> None:
    book.say(0, 60.0)
    for second in range(6):
        book.runs.hears(1, float(second))
    assert book.runs.heard_seconds == pytest.approx(5.0)
    book.runs.hears(1, 50.0)  # jumped over, not heard
    book.runs.hears(1, 20.0)
    assert book.runs.heard_seconds == pytest.approx(5.0)
    book.runs.hears(1, 22.0, speed=2.0)
    assert book.runs.heard_seconds == pytest.approx(6.0)


def test_the_end_is_heard_a_little_before_the_last_sample(book: Book) -> None:
    book.say(0, 2.0)
    book.runs.hears(1, 1.9)
    assert book.sink.ear.unheard_seconds > 0
    book.sink.drain()
    assert book.sink.ear.unheard_seconds == 0
    book.runs.hears(1, 1.0)
    assert book.sink.ear.unheard_seconds > 0.9


def test_of_players_that_tell_nothing_it_counts_what_they_fetch(book: Book) -> None:
    for index in range(5):
        book.say(index, 3.0)
    segment = book.run.segments[6]
    book.runs.fetched(book.run, 6)
    assert book.run.heard == segment.start
    book.runs.hears(1, 1.0)
    book.runs.fetched(book.run, 8)
    assert book.run.heard == 1.0
    book.sink.drain()
    other = Runs(book.run.folder.parent / "other")
    sink = PageSink(other, RATE)
    sink.begin(a_chunk(0))
    sink.write(Clip(a_chunk(0), np.zeros(RATE * 3, dtype=np.float32), RATE))
    sink.drain()
    assert other.current is not None
    other.fetched(other.current, len(other.current.segments) - 1)
    assert sink.ear.unheard_seconds == 0


def test_a_session_that_has_not_written_does_not_count_what_another_wrote(book: Book) -> None:
    book.say(0, 5.0)
    with PageSink(book.runs, RATE) as later:
        assert later.ear.chunk is None
        assert later.ear.unheard_seconds == 0
        later.begin(a_chunk(1))
        assert later.ear.chunk is not None
        assert later.ear.chunk.index == 1
    assert book.run.complete


def test_a_disk_that_cannot_be_written_is_an_error_in_words(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    book = Book(blocked)
    with pytest.raises(SinkError, match="cannot be kept for the page"):
        book.say(0, 3.0)
