"""Knows lines that say themselves that they are headings: "Chapter 3", "Zweiter Teil", "第三回", "제1장", "Epilogue".

It rather misses a heading than takes a sentence for one that only begins like a heading.
"""

from __future__ import annotations

import re

from narrate.text.characters import FIRST_EAST_ASIAN, FULLWIDTH_DIGITS, HAN_NUMERALS


def _either(words: str) -> str:
    return "|".join(sorted(words.split(), key=len, reverse=True))


# Labels by their level: parts stand above chapters, scenes below them.
PARTS = "book part volume vol buch teil band partie livre tome parte libro tomo livro книга часть том"
CHAPTERS = (
    "chapter chap stave canto letter adventure episode story lecture act kapitel brief akt aufzug chapitre lettre acte "
    "capítulo capitulo carta acto capitolo lettera atto ato глава письмо действие"
)
SECTIONS = "section scene abschnitt szene auftritt scène escena scena cena раздел явление"
LEVELS = {word: level for level, words in enumerate((PARTS, CHAPTERS, SECTIONS), 1) for word in words.split()}
LABEL = _either(" ".join(LEVELS))
COUNT = _either(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred last final eins zwei drei "
    "vier fünf sechs sieben acht neun zehn elf zwölf un deux trois quatre cinq sept huit neuf dix onze douze uno "
    "dos tres cuatro cinco seis siete ocho nueve diez due tre quattro cinque sei sette otto nove dieci trece "
    "catorce quince dieciséis diecisiete dieciocho diecinueve veinte treinta cuarenta cincuenta sesenta setenta "
    "ochenta noventa cien ciento doscientos treize quatorze quinze seize vingt vingts trente quarante cinquante "
    "soixante cent cents deux-cents tredici quattordici quindici sedici diciassette diciotto diciannove venti "
    "trenta quaranta cinquanta sessanta settanta ottanta novanta cento duecento treze dezesseis dezasseis "
    "dezessete dezassete dezoito dezenove dezanove vinte trinta quarenta cinquenta sessenta oitenta cem duzentos "
    "двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто сто двести одиннадцать "
    "двенадцать hundert zweihundert um dois três quatro oito dez один два три четыре пять шесть семь восемь "
    "девять десять dernier último ultimo última"
)
# Numerals in one word: einundzwanzig, dreizehn, veintiuno, ventuno, тринадцать.
JOINED = (
    r"\w+(?:zehn|zig|ßig)|veinti\w+|(?:venti?|trent|quarant|cinquant|sessant|settant|ottant|novant|cento)\w+|\w+надцать"
)
ORDINAL = (
    r"first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|\w+teenth|twentieth|\w+tieth"
    r"|(?:erst|zweit|dritt|viert|fünft|sechst|siebent|siebt|acht|neunt|zehnt|elft|zwölft|\w+zehnt|\w+[zß]i?gst|\w*hundert\w*st|letzt)"
    r"e[rsn]?"
    r"|premi[eè]re?|seconde?|\w+ième|prim[oa]|primeir[oa]|primera?|primero|segund[oa]|tercer[oa]?|terceir[oa]|cuart[oa]"
    r"|quart[oa]|quint[oa]|sext[oa]|s[eé][pt]+im[oa]|octav[oa]|oitav[oa]|noven[oa]|non[oa]|d[eé]cim[oa]|second[oa]"
    r"|terz[oa]|sest[oa]|settim[oa]|ottav[oa]|\w+[eé]sim[oa]|und[eé]cim[oa]|duod[eé]cim[oa]|decimo\w+|cent[eé]sim[oa]|hundredth"
    r"|(?:перв|втор|трет|четв[её]рт|пят|шест|седьм|восьм|девят|десят|\w+надцат|двадцат|тридцат|сороков|\w+десят|девяност|двухсот|сот|последн)\w{1,3}"
)
# Numerals of several words: twenty-first, vingt et unième, ciento doce, двадцать первая.
COUNTED = rf"(?:{COUNT}|{JOINED})(?:[- ](?:(?:and|et|e|y|и) )?(?:{COUNT}|{JOINED}))*"
ORDINALS = rf"(?:{COUNTED}[- ](?:(?:and|et|e|y) )?)?(?:{ORDINAL})(?:[- ](?:{ORDINAL}))*"
ROMAN = "[IVXLCІХ]{1,9}"
TITLE = r"(?P<title>\s*[.,:)\]–—―-]+.*|\s+.*)?"
LABELLED = re.compile(
    rf"(?P<label>{LABEL})\.?\s+(?:the |der |das |la |le )?"
    rf"(?P<number>\d{{1,4}}|{ROMAN}|{ORDINALS}|{COUNTED})\b{TITLE}",
    re.IGNORECASE,
)
NUMBERED = re.compile(
    rf"(?:the |das |der |la |le )?(?P<number>\d{{1,3}}\.|{ROMAN}\.|{ORDINALS})\s*(?P<label>{LABEL})\b{TITLE}",
    re.IGNORECASE,
)
NAMED = re.compile(
    r"(?:author'?s |translator'?s |the )?(?:preface|introduction|prologue|epilogue|foreword|afterword|postscript"
    r"|conclusion|appendix|interlude|vorwort|einleitung|nachwort|prolog|epilog|anhang|vorrede|préface|avant-propos"
    r"|épilogue|introducción|prólogo|epílogo|prefacio|introduzione|prologo|epilogo|prefazione|prefácio|introdução"
    r"|posfácio|пролог|эпилог|предисловие|послесловие|введение|заключение)(?: [ivxlc]+| to .{3,50})?[.:]?",
    re.IGNORECASE,
)
FIRST_WORD = re.compile(r"\w+")
MAY_START = re.compile(rf"{LABEL}|the|das|der|la|le|\d+|{ROMAN}|{COUNT}|{JOINED}|{ORDINAL}", re.IGNORECASE)

