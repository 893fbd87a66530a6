"""Makes spans of a line in Aozora notation: ruby 《》｜, notes ［＃…］, gaiji ※［＃…］, accents 〔〕, repeats ／＼."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from narrate.text.characters import HAN, HIRAGANA, KANA, KATAKANA, LATIN
from narrate.text.document import Span
from narrate.text.formats import gaiji
from narrate.text.formats.ruby import IN_KANA, base_length, is_reading

# The base of a reading is looked for among so many characters before it; a note has no more characters (or notes).
FARTHEST_BASE, LONGEST_NOTE = 40, 1000
INNER = f"[^［］\\n]{{0,{LONGEST_NOTE}}}"
NOTE = f"［＃(?:[^［］\\n]|［(?:[^［］\\n]|［{INNER}］){{0,{LONGEST_NOTE}}}］){{0,{LONGEST_NOTE}}}］"
TOKEN = re.compile(
    f"(?P<gaiji>※{NOTE})|(?P<note>{NOTE})|《《(?P<dotted>[^《》\n]+)》》"
    f"|《(?P<ruby>(?:[^《》\n]|《[^《》\n]*》)*)》|｜(?P<word>[^｜《》（）\n]{{1,20}})（(?P<in_round>[{KANA}]+)）"
    '|(?P<bar>[｜|])|(?P<repeat>／[″"]?＼)|(?P<accents>[〔〕])'
    "|(?P<mark>[《》≪≫※]|［＃)"
)
MARKUP = re.compile('[《》≪≫｜|※〔〕]|［＃|／[″"]?＼')
# The description of a letter, with its position in JIS X 0213, whose ※ is missing.
BARE_GAIJI = re.compile(r"「.+」、(?:第[34]水準)?[12]-\d{1,2}-\d{1,2}(?:、.*)?")
LEFT_RUBY = re.compile(f"「(.+)」(?:の左)?に「([^」]+)」のルビ|「([{HAN}]+)」の左に「([{HIRAGANA}ー]+)」の注記")
LATIN_WORD = re.compile(f"(?:[{LATIN}'-]+|〔[^〕]*〕)$")
REPEATED = re.compile(f"[{HAN}][{HIRAGANA}]{{0,2}}$|[{HIRAGANA}]{{2}}$|[{KATAKANA}]{{2}}$|..$|.$")
# A narrow | marks a base only if this follows it.
NARROW_BASE = re.compile(f"[^|｜《》\n]{{1,20}}《[{KANA} \u3000]+》")
VOICED = str.maketrans(
    "かきくけこさしすせそたちつてとはひふへほカキクケコサシスセソタチツテトハヒフヘホ",
    "がぎぐげござじずぜぞだぢづでどばびぶべぼガギグゲゴザジズゼゾダヂヅデドバビブベボ",
)


class Note(NamedTuple):
    """The inside of a ［＃…］ that has no sound, and its offsets in the source."""

    text: str
    start: int
    end: int


@dataclass(slots=True)
class Notation:
    """Reads lines of `source`.

    `strict` is for texts whose 《》 may mean something else: only Chinese characters have a reading, and only in kana.
    """

    source: str
    ruby: Literal["reading", "base"] = "reading"
    strict: bool = False
    spans: list[Span] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    _bar: int = -1
    _accents: bool = False

    def line(self, start: int, end: int) -> tuple[list[Span], list[Note]]:
        """Return the spans and the notes of source[start:end], which is one line."""
        self.spans, self.notes, self._bar, self._accents = [], [], -1, False
        if not MARKUP.search(self.source, start, end):
            return [Span(self.source[start:end], start, end)], []
        at = start
        for token in TOKEN.finditer(self.source, start, end):
            self._text(at, token.start())
            at = token.end()
            self._token(token)
        self._text(at, end)
        return self.spans, self.notes

    def _token(self, token: re.Match[str]) -> None:
        start, end = token.span()
        kind, text = token.lastgroup, token[token.lastgroup or 0]
        if kind == "ruby":
            self._ruby(text, start, end)
        elif kind == "in_round":
            self.spans.append(Span(token["word"], start, end, text if self.ruby == "reading" else None))
        elif kind == "gaiji":
            self.spans.append(_letter(text[3:-1], start, end))
        elif kind == "note":
            self._note(text[2:-1], start, end)
        elif kind == "dotted":
            self._text(start + 2, end - 2)
        elif kind == "bar":
            self._open_bar(text, start, end)
        elif kind == "repeat":
            sign = "〳〵" if len(text) == 2 else "〴〵"
            self.spans.append(Span(sign, start, end, repeated(self._before(), voiced=len(text) == 3)))
        elif kind == "accents":
            self._accents = text == "〔"
            self.spans.append(Span(text, start, end))
        elif text != "［＃":
            self.spans.append(Span({"≪": "《", "≫": "》"}.get(text, text), start, end, ""))

    def _text(self, start: int, end: int) -> None:
        at = start
        if self._accents:
            for match in gaiji.ACCENT.finditer(self.source, start, end):
                if letter := gaiji.accent(self.source, match.start()):
                    self._plain(at, match.start())
                    self.spans.append(Span(letter, match.start(), match.end()))
                    at = match.end()
        self._plain(at, end)

    def _plain(self, start: int, end: int) -> None:
        if start < end:
            self.spans.append(Span(self.source[start:end], start, end))

    def _before(self) -> str:
        """Return the visible text before this point, back to the last reading or gap."""
        text = ""
        recent = self.spans[: -FARTHEST_BASE - 2 : -1]
        for span, after in zip(recent, (None, *recent), strict=False):
            if span.spoken is not None or (after and span.end != after.start) or len(text) > FARTHEST_BASE:
                break
            text = span.text + text
        return text

    def _open_bar(self, bar: str, start: int, end: int) -> None:
        if bar == "｜" or NARROW_BASE.match(self.source, end):
            self._bar = start
        else:
            self._plain(start, end)

    def _ruby(self, inside: str, start: int, end: int) -> None:
        reading = sound(inside)
        bar, self._bar = self._bar, -1
        if bar >= 0:
            taken = [span for span in self.spans if span.start > bar]
            del self.spans[len(self.spans) - len(taken) :]
        else:
            usable = not self.strict or IN_KANA.fullmatch(reading)
            taken = self._take(base_length(self._before(), self.strict) if usable else 0, start)
        if not taken:
            return self._unread(inside, start, end)
        base = "".join(span.text for span in taken)
        said = reading if self.ruby == "reading" and is_reading(reading, base) else None
        if said is None and any(span.spoken is not None for span in taken):
            said = "".join(span.sound for span in taken)
        self.notes = [note for note in self.notes if note.start < taken[0].start]
        self.spans.append(Span(base, bar if bar >= 0 else taken[0].start, end, said))
        return None

    def _unread(self, inside: str, start: int, end: int) -> None:
        """Keep 《…》 as brackets that are not said, because nothing before them can have a reading."""
        self.spans.append(Span("《", start, start + 1, ""))
        self._text(start + 1, start + 1 + len(inside))
        self.spans.append(Span("》", end - 1, end, ""))

    def _take(self, count: int, end: int) -> list[Span]:
        """Cut the last `count` characters off the spans and return them, if they stand right before `end`."""
        taken: list[Span] = []
        if not self.spans or self.spans[-1].end != end:
            return taken
        while count > 0:
            span = self.spans.pop()
            if len(span.text) > count and not span.whole:
                self.spans.append(Span(span.text[:-count], span.start, span.end - count))
                span = Span(span.text[-count:], span.end - count, span.end)
            taken.insert(0, span)
            count -= len(span.text)
        return taken

    def _note(self, text: str, start: int, end: int) -> None:
        if BARE_GAIJI.fullmatch(text) and gaiji.by_address(text):
            self.spans.append(_letter(text, start, end))
            return
        if "ドット付き" in text and self._dots(text, start, end):
            return
        if self.ruby == "reading" and (left := LEFT_RUBY.fullmatch(text)):
            base, reading = (part for part in left.groups() if part)
            if self._before().endswith(base) and is_reading(reading, base) and (taken := self._take(len(base), start)):
                self.spans.append(Span(base, taken[0].start, end, reading))
                return
        self.notes.append(Note(text, start, end))

    def _dots(self, note: str, start: int, end: int) -> bool:
        word = LATIN_WORD.search(self._before())
        letters = word and gaiji.dotted(word[0], note)
        taken = self._take(len(letters), start) if letters else []
        if letters and taken:
            self.spans.append(Span(letters, taken[0].start, end))
        return bool(taken)


def _letter(note: str, start: int, end: int) -> Span:
    text, spoken = gaiji.resolve(note)
    if text in "《》｜※":
        spoken = ""
    return Span(text, start, end, spoken)


def sound(reading: str) -> str:
    """Return a reading without the marks that may stand in it."""
    if not MARKUP.search(reading):
        return reading
    text = ""
    for token in re.split(f'(※?{NOTE}|／[″"]?＼)', reading):
        if token.startswith("※［"):
            letter, spoken = gaiji.resolve(token[3:-1])
            text += letter if spoken is None else spoken
        elif token.startswith("／"):
            text += repeated(text, voiced=len(token) == 3)
        elif not token.startswith("［＃"):
            text += re.sub("[《》｜※]", "", token)
    return text


def repeated(before: str, voiced: bool = False) -> str:
    """Return what the repeat sign ／＼ says after `before`: いろ → いろ. The voiced sign ／″＼: それ → ぞれ."""
    match = REPEATED.search(before)
    if not match:
        return ""
    word = match[0]
    return word[0].translate(VOICED) + word[1:] if voiced else word
