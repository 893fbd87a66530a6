"""From bytes to clean text. Finds out which encoding a file is in, and how sure that is."""

from __future__ import annotations

import codecs
import re
from collections import defaultdict
from typing import NamedTuple

from narrate.errors import InputError
from narrate.text.characters import KANA_LETTERS, STEERING

# Wider codecs read all that the codec reads, and the characters that real files add to it (①, ㈱, 镕, “ ”).
WIDER = {
    "ascii": ("utf-8",),
    "shift_jis": ("cp932", "shift_jis_2004"),
    "cp932": ("cp932", "shift_jis_2004"),
    "shift_jis_2004": ("cp932", "shift_jis_2004"),
    "euc_jp": ("euc_jp", "euc_jis_2004"),
    "euc_jis_2004": ("euc_jp", "euc_jis_2004"),
    "iso2022_jp": ("iso2022_jp_ext", "iso2022_jp_2004"),
    "gb2312": ("gb18030",),
    "gbk": ("gb18030",),
    "big5": ("cp950", "big5hkscs"),
    "cp950": ("cp950", "big5hkscs"),
    "big5hkscs": ("cp950", "big5hkscs"),
    "euc_kr": ("cp949",),
    "iso8859-1": ("cp1252",),
}
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    b"\x84\x31\x95\x33": "gb18030",
}
# Python has codecs that are for names in networks or for source code, and no file is written in them.
NO_FILES = {
    "idna",
    "punycode",
    "raw_unicode_escape",
    "undefined",
    "unicode_escape",
    "raw-unicode-escape",
    "unicode-escape",
}
# Their bytes are all ASCII, and so they look like UTF-8 when they are not.
SEVEN_BITS = ("iso2022", "hz", "utf-7")
# These two also read some bytes as quite different characters. They must leave so many fewer holes to be chosen.
CLASHING = {"shift_jis_2004": 20, "big5hkscs": 20}
LATIN = ("cp1252", "mac-roman", "iso8859-15", "cp850")
# Signs of a wrong codec: small letters before capitals, capitals after small letters, quotation marks on the wrong side
# of a word, and letters that are rare everywhere.
ODD = re.compile(
    r"[à-öø-ÿœ](?=[A-Z])|(?<=[a-z])[À-ÖØ-ÞŒ]|(?<![A-Za-z])[œÆæ](?![a-z])|(?<=[A-Za-z])[¼½¾]|[¼½¾](?=[A-Za-z])"
    r"|[“‘„‚¿¡](?=[\s.,;]|$)|(?<=\w)[“„‚¿¡]"
    r"|(?:(?<=\s)|^)[”»](?=\w)|[£€](?!\d| \d)|[ðþÐÞ]|[^\x00-\x7f\xa0\xad©®°·À-ÿŒœªº¿¡£€§«»‹›“”‘’„‚–—…•™¼½¾]",
    re.MULTILINE,
)
ACCENTS = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])|(?<=[A-Za-z])[\x80-\xff]{2}(?![\x80-\xff])")
CANDIDATES = {
    "ja": ("cp932", "euc_jis_2004"),
    "zh": ("gb18030", "big5hkscs"),
    "ko": ("cp949", "euc_kr"),
    "ru": ("cp1251", "koi8-r", "cp866", "mac-cyrillic", "iso8859-5"),
}
ALL_CANDIDATES = tuple(name for names in CANDIDATES.values() for name in names) + LATIN
# Every text is full of these characters. They tell the two byte orders of UTF-16 apart.
FREQUENT = re.compile("[ \n。，、的了是のはをにたeaotnоеаиниㅏ이다는을]")
# These characters are counted and replaced one by one, which is a hundred times faster than a pattern.
CONTROL = "".join(map(chr, (*range(9), *range(0x0E, 0x1C), 0x1F, 0x7F)))
INVISIBLE = "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
LINE_ENDS = ("\r\n", *"\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
SPACES = "\u00a0\u2007\u202f"
# What steers a terminal is no text either. White space among it stays white space.
UNWANTED_ASCII = "".join(sign for sign in STEERING if sign.isascii() and not sign.isspace())
UNWANTED = INVISIBLE + "".join(sign for sign in STEERING if "\x80" <= sign <= "\x9f" and not sign.isspace())
# Shift_JIS, EUC-JP and Unicode have different codes for the same printed sign. Japanese text gets the code of cp932.
SAME_SIGN = {"〜": "～", "−": "－", "—": "―", "‖": "∥", "¢": "￠", "£": "￡", "¬": "￢"}
SAMPLE_BYTES, SAMPLES, MOST_LINES = 160, 60, 1000
MOST_BYTES = 200_000_000  # of a text that are read unless the listener allows more; a long novel has five million
SAMPLE = 100_000
BARELY = 0.05  # a confidence that means nothing


class Decoded(NamedTuple):
    """Clean text with "\\n" at line ends, the name of its codec, and warnings for the listener."""

    text: str
    encoding: str
    warnings: tuple[str, ...] = ()


def decode(data: bytes, encoding: str | None = None, language: str | None = None, hint: str | None = None) -> Decoded:
    """Decode a file with `encoding`, if it is given.

    Otherwise the byte order mark decides, then UTF-8 is tried, then `hint` (the encoding that the file names), and at
    last the encoding is guessed. Raises InputError if `encoding` is unknown or does not fit, or the file is no text.
    """
    if encoding:
        return _as_told(data, encoding)
    for mark, name in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return _checked(data[len(mark) :], name)
    if b"\0" in data and (order := _utf16(data)):
        return _checked(data[order == "utf-16-le-odd" or order == "utf-16-be-odd" :], order.removesuffix("-odd"))
    if b"\x1b$" in data or b"\x1b(" in data:
        begins_within = data[:2] in (b"$B", b"$@")  # cut after the escape
        return _checked(b"\x1b" + data if begins_within else data, "iso2022_jp")
    try:
        return Decoded(clean(_text_only(data.decode("utf-8"))), "utf-8")
    except UnicodeDecodeError:
        pass
    if hint and hint.lower() not in ("utf-8", "utf8") and _known(hint):
        text, name, bad = _lenient(data, hint)
        if not bad:
            return Decoded(clean(_text_only(text)), name)
    return _nearly_utf8(data) or _guess(data, language)


def too_much(max_bytes: int) -> str:
    """Say that a text has more than `max_bytes`, and what to do about it."""
    return f"has more than {max_bytes / 1e6:g} MB. No book is so long. If this is one, allow it with --max-bytes"


def clean(text: str) -> str:
    """Return the text with one kind of line end, ordinary spaces, and one code for each printed Japanese sign."""
    for end in LINE_ENDS:
        text = text.replace(end, "\n")
    text = visible(text)
    head = text[:20_000]
    if len(re.findall(f"[{KANA_LETTERS}]", head)) > 0.1 * len(head):
        for sign, same in SAME_SIGN.items():
            text = text.replace(sign, same)
    return text


def visible(text: str) -> str:
    """Return the text without invisible characters and without controls, and with ordinary spaces."""
    for character in UNWANTED_ASCII:
        text = text.replace(character, "")
    if text.isascii():
        return text
    for character in UNWANTED:
        text = text.replace(character, "")
    for character in SPACES:
        text = text.replace(character, " ")
    return text


def _as_told(data: bytes, encoding: str) -> Decoded:
    if not _known(encoding):
        raise InputError(f"--encoding {encoding}: no such encoding; try utf-8, shift_jis, euc-jp, gb18030 or cp1252")
    for mark, name in BYTE_ORDER_MARKS.items():
        if data.startswith(mark) and codecs.lookup(encoding).name.replace("_", "-").startswith(name[:6]):
            data = data[len(mark) :]
            break
    text, name, bad = _lenient(data, encoding)
    if bad > 0.02 * len(text):
        raise InputError(
            f"--encoding {encoding}: does not fit this file ({bad} characters cannot be read); leave it out"
        )
    return Decoded(clean(_text_only(text)), name, _damage(bad, name) + _doubt(data, encoding, text))


def _doubt(data: bytes, encoding: str, text: str) -> tuple[str, ...]:
    """Return a warning for a file that is UTF-8 and is read as something quite different."""
    if codecs.lookup(encoding).name.startswith(SEVEN_BITS):
        return ()
    try:
        differs = data.decode("utf-8").replace("\ufeff", "") != text
    except UnicodeDecodeError:
        return ()
    warning = f"the file looks like UTF-8 and is read as {encoding}: if the words are wrong, leave out --encoding"
    return (warning,) if differs else ()


def _known(encoding: str) -> bool:
    try:
        if codecs.lookup(encoding).name in NO_FILES:
            return False
        return "a".encode(encoding, "replace").decode(encoding, "replace") == "a"
    except (LookupError, UnicodeError, ValueError, AssertionError):
        return False


def _checked(data: bytes, name: str) -> Decoded:
    text, name, bad = _lenient(data, name)
    return Decoded(clean(_text_only(text)), name, _damage(bad, name))


def _lenient(data: bytes, encoding: str) -> tuple[str, str, int]:
    """Decode with the one of the wider codecs that leaves the fewest holes. Return text, codec, number of holes."""
    name = codecs.lookup(encoding).name
    readings: list[tuple[str, str, int]] = []
    for wide in WIDER.get(name, (name,)):
        text = data.decode(wide, "replace")
        readings.append((text, wide, text.count("\ufffd")))
        if not readings[-1][2]:
            break
    return min(readings, key=lambda reading: reading[2] + CLASHING.get(reading[1], 0))


def _text_only(text: str) -> str:
    """Remove stray control characters. Raise InputError for binary data."""
    holes = sum(text.count(character) for character in CONTROL)
    if holes > 4 and holes > 0.005 * len(text):
        raise InputError("is not a text (it holds binary data); narrate reads text, EPUB, HTML, Markdown, DOCX and PDF")
    return text.translate(dict.fromkeys(map(ord, CONTROL))) if holes else text


def _damage(bad: int, name: str) -> tuple[str, ...]:
    return (f"{bad} characters are damaged (not {name}); they are left out",) if bad else ()


def _utf16(data: bytes) -> str | None:
    """Return the byte order of UTF-16 without a mark, with "-odd" if the first character of the file is cut in half."""
    head = data[:40_000]
    scores = {}
    for order in ("utf-16-le", "utf-16-be"):
        for odd, suffix in ((0, ""), (1, "-odd")):
            text = head[odd:].decode(order, "replace")
            scores[order + suffix] = len(FREQUENT.findall(text)) / max(1, len(text))
    best = max(scores, key=lambda key: scores[key])
    return best if scores[best] > 0.05 else None


def _nearly_utf8(data: bytes) -> Decoded | None:
    """Decode UTF-8 with a few broken bytes.

    Other encodings hardly ever make a valid sequence, so four good characters to one hole are enough.
    """
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    beyond_ascii = len(data.translate(None, bytes(range(0x80))))
    if 4 * bad > len(text) - (len(data) - beyond_ascii) - bad:
        return None
    return Decoded(clean(_text_only(text)), "utf-8", _damage(bad, "utf-8"))


def _guess(data: bytes, language: str | None) -> Decoded:
    """Let lines of the file vote for a codec, then count the holes. A broken byte spoils one line and not the file."""
    candidates = CANDIDATES.get(language, LATIN) if language else ALL_CANDIDATES
    latin = language not in CANDIDATES and (_only_quotes(data) or _only_accents(data))
    votes = {"cp1252": 1.0} if latin else _votes(data, candidates)
    order = sorted(votes, key=lambda name: -votes[name])
    if order and order[0] in LATIN and not _only_quotes(data):
        order = [_likeliest_latin(data), *order]
        votes[order[0]] = sum(votes.pop(name, 0) for name in LATIN)
    elif not order:
        order = sorted(candidates, key=lambda name: _lenient(data[:SAMPLE], name)[2])
    text, name, bad = _lenient(data, order[0])
    for other in order[1:3] if bad > 0.01 * len(text) else ():
        text, name, bad = min((text, name, bad), _lenient(data, other), key=lambda reading: reading[2])
    if bad > 0.05 * len(text):
        raise InputError("is in no encoding that narrate knows; if it is a text, say which one with --encoding")
    family = WIDER.get(name, (name,))
    sure = sum(vote for other, vote in votes.items() if other in family or WIDER.get(other) == family)
    warnings = _damage(bad, name)
    if bad > 0.005 * len(text) or sure < 0.75 * sum(votes.values()) or not votes:
        warnings += (f"the encoding looks like {name}, but that is a guess: if the words are wrong, say --encoding",)
    return Decoded(clean(_text_only(text)), name, warnings)


def _only_quotes(data: bytes) -> bool:
    """Return True if all bytes beyond ASCII are “ ” ‘ ’ – — … ™ of cp1252. (MacRoman would read ì and î.)"""
    beyond = data.translate(None, bytes(range(0x80)))
    return len(beyond.translate(None, b"\x85\x91\x92\x93\x94\x95\x96\x97\x99")) <= 0.05 * len(beyond)


def _only_accents(data: bytes) -> bool:
    """Return True if the bytes beyond ASCII are few and stand within words, as in "café".

    Words of other scripts consist of them.
    """
    lines = b"\n".join(line for line in data.split(b"\n") if not line.isascii())
    beyond = len(lines.translate(None, bytes(range(0x80))))
    return beyond < 0.3 * len(lines) and sum(map(len, ACCENTS.findall(lines))) > 0.6 * beyond


def _likeliest_latin(data: bytes) -> str:
    """Return the Latin codec with which accents stand inside words and quotation marks around them most often."""
    lines = [line for line in data.split(b"\n") if not line.isascii()]
    sample = b"\n".join(line[:2000] for line in lines[:: 1 + len(lines) // MOST_LINES])
    return min(LATIN, key=lambda name: len(ODD.findall(sample.decode(name, "replace"))))


def _votes(data: bytes, candidates: tuple[str, ...]) -> dict[str, float]:
    """Let chardet name the codec of each sample of lines with bytes beyond ASCII. Its confidence is the vote."""
    import chardet

    lines = [line for line in data.split(b"\n") if not line.isascii()]
    samples: list[bytes] = [b""]
    for line in lines[:: 1 + len(lines) // MOST_LINES]:
        if len(samples[-1]) >= SAMPLE_BYTES:
            samples.append(b"")
        samples[-1] += line[:2000] + b"\n"
    votes: dict[str, float] = defaultdict(float)
    for sample in samples[:: 1 + len(samples) // SAMPLES]:
        answer = chardet.detect(sample, include_encodings=candidates, prefer_superset=True)
        if answer["encoding"] and answer["confidence"] > BARELY:
            votes[codecs.lookup(answer["encoding"]).name] += answer["confidence"]
    return votes