HAN_NUMBER = f"[0-9{FULLWIDTH_DIGITS}{HAN_NUMERALS}零兩两壹贰貳叁參肆伍陆陸柒捌玖拾佰仟廿卅]+"
HAN_LEVELS = (
    dict.fromkeys("卷巻部集册冊", 1) | dict.fromkeys("章回话話篇編编幕折夜", 2) | dict.fromkeys("节節场場段", 3)
)
# 第一回 is a chapter, but 第一回合 is a round of boxing. Other counters have such words, too.
COMPOUND = (
    "回(?:合|头|来|到|应|答|忆|去|信|家)|[节節](?:课|課|目|点|點|日|奏)|部(?:分|队|隊|门|門|长|長|下|落|位|属|屬|署|件|电)"
    "|集(?:团|合|体|市|中)|卷(?:入|起|走|子|土|轴|发)|[话話](?:题|題|说|語|语|剧|劇)|章(?:鱼|程|法|句)|篇(?:文|幅|小说)"
    "|幕(?:后|僚|府|布)|段(?:时|時|落|路|话|話)|夜(?:里|晚|色)"
)
HAN_LABELLED = re.compile(
    rf"(?:正文\s*)?(?:(?:第\s*{HAN_NUMBER}\s*[卷巻部集]\s*\S{{0,15}}|[上中下前後后][卷巻編编篇]|[卷巻編编篇][上中下])\s+)?"
    rf"(?:第\s*(?P<number>{HAN_NUMBER}|{ROMAN})\s*(?!{COMPOUND})(?P<label>[{''.join(HAN_LEVELS)}])"
    rf"|卷[之第]?(?P<scroll>{HAN_NUMBER}))(?P<title>.*)"
)
HAN_NAMED = re.compile(
    f"(?:[序跋引上中下]|卷[上中下]|[上中下前後后][編篇编巻卷]|番外之.{{1,20}}|(?:その|其の|其){HAN_NUMBER}|(?:序章|序言|序幕|前言|自序|代序"
    "|楔子|引子|引言|开篇|開篇|尾声|尾聲|终章|終章|最终章|最終章|最終話|后记|後記|附录|附錄|番外[篇编編]?|外传|外傳|完本感言"
    "|プロローグ|エピローグ|あとがき|まえがき|はじめに|おわりに|幕間|間章|閑話|프롤로그|에필로그|서장|종장"
    "|서문|머리말|작가의 말|외전)"
    f"(?:\\s*{HAN_NUMBER})?(?:[\\s:：、.．・—―-].{{0,40}})?)"
)
HANGUL = re.compile(
    rf"(?:제\s*(?:\d{{1,4}}|{HAN_NUMBER})\s*(?P<label>[장화부편권막회])|\d{{1,4}}(?P<short>[장화부권]))(?P<title>[\s.:：].*)?"
)
HANGUL_LEVELS = dict.fromkeys("부권", 1) | dict.fromkeys("장화편막회", 2)

