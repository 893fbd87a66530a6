"""What a recogniser hears otherwise in the same way again and again: a habit of its own, and no fault of the takes.

It writes a name as it knows it, or one word for another that sounds alike. A voice that says a word wrongly each time
looks the same from here, so what is known can be shown (`Habits.known`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from narrate.text.comparison.compare import Comparison, judged
from narrate.text.comparison.faults import Edit
from narrate.text.comparison.units import Units

OFTEN = 3  # different sentences in which the same is heard for the same


@dataclass(slots=True)
class Habits:
    """Of one recogniser with one voice. Not for several threads at once."""

    _sentences: dict[tuple[Units, Units], set[str]] = field(default_factory=dict)

    def learn(self, spoken: str, found: Comparison) -> None:
        """Remember what was heard otherwise in this sentence. What is only missing or added is not a habit."""
        for edit in found.edits:
            if edit.kind == "other":
                self._sentences.setdefault((edit.written, edit.heard), set()).add(spoken)

    def without(self, found: Comparison, language: str) -> Comparison:
        """The comparison as if all that is a habit had been heard as it is written."""
        if not any(self._is_one(edit) for edit in found.edits):
            return found
        return judged(found.written, tuple(self._excused(found)), language)

    @property
    def known(self) -> list[tuple[Units, Units, int]]:
        """What was written, what is heard for it, and in how many sentences; what is heard most often first."""
        often = [(*edit, len(sentences)) for edit, sentences in self._sentences.items() if len(sentences) >= OFTEN]
        return sorted(often, key=lambda one: -one[2])

    def _is_one(self, edit: Edit) -> bool:
        return len(self._sentences.get((edit.written, edit.heard), ())) >= OFTEN

    def _excused(self, found: Comparison) -> Iterator[str]:
        at = 0
        for edit in found.edits:
            yield from found.written[at : edit.at]
            yield from edit.written if self._is_one(edit) else edit.heard
            at = edit.at + len(edit.written)
        yield from found.written[at:]
