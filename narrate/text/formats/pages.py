"""Reads books of one page: HTML, and Markdown and DOCX, which become HTML first."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from narrate.errors import InputError
from narrate.text.document import Chapter, Document, Excluded, ExcludedKind
from narrate.text.formats import docx, gutenberg, markdown
from narrate.text.formats.archive import Archive
from narrate.text.formats.article import beside_article
from narrate.text.formats.choices import Choices
from narrate.text.formats.contents import contents_of
from narrate.text.formats.footnotes import notes_of
from narrate.text.formats.markup import begin_of, parse_text, tag_of, text_of
from narrate.text.formats.page_reader import PageReader
from narrate.text.formats.text_builder import TextBuilder
from narrate.text.language import detect_language
from narrate.text.structure.alike import END
from narrate.text.structure.chapters import Block, bind, chapter_depth, deep_enough, opening_level
from narrate.text.structure.contents import index_of, printed
from narrate.text.structure.outline import with_headings

FRONT_MATTER = re.compile(r"\A---[ \t]*\n([\s\S]*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
FIELD = re.compile(r"^(title|author|lang|language)[ \t]*:(.+)", re.MULTILINE | re.IGNORECASE)
NOTE_REFERENCE = re.compile(r"\[\^([^\[\]\s]{1,100})\](?!:)")
NOTE = re.compile(r"^\[\^([^\[\]\s]{1,100})\]:[ \t]*(.*(?:\n(?:[ \t]+\S.*|[ \t]*(?=\n[ \t]+\S)))*)", re.MULTILINE)
# The credits of Project Gutenberg's volunteers stand among so many blocks at the beginning.
HEAD = 20
# The language of a page is found out from so many characters.
LONG_ENOUGH = 5000
REST_OF_CREDITS = re.compile(
    r"pgdp\.net|https?://|\bimages?\b.*\b(?:generously|courtesy|made available)|proofread|online soon|free sources"
    r"|internet archive|google books|bibliot(?:h?eca|hek|hèque)|educational materials",
    re.IGNORECASE,
)
SAME_LEVEL = 9
# Among the first headings may be the name of the author.
FRONT = 4
BYLINE = re.compile(r"(?i:by|von|par|por|di|de) [A-ZÀ-ÞА-Я][^.!?]{2,60}")


def is_html(text: str) -> bool:
    """Return True for a text that begins as HTML does."""
    head = re.sub(r"\s*(?:<!--[\s\S]*?-->|<\?[\s\S]*?\?>)\s*", "", text[:5000].lstrip("\ufeff")).lstrip()
    return bool(re.match(r"<!DOCTYPE\s+html|<html[\s>]|<head[\s>]|<body[\s>]", head, re.IGNORECASE))


def read_html(text: str, choices: Choices = Choices()) -> Document:  # noqa: B008 - it is frozen
    """Read a page of HTML. Raises InputError if it is empty."""
    tree = parse_text(text)
    if tree is None:
        raise InputError("has no text in it; there is nothing to say")
    return read_page(tree, choices, beside_article(tree))


def read_page(tree: Any, choices: Choices = Choices(), beside: Collection[Any] = ()) -> Document:  # noqa: B008
    """Read the tree of a page. The elements `beside` the text are left out."""
    title = next((text_of(element) for element in tree.iter() if tag_of(element) == "title"), "")
    named = {(e.get("name") or "").lower(): e.get("content") or "" for e in tree.iter() if tag_of(e) == "meta"}
    language = (tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or "")[:2].lower()
    if choices.announces and not choices.language:
        choices = replace(choices, language=language or detect_language(begin_of(tree, LONG_ENOUGH)))
    builder = TextBuilder(readings=choices.ruby == "reading")
    PageReader(builder, (), notes_of({"": tree}), choices, contents_of({"": tree}), beside).read(tree)
    return _document(builder, title, named.get("author", ""), language)


def read_markdown(text: str, choices: Choices = Choices()) -> Document:  # noqa: B008
    """Read Markdown (CommonMark with tables and footnotes). Code is left out, and paragraphs that are indented are not.

    Tags that HTML does not have, such as <verb>, are text.
    """
    front = FRONT_MATTER.match(text)
    fields = {match[1].lower(): _unquoted(match[2]) for match in FIELD.finditer(front[1])} if front else {}
    body = text[front.end() :] if front else text
    body = NOTE.sub(lambda note: f'<aside role="doc-footnote" id="{_id(note[1])}">{note[2]}</aside>\n', body)
    body = NOTE_REFERENCE.sub(lambda mark: f'<a role="doc-noteref" href="#{_id(mark[1])}">{mark[1]}</a>', body)
    document = read_html(f"<html><body>{markdown.render(body)}</body></html>", choices)
    language = fields.get("lang", fields.get("language", ""))[:2].lower()
    title = fields.get("title") or document.title
    return replace(document, title=title, author=fields.get("author", ""), language=language)


def _id(name: str) -> str:
    """Return a name for a note that HTML allows, the same for the note and its mark."""
    return "note-" + name.encode().hex()


def _unquoted(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def read_docx(data: bytes, choices: Choices = Choices()) -> Document:  # noqa: B008
    """Read a Word document. Raises InputError for one that is damaged or locked."""
    archive = Archive(data)
    document = read_html(f"<html><body>{docx.to_html(data)}</body></html>", choices)
    core = (
        parse_text(archive.read("docProps/core.xml").decode("utf-8", "replace"))
        if archive.find("docProps/core.xml")
        else None
    )
    fields = {tag_of(element): text_of(element) for element in core.iter()} if core is not None else {}
    title, author = fields.get("title") or document.title, fields.get("creator", "")
    return replace(document, title=title, author=author)


def _document(builder: TextBuilder, title: str, author: str, language: str) -> Document:
    source = builder.source
    blocks, licence = without_frame(builder.blocks)
    first = next((block.paragraph.text for block in blocks if block.level == 1), "")
    excluded = tuple(sorted([*builder.excluded, *licence], key=lambda part: part.start))
    return Document(title or first, author, language, headed(source, blocks), source, excluded)


def headed(source: str, blocks: Sequence[Block]) -> tuple[Chapter, ...]:
    """Make chapters by the headings of a page. If it marks none, lines that say that they are headings make them.

    A heading at the beginning whose level no other heading has is the title of the book and opens no chapter.
    """
    heads = [i for i, block in enumerate(blocks) if block.level]
    if not heads:
        found = with_headings(source, list(blocks), apart=True)
        return bind(found, opening_level(found))
    rows = [
        Block(block.paragraph, SAME_LEVEL) if block.level and END.fullmatch(block.paragraph.text) else block
        for block in blocks
    ]
    for i in heads[:FRONT]:
        if BYLINE.fullmatch(blocks[i].paragraph.text):
            rows[i] = Block(blocks[i].paragraph, SAME_LEVEL)
    heads = [i for i in heads if rows[i].level < SAME_LEVEL] or heads
    levels = [blocks[i].level for i in heads]
    if levels.count(min(levels)) == 1 and levels[0] == min(levels) and len(levels) > 2 and heads[0] < 3:
        rows[heads[0]] = Block(blocks[heads[0]].paragraph, SAME_LEVEL)
        heads = heads[1:]
    depth = chapter_depth([(blocks[i].paragraph.text, blocks[i].level) for i in heads])
    starts = [(blocks[i].paragraph.start, blocks[i].level, blocks[i].paragraph.text) for i in heads]
    return bind(rows, deep_enough(starts, depth, blocks[-1].paragraph.end))


def without_frame(blocks: Sequence[Block]) -> tuple[list[Block], list[Excluded]]:
    """Return the blocks without the licence, printed contents and index, and what was left out."""
    kept, excluded = without_licence(blocks)
    texts = [block.paragraph.text for block in kept]
    heads = {i for i, block in enumerate(kept) if block.level}
    index = index_of(texts, [True] * len(texts), {i for i in heads if not _is_letter(texts[i])})
    contents = printed(texts, heads) - index
    for i in sorted(index | contents):
        kind: ExcludedKind = "index" if i in index else "contents"
        excluded.append(Excluded(kind, kept[i].paragraph.start, kept[i].paragraph.end))
    return [block for i, block in enumerate(kept) if i not in index and i not in contents], excluded


def _is_letter(text: str) -> bool:
    """Return True for the letter above a part of an index."""
    return len(text.strip(" .:")) <= 1


def without_licence(blocks: Sequence[Block]) -> tuple[list[Block], list[Excluded]]:
    """Return the blocks without what Project Gutenberg puts around a book, and what was left out."""
    texts = [block.paragraph.text for block in blocks]
    first = next((i + 1 for i, text in enumerate(texts[:400]) if gutenberg.START.search(text)), 0)
    last = next((i for i in range(first, len(texts)) if gutenberg.END.search(texts[i])), len(texts))
    around = [*blocks[:first], *blocks[last:]]
    excluded = [Excluded("licence", block.paragraph.start, block.paragraph.end) for block in around]
    kept = list(blocks[first:last])
    if around or any("pgdp.net" in text or "Gutenberg" in text for text in texts[:HEAD]):
        credits = [block for block in kept[:HEAD] if gutenberg.is_credit(block.paragraph.text)]
        credits += _rest_of_credits(kept[: 2 * HEAD], credits)
        excluded += (Excluded("producer", block.paragraph.start, block.paragraph.end) for block in credits)
        kept = [block for block in kept if block not in credits]
    return kept, excluded


def _rest_of_credits(blocks: Sequence[Block], credits: Sequence[Block]) -> list[Block]:
    """Return the further lines of credits, which line ends made paragraphs of their own."""
    rest: list[Block] = []
    for before, block in zip(blocks, blocks[1:], strict=False):
        if (before in credits or before in rest) and REST_OF_CREDITS.search(block.paragraph.text) and not block.level:
            rest.append(block)
    return rest
