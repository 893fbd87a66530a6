"""Fetches a page or a book from the web by its address."""

from __future__ import annotations

import posixpath
import re
from http.client import HTTPException
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from narrate.errors import InputError

ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
SECONDS = 30.0  # to wait for an answer, and for each next part of it
BLOCK_BYTES = 1 << 20
# Some sites turn away what does not name itself.
AGENT = "narrate (reads pages aloud)"
SUFFIXES = {
    "text/html": ".html", "application/xhtml+xml": ".html", "text/markdown": ".md", "text/plain": ".txt",
    "application/epub+zip": ".epub", "application/pdf": ".pdf", "text/vtt": ".vtt",
}  # fmt: skip


class Fetched(NamedTuple):
    """What stands at an address: its bytes, and a file name for it."""

    data: bytes
    name: str


class _OnlyWeb(HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if not is_address(newurl):
            raise HTTPError(newurl, code, "it leads out of the web", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def is_address(where: str) -> bool:
    """Return True for an address of the web, False for the name of a file."""
    return ADDRESS.fullmatch(where) is not None


def fetch(address: str, most_bytes: int) -> Fetched:
    """Fetch what stands at an address, and stop when it has more than `most_bytes`.

    Raises InputError if it cannot be had.
    """
    spelled = quote(address, safe="/:?#[]@!$&'()*+,;=%~-._")
    request = Request(spelled, headers={"User-Agent": AGENT, "Accept": "*/*"})
    try:
        with build_opener(_OnlyWeb).open(request, timeout=SECONDS) as answer:
            data = bytearray()
            while len(data) <= most_bytes and (block := answer.read(BLOCK_BYTES)):
                data += block
            return Fetched(bytes(data), _name(answer.url, answer.headers.get_content_type()))
    except HTTPError as error:
        raise InputError(f"{address}: the server answers {error.code} ({error.reason}). Check the address.") from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        why = f"cannot be fetched ({_words(reason)})"
        raise InputError(f"{address}: {why}. Check the address and the network.") from None


def _words(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return "there is no answer"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    return str(reason)


def _name(address: str, content_type: str) -> str:
    """Return a file name: the last part of the address with a suffix that says what it is."""
    parts = urlsplit(address)
    name = unquote(posixpath.basename(parts.path.rstrip("/"))) or parts.hostname or "page"
    suffix = SUFFIXES.get(content_type, "")
    generic = content_type in ("text/plain", "application/octet-stream")
    if suffix and not name.lower().endswith(suffix) and not (generic and posixpath.splitext(name)[1]):
        return name + suffix
    return name
