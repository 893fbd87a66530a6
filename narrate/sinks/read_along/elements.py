"""An XML file as it stands: where its elements and characters are, so that something is put in and all else stays."""

from __future__ import annotations

import codecs
import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.entities import html5
from typing import NamedTuple

from narrate.errors import InputError
from narrate.text.encoding import UNWANTED, UNWANTED_ASCII

TOKEN = re.compile(
    r"(?P<text>[^<&]+)|&(?P<entity>[^;\s<&]{1,40});|</(?P<close>[^\s<>]+)\s*>"
    r"|<(?P<open>[^\s<>/!?\"']+)(?P<attributes>(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*?)(?P<empty>/?)>"
    r"|<!\[CDATA\[(?P<cdata>.*?)\]\]>|<!--.*?-->|<\?.*?\?>|<!DOCTYPE[^>\[]*(?:\[[^\]]*\]\s*)?>",
    re.DOTALL,
)
ATTRIBUTE = re.compile(r"([^\s=\"']+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
ENTITY = re.compile(r"&([^;\s<&]{1,40});")
UNSEEN = frozenset(("rt", "rp", "rtc"))  # what stands above a word is not in the line
INVISIBLE = frozenset((*UNWANTED, *UNWANTED_ASCII))
CDATA = "cdata"  # text that holds no tags counts as an element of this name


@dataclass(slots=True, eq=False)
class Element:
    """An element. `start` … `end` are the offsets of all of it, `inner` and `inner_end` those of what is in it.

    `name` is as the file writes it, `tag` without its prefix. `first` and `last` number its characters: those that can
    be seen in its lines, without readings above words. `attributes` is the text between name and bracket.
    """

    name: str
    attributes: str
    parent: Element | None
    start: int
    inner: int
    inner_end: int = 0
    end: int = 0
    first: int = 0
    last: int = 0

    @property
    def tag(self) -> str:
        return self.name.rpartition(":")[2].lower()

    @property
    def prefix(self) -> str:
        """With its colon; "" if there is none."""
        return self.name[: len(self.name) - len(self.name.rpartition(":")[2])]

    @property
    def is_empty(self) -> bool:
        """It is written as one tag, <br/>."""
        return self.inner == self.end

    def get(self, name: str) -> str:
        """The value of an attribute, "" if it has none."""
        for found, quoted, apostrophed in ATTRIBUTE.findall(self.attributes):
            if found == name:
                return ENTITY.sub(lambda entity: character_of(entity[1]) or entity[0], quoted or apostrophed)
        return ""


class Edit(NamedTuple):
    """text[start:end] becomes `new`. Of edits at one place, that of the lower `rank` comes first."""

    start: int
    end: int
    new: str
    rank: int = 0


@dataclass(slots=True)
class XmlFile:
    """The text of an XML file, its elements in their order, and the characters of its lines that can be seen.

    `begins` and `ends` are the places of the characters in the text, `owners` the elements in which they stand.
    """

    text: str
    encoding: str
    elements: list[Element] = field(default_factory=list)
    characters: str = ""
    begins: array[int] = field(default_factory=lambda: array("L"))
    ends: array[int] = field(default_factory=lambda: array("L"))
    owners: list[Element] = field(default_factory=list)

    def edited(self, edits: Iterable[Edit]) -> bytes:
        """The file with the edits, which do not overlap."""
        parts: list[str] = []
        at = 0
        for start, end, new, _ in sorted(edits, key=lambda edit: (edit.start, edit.end, edit.rank)):
            parts += self.text[at:start], new
            at = end
        return ("".join(parts) + self.text[at:]).encode(self.encoding)

    def named(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def content(self, element: Element) -> str:
        """All text in an element, in one line."""
        inner = TOKEN.sub(_as_text, self.text[element.inner : element.inner_end])
        return " ".join(inner.split())


def read_xml(data: bytes) -> XmlFile:
    """Read a file. Raises `InputError` if it is not well-formed, or not in UTF-8 or UTF-16."""
    encoding = "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        file = XmlFile(data.decode(encoding), encoding)
    except UnicodeDecodeError:
        raise InputError("is neither UTF-8 nor UTF-16") from None
    characters: list[str] = []
    element: Element | None = None
    unseen = 0  # elements around here whose text is not in the line
    at = 0
    while at < len(file.text):
        token = TOKEN.match(file.text, at)
        if token is None:
            raise InputError("is not well-formed XML")
        at = token.end()
        if token["open"]:
            element = Element(token["open"], token["attributes"], element, token.start(), at, first=len(characters))
            file.elements.append(element)
            unseen += element.tag in UNSEEN
            if not token["empty"]:
                continue
        if token["open"] or token["close"]:  # it ends
            if element is None or element.name != (token["open"] or token["close"]):
                raise InputError("is not well-formed XML")
            element.inner_end, element.end, element.last = (
                (at if token["empty"] else token.start()),
                at,
                len(characters),
            )
            unseen -= element.tag in UNSEEN
            element = element.parent
        elif element is not None and not unseen:
            if token["cdata"]:
                inner, inner_end = token.span("cdata")
                whole = Element(CDATA, "", element, token.start(), inner, inner_end, at, len(characters))
                _add(file, characters, token, whole)
                whole.last = len(characters)
            elif token["text"] or token["entity"]:
                _add(file, characters, token, element)
    if element is not None or not file.elements:
        raise InputError("is not well-formed XML")
    file.characters = "".join(characters)
    return file


def _add(file: XmlFile, characters: list[str], token: re.Match[str], element: Element) -> None:
    """Note the characters of a text or an entity."""
    start, end = token.span()
    if token["entity"]:
        meant = character_of(token["entity"])
        places = [(character, start, end) for character in meant]
    else:
        begin = start if token["text"] else token.start("cdata")
        places = [(character, at, at + 1) for at, character in enumerate(token["text"] or token["cdata"], begin)]
    for character, begin, stop in places:
        if not character.isspace() and character not in INVISIBLE:
            characters.append(character)
            file.begins.append(begin)
            file.ends.append(stop)
            file.owners.append(element)


def character_of(entity: str) -> str:
    """What an entity stands for, without & and ;. It is "" for one that is unknown."""
    try:
        if entity[:2] in ("#x", "#X"):
            return chr(int(entity[2:], 16))
        return chr(int(entity[1:])) if entity.startswith("#") else html5.get(entity + ";", "")
    except (ValueError, OverflowError):
        return ""


def _as_text(token: re.Match[str]) -> str:
    return token["text"] or token["cdata"] or character_of(token["entity"] or "")
