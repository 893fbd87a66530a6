"""Opens a page that a browser saved with all its parts in one file (MHTML)."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import Message

from narrate.errors import InputError

HEAD = re.compile(rb"\A(?:[A-Za-z-]+:[^\n]*\n(?:[ \t][^\n]*\n)*){2,}", re.IGNORECASE)
TYPE = re.compile(rb"^content-type:\s*multipart/related", re.IGNORECASE | re.MULTILINE)
HEAD_BYTES = 5000


def is_saved_page(data: bytes) -> bool:
    """Return True for a file that begins as MHTML does."""
    head = HEAD.match(data[:HEAD_BYTES].replace(b"\r\n", b"\n"))
    return bool(head and TYPE.search(head[0]))


def page_of(data: bytes) -> tuple[bytes, str]:
    """Return the page itself, which is the first part that is HTML, and the codec that it names ("" for none).

    Raises InputError if there is none.
    """
    for part in message_from_bytes(data).walk():
        if part.get_content_type() in ("text/html", "application/xhtml+xml"):
            return _content(part), part.get_content_charset() or ""
    raise InputError("is a saved page without a page in it; save it again")


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""
