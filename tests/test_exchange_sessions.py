"""Whole sessions at one engine, each before an ear that hears in real time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrate.bench.listener import Paced
from narrate.clip import Clip
from narrate.engines.qwen import Qwen
from narrate.engines.table import find_engine, load_engine
from narrate.reading.session import Session
from narrate.store.in_memory import MemoryTakes
from narrate.synthesis.exchange import Exchange
from narrate.text.book import TextOptions, book_of_text
from narrate.voice import Voice

pytest_plugins = ("tests.qwen_fixtures",)

PATIENCE_SECONDS = 120.0


class Ear:
    """A reading, what was heard of it, and how long it was silent each time it ran dry."""

    def __init__(self, exchange: Exchange, number: int, *, sentences: int) -> None:
        self.heard: list[Clip] = []
        self.sinks: list[Paced] = []
        self.seat = exchange.seat()
        text = " ".join(f"This is sentence {index} of book {number}." for index in range(sentences))
        book = book_of_text(text, TextOptions(language="en"))
        self.session = Session(book, self.seat, Voice(), MemoryTakes(), [self._open], listening=True)

    def _open(self, sample_rate: int) -> Paced:
        self.sinks.append(Paced(time.monotonic, time.sleep, self.heard.append))
        return self.sinks[0]

    @property
    def samples(self) -> bytes:
        return np.concatenate([clip.samples for clip in self.heard]).tobytes()

    @property
    def silences(self) -> list[float]:
        return self.sinks[0].silences


def alone(make: Callable[[], Any], number: int, sentences: int) -> bytes:
    with Exchange(make()) as exchange:
        ear = Ear(exchange, number, sentences=sentences)
        with ear.session as session:
            session.wait(PATIENCE_SECONDS)
    return ear.samples


def test_twenty_sessions_hear_without_a_gap_and_one_that_leaves_is_not_missed() -> None:
    if missing := find_engine("espeak").missing():
        pytest.skip(missing)
    with Exchange(load_engine("espeak")) as exchange, ExitStack() as stack:
        ears = [Ear(exchange, number, sentences=3) for number in range(20)]
        for ear in ears:
            stack.enter_context(ear.session)
        ears[7].session.transport.stop()
        for ear in ears:
            assert ear.session.wait(PATIENCE_SECONDS)
    for number, ear in enumerate(ears):
        if number != 7:
            assert not [seconds for seconds in ear.silences if seconds > 1.0]
            assert ear.session.stats.failed == []
    assert ears[3].samples == alone(lambda: load_engine("espeak"), 3, 3)
    assert ears[19].samples == alone(lambda: load_engine("espeak"), 19, 3)


@pytest.mark.slow
def test_ten_sessions_on_a_tiny_model_are_all_read(checkpoint: Callable[[str], Path]) -> None:
    with Exchange(Qwen(model=str(checkpoint("custom_voice")), runtime="fast", device="cpu", slots=4)) as exchange:
        with ExitStack() as stack:
            ears = [Ear(exchange, number, sentences=2) for number in range(10)]
            for ear in ears:
                stack.enter_context(ear.session)
            for ear in ears:
                assert ear.session.wait(PATIENCE_SECONDS)
        assert exchange.load.waiting == exchange.load.in_hand == 0
    assert all(ear.session.stats.made + len(ear.session.stats.failed) > 0 for ear in ears)
    assert all(len(ear.heard) for ear in ears)
