"""Knows abbreviations after which a sentence goes on: titles, first names, "viz."

The titles are those of the ten languages' lists of sentence break suppressions in the Unicode Common Locale Data
Repository (common/segments), and the first names those that English registers abbreviate. Abbreviations that may also
end a sentence ("etc.", "Co.", "Sept."), and those that are names themselves ("Alex."), are left out.
"""

from __future__ import annotations

import re

_LATIN = "Mr Mrs Ms Messrs Mme Mmes Mlle Mlles Mgr Mons MM Dr Drs Prof St Ste Rev Sr Sra Sig"
_BY_LANGUAGE = {
    "en": "Revd Rt Hon Capt Cpt Col Comdr Cmdr Cdr Lt Lieut Maj Gen Brig Adm Sgt Sergt Serjt Cpl Pvt Pte Gov Sen Supt "
    "Insp Mt Messrs Mdlle Wm Chas Geo Jas Jno Thos Robt Richd Saml Benj Edw Edwd Edmd Danl Nathl Jos Alexr Matth "
    "Hy Xtopher viz Viz cf Cf vs",
    "de": "Hr Hrn Hrrn Frl Fr Dipl Ing Exz Ew Hptm Bd Jh geb Hrsg Kap Abb Abg kgl Kgl kais Kais röm ehem sog gen gest "
    "verh vgl Vgl bzw ggf Ggf ggfs evtl Evtl ev kath österr frz schweiz einschl inkl exkl zzgl",
    "fr": "Pr Vve Cf cf éd Gal Cap Lt Col",
    "es": "Sres Sras Srta Srtas Dra Dña Dn Exmo Exma Exmos Exmas Excmo Excma Excmos Excmas Ilmo Ilma Ilmos Ilmas Rdo "
    "Rdos Rvdo Rvdos Rvdmo Rvdmos Fr Sto Sta Lic Licdo Ldo Lda Lcdo Lcda Ltdo Avda Av Gral Cnel Col Cap Pbro Hno Hnos "
    "Ntra Ntro Cfr cfr cf Vid vid",
    "it": "Sigg dott Dott dr prof Ing ing Avv avv Arch arch Rag rag Geom geom Cav Comm On Card Sac Gen Col Magg Ten "
    "Cfr cfr",
    "pt": "Sres Sras Srta Dra Dras Profa prof profa Exmo Exma Exmos Exa Ilmo Ilma Pe Fr Sto Sta Av Alm Cel Cap Des Gen "
    "Cf cf",
    "ru": "им рис ср Ср ген св Св кн проф Проф ул тел отд акад доц инж гр тов",
}
_WORDS = {language: frozenset(f"{_LATIN} {words}".split()) for language, words in _BY_LANGUAGE.items()}
_OTHERS = _WORDS["en"]
_LAST_WORD = re.compile(r"([^\W_]+)\.\s*$")
_LONGEST = 24


def last_word(text: str, at: int) -> str:
    """Return the word before the full stop that text[:at] ends with, "" if it ends otherwise."""
    before = text[max(0, at - _LONGEST) : at]
    if not before.rstrip().endswith("."):
        return ""
    match = _LAST_WORD.search(before)
    return match[1] if match else ""


def is_abbreviation(word: str, language: str) -> bool:
    """Return True for a word after whose full stop a sentence goes on."""
    return word in _WORDS.get(language, _OTHERS)


def is_initial(word: str, language: str) -> bool:
    """Return True for the one letter of an abbreviated name. In English, I is a word."""
    return len(word) == 1 and word.isupper() and not (language == "en" and word == "I")
