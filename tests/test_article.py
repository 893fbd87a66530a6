"""Pages from the web: the article is read, and what stands beside it is not; a book that is a page is read whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from narrate.text.document import Document
from narrate.text.readers import read_bytes, read_file

STORY = [
    "The boats came in late, one after another, and nobody spoke of the storm that had taken two of them.",
    "In the morning the harbour master wrote it all down, as he always had, and shut the book with a sigh.",
    "It was the last time that anybody saw him at his desk, though his lamp was lit for many nights to come.",
]
PARAGRAPHS = "".join(f"<p>{line}</p>" for line in STORY)
AROUND = {
    "banner": '<div class="cookie-banner"><p>We use cookies.</p><button>OK</button></div>',
    "menu": "<header class=site-header><nav><a href=/>Home</a></nav></header>",
    "newsletter": '<aside class="newsletter"><p>Subscribe to our newsletter!</p></aside>',
    "comments": '<section id="comments"><h3>Comments (2)</h3><p>First!</p></section>',
    "foot": "<footer>© 2024 Daily. All rights reserved. Privacy</footer>",
}
UNSAID = ["cookies", "Home", "Subscribe", "Comments", "First!", "rights reserved"]


def page(body: str, head: str = "") -> bytes:
    title = "<title>The Harbour – Daily</title>"
    return f'<!doctype html><html lang="en"><head>{title}{head}</head><body>{body}</body></html>'.encode()


def texts(document: Document) -> list[str]:
    return [paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<main><article>", "</article>{comments}</main>"),
        ("<main>", "{comments}</main>"),
        ("<article>", "</article>{comments}"),
        ('<div role="main"><div class="text">', "</div>{comments}</div>"),
    ],
    ids=["an article in main", "main", "an article", "a role"],
)
def test_the_article_is_read_alone(before: str, after: str) -> None:
    inner = f"<h1>The Harbour</h1>{PARAGRAPHS}{AROUND['newsletter']}<pre><code>print(i)</code></pre>"
    body = AROUND["banner"] + AROUND["menu"] + before + inner + after.format(**AROUND) + AROUND["foot"]
    document = read_bytes(page(body), "page.html")
    assert texts(document) == ["The Harbour", *STORY]
    left_out = " ".join(document.source[part.start : part.end] for part in document.excluded)
    for words in UNSAID:
        assert words in left_out, "what is not read is listed as left out"


def test_the_only_heading_of_the_page_is_kept_though_it_stands_above_the_article() -> None:
    body = f"<header><p>Daily</p><h1>The Harbour</h1></header><article>{PARAGRAPHS}</article>"
    assert texts(read_bytes(page(body), "page.html")) == ["The Harbour", *STORY]


def test_a_page_that_does_not_say_where_its_article_is() -> None:
    """readability-lxml finds it, as the reader mode of a browser does."""
    story = [f"In year {year}: {line}" for year in (1, 2, 3) for line in STORY]
    text = "".join(f"<p>{line}</p>" for line in story)
    aside = '<div class="right"><p>Trending now: ten boats, and what they look like today.</p></div>'
    wrapped = f'<div class="wrap"><div class="story"><h1>The Harbour</h1>{text}</div>{aside}</div>'
    head = '<meta property="og:type" content="article"><script>x()</script><script>y()</script>'
    document = read_bytes(page(AROUND["banner"] + wrapped + "<div>© 2024 Daily</div>", head), "page.html")
    assert texts(document) == ["The Harbour", *story]
    assert "beside" in {part.kind for part in document.excluded}


@pytest.mark.parametrize(
    "body",
    [
        f"<h1>The Harbour</h1>{PARAGRAPHS}<footer>The end of the book.</footer>",
        f"<div class=comments><p>{STORY[0]}</p></div>{PARAGRAPHS}",
        f"<article><h2>One</h2>{PARAGRAPHS}</article><article><h2>Two</h2>{PARAGRAPHS}</article>",
        f"<main><article><h2>One</h2>{PARAGRAPHS}</article><article><h2>Two</h2>{PARAGRAPHS}</article></main>",
        f"<article><h1>Essays</h1><div class='related comments'>{PARAGRAPHS}</div></article>",
    ],
    ids=["a foot", "a class", "chapters", "chapters in main", "a box with most of the text"],
)
def test_a_book_is_read_whole(body: str) -> None:
    document = read_bytes(page(body), "book.html")
    assert "beside" not in {part.kind for part in document.excluded}


def test_pages_of_project_gutenberg_are_books() -> None:
    head = '<meta property="og:type" content="Book"><script></script><script></script>'
    body = f"<nav>Menu</nav><div>{PARAGRAPHS}</div><div><p>A last word of the book.</p></div><form><input></form>"
    assert texts(read_bytes(page(body, head), "book.html")) == [*STORY, "A last word of the book."]


def test_no_real_book_loses_a_word_to_the_reader_mode(books: Path) -> None:
    pages = [*books.glob("*.html"), *books.glob("*.htm"), *books.glob("*.xhtml")]
    for path in pages:
        assert "beside" not in {part.kind for part in read_file(path).excluded}
