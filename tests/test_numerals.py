from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.text.spoken.numerals import numerals, value_of

SAID = """
en | Louis XIV died. | Louis the Fourteenth died.
en | It was Henry VIII. He ate. | It was Henry the Eighth. He ate.
en | Henry V at Agincourt | Henry the Fifth at Agincourt
en | World War II ended. | World War 2 ended.
en | the XIXth century | the 19th century
en | printed in MCMXIII. | printed in 1913.
en | Chap. V. begins | Chap. 5. begins
en | half, 1/2, and 3/4 | half, one half, and 3 quarters
en | 2 1/2 miles | 2 and a half miles
en | on 12/25/1998 | on December 25, 1998
en | the king, &c. | the king, etc.
de | Ludwig XIV. war alt. | Ludwig der Vierzehnte war alt.
de | unter Friedrich II. Er | unter Friedrich der Zweite. Er
de | Ludwigs XIV. Hof | Ludwigs des Vierzehnten. Hof
de | Katharina II. kam | Katharina die Zweite kam
de | im XIV. Jahrhundert | im vierzehnten Jahrhundert
de | das XIX. Jahrhundert | das neunzehnte Jahrhundert
de | am 12.5.1998 kam | am 12. Mai 1998 kam
de | 3/4 davon | 3 Viertel davon
fr | Louis XIV, roi | Louis 14, roi
fr | François Ier et | François premier et
fr | au XVIIIe siècle | au dix-huitième siècle
fr | la IIe partie | la deuxième partie
fr | le 25/12/1998 | le 25 décembre 1998
es | Felipe II reinó | Felipe segundo reinó
es | Isabel II reinó | Isabel segunda reinó
es | el siglo XVIII | el siglo XVIII
es | 2½ leguas | 2 y medio leguas
it | Luigi XIV e il secolo XVIII | Luigi XIV e il secolo XVIII
pt | D. João VI veio | D. João sexto veio
ru | Людовик XIV умер | Людовик четырнадцатый умер
ru | при Людовике XIV | при Людовике четырнадцатом
ru | Людовика XVI казнили | Людовика шестнадцатого казнили
ru | Екатерина II правила | Екатерина вторая правила
ru | при Екатерине II | при Екатерине второй
ru | XVIII век, XIX века, в XX веке | восемнадцатый век, девятнадцатого века, в двадцатом веке
ru | III столетие | третье столетие
ru | 2½ часа | 2 с половиной часа
ja | 12:30に3/4が | 12時30分に4分の3が
ja | 1998/12/25に | 1998年12月25日に
zh | 9:05到 | 9点5分到
ko | 3/4을 | 4분의 3을
""".strip().split("\n")


def said(text: str, language: str) -> str:
    parts, at = [], 0
    for start, end, words in numerals(text, language):
        parts += text[at:start], words
        at = end
    return "".join(parts) + text[at:]


@pytest.mark.parametrize("row", SAID)
def test_what_is_said(row: str) -> None:
    language, text, wanted = row.split(" | ")
    assert said(text, language) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "as Charles I said", "John V. Smith came", "I am he.", "Malcolm X spoke.", "size XL", "an IV drip", "and/or",
        "MIX it", "an MD and a CD", "IVY", "24/7 and 1/1", "5/12/1998", "12:30", "Vitamin C", "DIVINE", "Mr. XX came",
    ],
)  # fmt: skip
def test_what_is_left(text: str) -> None:
    assert said(text, "en") == text


@pytest.mark.parametrize(("numeral", "value"), [("IV", 4), ("XIX", 19), ("XLII", 42), ("MCMXCIV", 1994)])
def test_values(numeral: str, value: int) -> None:
    assert value_of(numeral) == value


@given(
    st.text("IVXLM .,/:1234&c年Louis", max_size=60),
    st.sampled_from(["en", "de", "fr", "es", "ru", "ja", "zh", "ko", "it", "pt"]),
)
def test_finds_are_in_order_and_disjoint(text: str, language: str) -> None:
    found = numerals(text, language)
    assert all(start < end for start, end, _ in found)
    assert all(a[1] <= b[0] for a, b in zip(found, found[1:], strict=False))
