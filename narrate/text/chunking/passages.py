"""Groups paragraphs that are cut together. Most stand alone; lines of verse and very short ones are joined."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from narrate.text.characters import ends_sentence
from narrate.text.chunking.aligned import says_anything, says_enough
from narrate.text.chunking.speakers import speakers_in
from narrate.text.document import Paragraph, ParagraphKind, Span
from narrate.text.language import is_wide

CRUMBS = 8  # at most so many very short paragraphs are joined to one passage


@dataclass(slots=True)
class Passage:
    """One or more paragraphs that are cut as one. `number` is the number of the first one in its chapter.

    `is_crumb` means that there is too little to say for a voice, `crumbs` counts the joined paragraphs of that kind.
    `scene_ends` means that a line of ornaments follows, `goes_on` that the next passage belongs to the same poem,
    `is_speaker` that the passage only names who speaks in a play.
    """

    number: int
    kind: ParagraphKind
    spans: list[Span]
    is_crumb: bool = False
    crumbs: int = 0
    scene_ends: bool = False
    goes_on: bool = False
    is_speaker: bool = False

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)

    def join(self, paragraph: Paragraph, sound: str) -> None:
        """Add another paragraph, with a comma to say between the two if no mark stands there."""
        text, at = self.text, self.spans[-1].end
        stop = ("、" if is_wide(text) else ",") if text[-1:].isalnum() else ""
        self.spans += [Span(" ", at, at, stop + " "), *paragraph.spans]
        self.crumbs += self.is_crumb or not says_enough(sound)
        self.is_crumb = self.is_crumb and not says_enough(sound)
        self.is_speaker = False
        self.kind = paragraph.kind if self.kind != "verse" else self.kind


def passages(paragraphs: Sequence[Paragraph], length: Callable[[str], int]) -> Iterator[Passage]:
    """Yield the passages of a chapter. Verse is joined to about `length(text)` characters and to whole sentences."""
    held: Passage | None = None
    speakers = speakers_in(paragraphs)
    for number, paragraph in enumerate(paragraphs):
        sound = "".join(span.sound for span in paragraph.spans)
        if not says_anything(sound):
            if held:
                held.scene_ends = True
            continue
        if held and _belongs(held, paragraph, sound, length):
            held.join(paragraph, sound)
            continue
        if held:
            held.goes_on = held.kind == paragraph.kind == "verse" and not held.scene_ends
            yield held
        crumb = paragraph.kind != "heading" and not says_enough(sound)
        held = Passage(number, paragraph.kind, list(paragraph.spans), crumb, is_speaker=number in speakers)
    if held:
        yield held


def _belongs(held: Passage, paragraph: Paragraph, sound: str, length: Callable[[str], int]) -> bool:
    if "heading" in (held.kind, paragraph.kind) or held.scene_ends or held.crumbs >= CRUMBS:
        return False
    if held.is_crumb:
        return True
    if held.kind == paragraph.kind == "verse":
        text = held.text
        enough = length(text)
        return len(text) < (enough if ends_sentence(text) else 2 * enough)
    # A short answer belongs to what was said before it. A number belongs to what comes after it.
    return not says_enough(sound) and not any(map(str.isdigit, sound)) and ends_sentence(sound.rstrip())
