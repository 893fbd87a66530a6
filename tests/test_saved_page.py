"""Pages that a browser saved in one file: the page is read as it is on the web."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from narrate.errors import InputError
from narrate.text.readers import read_bytes

STORY = "Die Boote kamen spät in der Nacht zurück, eines nach dem anderen, und niemand sprach vom Sturm."
PAGE = f"<html><body><nav>Menü</nav><main><article><p>{STORY}</p></article></main><footer>© 2024</footer></body></html>"


def saved(page: str, codec: str = "utf-8", kind: str = "html") -> bytes:
    message = EmailMessage()
    message["From"] = "<Saved by a browser>"
    message["Snapshot-Content-Location"] = "https://host/story"
    message["Subject"] = "The story"
    message.set_content(page, subtype=kind, charset=codec, cte="quoted-printable")
    message.add_related(b"body { color: red }", "text", "css")
    return message.as_bytes()


@pytest.mark.parametrize("codec", ["utf-8", "windows-1252"])
def test_the_page_is_read(codec: str) -> None:
    for data in (saved(PAGE, codec), saved(PAGE, codec).replace(b"\n", b"\r\n")):
        document = read_bytes(data, "story.mhtml")
        assert [p.text for chapter in document.chapters for p in chapter.paragraphs] == [STORY]
        assert {part.kind for part in document.excluded} == {"beside"}


def test_without_a_page_it_is_one_line() -> None:
    with pytest.raises(InputError, match="story.mhtml: is a saved page without a page in it"):
        read_bytes(saved("nothing", kind="plain"), "story.mhtml")


def test_a_letter_is_no_saved_page() -> None:
    letter = b"From: Ann\nSubject: The bell\n\nDear Tom, it was a dark night.\n"
    document = read_bytes(letter, "letter.txt")
    assert "Dear Tom" in document.chapters[0].paragraphs[-1].text
