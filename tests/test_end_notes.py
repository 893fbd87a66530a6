from __future__ import annotations

import pytest

from narrate.text.document import Document
from narrate.text.formats import plain
from narrate.text.formats.end_notes import end_notes, inlined

LINE = "It was a bright cold day in April{}, and the clocks of the town were striking thirteen, as they always did.\n\n"
WORDS = ["So the almanac says.", "The town is gone.", "Thirteen is one.", "Perhaps more.", "Nobody knows."]
STYLES = {"[{n}]": "[{n}] {words}", "{{{n}}}": "{{{n}}}  {words}", "bare": "{n}\n\n{words}", "dot": "{n}. {words}"}


def text(style: str, mark: str = "[{n}]", title: str = "FOOTNOTES:\n\n\n", last: str = "") -> str:
    body = "".join(LINE.format(mark.format(n=n)) for n in range(1, 6))
    return (
        body + "\n\n" + title + "\n\n".join(style.format(n=n, words=words) for n, words in enumerate(WORDS, 1)) + last
    )


def said(document: Document) -> list[str]:
    return [paragraph.text for chapter in document.chapters for paragraph in chapter.paragraphs]


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("mark", ["[{n}]", "{{{n}}}", " [{n}]"])
@pytest.mark.parametrize("title", ["FOOTNOTES:\n\n", "Примечания\n\n", ""])
def test_notes_at_the_end_are_left_out_with_their_marks(style: str, mark: str, title: str) -> None:
    document = plain.read(text(style, mark, title) + "\n\nTHE END\n")
    assert said(document) == [LINE.format("").strip()] * 5 + ["THE END"]
    assert {part.kind for part in document.excluded} == {"footnote", "reference"}
    assert said(plain.read(text(style, mark, title), "end"))[-1] == "Nobody knows." or style != STYLES["bare"]


@pytest.mark.parametrize(
    "source",
    [
        text(STYLES["dot"], mark=""),  # a numbered list
        text(STYLES["dot"]).replace("4. Perhaps", "7. Perhaps").replace("3. Thirteen", "9. Thirteen"),
        "".join(LINE.format(f"[{n}]") for n in range(1, 6)),
        text("Chapter {n}\n\n{words}"),
    ],
)
def test_what_are_no_notes_is_read(source: str) -> None:
    assert not end_notes(source, 0, len(source)).notes


def test_notes_in_the_place_of_their_marks() -> None:
    source = text(STYLES["[{n}]"]) + "\n\nTHE END\n"
    found = inlined(source, end_notes(source, 0, len(source)))
    assert found.startswith("It was a bright cold day in April (So the almanac says.), and")
    assert "FOOTNOTES" not in found
    assert found.endswith("\n\nTHE END\n")
