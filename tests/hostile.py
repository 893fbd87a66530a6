"""Files no one wrote: readable ones with bytes changed, lost, doubled and mixed."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from tests.epubs import item, make_epub, nav, page
from tests.test_pages import HTML, MARKDOWN, docx
from tests.test_pdf import book

SIGNS = (
    "《》｜［＃］※〔〕≪≫／＼\x00\x01\n\r\x0c<>&;/[]{}()|*_#=~-…―。「」１Ａ①ゝ々第章回一CHAPTER I.Contents\ufeff😀\u3000"
)


def seeds(books: Path | None) -> dict[str, bytes]:
    """Files to start from, by name: small made ones, and pieces of the real books if they are there."""
    pages = {
        f"c{n}.xhtml": page(f'<h2 id="x">Chapter {n}</h2><p>Text <ruby>漢<rt>かん</rt></ruby>.</p>') for n in (1, 2)
    }
    found = {
        "book.epub": make_epub(pages, {"nav.xhtml": nav(item("c1.xhtml", "One") + item("c2.xhtml#x", "Two"))}),
        "book.docx": docx("# Chapter 1", "Text.", "# Chapter 2", "More."),
        "book.pdf": book(4),
        "page.html": HTML.encode(),
        "book.md": MARKDOWN.encode(),
    }
    for path in sorted(books.glob("*.txt")) if books else ():
        data = path.read_bytes()
        if path.name != "SOURCES.md":
            found[path.name] = data[:4000] + data[len(data) // 2 : len(data) // 2 + 3000] + data[-3000:]
    return found


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The file after a few accidents."""
    body = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(body) + 1)
        size = min(len(body), int(chance.expovariate(0.02)) + 1)
        accident = chance.randrange(8)
        if accident == 0:
            del body[at:]
        elif accident == 1:
            del body[at : at + size]
        elif accident == 2:
            body[at:at] = body[at : at + size] * chance.randint(1, 30)
        elif accident == 3:
            body[at:at] = chance.randbytes(size % 40)
        elif accident == 4:
            body[at:at] = "".join(chance.choices(SIGNS, k=size % 30)).encode("utf-8", "surrogatepass")
        elif accident == 5:
            body[at:at] = "".join(chance.choices(SIGNS, k=size % 30)).encode("cp932", "ignore")
        elif body:
            for _ in range(chance.randint(1, 20)):
                body[chance.randrange(len(body))] = chance.randrange(256)
    return bytes(body)


def repacked(data: bytes, chance: random.Random) -> bytes:
    """A zip file that is whole, with accidents in some of its parts."""
    target = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            new.writestr(name, mutated(part, chance) if chance.random() < 0.4 else part)
    return target.getvalue()


def files(books: Path | None, count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """So many hostile files, the same for the same seed."""
    chance = random.Random(seed)
    start = sorted(seeds(books).items())
    for number in range(count):
        name, data = start[number % len(start)]
        inside = data.startswith(b"PK") and chance.random() < 0.7
        yield name, repacked(data, chance) if inside else mutated(data, chance)
