"""A seat at an exchange keeps the contract of engines: every test of the contract, on a seat beside a busy one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from threading import Event

import pytest

from narrate.clock import OFF
from narrate.engines import Engine
from narrate.engines.table import find_engine, load_engine
from narrate.pipeline import Background
from narrate.synthesis.exchange import Exchange
from narrate.voice import Voice
from tests import test_engine_contract as contract
from tests.speech import a_chunk, a_request, clips_of
from tests.test_engine_contract import SUBJECTS, Subject, readings  # noqa: F401 - a fixture

pytest_plugins = ("tests.qwen_fixtures",)


QUICK = ("espeak", "tone", "tone-stream")


@pytest.fixture(
    params=[
        pytest.param(subject, id=subject.name, marks=[pytest.mark.slow] if subject.fixture else [])
        for subject in SUBJECTS
    ]
)
def subject(request: pytest.FixtureRequest) -> Subject:
    if request.param.fixture is None and (missing := find_engine(request.param.name).missing()):
        pytest.skip(missing)
    return request.param


class Kept:
    """An engine that outlives the exchange, because other tests need it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)

    def close(self) -> None:
        pass


@pytest.fixture
def engine(subject: Subject, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A seat, while another reading has the engine make a file."""
    own: Engine = load_engine(subject.name) if subject.fixture is None else request.getfixturevalue(subject.fixture)
    with Exchange(own if subject.fixture is None else Kept(own)) as exchange:  # type: ignore[arg-type]
        seat = exchange.seat()
        seat.prepare(Voice(), OFF)
        if subject.name not in QUICK:  # beside a file it would take minutes
            yield seat
            return
        other, ended = exchange.seat(), Event()
        texts = subject.sentences * 8
        file = (a_request(a_chunk(i, text, language=subject.language), reading="file") for i, text in enumerate(texts))
        busy = Background(lambda: clips_of(other, takewhile(lambda _: not ended.is_set(), file)))
        yield seat
        ended.set()
        other.cancel(list(other.reading.out))
        busy.result()
        assert exchange.load.waiting == exchange.load.in_hand == 0


for _name, _test in vars(contract).items():
    # The one left out looks for the parts of a batch engine.
    if _name.startswith("test_") and _name != "test_the_one_request_over_which_a_batch_failed_is_found":
        globals()[_name] = _test
