"""Is what was heard what is written? Pairs that sound alike and pairs that do not, and what a fault is called."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("rapidfuzz", reason="the check extra is not installed")

from narrate.text.comparison import japanese
from narrate.text.comparison.compare import Comparison, compare

JAPANESE_ALIKE = [
    ("雨は止んだが、道はまだ暗い。", "あめはやんだが道はまだくらい"),
    ("一九二三年の秋、五人で出発した。", "1923年の秋5人で出発した"),
    ("「御免なさい」と彼は云った。", "ごめんなさいと彼は言った"),
    ("何処へ行くのか判らない。", "どこへ行くのかわからない"),
    ("三百二十円五十銭を払った。", "320円50銭を払った"),
    ("齋藤さんと渡邊さん", "斎藤さんと渡辺さん"),
    ("到頭やって来た。", "とうとうやってきた"),
    ("珈琲を一杯", "コーヒーをいっぱい"),
    ("続きを図書館で読む", "つずきを図書館でよむ"),
]
JAPANESE_OTHER = [
    ("猫が庭の向こうへ走っていった。", "犬が山のこちらで寝ていた"),
    ("雨は止んだが、道はまだ暗い。", "道はまだ暗い"),
    ("雨は止んだが、道はまだ暗い。", "雨は止んだが道はまだ暗い道はまだ暗い"),
    ("彼は長い手紙を書いて、夜のうちに出した。", "彼は長い手紙を書いて"),
]
CHINESE_ALIKE = [
    ("他說這座橋有三百年了。", "她说这座桥有300年了"),
    ("二〇二三年四月五日", "2023年4月5日"),
    ("百分之三十的人", "30%的人"),
    ("第两百一十六章", "第216章"),
    ("萧先生慢慢地走", "肖先生慢慢的走"),
]
CHINESE_OTHER = [
    ("他走了进来，坐在桌边，一句话也没说。", "他坐在桌边一句话也没说"),
    ("月亮升起来了，照着河面。", "太阳落下去了照着山"),
    ("月亮升起来了，照着河面。", "月亮升起来了照着河面照着河面"),
]
WORDS_ALIKE = [
    ("en", "In 1905, twenty-one men left.", "In nineteen oh five 21 men left"),
    ("en", "Mr. O'Neill's colour was grey.", "mister oneills color was gray"),
    ("en", "She was a high school teacher, wasn't she?", "she was a highschool teacher wasnt she"),
    ("en", "It cost 101 pounds.", "it cost one hundred one pounds"),
    ("de", "Er zählte bis 12 und ging.", "er zählte bis zwölf und ging"),
    ("fr", "Il avait 20 ans.", "il avait vingt ans"),
    ("es", "Tenía 3 hijos.", "tenía tres hijos"),
    ("ru", "Их было 5.", "их было пять"),
]
WORDS_OTHER = [
    ("en", "The lamp went out, and nobody had heard the bell.", "and nobody had heard the bell"),
    ("en", "The lamp went out, and nobody had heard the bell.", "the lamp went out and nobody had heard"),
    ("en", "The lamp went out, and nobody had heard.", "the lamp went out and nobody had heard nobody had heard"),
    ("en", "The lamp went out, and nobody had heard the bell.", "a dog ran over the wet street at noon"),
    ("de", "Die Lampe ging aus, und niemand hörte es.", "und niemand hörte es"),
]


def needs(language: str) -> None:
    packages = {"ja": ("pyopenjtalk",), "zh": ("pypinyin", "opencc", "cn2an")}.get(language, ("num2words",))
    for package in packages:
        pytest.importorskip(package, reason="the check extra is not installed")


def compared(language: str, written: str, heard: str) -> Comparison:
    needs(language)
    return compare(written, heard, language)


ALIKE = [*(("ja", *pair) for pair in JAPANESE_ALIKE), *(("zh", *pair) for pair in CHINESE_ALIKE), *WORDS_ALIKE]
OTHER = [*(("ja", *pair) for pair in JAPANESE_OTHER), *(("zh", *pair) for pair in CHINESE_OTHER), *WORDS_OTHER]


@pytest.mark.parametrize(("language", "written", "heard"), ALIKE)
def test_what_sounds_alike_is_good(language: str, written: str, heard: str) -> None:
    found = compared(language, written, heard)
    assert not found.why
    assert found.rate == 0 or found.letters == 0


@pytest.mark.parametrize(("language", "written", "heard"), OTHER)
def test_what_is_lost_doubled_or_other_is_not(language: str, written: str, heard: str) -> None:
    assert compared(language, written, heard).why


@pytest.mark.parametrize(
    ("written", "heard", "why"),
    [
        ("The lamp went out, and nobody cared.", "and nobody cared", "“the lamp went out” is missing at the beginning"),
        ("The lamp went out, and nobody cared.", "the lamp went out", "“and nobody cared” is missing at the end"),
        ("The lamp went out at last.", "the lamp went out at last at last", "“at last” is doubled at the end"),
        ("They came to be of use at last.", "they came be to of use at last", ""),  # two letters may be misheard
        ("The lantern went out last night.", "the went out lantern last night", "“lantern” is in another place"),
        ("The lamp went out.", "the lamp thank you all for watching went out", "“thank you all for watching” is added"),
        (
            "The lamp in the old house went out of the hill.",
            "the lamp in the old house went out hill",
            "",
        ),  # two short words in the middle
        ("The lamp by the window went out.", "the lamp went out", "“by the window” is missing"),
        (
            "Nobody knew the lighthouse keeper at all.",
            "nobody knew a crimson motorcycle at all",
            "“the lighthouse keeper” was heard as “a crimson motorcycle”",
        ),
        ("We went home.", "we walked back", "67% of it was heard otherwise"),
    ],
)
def test_it_says_what_is_wrong(written: str, heard: str, why: str) -> None:
    assert compared("en", written, heard).why == why


@pytest.mark.parametrize(
    ("language", "written", "heard"),
    [
        ("ja", "上方に人気のない道を行く人", "かみがたにひとけのない道をゆく人"),
        ("en", "Mr. Ferrars smiled.", "mr farris smiled"),
    ],
)
def test_a_name_or_a_homograph_alone_is_no_fault(language: str, written: str, heard: str) -> None:
    assert not compared(language, written, heard).why


@pytest.mark.parametrize(
    ("kana", "folded"),
    [
        ("ホウセイ", "ホーセー"),
        ("ほーせー", "ホーセー"),
        ("オオカミ", "オーカミ"),
        ("おうかみ", "オーカミ"),
        ("ツヅキヲ", "ツズキオ"),
        ("ハナヂ", "ハナジ"),
        ("コ、ウ。", "コー"),
    ],
)
def test_kana_that_sound_alike_are_one(kana: str, folded: str) -> None:
    assert japanese.fold(kana) == folded


WORDS = "lamp bell house night coat river stone green often under walk seven bread window north".split()


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=30))
def test_a_text_is_always_what_it_is(words: list[str]) -> None:
    needs("en")
    found = compare(" ".join(words), " ".join(words), "en")
    assert (found.edits, found.rate, found.why) == ((), 0, "")


@settings(deadline=None)
@given(st.permutations(WORDS), st.integers(4, 10), st.integers(0, 5), st.integers(4, 6))
def test_a_run_that_is_cut_out_is_found(words: list[str], before: int, shift: int, size: int) -> None:
    needs("en")
    cut = [*words[:before], *words[before + size :]]
    found = compare(" ".join(words), " ".join(cut), "en")
    assert sum(len(edit.written) for edit in found.edits) == min(size, len(words) - before)
    assert found.why


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["ja", "zh", "en", "de"]))
def test_no_text_is_too_strange(written: str, heard: str, language: str) -> None:
    needs(language)
    found = compare(written, heard, language)
    assert found.rate >= 0
    assert (found.rate == 0) == (not found.edits) or found.letters == 0
