from __future__ import annotations

import pytest

from narrate.errors import InputError
from narrate.text.document import Document
from narrate.text.readers import read_bytes


def make_pdf(pages: list[list[str]], bookmarks: dict[str, int] | None = None, info: str = "/Title (The Book)") -> bytes:
    """A PDF in Helvetica: one text line per string, from the top of the page down."""
    kids = " ".join(f"{5 + 2 * i} 0 R" for i in range(len(pages)))
    first = 5 + 2 * len(pages)
    titles = list((bookmarks or {}).items())
    outline = f"/Outlines {first} 0 R" if titles else ""
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {outline} >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        f"<< {info} /Author (A. Author) >>",
    ]
    for i, lines in enumerate(pages):
        text = " ".join(f"({line.replace('(', '').replace(')', '')}) Tj T*" for line in lines)
        stream = f"BT /F1 11 Tf 14 TL 50 760 Td {text} ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            f"/Contents {6 + 2 * i} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    if titles:
        objects.append(
            f"<< /Type /Outlines /First {first + 1} 0 R /Last {first + len(titles)} 0 R /Count {len(titles)} >>"
        )
    for i, (title, page) in enumerate(titles):
        following = f"/Next {first + 2 + i} 0 R" if i + 1 < len(titles) else ""
        objects.append(f"<< /Title ({title}) /Parent {first} 0 R {following} /Dest [{5 + 2 * page} 0 R /Fit] >>")
    data = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode("cp1252")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{len(data)}\n%%EOF\n"
    return data + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def texts(document: Document) -> list[str]:
    return [paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs]


def numbered(number: int, *lines: str) -> list[str]:
    """A page with a running head and its number."""
    return [
        "THE TEST BOOK" if number % 2 else f"{number}  Jane Tester",
        *lines,
        *([f"- {number} -"] if number % 2 else []),
    ]


STORY = [
    "It was a bright cold day in the month of April, and all of the clocks were strik-",
    "ing thirteen when the old man came slowly down the road to the well-",
    "known house, whose garden everybody admired.",
    "“Who is there?” he asked, and nobody answered him, for the house had been",
    "empty these seven years or more, as everyone in the well-known village saw. The",
    "road was empty too, and so he went on, slowly, as one who is not expected any",
]
ENDING = ["longer at home goes.", "That was all of it, and nothing else was striking in the village for years after."]


def book(pages: int = 8) -> bytes:
    sheets = []
    for number in range(1, pages + 1):
        head = ["Chapter 1: The Road"] if number == 1 else ["The End of It"] if number == 5 else []
        body = STORY if number % 2 else [line.replace("home", "home " + "qwertyui"[:number]) for line in ENDING]
        sheets.append(numbered(number, *head, *body))
    return make_pdf(sheets, {"Chapter 1: The Road": 0, "The End of It": 4})


def test_running_heads_and_page_numbers_are_left_out_and_paragraphs_go_on_across_pages() -> None:
    document = read_bytes(book(), "book.pdf")
    assert (document.title, document.author) == ("The Book", "A. Author")
    assert [chapter.title for chapter in document.chapters] == ["Chapter 1: The Road", "The End of It"]
    said = texts(document)
    assert said[1] == (
        "It was a bright cold day in the month of April, and all of the clocks were striking thirteen when the old man "
        "came slowly down the road to the well-known house, whose garden everybody admired."
    )
    assert said[2].endswith("as one who is not expected any longer at home qw goes.")
    assert not any("Jane" in text or "TEST" in text or "- 1 -" in text for text in said)
    assert {part.kind for part in document.excluded} == {"page"}


def test_the_title_page_is_read_though_its_title_is_a_running_head() -> None:
    pages = [["THE ROAD", "Jane Tester"], *(["The Road", *STORY] for _ in range(5))]
    said = texts(read_bytes(make_pdf(pages), "book.pdf"))
    assert said[0].startswith("THE ROAD")
    assert not any("The Road" in text for text in said)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (make_pdf([[], []]), "only pictures"),
        (book()[:200], "damaged"),
        (b"%PDF-1.7\nnonsense", "damaged"),
    ],
    ids=["pictures", "cut", "nonsense"],
)
def test_what_cannot_be_read_is_said_in_one_line(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=rf"book\.pdf: .*{words}") as caught:
        read_bytes(data, "book.pdf")
    assert "\n" not in str(caught.value)


