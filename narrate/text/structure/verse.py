"""Finds poems in texts whose every line became a paragraph: short lines, close together, without full stops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from narrate.text.characters import ends_line
from narrate.text.structure.chapters import Block

LONGEST_LINE = 60


def with_verse(source: str, blocks: list[Block]) -> list[Block]:
    """Mark the lines of poems: two or more lines with no blank line between them, many of which end no sentence."""
    return [
        Block(replace(block.paragraph, kind="verse")) if poem else block
        for stanza in _stanzas(source, blocks)
        for poem in [_is_poem(stanza)]
        for block in stanza
    ]


def _stanzas(source: str, blocks: list[Block]) -> Iterator[list[Block]]:
    """Yield runs of lines with no blank line and no heading between them."""
    stanza: list[Block] = []
    end = 0
    for block in blocks:
        if stanza and (block.level or stanza[-1].level or source.count("\n", end, block.paragraph.start) > 1):
            yield stanza
            stanza = []
        stanza.append(block)
        end = block.paragraph.end
    yield stanza


def _is_poem(stanza: list[Block]) -> bool:
    if len(stanza) < 2 or any(block.level or block.paragraph.kind != "prose" for block in stanza):
        return False
    lines = [block.paragraph.text for block in stanza]
    open_ended = sum(not ends_line(line) for line in lines[:-1])
    return all(len(line) <= LONGEST_LINE for line in lines) and 3 * open_ended >= len(lines) - 1