DECORATION = "*_=~#-–—―<>«»|·＊＃＝※★☆◆◇■□●○▼▽ \u3000\x00\t"
BRACKETED = re.compile("[【\\[〈《（(「『](.+)[】\\]〉》）)」』]")
# What is left out of a line, and the mark of a note at its end.
NOTE_MARK = re.compile(r"\x00+|(?<=\S) ?\[(?:\d{1,3}|\*{1,3}|[a-zA-Z])\](?=[.:]?$)")
LONGEST = 100


def bare(text: str) -> str:
    """Return a heading's text without the signs that decorate it."""
    if "\x00" in text or "]" in text[-2:]:
        text = NOTE_MARK.sub("", text)
    text = text.strip(DECORATION)
    bracketed = BRACKETED.fullmatch(text)
    return bracketed[1].strip() if bracketed else text


def heading_level(text: str) -> int:
    """Return the level of a line that says that it is a heading (1 is the highest), 0 for any other line."""
    text = bare(text)
    if not text or len(text) > LONGEST:
        return 0
    return _latin(text) if text[0] < FIRST_EAST_ASIAN else _east_asian(text)


def number_of(text: str) -> tuple[str, str] | None:
    """Return label and number of a heading such as "Chapter 3"; None for any other text.

    The same heading has the same label and number in the table of contents.
    """
    match = LABELLED.match(text) or NUMBERED.match(text)
    if match and _is_title(match["title"] or ""):
        return match["label"].lower(), match["number"].upper()
    if match := HAN_LABELLED.match(text):
        return match["label"] or "卷", match["number"] or match["scroll"]
    return None


def without_title(text: str) -> bool:
    """Return True for "CHAPTER I" and "Chapter 1.", whose title may stand on the next line."""
    match = LABELLED.fullmatch(text) or NUMBERED.fullmatch(text) or HAN_LABELLED.fullmatch(text)
    return bool(match and not (match["title"] or "").strip(" .:-–—"))


def is_named(text: str) -> bool:
    """Return True for "Preface", "Epilogue", "楔子": chapters that have a name and no number."""
    return bool(NAMED.fullmatch(bare(text)) or HAN_NAMED.fullmatch(bare(text)))


def _latin(text: str) -> int:
    first = FIRST_WORD.match(text)
    if not first or not (text[0].isupper() or text[0].isdigit()):
        return _hangul(text) if first else 0
    if MAY_START.fullmatch(first[0]):
        match = LABELLED.fullmatch(text) or NUMBERED.fullmatch(text)
        if match and _is_title(match["title"] or ""):
            return LEVELS[match["label"].lower()]
    return 2 if len(text) < 70 and NAMED.fullmatch(text) else _hangul(text)


def _is_title(rest: str) -> bool:
    """Return True if `rest` may follow "Chapter 3": it is empty, or a title after a mark or with a capital letter."""
    title = rest.lstrip(" \t.,:)]–—―-")
    if not title:
        return True
    first = title[0]
    begins = first.isupper() or first.isdigit() or first in "\"“‘'«(¿¡" or first > FIRST_EAST_ASIAN
    if rest.strip().startswith(title) and not begins:
        return False
    return not title.endswith((",", ";"))


def _east_asian(text: str) -> int:
    if match := HAN_LABELLED.fullmatch(text):
        title = match["title"]
        joined = title and not title[0].isspace() and title[0] not in ":：、.．・—―-（(【「《"
        if joined and (len(title) > 24 or re.search("[，。,、；]", title)):
            return 0
        if title.endswith(("，", "；", "：")) or len(text) > 60 or (title.endswith("。") and len(title) > 20):
            return 0
        return HAN_LEVELS[match["label"] or "卷"]
    return _hangul(text) or (2 if HAN_NAMED.fullmatch(text) and not text.endswith("。") else 0)


def _hangul(text: str) -> int:
    match = HANGUL.fullmatch(text)
    if not match or len(match["title"] or "") > 50 or text.endswith((".", ",")):
        return 0
    return HANGUL_LEVELS[match["label"] or match["short"]]
