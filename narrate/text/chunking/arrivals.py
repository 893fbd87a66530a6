"""Text that is spoken while it is still being written: chunks from a pipe, as soon as their sentences are complete."""

from __future__ import annotations

import codecs
import os
import re
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from narrate.text.brackets import is_quoting
from narrate.text.characters import COLONS, ELLIPSES, HAN, KANA, QUOTE_ENDS, STOPS
from narrate.text.chunking.aligned import says_anything, says_enough
from narrate.text.chunking.chunks import OPENING, PARAGRAPH_PAUSE, PAUSES, Lengths, cut
from narrate.text.chunking.sentences import Rank, sentence_breaks
from narrate.text.document import Chapter, Chunk, Document, Paragraph, Span
from narrate.text.language import is_wide

PAUSE = 0.3  # seconds of silence after which a writer is thinking and what it wrote last is taken as it stands
WAIT = 0.02  # seconds spent waiting for more before saying that there is none yet
PATIENCE = 1.0  # seconds after which whoever wrote less than TRICKLE bytes is writing, not copying a file
TRICKLE = 1 << 14
ENDLESS = 1 << 25  # bytes of text that are not waited for to end
BLOCK = 1 << 16

HELD_BACK = 2000  # characters without a sentence's end before some are spoken anyway
WRAPPED = 50  # columns from which a line without a full stop may have been broken by an editor

_MARKED_UP = re.compile(
    r"\s*(?:<[!?a-zA-Z]|%PDF|PK\x03\x04)"
    rf"|(?s:.*?)(?:Project Gutenberg|テキスト中に現れる記号|［＃|[{HAN}]《[{KANA}]+》)"
)
_STOPPED = re.compile(rf"[{STOPS}{ELLIPSES}{COLONS}][{re.escape(''.join(QUOTE_ENDS))}]*\s*$")
_NEW_LINE = re.compile(r"[\s「『]|[-*•–—] |\d{1,3}[.)] ")


def gather(fd: int, pause: float = PAUSE, patience: float = PATIENCE) -> tuple[bytes, bool]:
    """Read what is there: (bytes, True) if the writer has closed, (bytes so far, False) if it seems to be writing yet.

    The first byte is waited for as long as it takes. A writer is waited for, too, if what it wrote cannot be read
    aloud before its end is known: other encodings than UTF-8, and books with markup around or in their text.
    """
    data = bytearray()
    began = 0.0
    while True:
        if data and (not _arrived(fd, pause) or _trickles(data, began, patience)) and _can_be_begun(bytes(data)):
            return bytes(data), False
        part = os.read(fd, BLOCK)
        if not part:
            return bytes(data), True
        began = began or time.monotonic()
        data += part


def arriving_chunks(
    fd: int,
    first: bytes,
    lengths: Lengths | None = None,
    *,
    language: str = "en",
    mixed: bool = False,
    sayable: Callable[[Document], Document] = lambda document: document,
) -> Iterator[Chunk | None]:
    """The chunks of `first` and of all that still comes from `fd`; None when nothing new came for about 20 ms.

    `sayable` makes a document's text sayable (normalize). `start` and `end` are offsets in the decoded stream.
    """
    text = Writing(lengths or Lengths(), language, mixed, sayable)
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    yield from text.add(decoder.decode(first))
    last = time.monotonic() - PAUSE  # `gather` has waited already
    while True:
        if not _arrived(fd, WAIT):
            if time.monotonic() - last >= PAUSE:
                yield from text.linger()
            yield None
            continue
        data = os.read(fd, BLOCK)
        last = time.monotonic()
        yield from text.add(decoder.decode(data, final=not data))
        if not data:
            yield from text.close()
            return


