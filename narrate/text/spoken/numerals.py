"""Says Roman numerals, fractions, dates, times and "&c." as a reader does, where a small voice does not.

What eSpeak NG 1.52 and Open JTalk 1.11 were found to say (by their phonemes), and what is done about it:

class              example            eSpeak, Open JTalk               here
kings and popes    Louis XIV          en "roman fourteen"              the Fourteenth
                   Ludwig XIV.        de "römisch vierzehn"            der Vierzehnte
                   Louis XIV, Ier     fr "quatorze romain", "jé"       14, premier
                   Felipe II          es "dos"                         segundo; 11 and more are right
                   João VI            pt "vi"                          sexto; 11 and more are right
                   Людовика XIV       ru "ex ai vee", in English       четырнадцатого, by the ending of the name
                   Luigi XIV          it right                         left
centuries          XVIIIe siècle      fr "iksvjji"                     dix-huitième
                   XIV. Jahrhundert   de "römisch"                     vierzehnte, vierzehnten
                   XIXth century      en letters                       19th
                   XVIII века         ru in English                    восемнадцатого
                   siglo, secolo XVIII  es, it, pt right               left
other numerals     World War II       en, de, fr, ru "roman two"       2
years              MCMXIII            en, de, ru gibberish             1913
fractions          3/4                "three slash four", or a pause   three quarters, 四分の三
                   ½                  es, ru in English; else right    medio, половина
times              12:30              ja, zh a pause; else right       12時30分, 12点30分
dates              25/12/1998         "slash", "Punkt"                 25 décembre 1998, 25. Dezember 1998
and so on          &c.                en "and see"                     etc.
number             № 5                fr, es nothing                   numéro (spoken/sayable.py)

Qwen3-TTS says both forms of each class alike, because it was trained on both; so all voices are given the same words,
and a take does not depend on which voice the words were meant for.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from narrate.text.structure.headings import LABEL

Found = tuple[int, int, str]

# It begins with one class of signs, which a search finds fast.
MAYBE = re.compile(
    r"[IVXM&0-9½¼¾⅓⅔](?:(?<=[IVX])[IVXLCDMe]|(?<=[VX])(?!\w)|(?<=M)[CDX]|(?<=&)c|(?<=\d)[/:.]\d|(?<=[½¼¾⅓⅔]))"
)
ROMAN = r"(?=[IVXL])(?:X{0,3}(?:IX|IV|V?I{0,3})|X[LC](?:IX|IV|V?I{0,3})|LX{0,3}(?:IX|IV|V?I{0,3}))(?<=[IVXLC])"
YEAR = r"(?=\w{4})M(?:CM|DC{0,3}|CD|C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}

KINGS = (
    "Louis Henry Charles Edward George William James Richard Philip Francis Frederick Leo Pius Innocent Clement "
    "Benedict Paul John Alexander Nicholas Napoleon Peter Catherine Elizabeth Mary Ivan Otto Conrad Ferdinand "
    "Joseph Leopold Albert Victor Humbert Urban Sixtus Julius Boniface Adrian Celestine Christian Gustavus Rudolf "
    "Ludwig Heinrich Karl Friedrich Wilhelm Georg Franz Johann Philipp Eduard Jakob Nikolaus Katharina Elisabeth "
    "Konrad Josef Maximilian Gregor Benedikt Innozenz Klemens "
    "Henri Édouard Georges Guillaume Jacques Philippe François Frédéric Pie Léon Grégoire Benoît Jean Alexandre "
    "Pierre Élisabeth Marie Napoléon Charles-Albert Victor-Emmanuel Ferdinand "
    "Maria Felipe Carlos Fernando Alfonso Enrique Isabel Luis Juan Pedro Sancho Ramiro Jaime Pío León Gregorio "
    "João Afonso Manuel Sebastião Luís Henrique Filipe Dinis José Miguel Gregory Nicolas"
)
KING = "|".join(sorted({*KINGS.split()}, key=len, reverse=True))
WOMEN = frozenset("Catherine Elizabeth Mary Katharina Elisabeth Maria Élisabeth Marie Isabel".split())
OF_KING = re.compile(rf"\b(?P<name>{KING})(?P<of>s?) (?P<number>{ROMAN})\b(?P<dot>\.?)")
RUSSIAN_KING = re.compile(rf"\b(?P<name>[А-ЯЁ][а-яё]{{2,12}}) (?P<number>{ROMAN})\b")
GERMAN_CENTURY = re.compile(rf"(?P<before>\b[Dd]as |\b[Ee]in )?\b(?P<number>{ROMAN})\.(?= (?:Jahrh|Jh))")
FRENCH_ORDINAL = re.compile(rf"\b(?P<number>{ROMAN})(?P<ending>er|re|ère|ème|e|me)\b")
ENGLISH_ORDINAL = re.compile(rf"\b(?P<number>{ROMAN})(?P<ending>th|st|nd|rd)\b")
RUSSIAN_CENTURY = re.compile(rf"\b(?P<number>{ROMAN})(?= (?P<word>век|столет)(?P<ending>\w*))")
CARDINAL = re.compile(rf"(?<![\w.&'’-])(?P<number>{ROMAN}|{YEAR})(?![\w&'’-])")
# A numeral of one letter is one only behind a word such as "Book", and in English "I" only before a mark.
LABELLED = re.compile(rf"\b(?:{LABEL}|(?i:vol|chap|cap|bk|t|liv|lib)\.) (?P<number>[IVX])(?=[.,;:)\]—–]|$)")
ENGLISH = (
    "First Second Third Fourth Fifth Sixth Seventh Eighth Ninth Tenth Eleventh Twelfth Thirteenth Fourteenth Fifteenth "
    "Sixteenth Seventeenth Eighteenth Nineteenth Twentieth Twenty-First Twenty-Second Twenty-Third Twenty-Fourth"
).split()
GERMAN = (
    "erst zweit dritt viert fünft sechst siebt acht neunt zehnt elft zwölft dreizehnt vierzehnt fünfzehnt sechzehnt "
    "siebzehnt achtzehnt neunzehnt zwanzigst einundzwanzigst zweiundzwanzigst dreiundzwanzigst vierundzwanzigst"
).split()
FRENCH = (
    "premier deuxième troisième quatrième cinquième sixième septième huitième neuvième dixième onzième douzième "
    "treizième quatorzième quinzième seizième dix-septième dix-huitième dix-neuvième vingtième vingt-et-unième"
).split()
SPANISH = "primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo".split()
PORTUGUESE = "primeiro segundo terceiro quarto quinto sexto sétimo oitavo nono décimo".split()
RUSSIAN = (
    "перв втор трет четвёрт пят шест седьм восьм девят десят одиннадцат двенадцат тринадцат четырнадцат пятнадцат "
    "шестнадцат семнадцат восемнадцат девятнадцат двадцат"
).split()
# The endings of a Russian ordinal by the last letters of the word that it goes with: men, then women.
MALE = {"а": "ого", "я": "ого", "у": "ому", "ю": "ому", "ом": "ым", "ем": "ым", "е": "ом", "": "ый"}
FEMALE = {"ы": "ой", "и": "ой", "е": "ой", "у": "ую", "ю": "ую", "ой": "ой", "ей": "ой", "а": "ая", "я": "ая"}
RUSSIAN_WOMEN = re.compile("(?:Екатерин|Елизавет|Анн|Мари|Изабелл|Христин)(?=\\w{1,2}$)")

FRACTION = re.compile(r"(?<![\d/.,])(?:(\d{1,4}) )?([1-9])/([2-9]|10)(?![\d/]|[ -]?(?i:time|takt|tempo|mesure))")
PARTS = {
    "en": "half third quarter fifth sixth seventh eighth ninth tenth",
    "de": "halb Drittel Viertel Fünftel Sechstel Siebtel Achtel Neuntel Zehntel",
    "fr": "demi tiers quart cinquième sixième septième huitième neuvième dixième",
    "es": "medio tercio cuarto quinto sexto séptimo octavo noveno décimo",
    "it": "mezzo terzo quarto quinto sesto settimo ottavo nono decimo",
    "pt": "meio terço quarto quinto sexto sétimo oitavo nono décimo",
}
ONE = {"en": "one", "de": "ein", "fr": "un", "es": "un", "it": "un", "pt": "um"}
AND = {"en": " and ", "de": " und ", "fr": " et ", "es": " y ", "it": " e ", "pt": " e "}
OVER = {"ja": "{1}分の{0}", "zh": "{1}分之{0}", "ko": "{1}분의 {0}"}
SIGNS = re.compile(r"(\d?) ?([½¼¾⅓⅔])")
SIGN_WORDS = {
    "es": {"½": "medio", "¼": "un cuarto", "¾": "tres cuartos", "⅓": "un tercio", "⅔": "dos tercios"},
    "ru": {"½": "половина", "¼": "четверть", "¾": "три четверти", "⅓": "треть", "⅔": "две трети"},
}
TIME = re.compile(r"(?<![\d:.])([01]?\d|2[0-4]):([0-5]\d)(?![\d:])")
TIME_WORDS = {"ja": "{}時{}分", "zh": "{}点{}分"}
DATE = re.compile(r"(?<![\d/.])(\d{1,2})(?P<sign>[/.])(\d{1,2})(?P=sign)(\d{4})(?![\d/])")
EAST_ASIAN_DATE = re.compile(r"(?<![\d/.])(?:(\d{4})/)(\d{1,2})/(\d{1,2})(?![\d/])")
MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}
DATE_WORDS = {"de": "{d}. {m} {y}", "es": "{d} de {m} de {y}", "pt": "{d} de {m} de {y}", "en": "{m} {d}, {y}"}
AND_SO_ON = re.compile(r"&c\b\.?")
AND_SO_ON_WORDS = {"de": "usw.", "ru": "и так далее", "es": "etcétera", "it": "eccetera"}


def numerals(text: str, language: str) -> list[Found]:
    """Return (start, end, what to say) for what a small voice says wrongly, in order and disjoint."""
    if not MAYBE.search(text):
        return []
    found: list[Found] = []
    for pattern, say in (*SAY.get(language, ()), *SAY_ALWAYS):
        group = "number" if pattern in (RUSSIAN_KING, RUSSIAN_CENTURY, CARDINAL, LABELLED) else 0
        for match in pattern.finditer(text):
            if (said := say(match, language)) is not None:
                found.append((*match.span(group), said))
    kept: list[Found] = []
    for one in sorted(found, key=lambda one: (one[0], -one[1])):
        if not kept or one[0] >= kept[-1][1]:
            kept.append(one)
    return kept


def value_of(numeral: str) -> int:
    """Return the value of a Roman numeral in capitals."""
    values = [VALUES[sign] for sign in numeral]
    return sum(-a if a < b else a for a, b in zip(values, (*values[1:], 0), strict=True))


def _nth(words: list[str], number: int) -> str | None:
    return words[number - 1] if 1 <= number <= len(words) else None


def _english_king(match: re.Match[str], language: str) -> str | None:
    rest = match.string[match.end() : match.end() + 2]
    if match["number"] == "I" or (len(match["number"]) == 1 and match["dot"] and rest[1:].isupper()):
        return None  # "as Charles I said", "John V. Smith"
    word = _nth(ENGLISH, value_of(match["number"]))
    return f"{match['name']}{match['of']} the {word}{match['dot']}" if word else None


def _german_king(match: re.Match[str], language: str) -> str | None:
    word = _nth(GERMAN, value_of(match["number"]))
    if not word or not match["dot"]:
        return None
    article, ending = ("des", "en") if match["of"] else ("die", "e") if match["name"] in WOMEN else ("der", "e")
    rest = match.string[match.end() :]
    over = "." if not rest.strip() or re.match(r"\s+[A-ZÄÖÜ„»]", rest) else ""
    return f"{match['name']}{match['of']} {article} {word.capitalize()}{ending}{over}"


def _french_king(match: re.Match[str], language: str) -> str | None:
    number = value_of(match["number"])
    return f"{match['name']}{match['of']} {number}{match['dot']}" if number > 1 else None


def _spanish_king(match: re.Match[str], language: str) -> str | None:
    word = _nth(SPANISH if language == "es" else PORTUGUESE, value_of(match["number"]))
    if not word or match["of"]:
        return None
    return f"{match['name']} {word[:-1] + 'a' if match['name'] in WOMEN else word}{match['dot']}"


def _russian_king(match: re.Match[str], language: str) -> str | None:
    name, stem = match["name"], _nth(RUSSIAN, value_of(match["number"]))
    if not stem or match["number"] in ("I", "X", "V"):
        return None
    if woman := RUSSIAN_WOMEN.match(name):
        return _declined(stem, FEMALE.get(name[woman.end() :], "ая"))
    return _declined(stem, next((MALE[end] for end in MALE if end and name.endswith(end)), "ый"))


def _russian_century(match: re.Match[str], language: str) -> str | None:
    stem = _nth(RUSSIAN, value_of(match["number"]))
    neuter = match["word"] == "столет"
    ending = {"": "ый", "а": "ого", "у": "ому", "ом": "ым", "е": "ом", "ие": "ое", "ия": "ого", "ии": "ом"}
    return _declined(stem, ending.get(match["ending"], "ое" if neuter else "ый")) if stem else None


def _declined(stem: str, ending: str) -> str:
    soft = {"ый": "ий", "ого": "ьего", "ому": "ьему", "ым": "ьим", "ом": "ьем", "ая": "ья", "ой": "ьей", "ую": "ью"}
    if stem == "трет":
        return stem + (soft | {"ое": "ье"}).get(ending, "ий")
    if ending == "ый" and stem in ("втор", "шест", "седьм", "восьм"):
        return stem + "ой"
    return stem + ending


def _german_century(match: re.Match[str], language: str) -> str | None:
    word = _nth(GERMAN, value_of(match["number"]))
    return f"{match['before'] or ''}{word}{'e' if match['before'] else 'en'}" if word else None


def _french_ordinal(match: re.Match[str], language: str) -> str | None:
    number = value_of(match["number"])
    if number == 1:
        return {"er": "premier", "re": "première", "ère": "première"}.get(match["ending"])
    return _nth(FRENCH, number) if match["ending"] in ("e", "ème", "me") and number > 1 else None


def _english_ordinal(match: re.Match[str], language: str) -> str | None:
    number = value_of(match["number"])
    ending = "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}" if match["ending"] == ending else None


def _cardinal(match: re.Match[str], language: str) -> str | None:
    numeral = match["number"]
    before = match.string[max(0, match.start() - 4) : match.start()]
    if len(numeral) == 1 or (len(numeral) == 2 and set(numeral) & set("LC")) or before.split()[-1:] == ["an"]:
        return None  # XL, an IV
    if set(numeral) == {"X"} and before.endswith((". ", ".\xa0")):
        return None  # Mr. XX
    return str(value_of(numeral))


def _labelled(match: re.Match[str], language: str) -> str:
    return str(value_of(match["number"]))


def _fraction(match: re.Match[str], language: str) -> str | None:
    whole, over, under = match[1], int(match[2]), int(match[3])
    if over >= under:
        return None
    if language in OVER:
        return (f"{whole}と" if whole and language == "ja" else whole or "") + OVER[language].format(over, under)
    if language not in PARTS:
        return None
    part = PARTS[language].split()[under - 2]
    if whole and under == 2:
        return whole + AND[language] + {"en": "a half", "de": "ein halb", "it": "mezzo"}.get(language, part)
    if over > 1 and language != "de":
        part = part if part.endswith("s") else part[:-1] + "i" if language == "it" else part + "s"
    return (whole + AND[language] if whole else "") + f"{ONE[language] if over == 1 else over} {part}"


def _sign(match: re.Match[str], language: str) -> str:
    word = SIGN_WORDS[language][match[2]]
    if not match[1]:
        return word
    if language == "ru" and match[2] == "½":
        return f"{match[1]} с половиной"
    return f"{match[1]}{' и ' if language == 'ru' else ' y '}{word}"


def _time(match: re.Match[str], language: str) -> str:
    minutes = match[2].removeprefix("0")
    return TIME_WORDS[language].format(match[1], minutes) if minutes != "0" else f"{match[1]}{TIME_WORDS[language][2]}"


def _date(match: re.Match[str], language: str) -> str | None:
    day, month, sign = int(match[1]), int(match[3]), match["sign"]
    if language == "en":
        if sign != "/" or (day <= 12 and month <= 12 and day != month):
            return None  # nobody knows which is the month
        day, month = (month, day) if month > 12 else (day, month)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    name = MONTHS[language].split()[month - 1]
    return DATE_WORDS.get(language, "{d} {m} {y}").format(d=day, m=name, y=match[4])


def _east_asian_date(match: re.Match[str], language: str) -> str | None:
    fits = 1 <= int(match[2]) <= 12 and 1 <= int(match[3]) <= 31
    return f"{match[1]}年{int(match[2])}月{int(match[3])}日" if fits else None


def _and_so_on(match: re.Match[str], language: str) -> str:
    return AND_SO_ON_WORDS.get(language, "etc.")


Say = Callable[[re.Match[str], str], str | None]
Rules = tuple[tuple[re.Pattern[str], Say], ...]
NUMBERS: Rules = ((LABELLED, _labelled), (CARDINAL, _cardinal))
SAY: dict[str, Rules] = {
    "en": ((OF_KING, _english_king), (ENGLISH_ORDINAL, _english_ordinal), (DATE, _date), *NUMBERS),
    "de": ((OF_KING, _german_king), (GERMAN_CENTURY, _german_century), (DATE, _date), *NUMBERS),
    "fr": ((OF_KING, _french_king), (FRENCH_ORDINAL, _french_ordinal), (DATE, _date), *NUMBERS),
    "es": ((OF_KING, _spanish_king), (DATE, _date), (SIGNS, _sign)),
    "pt": ((OF_KING, _spanish_king), (DATE, _date)),
    "it": ((DATE, _date),),
    "ru": (
        (RUSSIAN_KING, _russian_king), (RUSSIAN_CENTURY, _russian_century), (DATE, _date), (SIGNS, _sign), *NUMBERS,
    ),
    "ja": ((TIME, _time), (EAST_ASIAN_DATE, _east_asian_date)),
    "zh": ((TIME, _time), (EAST_ASIAN_DATE, _east_asian_date)),
}  # fmt: skip
SAY_ALWAYS: Rules = ((FRACTION, _fraction), (AND_SO_ON, _and_so_on))
