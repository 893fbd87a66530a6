"""Knows the names of speakers in plays: short lines in capitals, or with a colon, that come again and again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from narrate.text.characters import COLONS
from narrate.text.document import Paragraph

DIRECTION = re.compile(r"[(（\[【](?:[^()（）\[\]【】]{0,200})[)）\]】]")
LONGEST_LINE, LONGEST_NAME, MOST_WORDS = 200, 40, 4
# A name that is said so often in a chapter is a speaker's.
FEWEST = 3


def speakers_in(paragraphs: Sequence[Paragraph]) -> set[int]:
    """Return the numbers of the paragraphs that only name who speaks: "ROPER.", "CYRANO (saluant):"."""
    names = {i: name for i, paragraph in enumerate(paragraphs) if (name := _name(paragraph))}
    counts = Counter(names.values())
    last = len(paragraphs) - 1
    return {i for i, name in names.items() if counts[name] >= FEWEST and i < last and i + 1 not in names}


def _name(paragraph: Paragraph) -> str:
    """Return the name of a paragraph that may name a speaker, without stage directions; "" for any other."""
    if not paragraph.spans:
        return ""
    first, last = paragraph.spans[0].text[:2], paragraph.spans[-1].text[-1:]
    if not (first.isupper() and first.isalpha()) and last not in COLONS:
        return ""  # quickly, because most paragraphs are prose
    if paragraph.kind == "heading" or sum(len(span.text) for span in paragraph.spans) > LONGEST_LINE:
        return ""
    text = paragraph.text.strip()
    colon = text.endswith(tuple(COLONS))
    name = DIRECTION.sub("", text).strip(" .,\u3000" + COLONS)
    few = 1 < len(name) <= LONGEST_NAME and len(name.split()) <= MOST_WORDS and name[0].isalpha()
    return name if few and (name.isupper() or (colon and not name[0].islower())) else ""
