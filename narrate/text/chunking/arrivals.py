"""Makes chunks of text that is still being written to a pipe, as soon as their sentences are complete."""

from __future__ import annotations

import codecs
import os
import re
import select
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from narrate.errors import InputError
from narrate.text.brackets import is_quoting
from narrate.text.characters import COLONS, ELLIPSES, HAN, KANA, QUOTE_ENDS, STOPS
from narrate.text.chunking.aligned import says_anything, says_enough
from narrate.text.chunking.chunks import OPENING, PARAGRAPH_PAUSE, PAUSES, Lengths, cut
from narrate.text.chunking.sentences import Rank, sentence_breaks
from narrate.text.document import Chapter, Chunk, Document, Paragraph, Span
from narrate.text.encoding import MOST_BYTES, too_much, visible
from narrate.text.language import is_wide

PAUSE = 0.3  # seconds without new text, after which the last words are taken for a whole sentence
WAIT = 0.02  # seconds to wait for more text before the caller hears that there is none yet
PATIENCE = 1.0  # seconds; a program that wrote less than TRICKLE bytes by then does not copy a file
TRICKLE = 1 << 14  # bytes
ENDLESS = 1 << 25  # bytes; the end of a longer text is not waited for
BLOCK = 1 << 16  # bytes read at a time

HELD_BACK = 2000  # characters; when a sentence has more of them and still no end, its beginning is spoken
WRAPPED = 50  # columns; an editor may have broken a line that is longer and has no full stop at its end

_MARKED_UP = re.compile(
    r"\s*(?:<[!?a-zA-Z]|%PDF|PK\x03\x04)"
    rf"|(?s:.*?)(?:Project Gutenberg|テキスト中に現れる記号|［＃|[{HAN}]《[{KANA}]+》)"
)
_STOPPED = re.compile(rf"[{STOPS}{ELLIPSES}{COLONS}][{re.escape(''.join(QUOTE_ENDS))}]*\s*$")
_NEW_LINE = re.compile(r"[\s「『]|[-*•–—] |\d{1,3}[.)] ")


def gather(
    fd: int, pause: float = PAUSE, patience: float = PATIENCE, *, max_bytes: int = MOST_BYTES
) -> tuple[bytes, bool]:
    """Read what has been written. Return it, and True if the writer has closed the pipe, False if it still writes.

    `fd` is the file descriptor of the pipe. The function waits for the first byte as long as it takes. It also waits
    for the end of a text that can only be read as a whole: other encodings than UTF-8, and books with markup. Raises
    InputError when that has more than `max_bytes`.
    """
    data = bytearray()
    began = 0.0
    whole = False  # once a text must be read as a whole, no more of it changes that
    while True:
        if data and not whole and (not _arrived(fd, pause) or _trickles(data, began, patience)):
            if _can_be_begun(bytes(data)):
                return bytes(data), False
            whole = True
        part = os.read(fd, BLOCK)
        if not part:
            return bytes(data), True
        began = began or time.monotonic()
        data += part
        if len(data) > max_bytes:
            raise InputError(f"standard input: {too_much(max_bytes)}")


class Arriving(Protocol):
    """A text that is still being written. `pauses`: a while without new text means that a sentence is whole; otherwise
    the writer says when it is."""

    @property
    def pauses(self) -> bool: ...

    def wait(self, seconds: float) -> bool:
        """Wait at most so long for more; True if there is more, or the end."""
        ...

    def read(self) -> str | None:
        """What has come since the last call; None at the end."""
        ...


class ArrivingPipe:
    """Text that another program writes to a pipe. `first` are the bytes that were read already."""

    pauses = True

    def __init__(self, fd: int, first: bytes = b"") -> None:
        self._fd, self._first = fd, first
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._ended = False

    def wait(self, seconds: float) -> bool:
        return bool(self._first) or self._ended or _arrived(self._fd, seconds)

    def read(self) -> str | None:
        if self._ended:
            return None
        data, self._first = self._first or os.read(self._fd, BLOCK), b""
        self._ended = not data
        return self._decoder.decode(data, final=self._ended) or ("" if data else None)


