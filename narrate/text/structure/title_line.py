"""Knows the first line of an East Asian text that names the book: 《西游记》, [西游记 / 吴承恩（明） 著]."""

from __future__ import annotations

import re
from typing import NamedTuple

from narrate.text.characters import CLAUSE_MARKS, HAN, WIDE_STOPS

LONGEST = 80
LONGEST_AUTHOR = 30
_OPEN, _CLOSE = "[\\[【〔《〈（(「『]", "[\\]】〕》〉）)」』]"
_INNER = r"[^\[\]【】〔〕《》〈〉（）()「」『』]"
_IN_BRACKETS = re.compile(rf"{_OPEN}((?:{_INNER}|{_OPEN}{_INNER}*{_CLOSE})+){_CLOSE}")
_TITLE = re.compile(r"(?:书名[:：]|書名[:：])?\s*《([^《》]{1,40})》")
# What follows the author's name and says that it is one. Some of these also end words, and need a space before them.
_CREDIT = re.compile(r"(?:[\s/／|｜·・](?:作|编|編|저)|\s*(?:[原编編]?著者?|撰|지음))$")
_NAMED = re.compile(r"[\s/／|｜,，;；]*作\s*者[:：]\s*")
_SLASH = re.compile(r"\s*[/／|｜]\s*")
_SPACE = re.compile(r"\s+")
_AROUND_TITLE = "《》〈〉「」『』【】[]〔〕 \t\u3000"
# The dynasty or the country of an author stands before the name, [美] 海明威, or after it, 吴承恩（明）.
_ORIGIN_BEFORE = re.compile(rf"^[\[（(〔［【]\s*[{HAN}]{{1,6}}\s*[\]）)〕］】]\s*")
_ORIGIN_AFTER = re.compile(rf"\s*[\[（(〔［【]\s*[{HAN}]{{1,2}}\s*[\]）)〕］】]$")
_PROSE = frozenset(WIDE_STOPS + CLAUSE_MARKS)


class Named(NamedTuple):
    """Title and author of a book; "" for what is not named."""

    title: str = ""
    author: str = ""


def named_in(line: str) -> Named:
    """What a line names that may be the title line of a book; nothing if it is a line of prose."""
    line = line.strip()
    if len(line) > LONGEST:
        return Named()
    if whole := _TITLE.fullmatch(line):
        return Named(whole[1].strip())
    if brackets := _IN_BRACKETS.fullmatch(line):
        line = brackets[1].strip()
    if parted := _NAMED.search(line):
        title, author = line[: parted.start()], line[parted.end() :]
    elif credit := _CREDIT.search(line):
        title, author = _parted(line[: credit.start()].strip(" \t\u3000/／|｜"))
    else:
        return Named()
    title, author = title.removeprefix("书名：").removeprefix("书名:").strip(_AROUND_TITLE), author_of(author)
    if not title or not author or len(author) > LONGEST_AUTHOR or _PROSE & set(title + author):
        return Named()
    return Named(title, author)


def author_of(text: str) -> str:
    """The name of an author without the dynasty or the country beside it: （明）, [美]."""
    name = _ORIGIN_AFTER.sub("", _ORIGIN_BEFORE.sub("", text.strip())).strip()
    return name or text.strip()


def _parted(text: str) -> tuple[str, str]:
    """Title and author: parted by a slash, else by the end of the title's brackets, else by the last space that does
    not stand beside the author's dynasty."""
    if slash := _SLASH.search(text):
        return text[: slash.start()], text[slash.end() :]
    if text.startswith(("《", "「", "『")) and (end := re.search("[》」』]", text)):
        return text[: end.end()], text[end.end() :]
    spaces = [
        space
        for space in _SPACE.finditer(text)
        if not _ORIGIN_AFTER.fullmatch(text[space.start() :]) and text[space.start() - 1] not in "]）)〕］】"
    ]
    if not spaces:
        return "", text
    return text[: spaces[-1].start()], text[spaces[-1].end() :]
