from __future__ import annotations

import pytest

from narrate.text.document import Document
from narrate.text.readers import ReadOptions, read_bytes

PROSE = "It was a bright cold day, and the clocks were striking thirteen. " * 3
NAMES = ["A Runaway Reef", "Pro and Con", "As Master Wishes", "Ned Land", "At Random", "Full Steam"]
WORDS = ["Abbot", "Acre", "Barn", "Bell", "Boat", "Cat", "Church", "Dog", "Door", "Earl", "Elm", "Farm", "Fish", "Gate"]
WORDS += ["Goose", "Hall", "Hen", "Inn", "Jug", "King", "Lamp", "Mill", "Nail", "Oak"]
ENGLISH = ReadOptions(language="en")


def html(body: str) -> Document:
    return read_bytes(f"<html><body>{body}</body></html>".encode(), "book.html", ENGLISH)


def said(document: Document) -> list[str]:
    return [paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs]


def chapters() -> str:
    return "".join(f"<h2>{name}</h2><p>{PROSE}</p><p>{PROSE}</p>" for name in NAMES)


@pytest.mark.parametrize(
    "entry",
    ["<p>{name}</p>", "<p>{n}. {name} . . . . {n}7</p>", "<tr><td>{n}</td><td>{name}</td><td>{n}7</td></tr>"],
)
@pytest.mark.parametrize(
    ("title", "at_the_end"),
    [("<h2>CONTENTS</h2>", False), ("<h2>CONTENTS</h2>", True), ("<p>Table des matières</p>", True), ("", False)],
)
def test_printed_contents_without_links_are_left_out(entry: str, title: str, at_the_end: bool) -> None:
    rows = "".join(entry.format(n=n, name=name) for n, name in enumerate(NAMES, 1))
    contents = title + (f"<table>{rows}</table>" if "<tr>" in entry else rows)
    document = html(chapters() + contents if at_the_end else contents + chapters())
    assert said(document) == [line for name in NAMES for line in (name, PROSE.strip(), PROSE.strip())]
    assert {part.kind for part in document.excluded} == {"contents"}


def test_sentences_that_name_chapters_are_no_contents() -> None:
    list_of = "".join(f"<p>In “{name}” nothing happens but what had to happen.</p>" for name in NAMES)
    assert not html(f"<p>{PROSE}</p>{list_of}{chapters()}").excluded


INDEX = "".join(f"<p>{word}, {40 + n}, {60 + n}</p>" for n, word in enumerate(WORDS))


@pytest.mark.parametrize("title", ["INDEX.", "Namenregister", "Índice alfabético", "Index of Persons"])
@pytest.mark.parametrize("pages", [True, False])
def test_the_index_at_the_end_is_left_out(title: str, pages: bool) -> None:
    entries = INDEX if pages else "".join(f"<p>{word}, his opinion of.</p>" for word in WORDS)
    document = html(f"{chapters()}<h2>{title}</h2>{entries}")
    assert said(document)[-1] == PROSE.strip()
    assert {part.kind for part in document.excluded} == {"index"}


def test_the_index_of_a_plain_text_is_left_out() -> None:
    body = "".join(f"CHAPTER {n}\n\n" + f"{PROSE * 5}\n\n" * 4 for n in ("I", "II", "III"))
    entries = "\n".join(f"{word}, {40 + n}, {60 + n}" for n, word in enumerate(WORDS))
    document = read_bytes(f"{body}\n\nINDEX\n\n{entries}\n".encode(), "book.txt", ENGLISH)
    assert said(document)[-1] == (PROSE * 5).strip()
    assert [chapter.title for chapter in document.chapters] == ["CHAPTER I", "CHAPTER II", "CHAPTER III"]


@pytest.mark.parametrize("title", ["INDEX", "A Glossary"])
def test_what_is_no_index_is_read(title: str) -> None:
    words = "".join(
        f"<p>{word} is what the people of the village said.</p>" for word in sorted(WORDS, key=lambda w: w[1:])
    )
    assert not html(f"{chapters()}<h2>{title}</h2>{words}").excluded


LINKED = "".join(f'<h2 id="c{n}">{name}</h2><p>{PROSE}</p>' for n, name in enumerate(NAMES))
LINKS = [f'<a href="#c{n}">{name}</a>' for n, name in enumerate(NAMES)]


@pytest.mark.parametrize("end", [".", ":", "。"])
def test_links_that_a_sentence_names_are_text(end: str) -> None:
    row = f"<ul>{''.join(f'<li>{link}</li>' for link in LINKS)}</ul>"
    assert not html(f"<h2>First</h2><p>These follow one another{end}</p>{row}{LINKED}").excluded
    assert html(f"<h2>First</h2>{row}{LINKED}").excluded


def test_a_sentence_of_links_is_text() -> None:
    assert not html(f"<h2>First</h2><p>{', '.join(LINKS)} are not told.</p>{LINKED}").excluded


def test_contents_at_the_end_that_lead_back_are_left_out() -> None:
    rows = "".join(f"<tr><td>{n}</td><td>{link}</td></tr>" for n, link in enumerate(LINKS, 1))
    document = html(f"{LINKED}<h4>INDICE</h4><div><table>{rows}</table></div><h2>FIM</h2>")
    assert said(document)[-2:] == [PROSE.strip(), "FIM"]
    assert [chapter.title for chapter in document.chapters] == NAMES


def test_contents_of_several_parts_whose_numbers_go_on_are_left_out() -> None:
    first, second = (
        "\n".join(f"{n}. To {name}" for n, name in rows)
        for rows in (
            [(216, "Steiner"), (217, "the Same"), (218, "Zmeskall")],
            [(219, "Zelter"), (220, "Ries"), (221, "the Same")],
        )
    )
    letters = "".join(f"{n}.\n\nTO SOMEBODY.\n\n{PROSE * 5}\n\n" for n in range(216, 222))
    contents = f"CONTENTS OF VOLUME II.\n\n\nSECOND PART.\n\n{first}\n\n\n\nTHIRD PART.\n1823-1827.\n\n{second}"
    document = read_bytes(f"{contents}\n\n\n\n\n{letters}".encode(), "book.txt", ENGLISH)
    assert said(document)[:3] == ["216.", "TO SOMEBODY.", (PROSE * 5).strip()]
    assert len(document.chapters) == 6
