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
