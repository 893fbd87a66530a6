"""The stage clock: the parts add up to the whole, in every thread for itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.clock import OFF, Recorder, Simulated
from narrate.pipeline import Background

# What happens: seconds that pass, or a stage with what happens in it.
happenings = st.recursive(
    st.integers(0, 9).map(float),
    lambda inner: st.tuples(st.sampled_from("abc"), st.lists(inner, max_size=4)),
    max_leaves=12,
)


def perform(recorder: Recorder, time: Simulated, what: object) -> None:
    if isinstance(what, float):
        time.sleep(what)
    else:
        name, inner = what  # type: ignore[misc]
        with recorder.stage(name):
            for each in inner:
                perform(recorder, time, each)


def expected(what: object, name: str | None, found: dict[str | None, float]) -> dict[str | None, float]:
    if isinstance(what, float):
        found[name] = found.get(name, 0.0) + what
    else:
        for each in what[1]:  # type: ignore[index]
            expected(each, what[0], found)  # type: ignore[index]
    return found


@given(st.lists(happenings, max_size=5))
def test_every_second_belongs_to_the_innermost_stage(what: list[object]) -> None:
    time = Simulated()
    recorder = Recorder(time.now)
    for each in what:
        perform(recorder, time, each)
    sums: dict[str | None, float] = {}
    for each in what:
        expected(each, None, sums)
    recorded = {name: sum(took) for name, took in recorder.stages.items() if sum(took)}
    assert recorded == {name: seconds for name, seconds in sums.items() if name and seconds}


def test_making_each_item_is_timed_and_using_it_is_not() -> None:
    time = Simulated()
    recorder = Recorder(time.now)

    def source() -> Iterator[int]:
        for item in range(3):
            time.sleep(item)
            yield item

    for _ in recorder.each("make", source()):
        time.sleep(10)
    assert recorder.stages["make"] == [0.0, 1.0, 2.0, 0.0]  # the last is finding out that there is no more


def test_an_error_in_a_stage_is_timed_and_goes_on() -> None:
    time = Simulated()
    recorder = Recorder(time.now)
    with pytest.raises(ValueError, match="wrong"), recorder.stage("outer"), recorder.stage("inner"):
        time.sleep(2)
        raise ValueError("wrong")
    assert recorder.stages == {"inner": [2.0], "outer": [0.0]}


def test_threads_do_not_mix_their_stages() -> None:
    time = Simulated()
    recorder = Recorder(time.now)

    def work() -> None:
        with recorder.stage("beside"):
            time.sleep(3)

    with recorder.stage("here"):
        Background(work).result()
    assert recorder.stages == {"beside": [3.0], "here": [3.0]}


def test_the_ordinary_clock_passes_everything_through() -> None:
    with OFF.stage("anything"):
        assert list(OFF.each("anything", range(3))) == [0, 1, 2]
    assert OFF.now() <= OFF.now()
