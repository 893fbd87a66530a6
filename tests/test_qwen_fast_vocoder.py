"""The incremental vocoder against the package's own decoder, all frames at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.qwen_checkpoint import Kind
from tests.qwen_fixtures import made_loud

pytest_plugins = ("tests.qwen_fixtures",)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def decoder(checkpoint: Callable[[Kind], Path]) -> Any:
    """The decoder of the tiny checkpoint, in which every part is made loud enough to be missed."""
    from narrate.engines.qwen.loading import load

    return made_loud(load(checkpoint("custom_voice"), "cpu", "float32").model.speech_tokenizer.model.decoder)


def whole(decoder: Any, codes: Any) -> Any:
    import torch

    with torch.inference_mode():
        return decoder(codes.transpose(1, 2)).squeeze(1)


def in_parts(vocoder: Any, codes: Any, parts: list[int]) -> Any:
    import torch

    return torch.cat([vocoder.decode(part) for part in codes.split(parts, dim=1)], dim=1)


def parts_of(frames: int, luck: random.Random) -> list[int]:
    parts: list[int] = []
    while sum(parts) < frames:
        parts.append(min(frames - sum(parts), luck.choice([1, 2, 3, 4, 8, 25, 72, 100])))
    return parts


@pytest.mark.parametrize(("rows", "frames"), [(1, 1), (1, 400), (2, 73), (5, 90), (8, 30), (3, 320)])
def test_parts_sound_as_the_whole(decoder: Any, rows: int, frames: int) -> None:
    import torch

    from narrate.engines.qwen.vocoder import Vocoder

    torch.manual_seed(frames)
    codes = torch.randint(0, 2048, (rows, frames, 16))
    vocoder = Vocoder(decoder, slots=8)
    expected = whole(decoder, codes)
    assert expected.std() > 0.01
    for seed in range(3):
        vocoder.begin(list(range(8)))
        sound = in_parts(vocoder, codes, parts_of(frames, random.Random(seed)))
        assert sound.shape == expected.shape
        torch.testing.assert_close(sound, expected, atol=1e-4, rtol=0)


def test_a_row_that_begins_later_hears_nothing_of_the_one_before(decoder: Any) -> None:
    import torch

    from narrate.engines.qwen.vocoder import Vocoder

    torch.manual_seed(1)
    codes = torch.randint(0, 2048, (3, 48, 16))
    late = torch.randint(0, 2048, (1, 32, 16))
    vocoder = Vocoder(decoder, slots=3)
    first = vocoder.decode(codes[:, :16])
    vocoder.begin([1])
    rest = vocoder.decode(torch.cat([codes[:1, 16:], late, codes[2:, 16:]]))
    sound = torch.cat([first, rest], dim=1)
    expected = whole(decoder, codes)
    for row in (0, 2):
        torch.testing.assert_close(sound[row], expected[row], atol=1e-4, rtol=0)
    torch.testing.assert_close(rest[1], whole(decoder, late)[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("before", [1, 50, 150])
def test_a_row_can_continue_a_recording(decoder: Any, before: int) -> None:
    """A cloned voice: the package decodes reference and row as one and cuts the reference off."""
    import torch

    from narrate.engines.qwen.vocoder import Vocoder

    torch.manual_seed(before)
    reference = torch.randint(0, 2048, (before, 16))
    rows = torch.randint(0, 2048, (2, 40, 16))
    vocoder = Vocoder(decoder, slots=3)
    context = vocoder.after(reference)
    vocoder.begin([0, 1], context)
    sound = in_parts(vocoder, rows, [4] * 10)
    together = torch.cat([reference.expand(2, -1, -1), rows], dim=1)
    torch.testing.assert_close(sound, whole(decoder, together)[:, before * 1920 :], atol=1e-4, rtol=0)


def test_a_recording_may_be_read_while_rows_are_in_the_making(decoder: Any) -> None:
    """Another listener's cloned voice: the rows that are there must not notice."""
    import torch

    from narrate.engines.qwen.vocoder import Vocoder

    torch.manual_seed(2)
    reference = torch.randint(0, 2048, (80, 16))
    codes = torch.randint(0, 2048, (2, 24, 16))
    vocoder = Vocoder(decoder, slots=3)
    alone = vocoder.after(reference)
    vocoder.begin([0, 1])
    first = vocoder.decode(codes[:, :12])
    context = vocoder.after(reference)
    rest = vocoder.decode(codes[:, 12:])
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole(decoder, codes), atol=1e-4, rtol=0)
    torch.testing.assert_close(context.past, alone.past)
    assert context.frames == alone.frames == 80


def test_what_is_no_code_is_no_error(decoder: Any) -> None:
    """Rows that have ended go on being computed; nobody hears them."""
    import torch

    from narrate.engines.qwen.vocoder import Vocoder

    sound = Vocoder(decoder, slots=1).decode(torch.tensor([[[2150, *[0] * 15], [-1] * 16]]))
    assert sound.shape == (1, 2 * 1920)
    assert sound.isfinite().all()
