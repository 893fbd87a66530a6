"""What is written and what a recogniser would write for it: the same in other letters, or really something else.

tests/data/heard holds pairs of our own: `same` or `other`, what is written, what was heard. More are made of books.
Errors that are found and alarms that are false are counted: calibration (text/comparison/faults.py) is held to them.
"""

from __future__ import annotations

import random
import re
from itertools import islice
from pathlib import Path

import pytest

pytest.importorskip("rapidfuzz", reason="the check extra is not installed")

from narrate.text.book import TextOptions, open_book
from narrate.text.chunking.chunks import Lengths, cut
from narrate.text.comparison.compare import compare
from tests.faults import TEXT_FAULTS, pieces
from tests.test_comparison import needs

HEARD = Path(__file__).parent / "data" / "heard"
BOOKS = {"en": "alice.txt", "ja": "wagahai.sjis.txt", "zh": "sanguo.txt"}
OTHERS = ("de", "es", "fr", "it", "ko", "pt", "ru")
# What calibration cannot part, and why.
FALSE_ALARMS = {
    "恐らく明後日には着くだろう。",  # the dictionaries read みょうごにち, which is right as well
    "The knight rode through the night.",  # two words of the same sound in six
    "Henry VIII had six wives.",  # numerals of kings are not read
}
NOT_FOUND = {
    "猫が走る。",  # 犬: two kana, as in a word with two readings
    "赤い傘を差した少女が橋を渡る。",  # 青, 少年: five kana of twenty
    "猫在跑。",  # 狗, 叫: two syllables
}


def pairs(name: str) -> list[tuple[str, str, str, str]]:
    """Language, kind, what is written, what is heard."""
    lines = (HEARD / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    found = [tuple(line.split("\t")) for line in lines]
    return [each if name == "others" else (name, *each) for each in found]  # type: ignore[misc]


ALL = [pair for name in ("ja", "zh", "en", "others") for pair in pairs(name)]


def test_there_are_pairs_enough() -> None:
    counts = {(language, kind): 0 for language, kind, *_ in ALL}
    for language, kind, *_ in ALL:
        counts[language, kind] += 1
    for language in ("ja", "zh", "en"):
        assert counts[language, "same"] >= 50
        assert counts[language, "other"] >= 25
    for language in OTHERS:
        assert counts[language, "same"] >= 6
        assert counts[language, "other"] >= 4


@pytest.mark.parametrize(("language", "kind", "written", "heard"), ALL)
def test_every_pair_is_told_for_what_it_is(language: str, kind: str, written: str, heard: str) -> None:
    needs(language)
    found = compare(written, heard, language)
    expected_good = kind == "same" and written not in FALSE_ALARMS or kind == "other" and written in NOT_FOUND
    assert (not found.why) == expected_good, (found.why, found.edits)


def sentences(books: Path, language: str, count: int) -> list[str]:
    """Chunks of a book of about a sentence or two, evenly spread."""
    book = open_book(str(books / BOOKS[language]), TextOptions())
    shortest = 40 if language == "en" else 15
    assert book.document is not None
    found = [chunk.spoken for chunk in islice(cut(book.document, Lengths.of(120)), 1000)]
    found = [spoken for spoken in found if len(spoken) >= shortest]
    return found[:: max(1, len(found) // count)][:count]


def otherwise(text: str, language: str, luck: random.Random) -> str:
    """The same words as a recogniser may write them."""
    if language == "ja":
        import fugashi

        words = fugashi.Tagger()(text)
        in_kana = [luck.random() < 0.3 and re.search("[一-龠]", word.surface) for word in words]
        text = "".join(
            word.feature.kana or word.surface if kana else word.surface
            for word, kana in zip(words, in_kana, strict=True)
        )
    elif language == "zh":
        from opencc import OpenCC

        text = OpenCC(luck.choice(["s2t", "t2s"])).convert(text)
        text = re.sub("[的地得]", lambda _: luck.choice("的地得"), text)
        text = re.sub("[他她它]", lambda _: luck.choice("他她它"), text)
    else:
        text = re.sub(r"['’]", "", text).lower()
        text = re.sub(r"(?<=\w)[- ](?=\w)", lambda gap: "" if luck.random() < 0.05 else gap[0], text)
    return re.sub(r"[^\w\s]|_", " " if language == "en" else "", text)


@pytest.mark.parametrize(("language", "most_false", "least_found"), [("ja", 0, 43), ("zh", 0, 41), ("en", 0, 42)])
def test_pairs_of_books(books: Path, language: str, most_false: int, least_found: int) -> None:
    """What is not found: a run of four words in which four other words stand, as a recogniser mishears names."""
    needs(language)
    if language == "ja":
        pytest.importorskip("fugashi", reason="the check extra is not installed")
    luck = random.Random(18)
    written = sentences(books, language, 50)
    same = [compare(each, otherwise(each, language, luck), language).why for each in written]
    kinds = list(TEXT_FAULTS.values())
    other = []
    for number, each in enumerate(written):
        said = "".join(kinds[number % len(kinds)](pieces(each, language), luck))
        other.append(compare(each, otherwise(said, language, luck), language).why)
    print(f"{language}: {sum(map(bool, other))} of {len(other)} found, {sum(map(bool, same))} of {len(same)} false")
    assert len(written) == 50
    assert sum(map(bool, same)) <= most_false, [why for why in same if why]
    assert sum(map(bool, other)) >= least_found
