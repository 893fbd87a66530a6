"""Finds the article of a page from the web, and what stands beside it: banners, comments, boxes, the foot of the page.

The page says itself which part is its article (<main>, <article>). Of a page that does not, readability-lxml, the
reader mode of browsers, finds it. A page that is a whole book has nothing of the kind, and nothing of it is left out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

from narrate.text.formats.markup import tag_of, text_of

# Elements whose class or id is named so stand beside an article, if they hold less than half of it.
BESIDE = re.compile(
    r"(?:^|[\s_-])(?:cookies?|consent|gdpr|banner|newsletter|subscri(?:be|ption)|sign-?up|comments?|disqus|respond|share|"
    r"sharing|social|related|recommend(?:ed|ations?)?|read-?(?:more|next)|breadcrumbs?|sidebar|adverts?|advertisements?|"
    r"ads?|sponsor(?:ed)?|promo|popup|modal|paywall|skip-?link|site-?(?:header|footer)|pagination|tags|tag-?list)"
    r"(?=$|[\s_-])",
    re.IGNORECASE,
)
BESIDE_TAGS = frozenset(("aside", "footer", "form", "dialog", "nav"))
BESIDE_ROLES = frozenset(("banner", "complementary", "contentinfo", "dialog", "alertdialog", "navigation", "search"))
# So much of the page's main part must an article hold to be the only one that counts.
MOST = 0.6
# A page without <main> and <article> comes from the web if it has so many of the signs, and so much text.
ENOUGH_SIGNS = 2
FEWEST_LETTERS = 500
LARGEST_PAGE = 4_000_000  # characters; a larger page is a book
MOST_ARTICLES = 200  # a page with more of them is no article
KEPT = 0.95  # of what the reader mode finds must lie in the element that is taken for the article


def beside_article(tree: Any) -> set[Any]:
    """Return the elements that stand beside the article of a page; none if the page is no article."""
    if _is_book(tree):
        return set()
    article = _declared(tree, lengths := _lengths(tree, _letters))
    if article is None and _comes_from_the_web(tree):
        article = _found(tree)
    if article is None:
        return set()
    titles = [element for element in tree.iter() if tag_of(element) == "h1" and text_of(element)]
    inside = set(article.iter())
    kept = {article, *(titles if len(titles) == 1 and titles[0] not in inside else ())}
    return {*_around(tree, kept), *_within(article, lengths)}


def _is_book(tree: Any) -> bool:
    """Return True for a page that says that it is a book, as those of Project Gutenberg do."""
    for element in tree.iter():
        if tag_of(element) == "meta" and (element.get("property") or "").lower() == "og:type":
            return (element.get("content") or "").strip().lower() == "book"
        if "pg-boilerplate" in (element.get("class") or ""):
            return True
    return False


def _declared(tree: Any, lengths: dict[Any, int]) -> Any:
    """Return the element that the page calls its main part or its article; None if there is none, or many."""
    mains = [element for element in tree.iter() if tag_of(element) == "main" or element.get("role") == "main"]
    mains = [element for element in mains if text_of(element)]
    whole = mains[0] if len(mains) == 1 else tree
    articles = [element for element in whole.iter() if tag_of(element) == "article" or element.get("role") == "article"]
    if len(articles) > MOST_ARTICLES:
        articles = []
    articles = [article for article in articles if not _named_beside(article, whole)]
    longest = max(articles, key=lambda article: lengths[article], default=None)
    among = lengths[whole] if whole is not tree else sum(lengths[article] for article in _outer(articles))
    if longest is not None and lengths[longest] >= MOST * among:
        return longest
    return whole if whole is not tree else None


def _body(element: Any) -> Any:
    return next((child for child in element if tag_of(child) == "body"), element)


def _outer(elements: list[Any]) -> Iterator[Any]:
    """Yield the elements that lie in none of the others."""
    others = set(elements)
    for element in elements:
        if not any(parent in others for parent in element.iterancestors()):
            yield element


def _named_beside(element: Any, root: Any) -> bool:
    for parent in (element, *element.iterancestors()):
        if parent is root:
            return False
        if _is_beside(parent):
            return True
    return False


def _is_beside(element: Any) -> bool:
    tag = tag_of(element)
    if not tag or tag in ("html", "body", "main", "article"):
        return False
    if tag in BESIDE_TAGS or (element.get("role") or "").lower() in BESIDE_ROLES:
        # A footnote is no box beside the text, though it may be an aside.
        return not (element.get("role") or "").startswith("doc-")
    return bool(BESIDE.search(element.get("class") or "") or BESIDE.search(element.get("id") or ""))


def _around(tree: Any, kept: set[Any]) -> Iterator[Any]:
    """Yield the largest elements of the body that hold nothing that is kept."""
    holders = {parent for element in kept for parent in element.iterancestors()}
    waiting = [_body(tree)]
    while waiting:
        for child in waiting.pop():
            if child in holders:
                waiting.append(child)
            elif child not in kept and tag_of(child):
                yield child


def _within(article: Any, lengths: dict[Any, int]) -> Iterator[Any]:
    """Yield what stands within an article and does not belong to it."""
    half = lengths[article] / 2
    waiting = [article]
    while waiting:
        for child in waiting.pop():
            if _is_beside(child) and lengths[child] < half:
                yield child
            elif tag_of(child):
                waiting.append(child)


def _lengths(tree: Any, letters: Callable[[Any], int]) -> dict[Any, int]:
    """Return for every element how many letters it holds. `letters` counts those that it holds itself."""
    lengths: dict[Any, int] = {}
    for element in reversed(list(tree.iter("*"))):  # children come before their parents
        lengths[element] = letters(element) + sum(lengths[child] for child in element.iterchildren("*"))
    return lengths


def _letters(element: Any) -> int:
    """Return how many letters stand in an element and not in its children."""
    if tag_of(element) in ("script", "style", "head", "title"):
        return 0
    return len((element.text or "").strip()) + sum(len((child.tail or "").strip()) for child in element)


def _comes_from_the_web(tree: Any) -> bool:
    """Return True if a page has what pages of the web have around their text, and books have not."""
    body = _body(tree)
    signs = 0
    scripts = 0
    for element in tree.iter():
        tag = tag_of(element)
        scripts += tag == "script"
        if tag == "meta" and (element.get("property") or "") == "og:type":
            signs += (element.get("content") or "").lower() == "article"
    signs += scripts >= 2
    signs += any(tag_of(element) == "nav" for element in body.iter())
    signs += any(tag_of(element) in ("footer", "form", "dialog") for element in body.iter())
    signs += any(BESIDE.search(f"{element.get('class') or ''} {element.get('id') or ''}") for element in body.iter("*"))
    return signs >= ENOUGH_SIGNS


def _found(tree: Any) -> Any:
    """Return the smallest element that holds what the reader mode finds in the page; None if it finds too little."""
    from lxml import etree

    page = etree.tostring(tree, encoding="unicode", method="html")
    if len(page) > LARGEST_PAGE:
        return None
    wanted = _paragraphs(_reader_mode(page))
    total = sum(map(len, wanted))
    if total < FEWEST_LETTERS:
        return None
    held = _lengths(tree, lambda element: _wanted_letters(element, wanted))
    element = _body(tree)
    while True:
        inner = next((child for child in element.iterchildren("*") if held[child] >= KEPT * total), None)
        if inner is None:
            return element if tag_of(element) != "body" else None
        element = inner


def _wanted_letters(element: Any, wanted: set[str]) -> int:
    text = text_of(element) if tag_of(element) == "p" else ""
    return len(text) if text in wanted else 0


def _reader_mode(page: str) -> Any:
    from lxml import etree
    from readability import Document

    logging.getLogger("readability").setLevel(logging.CRITICAL)
    try:
        return etree.fromstring(Document(page).summary(html_partial=True), etree.HTMLParser(no_network=True))
    except Exception:  # it raises errors of every kind for pages that are no articles
        return None


def _paragraphs(tree: Any) -> set[str]:
    """Return the texts of the paragraphs, each in one line."""
    return {text_of(element) for element in tree.iter("p") if text_of(element)} if tree is not None else set()
