"""Where sentences end, in ten languages: "|" marks the end of one, "/" an end within a quotation or before its tag."""

from __future__ import annotations

import pytest
import sentencex
from hypothesis import given
from hypothesis import strategies as st

from narrate.text.brackets import enclosed
from narrate.text.chunking.sentences import Rank, sentence_breaks

CASES = [
    # Japanese: a quotation and what quotes it are one sentence; the name of a book is no speech
    ("ja", "「どこへ行くの？」と彼女は聞いた。|次の文。"),
    ("ja", "「えっ！？」/彼は言った。|「はい」|「いいえ」　|雨だ。"),
    ("ja", "「終点ですよ」と、駅員は言う。|「お気をつけて」"),
    ("ja", "「A。/B。/「C。」/D。」/E。"),
    ("ja", "彼は、「帰る。/もう来ない。」と言って席を立った。|それきりだ。"),
    ("ja", "私は（そう。/たぶん。）思った。|『草枕』は名作だ。|終わり。"),
    ("ja", "あっ！と叫んだ。|でも……行くよ。|そうか……　|行くのか。"),
    ("ja", "U.S.A.へ行った。|３．１４だ。|3.14だ。|Yahoo!ニュースを見た。|Mr. Smithが来た。|It works.　|終わり。"),
    ("ja", "「閉じない。|まだ続く。|もう一つ。"),
    # Chinese
    ("zh", "“你去哪儿？”/她问道。|“回家。”/他说。"),
    ("zh", "玄德曰：“甚好。/可也。”|遂行。|《三国》很好！|他走了……第二天。"),
    ("zh", "他大喊“加油！”的时候摔倒了。|第一句。|Second one. |第三句。"),
    ("zh", "「你好嗎？」/他問。|「很好。」"),
    # English, in a Japanese book too
    ("ja", "Mr. Smith came at 5 p.m. with Dr. No. |He left."),
    ("en", "Mr. and Mrs. Smith paid $3.14 at 5 p.m. to Dr. J. R. No of the U.S. Navy. |Then they left."),
    ("en", "“Who are you?” said the Caterpillar. |“What!” /Alice cried. |“I see,” she said. |He went."),
    ("en", 'He said, "Go away!" |Then he left. |"Who?" she asked. |So did I. |He left.'),
    ("en", "Wait... what? |No. |See No. 7. |It is no. 7 of 10. |See Vol. 7 and p. 5 first. |And so on."),
    ("en", "‘Curiouser and curiouser!’ cried Alice. |She didn’t know. |‘Oh!’ she said."),
    ("en", "One line\nruns on. |The next one."),
    ("en", "1. Milk is white. |2. Eggs are not. |IV. The war began. |Well . . . I don't know. |(She did.)"),
    ("en", "It cost £5 10s. 6d. in all. |See Chap. IV. and Vol. ii. first. |No. |I know."),
    ("en", "“No. /I know,” he said. |He went to house No. I in the lane. |She read the last Chap. |I know."),
    ("en", "She said, “I told you so, you know, long before. /It is all true. "
           "/Would you not believe it? /So it stays, I fear.” |Then."),
    # others
    ("fr", "M. Dupont et Mme. Roux sont venus. |« Quoi ? » dit-il. |Il est parti."),
    ("de", "Das ist z. B. so. |Am 3. Mai kam Dr. Müller im 19. Jahrhundert. |Er sagte: „Komm! Geh!“ |Dann ging er."),
    ("es", "—¿Quién? —preguntó Juan—. |No sé. |El Sr. López vino. |¡Hola!"),
    ("it", "Il sig. Rossi venne. |Poi il Dott. Bianchi. |Che cosa? |Niente."),
    ("pt", "O Sr. Silva e a Profa. Souza chegaram. |Quem? |Ninguém."),
    ("ru", "Это, т. е. так. |А. С. Пушкин родился в Москве. |— Кто? — спросил он. |Он ушёл."),
    # abbreviations of titles and names, also after a dash or a bracket
    ("en", "He met Mons. Petit and Sir Wm. Penn. |Then (Thos. Povy) and—Mr. Pepys went, viz. Sunday. |Home."),
    ("de", "Exz. Graf kam mit Hrn. Innstetten, vgl. Seite drei. |Dann gest. Müller."),
    ("fr", "Mgr. Myriel vit MM. Dupont. |Puis la Vve. Roux."),
    ("es", "El Excmo. Señor vio a Dña. Perfecta y a Mons. Ruiz. |Nada."),
    ("it", "L'avv. Rossi e il Cav. Bianchi. |Niente."),
    ("pt", "A Exma. Senhora viu o Pe. Amaro. |Nada."),
    ("ru", "Проф. Иванов и акад. Павлов, ул. Ленина. |Всё."),
    ("ko", "Mr. Kim과 Dr. Lee가 왔다. |끝."),
    ("zh", "Mr. Wang met Mrs. Li. |He left."),
    ("ko", "그는 갔다. |“누구?” /그가 물었다. |3.14입니다. |정말?! |네."),
]  # fmt: skip