WORDS = "the old man went on along the white road through the fields and the woods of the valley until he came".split()


def prose(page: int, lines: int = 8) -> list[str]:
    """Lines in the middle of sentences, other ones on each page."""
    return [" ".join(WORDS[(page * 7 + line * 3 + n) % len(WORDS)] for n in range(14)) for line in range(lines)]


def test_heads_of_a_few_pages_in_a_row_are_left_out() -> None:
    names = ["METHODS OF APPLICATION", "THE LAWS OF NATURE", "NUMBERS AND SIGNS", "A Short Word"]
    pages = [[names[page // 4], *prose(page)] for page in range(14)]
    said = " ".join(texts(read_bytes(make_pdf(pages), "book.pdf")))
    assert not any(name in said for name in names[:3])
    assert said.count(names[3]) == 2  # on two pages only: it may be a title


@pytest.mark.parametrize("head", ["{title} {number}", "{number} {title}"])
def test_a_head_with_the_number_of_its_page_is_left_out_wherever_it_stands(head: str) -> None:
    titles = [f"{'ABCDEFGHIJKL'[page]}BOUT IT" for page in range(12)]
    pages = [[head.format(title=titles[page], number=page + 17), *prose(page)] for page in range(12)]
    said = texts(read_bytes(make_pdf(pages), "book.pdf"))
    assert not any("BOUT" in text for text in said)
    assert len(said) == 1


def test_a_number_in_the_margin_that_is_not_of_the_page_is_the_number_of_a_chapter() -> None:
    pages = []
    for page in range(12):
        first, last = (
            [str(page // 3 + 1)] if page % 3 == 0 else [],
            [f"He came {WORDS[page]}."] if page % 3 == 2 else [],
        )
        pages.append([*first, *prose(page), *last, f"- {page + 40} -"])
    document = read_bytes(make_pdf(pages), "book.pdf")
    assert [text for text in texts(document) if any(map(str.isdigit, text))] == ["1", "2", "3", "4"]


def test_a_word_that_two_pages_share_is_joined() -> None:
    pages = [
        [f"THE ROAD {page + 5}", *prose(page), f"and all of {WORDS[page]} clocks were strik-"] for page in range(6)
    ]
    pages += [["THE ROAD 11", "ing thirteen. The clocks were striking."]]
    pages = [[page[0], f"ing thirteen {page[1]}", *page[2:]] for page in pages]
    said = " ".join(texts(read_bytes(make_pdf(pages), "book.pdf")))
    assert "striking thirteen" in said
    assert "strik-" not in said


def test_contents_with_leaders_and_the_index_are_left_out() -> None:
    contents = ["Contents", *(f"Chapter {n}. The Road . . . . . . . {n * 7}" for n in range(1, 6))]
    index = ["INDEX", *(f"{letter}bbot, {n + 3}, {n + 9}" for n, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))]
    pages = [contents, *([f"Chapter {n}. The Road", *prose(n)] for n in range(1, 6)), *map(prose, range(6, 20)), index]
    document = read_bytes(make_pdf(pages), "book.pdf")
    said = texts(document)
    assert not any("bbot" in text or ". . ." in text or text in ("Contents", "INDEX") for text in said)
    assert {"contents", "index"} <= {part.kind for part in document.excluded}


def test_the_licence_of_project_gutenberg_is_left_out() -> None:
    head = [
        "The Project Gutenberg EBook of A Road, by Jane Tester",
        "*** START OF THIS PROJECT GUTENBERG EBOOK A ROAD ***",
    ]
    foot = ["*** END OF THIS PROJECT GUTENBERG EBOOK A ROAD ***", "Section 1. General Terms of Use"]
    pages = [[*head, "Produced by Anonymous Volunteers", *STORY], *map(prose, range(4)), foot]
    said = texts(read_bytes(make_pdf(pages), "book.pdf"))
    assert said[0].startswith("It was a bright cold day")
    assert not any("Terms" in text or "Gutenberg" in text.title() for text in said)
