"""A paragraph's text, what is said for it, and its source, on one axis: a cut at an offset cuts all three."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate

from narrate.text.chunking.phrases import cut_points
from narrate.text.document import Span

NOTHING = "\ufffc"  # takes the place of a span without text, so that every span has an offset of its own
_GLANCE = 24  # so many characters nearly always tell whether there is something to say
_ENOUGH = re.compile(r"(?:[^\W_][\W_]*){3}")  # a voice needs so many letters to find its tone
_LETTER = re.compile(r"[^\W_]")
_BROKEN = re.compile(r"[\t-\r\x1c-\x1e\x85\u2028\u2029]|  ")
_SPACES = re.compile(r"[ \t-\r\x1c-\x1e\x85\u2028\u2029]+")


class AlignedText:
    """A paragraph's text, what is said for it (its sound) and its source. All offsets are offsets in the text.

    Sentences are found in `line`: the text, with spaces for what is seen and not said. A span that must not be cut is
    called whole. Only one that is longer than `longest` characters, in text or in sound, is cut to shorter slices.
    """

    def __init__(self, spans: Iterable[Span], longest: int) -> None:
        self._spans = [part for span in spans for part in _fitting(span, longest)]
        self._whole = [span.whole for span in self._spans]
        self._said = [span.sound for span in self._spans]
        faces = [span.text or NOTHING for span in self._spans]
        self._face = self.line = "".join(faces)
        self._starts = [0, *accumulate(map(len, faces))]
        self._sounds = [0, *accumulate(map(len, self._said))]
        self._even = self._starts == self._sounds  # every span is as long in sound as in text
        self._plain = self._said == faces
        self._gaps: set[int] = set()
        if not self._plain:
            self._gaps = {at for span, at in zip(self._spans, self._starts, strict=False) if not span.text}
            self.line = "".join(map(_heard, self._spans, faces))

    @property
    def joints(self) -> list[int]:
        """Where the second and each further paragraph begins (see Passage.join)."""
        pairs = zip(self._spans, self._starts[1:], strict=True)
        return [after for span, after in pairs if span.start == span.end and span.text == " "]

    def __len__(self) -> int:
        return len(self._face)

    def size(self, begin: int, end: int) -> int:
        """Return the number of characters of the text or of its sound, whichever is larger."""
        if self._even:
            return end - begin
        return max(end - begin, self._sounded(end) - self._sounded(begin))

    def reach(self, begin: int, size: int) -> int:
        """Return the farthest offset with at most `size` characters between `begin` and it."""
        low, high = begin, min(begin + size, len(self))
        while low < high:
            middle = (low + high + 1) // 2
            if self.size(begin, middle) <= size:
                low = middle
            else:
                high = middle - 1
        return low

    def may_cut(self, at: int) -> bool:
        """Return False inside a whole span."""
        return self.before(at) == at

    def before(self, at: int) -> int:
        """Return the last offset up to `at` that is not inside a whole span."""
        index = self._index(at)
        return self._starts[index] if index < len(self._spans) and self._whole[index] else at

    def after(self, at: int) -> int:
        """Return the first offset from `at` on that is not inside a whole span."""
        return at if self.may_cut(at) else self._starts[self._index(at) + 1]

    def text_and_sound(self, begin: int, end: int) -> tuple[str, str]:
        """Return what the eye sees and what is said, each on one line."""
        text = self._face[begin:end]
        if self._gaps:
            text = "".join(self._face[at] for at in range(begin, end) if at not in self._gaps)
        text = _on_one_line(text)
        return text, text if self._plain else _on_one_line(self._sound(begin, end))

    def _sound(self, begin: int, end: int) -> str:
        if self._plain:
            return self._face[begin:end]
        first, last = self._index(begin), self._index(end - 1)
        said = self._said[first : last + 1]
        if not self._whole[last]:
            said[-1] = said[-1][: end - self._starts[last]]
        if not self._whole[first]:
            said[0] = said[0][begin - self._starts[first] :]
        return "".join(said)

    def source(self, begin: int, end: int) -> tuple[int, int]:
        """Return where the source of a stretch begins and ends."""
        first, last = self._index(begin), self._index(end - 1)
        head, tail = self._spans[first], self._spans[last]
        start = head.start if self._whole[first] else head.start + begin - self._starts[first]
        return start, tail.end if self._whole[last] else tail.start + end - self._starts[last]

    def trimmed(self, begin: int, end: int) -> tuple[int, int]:
        """Return the stretch without white space at both ends."""
        while begin < end and self._is_blank(begin) and self.may_cut(begin + 1):
            begin += 1
        while begin < end and self._is_blank(end - 1) and self.may_cut(end - 1):
            end -= 1
        return begin, end

    def _is_blank(self, at: int) -> bool:
        if not self._face[at].isspace() and at not in self._gaps:
            return False
        return not says_anything(self._spans[self._index(at)].spoken or "")

    def has_letters(self, begin: int, end: int) -> bool:
        """Return True if there is anything to say."""
        return begin < end and bool(_LETTER.search(self._sound(begin, end)))

    def is_crumb(self, begin: int, end: int) -> bool:
        """Return True if there is too little to say for a voice (see `says_enough`)."""
        if begin < end <= begin + _GLANCE:
            return not says_enough(self._sound(begin, end))
        return not (says_enough(self._sound(begin, begin + _GLANCE)) or says_enough(self._sound(begin, end)))

    def _index(self, at: int) -> int:
        return bisect_right(self._starts, at) - 1

    def _sounded(self, at: int) -> int:
        index = self._index(at)
        if index == len(self._spans) or at == self._starts[index]:
            return self._sounds[index]
        return self._sounds[index + 1] if self._whole[index] else self._sounds[index] + at - self._starts[index]


def says_enough(sound: str) -> bool:
    """Return True if a voice can speak the words alone: they have three letters or more."""
    return bool(_ENOUGH.search(sound))


def says_anything(sound: str) -> bool:
    """Return True if there is any letter or digit to say."""
    return bool(_LETTER.search(sound))


def _heard(span: Span, face: str) -> str:
    return face if span.spoken is None or _LETTER.search(span.spoken) or face.isspace() else " " * len(face)


def _on_one_line(text: str) -> str:
    return (_SPACES.sub(" ", text) if _BROKEN.search(text) else text).strip()


def _fitting(span: Span, longest: int) -> Iterable[Span]:
    if max(len(span.text), len(span.sound)) <= longest or not span.whole:
        return (span,)
    return _sliced(span, longest)


def _sliced(span: Span, longest: int) -> Iterator[Span]:
    sounds = list(_slices(span.sound, longest))
    count = max(len(sounds), -(-len(span.text) // longest))
    sounds += [""] * (count - len(sounds))

    def share(of: int, number: int) -> int:
        return of * number // count

    width = span.end - span.start
    for number, sound in enumerate(sounds):
        text = span.text[share(len(span.text), number) : share(len(span.text), number + 1)]
        start, end = span.start + share(width, number), span.start + share(width, number + 1)
        yield Span(text, start, end, sound)


def _slices(sound: str, longest: int) -> Iterator[str]:
    begin = 0
    while len(sound) - begin > longest:
        low, high = begin + max(1, longest // 2), begin + longest
        at = next((found[-1] for found in cut_points(sound, low, high, "") if found), high)
        yield sound[begin:at]
        begin = at
    yield sound[begin:]