def marked(text: str, language: str) -> str:
    """The text with "|" and "/" where it is cut."""
    parts, begin = [], 0
    for at, rank in sentence_breaks(text, language):
        parts += [text[begin:at], "|" if rank is Rank.SENTENCE else "/"]
        begin = at
    return "".join(parts[:-1])


@pytest.mark.parametrize(("language", "expected"), CASES)
def test_sentences_end_where_a_reader_would_say(language: str, expected: str) -> None:
    assert marked(expected.replace("|", "").replace("/", ""), language) == expected


@pytest.mark.parametrize("text", ["", " ", "。", "...", "「", "」", "x", "U\u3000.あ", "A\u2028.\u200d", "1次"])
def test_odd_texts_have_one_end(text: str) -> None:
    assert sentence_breaks(text, "en")[-1] == (len(text), Rank.SENTENCE)


PAIRS = '「」 『』 （） “” ‘’ „“ „” «» »« ""'.split()
TEXTS = st.text(
    st.sampled_from('ab AB.!?。！？…「」『』（）“”‘’"«»„—、,:;1 2\n\u3000\u2028あ漢한яé\u0301'), max_size=120
)


@given(TEXTS | st.text(max_size=60), st.sampled_from(["ja", "zh", "en", "de", "fr", "ru", "ko", "xx"]))
def test_breaks_are_in_order_and_end_at_the_end(text: str, language: str) -> None:
    places = [at for at, _ in sentence_breaks(text, language)]
    assert places == sorted(set(places))
    assert places[-1] == len(text)
    assert not text or places[0] > 0


@given(TEXTS)
def test_enclosed_spans_are_apart_and_begin_and_end_with_their_marks(text: str) -> None:
    last = 0
    for begin, end in enclosed(text):
        assert last <= begin < end - 1
        assert text[begin] + text[end - 1] in PAIRS
        last = end


class Panic(BaseException):
    """What the Rust side of sentencex raises."""


@pytest.mark.parametrize("broken", ["panics", "loses text"])
def test_when_sentencex_fails_the_marks_decide(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def segment(language: str, text: str) -> list[str]:
        if broken == "panics":
            raise Panic
        return [text[1:]]

    monkeypatch.setattr(sentencex, "segment", segment)
    assert marked("It cost 3.14. “Really?” She went. No end", "en") == "It cost 3.14. |“Really?” /She went. |No end"


def test_an_interrupt_is_not_taken_for_a_panic(monkeypatch: pytest.MonkeyPatch) -> None:
    def segment(language: str, text: str) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(sentencex, "segment", segment)
    with pytest.raises(KeyboardInterrupt):
        sentence_breaks("One. Two.", "en")
