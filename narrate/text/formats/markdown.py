"""Renders Markdown to HTML. Only tags that HTML has are live; other tags are text, and code is left out."""

from __future__ import annotations

import re
from typing import Any

from narrate.text.characters import ends_sentence
from narrate.text.encoding import visible
from narrate.text.formats.markup import BLOCKS, SKIPPED

INLINE = frozenset(
    "a abbr acronym b bdi bdo big br cite data del dfn em font i img ins kbd mark q rb rt rtc ruby s samp small span "
    "strike strong sub sup td th time tt u var wbr".split()
)
TAGS = BLOCKS | INLINE | SKIPPED.keys() | {"code", "col", "colgroup", "body", "tfoot"}
TAG = re.compile(r"</?([A-Za-z][\w:-]*)")
# These swallow all the rest of a document if nobody closes them.
OPENED = re.compile(r"<(?:(script|style|pre|textarea)\b|(!--))", re.IGNORECASE)
CODE_SIGNS = re.compile(r"[{}<>$\\=|_#+@/*^~\[\]`]|;$|\(\)|^\s*[\w.-]+:\s*$|^\s*[-\w]+ --?\w", re.MULTILINE)
# The first line of a paragraph is indented, as in novels, and the next line is not.
FIRST_LINE = re.compile(r"(?<=\n\n)(?: {4,}|\t+)(\S.*)(?=\n[^\W_])")
# Prose has fewer signs of code than one in so many characters.
PROSE_PER_SIGN = 80


def render(text: str) -> str:
    """Return Markdown (CommonMark with tables) as HTML. Code becomes <template>, which is never read aloud."""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    markdown.add_render_rule("fence", _fence)
    markdown.add_render_rule("html_inline", _html)
    markdown.add_render_rule("html_block", _html)
    markdown.core.ruler.push("indented", lambda state: _read_indented_prose(markdown, state))
    markdown.add_render_rule("code_block", _fence)
    text = FIRST_LINE.sub(lambda line: line[0] if CODE_SIGNS.search(line[1].replace("`", "")) else line[1], text)
    return str(markdown.render(_closed(text)))


def _closed(text: str) -> str:
    """Return the text with a < that is written out for each element and comment that nobody closes."""
    lowered = text.lower()
    last = {name: lowered.rfind("-->" if name == "!--" else f"</{name}") for name in ("script", "style", "!--")}
    last |= {name: lowered.rfind(f"</{name}") for name in ("pre", "textarea")}

    def written_out(tag: re.Match[str]) -> str:
        name = (tag[1] or tag[2]).lower()
        return tag[0] if last[name] > tag.start() else "&lt;" + tag[0][1:]

    return OPENED.sub(written_out, text)


def _read_indented_prose(markdown: Any, state: Any) -> None:
    """Turn indented blocks that are prose, as novels have them, into paragraphs."""
    from markdown_it.token import Token

    tokens = []
    for token in state.tokens:
        if token.type != "code_block" or not is_prose(token.content):
            tokens.append(token)
            continue
        for paragraph in re.split(r"\n\s*\n", token.content.strip("\n")):
            lines = " \n".join(line.strip() for line in paragraph.splitlines())
            inline = Token("inline", "", 0, content=lines, children=[], level=token.level + 1)
            markdown.inline.parse(lines, markdown, state.env, inline.children)
            tokens += [Token("paragraph_open", "p", 1), inline, Token("paragraph_close", "p", -1)]
    state.tokens[:] = tokens


def is_prose(text: str) -> bool:
    """Return True for an indented paragraph that consists of words and ends where a sentence may end."""
    signs = len(CODE_SIGNS.findall(text))
    words = visible(text).strip()
    return PROSE_PER_SIGN * signs <= len(words) and (ends_sentence(words) or not words.isascii() or len(words) > 200)


def _fence(renderer: Any, tokens: Any, index: int, *_: Any) -> str:
    return f"<template>{_escaped(tokens[index].content.replace('&lt;', '<'))}</template>\n"


def _html(renderer: Any, tokens: Any, index: int, *_: Any) -> str:
    """Keep a tag that HTML has. Any other is text, as in "git help <verb>"."""
    content: str = tokens[index].content
    return TAG.sub(lambda tag: tag[0] if tag[1].lower() in TAGS else _escaped(tag[0]), content)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
