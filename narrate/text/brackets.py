"""Quotation marks and brackets of ten languages: which two belong together, and what they enclose."""

from __future__ import annotations

import re

_PAIRS = '「」 『』 （） 【】 〔〕 ［］ ｛｝ 〈〉 《》 〖〗 ｢｣ 〝〟 〝〞 “” ‘’ „“ „” ‚‘ ‚’ «» »« "" ＂＂ () []'.split()

OPENING = frozenset(pair[0] for pair in _PAIRS)
CLOSING = frozenset(pair[1] for pair in _PAIRS)
QUOTES = frozenset('「『〝“‘„‚«»"＂｢')

_CLOSED_BY = {mark: {pair[1] for pair in _PAIRS if pair[0] == mark} for mark in OPENING}
# Any of the marks, except a ’ that is an apostrophe.
MARKS = re.compile(rf"[{re.escape(''.join(sorted(OPENING | CLOSING)))}](?:(?<!\w’)|(?!\w))")


def enclosed(text: str) -> list[tuple[int, int]]:
    """Return the outermost quotations and brackets as (offset of the opening mark, offset after the closing mark).

    A quotation that nobody closes is left out.
    """
    return _matched(text)[0]


def is_quoting(text: str) -> bool:
    """Return True if a quotation is still open at the end of the text."""
    return not QUOTES.isdisjoint(_matched(text)[1])


def _matched(text: str) -> tuple[list[tuple[int, int]], list[str]]:
    """Return what is enclosed, as `enclosed` does, and the marks that are still open."""
    stack: list[tuple[str, int]] = []
    awaited = dict.fromkeys(CLOSING, 0)  # how many marks in the stack each closing mark would close
    spans: list[tuple[int, int]] = []
    for match in MARKS.finditer(text):
        mark, at = match[0], match.start()
        if awaited.get(mark):
            while True:
                opening, start = stack.pop()
                for closing in _CLOSED_BY[opening]:
                    awaited[closing] -= 1
                if mark in _CLOSED_BY[opening]:
                    break
            while spans and spans[-1][0] > start:
                spans.pop()
            spans.append((start, at + 1))
        elif mark in OPENING:
            stack.append((mark, at))
            for closing in _CLOSED_BY[mark]:
                awaited[closing] += 1
    return spans, [mark for mark, _ in stack]
