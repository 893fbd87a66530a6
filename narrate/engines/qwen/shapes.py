"""Which shapes are computed: few, since each is recorded once; and which of them a book meets, the first sound's first.

A shape is the key of a graph: ("frame", rows, length), ("sound", rows) or ("prompts", rows, tokens).
"""

from __future__ import annotations

from collections.abc import Iterator

from narrate.engines.qwen.cache import step_for

Shape = tuple[str, int] | tuple[str, int, int]

_LENGTHS = (128, 192, 256, 384, 512)
_SHORT_PROMPT = 64


def widths(slots: int, graphs: bool) -> list[int]:
    """How many of the first slots may be computed at once. A graph is worth recording for few of them; without graphs
    a slot costs more than a shape."""
    steps = (1, 8, 32, 64, 128) if graphs else (1, 2, 4, 8, 16, 32)
    return [*(step for step in steps if step < slots), slots]


def prompt_shape(rows: int, tokens: int) -> tuple[int, int]:
    """The rows and tokens of the page on which so many prompts are read."""
    return 1 << (rows - 1).bit_length(), _SHORT_PROMPT if tokens <= _SHORT_PROMPT else step_for(tokens)


def of_a_book(slots: int, at_once: int, tokens: int, block: int) -> Iterator[Shape]:
    """Every shape that chunks with prompts of about `tokens` meet, `at_once` of them begun together at most.

    First what the first sound needs, then what all slots need, then what the rest of a long row needs, and last what is
    met while slots fill and empty.
    """
    every = widths(slots, graphs=True)
    first, size = step_for(tokens + block), prompt_shape(1, tokens)[1]
    lengths = [length for length in _LENGTHS if length >= first] or [first]
    pages = [1 << power for power in range((at_once - 1).bit_length() + 1)]
    yield ("prompts", 1, size)
    yield ("frame", 1, first)
    yield ("sound", 1)
    yield ("prompts", pages[-1], size)
    yield from (("frame", slots, length) for length in lengths[:4])
    yield ("sound", slots)
    yield from (("prompts", rows, size) for rows in pages)
    yield from (("frame", 1, length) for length in lengths[1:3])
    longer = prompt_shape(1, size + 1)[1]
    yield from (("prompts", rows, longer) for rows in pages)
    for width in reversed(every):
        yield ("sound", width)
        yield from (("frame", width, length) for length in lengths)
