"""Takes that stand out from the others of their voice come nearer, and no others change."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from narrate.clip import Clip, Samples, silence
from narrate.sinks import open_sink
from narrate.sinks.evening import FEWEST_TAKES, WITHIN_DB, Level, TakeMeter, gains
from narrate.sinks.loudness import Aim, Levelled
from tests.speech import a_chunk

RATE = 8000


def sound(level_db: float, seconds: float = 1.0) -> Samples:
    """A sine whose level is that of a take as `TakeMeter` measures it."""
    amplitude = 10 ** (level_db / 20) * np.sqrt(2)
    return (amplitude * np.sin(np.arange(round(seconds * RATE)) * 0.5)).astype(np.float32)


def level(*pieces: Samples) -> float | None:
    meter = TakeMeter(RATE)
    for piece in pieces:
        meter.add(piece)
    return meter.db


def test_pauses_within_a_take_do_not_make_it_soft_and_pieces_are_one_take() -> None:
    assert level(sound(-20)) == pytest.approx(-20, abs=0.05)
    assert level(sound(-20), silence(2, RATE), sound(-20)) == pytest.approx(-20, abs=0.05)
    assert level(sound(-20, 0.2)) is None, "too short to judge"
    assert level(silence(2, RATE)) is None
    assert level() is None


levels = st.lists(
    st.tuples(st.sampled_from(["en", "ja"]), st.none() | st.floats(-60, 0)).map(lambda pair: Level(*pair)), max_size=40
)


@given(levels)
def test_takes_end_within_three_decibels_of_the_median_and_near_ones_stay(rows: list[Level]) -> None:
    found = gains(rows)
    assert len(found) == len(rows)
    for voice in ("en", "ja"):
        own = [(db, gain) for (name, db), gain in zip(rows, found, strict=True) if name == voice and db is not None]
        middle = float(np.median([db for db, _ in own])) if own else 0.0
        for db, gain in own:
            after = db + 20 * np.log10(gain)
            if len(own) < FEWEST_TAKES or abs(db - middle) <= WITHIN_DB:
                assert gain == 1.0
            else:
                assert abs(after - middle) == pytest.approx(WITHIN_DB, abs=1e-6)
    assert all(gain == 1.0 for (_, db), gain in zip(rows, found, strict=True) if db is None)


def test_a_loud_and_a_soft_take_come_nearer_before_the_books_gain(tmp_path: Path) -> None:
    told: list[str] = []
    wanted = [-20.0] * 6 + [-10.0, -30.0, -22.0] + [-20.0] * 3
    with Levelled(RATE, Aim(-19), [partial(open_sink, tmp_path / "a.wav")], tmp_path, told.append) as sink:
        for index, db in enumerate(wanted):
            chunk = replace(a_chunk(index), language="en")
            sink.begin(chunk)
            sink.write(Clip(chunk, sound(db)[: RATE // 2], RATE, final=False))
            sink.write(Clip(chunk, sound(db)[RATE // 2 :], RATE))
            sink.write(Clip(chunk, silence(0.5, RATE), RATE, final=False, pause=True))
    assert "2 takes were brought nearer to the others" in told[0]
    heard, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    dbs = [level(part[:RATE]) or 0.0 for part in heard.reshape(len(wanted), -1)]
    relative = [db - dbs[0] for db in dbs]
    assert relative == pytest.approx([0.0] * 6 + [3.0, -3.0, -2.0] + [0.0] * 3, abs=0.1)
