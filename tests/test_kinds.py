"""What each kind of setting takes, as a word and as a value of TOML or JSON."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.settings.kinds import Choice, File, HoursOr, Kind, Many, Number, NumberOr, Switch, Text, WholeOr
from narrate.settings.table import OPTIONS

HERE = Path("/books")
SPEED = Number(0.5, 2.0)
COUNT = Number(1, 1000, whole=True)
FORMS = Choice(("srt", "vtt"))
LOUDNESS = NumberOr(Number(-40, -5), ("acx", "off"))
SPLIT = HoursOr(("chapter",), 0.1, 100)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (SPEED, "0.5", 0.5), (SPEED, "2", 2.0), (COUNT, "1", 1), (COUNT, "1000", 1000),
        (Number(whole=True), "-1", -1), (FORMS, "vtt", "vtt"), (Text(), "calm", "calm"),
        (Switch(), "yes", True), (Switch(), "1", True), (Switch(), "OFF", False), (Switch(), "no", False),
        (WholeOr("auto", COUNT), "auto", "auto"), (WholeOr("auto", COUNT), "8", 8),
        (File(), "a.txt", Path("a.txt")), (File(), "~/a.txt", Path.home() / "a.txt"),
        (File("FILE", ("none",)), "none", "none"), (Many(FORMS), "srt, vtt", ("srt", "vtt")),
        (Many(Text(), commas=False), "a, b", ("a, b",)),
        (LOUDNESS, "-19", -19.0), (LOUDNESS, "acx", "acx"), (SPLIT, "chapter", "chapter"), (SPLIT, "1.5h", 1.5),
        (SPLIT, "0.1h", 0.1), (SPLIT, "100h", 100.0),
    ],
)  # fmt: skip
def test_a_word_is_read(kind: Kind, text: str, value: object) -> None:
    assert kind.read(text) == value
    assert type(kind.read(text)) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (SPEED, "0.49"), (SPEED, "2.01"), (SPEED, "fast"), (SPEED, "nan"), (SPEED, "inf"), (SPEED, ""),
        (COUNT, "0"), (COUNT, "1001"), (COUNT, "1.5"), (FORMS, "SRT"), (FORMS, ""), (Switch(), "maybe"),
        (WholeOr("auto", COUNT), "0"), (WholeOr("auto", COUNT), "best"), (File(), ""), (Many(FORMS), "srt,doc"),
        (Text(), ""), (LOUDNESS, "-41"), (LOUDNESS, "loud"), (SPLIT, "2"), (SPLIT, "h"), (SPLIT, "0.09h"),
        (SPLIT, "101h"), (SPLIT, "chapters"), (SPLIT, "nanh"),
    ],
)  # fmt: skip
def test_a_word_is_refused(kind: Kind, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        kind.read(text)


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (SPEED, 1, 1.0), (SPEED, 1.5, 1.5), (COUNT, 8, 8), (Switch(), True, True), (Text(), "x", "x"),
        (File(), "names.txt", HERE / "names.txt"), (File(), "/names.txt", Path("/names.txt")),
        (File("FILE", ("none",)), "none", "none"), (Many(FORMS), "srt", ("srt",)), (Many(FORMS), ["srt"], ("srt",)),
        (Many(FORMS), "srt,vtt", ("srt", "vtt")), (Many(Text(), commas=False), "a, b", ("a, b",)),
        (Many(FORMS), [], ()), (WholeOr("auto", COUNT), "auto", "auto"), (WholeOr("auto", COUNT), 3, 3),
        (LOUDNESS, -19, -19.0), (LOUDNESS, "off", "off"), (SPLIT, "2h", 2.0), (SPLIT, "chapter", "chapter"),
    ],
)  # fmt: skip
def test_a_value_is_taken(kind: Kind, given: object, value: object) -> None:
    assert kind.accept(given, HERE) == value
    assert type(kind.accept(given, HERE)) is type(value)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (SPEED, "1"), (SPEED, True), (SPEED, 3), (SPEED, math.nan), (COUNT, 1.0), (COUNT, 0), (Switch(), "yes"),
        (Switch(), 1), (Text(), 3), (Text(), ["x"]), (FORMS, "doc"), (File(), 3), (Many(FORMS), ["srt", 3]),
        (Many(FORMS), {"srt": 1}), (WholeOr("auto", COUNT), "8"), (WholeOr("auto", COUNT), True), (LOUDNESS,
        "-19"), (LOUDNESS, True),
        (LOUDNESS, ["acx"]), (SPLIT, 2), (SPLIT, 2.0), (SPLIT, None),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(kind: Kind, given: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        kind.accept(given, HERE)


@given(value=st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts), max_leaves=4,
))  # fmt: skip
def test_no_value_at_all_ends_in_anything_but_a_refusal(value: Any) -> None:
    for option in OPTIONS:
        try:
            taken = option.kind.accept(value, HERE)
        except ValueError:
            continue
        assert taken is not None


def test_every_default_is_a_value_of_its_kind() -> None:
    for option in OPTIONS:
        if option.default is not None:
            assert option.kind.accept(option.default, HERE) == option.default, option.name
