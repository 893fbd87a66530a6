"""How long a book will sound: right from the first seconds on, exact once it was made, and learning from the voice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.pace import chunk_seconds
from narrate.pipeline import LazyList
from narrate.playback.forecast import Forecast
from narrate.text.document import Chunk
from tests.speech import chunks

SCRIPT = [replace(chunk, pause=0.5) for chunk in chunks(150)]  # three chapters of fifty
END = SCRIPT[-1].end


def share(chunk: Chunk) -> float:
    return chunk.end / END


def a_forecast(known: dict[int, float] | None = None) -> Forecast:
    takes = {} if known is None else known
    return Forecast(LazyList(SCRIPT), lambda chunk: takes.get(chunk.index), share)


def test_a_look_at_the_beginning_foresees_the_end() -> None:
    """The script is cut in portions; what was not seen yet is taken to be like what was."""
    forecast = a_forecast()
    forecast.look_ahead(0.0)
    assert not forecast.complete
    early = forecast.at(0).end
    while not forecast.complete:
        forecast.look_ahead(0.0)
    assert early == pytest.approx(forecast.at(0).end, rel=0.15)


def test_nothing_is_foreseen_before_the_first_look() -> None:
    assert a_forecast().at(0) == (0.0, None, None)


def test_a_text_that_is_still_arriving_is_not_taken_for_complete() -> None:
    forecast = Forecast(LazyList([*SCRIPT[:20], None]), lambda _: None, share)
    forecast.look_ahead(1.0)
    assert not forecast.complete


@given(st.integers(0, 149))
def test_chapters_end_where_the_next_begins(index: int) -> None:
    forecast = a_forecast()
    forecast.look_ahead(10.0)
    outlook = forecast.at(index)
    first_of_next = (index // 50 + 1) * 50
    assert outlook.chapter_end == pytest.approx(
        forecast.at(first_of_next).start if first_of_next < 150 else forecast.at(0).end
    )
    assert outlook.start <= (outlook.chapter_end or 0) <= (outlook.end or 0)


def test_what_was_made_counts_as_long_as_it_is() -> None:
    takes = {chunk.index: 2.0 for chunk in SCRIPT}
    forecast = a_forecast(takes)
    forecast.look_ahead(10.0)
    assert forecast.at(10).start == pytest.approx(25.0)
    assert forecast.at(0).end == pytest.approx(150 * 2.5)


def test_a_slow_voice_makes_the_rest_longer() -> None:
    """Takes that are made meanwhile tell how fast the voice is; of a few seconds not much is believed."""
    takes: dict[int, float] = {}
    forecast = a_forecast(takes)
    forecast.look_ahead(10.0)
    expected = forecast.at(0).end or 0.0
    takes |= {chunk.index: 1.5 * chunk_seconds(chunk) for chunk in SCRIPT[:2]}
    forecast.learn(2)
    assert forecast.at(0).end == pytest.approx(expected, rel=0.03)
    takes |= {chunk.index: 1.5 * chunk_seconds(chunk) for chunk in SCRIPT[:140]}
    forecast.learn(140)
    assert 1.3 * expected < (forecast.at(0).end or 0.0) < 1.5 * expected


def test_a_real_book_is_foreseen_within_one_percent(books: object) -> None:
    """After half a second of looking, against the sum of all its chunks."""
    from narrate.engines.table import engine_lengths
    from narrate.text.book import TextOptions, open_book

    book = open_book(f"{books}/alice.txt", TextOptions())
    whole = [chunk for chunk in book.script(engine_lengths("espeak")).since(0) if chunk is not None]
    total = sum(chunk_seconds(chunk) + chunk.pause for chunk in whole)
    forecast = Forecast(book.script(engine_lengths("espeak")), lambda _: None, book.share)
    for _ in range(30):
        forecast.look_ahead(0.0)
    assert forecast.at(0).end == pytest.approx(total, rel=0.03), "from some hundred sentences"
    forecast.look_ahead(60.0)
    assert forecast.at(0).end == pytest.approx(total)