class Dictation:
    """Text that one thread hands over piece by piece while another one cuts it."""

    pauses = False

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pieces: list[str] = []
        self._ended = False

    def say(self, text: str) -> None:
        with self._changed:
            self._pieces.append(text)
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._pieces) or self._ended, seconds)

    def read(self) -> str | None:
        with self._changed:
            text = "".join(self._pieces)
            self._pieces.clear()
            return text if text or not self._ended else None


def arriving_chunks(
    source: Arriving,
    lengths: Lengths | None = None,
    *,
    language: str = "en",
    mixed: bool = False,
    sayable: Callable[[Document], Document] = lambda document: document,
) -> Iterator[Chunk | None]:
    """Yield the chunks of all that comes from `source`, and None when nothing came for about 20 ms.

    `sayable` makes a document's text sayable, as `normalize` does. `start` and `end` of the chunks are offsets in the
    decoded stream, as it is without invisible characters.
    """
    text = Writing(lengths or Lengths(), language, mixed, sayable)
    last = time.monotonic() - PAUSE  # `gather` has waited already
    first = True
    while True:
        if not source.wait(WAIT):
            if source.pauses and time.monotonic() - last >= PAUSE:
                yield from text.linger()
            yield None
            continue
        piece = source.read()
        last = last if first else time.monotonic()
        first = False
        if piece is None:
            yield from text.close()
            return
        yield from text.add(piece)


class Writing:
    """A text that grows. Complete sentences become chunks; the rest is kept until more is written."""

    def __init__(
        self,
        lengths: Lengths,
        language: str = "en",
        mixed: bool = False,
        sayable: Callable[[Document], Document] = lambda document: document,
    ) -> None:
        self._lengths, self._language, self._mixed, self._sayable = lengths, language, mixed, sayable
        self._text = ""  # what is not spoken yet
        self._offset = 0  # where it begins in the whole stream
        self._column = 0  # where it begins in its line
        self._chunks = self._paragraphs = 0

    def add(self, text: str) -> Iterator[Chunk]:
        """Add new text, and yield the chunks of all sentences that it completes."""
        self._text += visible(text)
        begin = 0
        while (end := self._paragraph_end(begin, closed=False)) is not None:
            yield from self._spoken(begin, end, PARAGRAPH_PAUSE)
            begin = end
        self._forget(begin)
        yield from self._sentences(self._text)

    def linger(self) -> Iterator[Chunk]:
        """Yield the chunks of the last sentence, too, because nothing was written for a while. Open quotations wait."""
        if self._text.strip() and not is_quoting(self._text):
            yield from self._sentences(self._text.rstrip() + " X")

    def close(self) -> Iterator[Chunk]:
        """Yield the chunks of all the rest, because nothing more will be written."""
        begin = 0
        while begin < len(self._text):
            end = self._paragraph_end(begin, closed=True)
            end = len(self._text) if end is None else end
            yield from self._spoken(begin, end, PARAGRAPH_PAUSE)
            begin = end
        self._forget(begin)

    def _paragraph_end(self, begin: int, *, closed: bool) -> int | None:
        """Return where the paragraph that begins at `begin` ends, None as long as that is unknown."""
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
        """Yield the chunks of sentences that end in `probe`: the open paragraph, with or without more after it."""
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
        """Return the chunks of a stretch, with numbers and offsets in the stream. `pause` follows the last one."""
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
    """Yield the lines of a paragraph, with a space between two, or nothing in Chinese, Japanese and Korean."""
    at = 0
    for match in re.finditer(r"[ \t\r]*\n[ \t\r]*", text):
        yield Span(text[at : match.start()], at, match.start())
        yield Span("" if is_wide(text[at : match.start()]) else " ", match.start(), match.end())
        at = match.end()
    yield Span(text[at:], at, len(text))


def _arrived(fd: int, seconds: float) -> bool:
    """Return True if a read will not block: something is there, or the writer has closed the pipe."""
    try:
        return bool(select.select([fd], [], [], seconds)[0])
    except OSError:  # Windows can only wait for sockets
        return True


def _trickles(data: bytearray, began: float, patience: float) -> bool:
    return len(data) > ENDLESS or (len(data) < TRICKLE and time.monotonic() - began > patience)


def _can_be_begun(data: bytes) -> bool:
    """Return False for a text that must be read as a whole: it is not UTF-8, or it is in a format of books."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(data)
    except UnicodeDecodeError:
        return False
    return "\0" not in text and "\x1b" not in text and not _MARKED_UP.match(text)