class Writing:
    """A text that grows. What is complete comes out as chunks; what may still go on is kept."""

    def __init__(
        self,
        lengths: Lengths,
        language: str = "en",
        mixed: bool = False,
        sayable: Callable[[Document], Document] = lambda document: document,
    ) -> None:
        self._lengths, self._language, self._mixed, self._sayable = lengths, language, mixed, sayable
        self._text = ""  # not spoken yet
        self._offset = 0  # of that in the whole stream
        self._column = 0  # of that in its line
        self._chunks = self._paragraphs = 0

    def add(self, text: str) -> Iterator[Chunk]:
        """More was written: the chunks that are complete because something else follows them."""
        self._text += text
        begin = 0
        while (end := self._paragraph_end(begin, closed=False)) is not None:
            yield from self._spoken(begin, end, PARAGRAPH_PAUSE)
            begin = end
        self._forget(begin)
        yield from self._sentences(self._text)

    def linger(self) -> Iterator[Chunk]:
        """Nothing was written for a while: the sentences, too, that would be complete if the next began now."""
        if self._text.strip() and not is_quoting(self._text):
            yield from self._sentences(self._text.rstrip() + " X")

    def close(self) -> Iterator[Chunk]:
        """Nothing more will be written: all the rest."""
        begin = 0
        while begin < len(self._text):
            end = self._paragraph_end(begin, closed=True)
            end = len(self._text) if end is None else end
            yield from self._spoken(begin, end, PARAGRAPH_PAUSE)
            begin = end
        self._forget(begin)

    def _paragraph_end(self, begin: int, *, closed: bool) -> int | None:
        """Where the paragraph from `begin` on ends, or None as long as that is open."""
        line = begin
        while (at := self._text.find("\n", line)) >= 0:
            following = self._text[at + 1 : at + 6]
            if not following and not closed and self._may_be_wrapped(line, at):
                return None
            if not self._may_be_wrapped(line, at) or _NEW_LINE.match(following):
                return at + 1
            line = at + 1
        return None

    def _may_be_wrapped(self, line: int, end: int) -> bool:
        text = self._text[line:end]
        columns = (len(text) + (line == 0) * self._column) * (2 if is_wide(text) else 1)
        return columns >= WRAPPED and not _STOPPED.search(text)

    def _sentences(self, probe: str) -> Iterator[Chunk]:
        """Speak the sentences of the open paragraph that have ended in `probe`, which may go on a little."""
        ends = [at for at, rank in sentence_breaks(probe, self._language)[:-1] if rank is Rank.SENTENCE]
        end = min(ends[-1], len(self._text)) if ends else 0
        if says_enough(self._text[:end]):
            yield from self._spoken(0, end, PAUSES[Rank.SENTENCE])
            self._forget(end)
        elif len(self._text) > HELD_BACK:
            *ready, _ = self._cut(0, len(self._text), PAUSES[Rank.CLAUSE])
            yield from ready
            self._forget(ready[-1].end - self._offset if ready else 0)

    def _spoken(self, begin: int, end: int, pause: float) -> Iterator[Chunk]:
        chunks = self._cut(begin, end, pause)
        self._paragraphs += pause == PARAGRAPH_PAUSE and bool(chunks)
        self._chunks += len(chunks)
        yield from chunks

    def _cut(self, begin: int, end: int, pause: float) -> list[Chunk]:
        """The chunks of a stretch, numbered and placed in the stream; `pause` follows the last."""
        text = self._text[begin:end]
        if not says_anything(text):
            return []
        chapter = Chapter(1, "", (Paragraph(tuple(_lines(text))),))
        document = self._sayable(Document("", "", self._language, (chapter,), text))
        offset = self._offset + begin
        chunks = [
            replace(
                chunk,
                index=self._chunks + chunk.index,
                paragraph=self._paragraphs,
                start=offset + chunk.start,
                end=offset + chunk.end,
            )
            for chunk in cut(document, self._lengths, mixed=self._mixed, opening=max(0, OPENING - self._chunks))
        ]
        return [*chunks[:-1], *(replace(chunk, pause=pause) for chunk in chunks[-1:])]

    def _forget(self, end: int) -> None:
        gone, self._text = self._text[:end], self._text[end:]
        self._offset += end
        self._column = len(gone) - 1 - gone.rfind("\n") + ("\n" not in gone) * self._column


def _lines(text: str) -> Iterator[Span]:
    """The lines of a paragraph; where one was broken stands a space, or nothing in Chinese or Japanese."""
    at = 0
    for match in re.finditer(r"[ \t\r]*\n[ \t\r]*", text):
        yield Span(text[at : match.start()], at, match.start())
        yield Span("" if is_wide(text[at : match.start()]) else " ", match.start(), match.end())
        at = match.end()
    yield Span(text[at:], at, len(text))


def _arrived(fd: int, seconds: float) -> bool:
    """True if a read will not block: something is there, or the writer has closed."""
    try:
        return bool(select.select([fd], [], [], seconds)[0])
    except OSError:  # Windows can only wait for sockets
        return True


def _trickles(data: bytearray, began: float, patience: float) -> bool:
    return len(data) > ENDLESS or (len(data) < TRICKLE and time.monotonic() - began > patience)


def _can_be_begun(data: bytes) -> bool:
    """False for what must be read as a whole: no UTF-8, markup, a known kind of book."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(data)
    except UnicodeDecodeError:
        return False
    return "\0" not in text and "\x1b" not in text and not _MARKED_UP.match(text)
