"""The listener's dictionary says how to say a word.

Each line is a rule: `word = reading`, or `/pattern/ = reading` for a regular expression, whose groups are \\1, \\2 …
`[ja]` begins the rules of one language, `[*]` those of all languages, and `#` a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from narrate.errors import InputError
from narrate.files import write_atomically
from narrate.text.characters import CYRILLIC, LATIN
from narrate.text.encoding import decode
from narrate.text.language import LANGUAGES

SECTION = re.compile(r"\[\s*(\*|[a-z]{2})\s*\]")
RULE = re.compile(r"(?P<word>/.+/|[^\t=→]+?)\s*(?:\t|=|→|⇒|->)\s*(?P<reading>.*)")
# A character of a word in a script that has spaces.
IN_WORD = f"[{LATIN}{CYRILLIC}0-9]"
WORD_END = re.compile(IN_WORD)


@dataclass(frozen=True, slots=True)
class Rule:
    """Say `reading` for `word` in `language` ("" for all languages). With `regex`, the word is a regular expression."""

    word: str
    reading: str
    language: str = ""
    regex: bool = False


def load_dictionary(path: Path) -> tuple[Rule, ...]:
    """Read a dictionary file. Raises InputError, which names the line, if one is no rule."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"--dict {path}: cannot be read ({error.strerror})") from None
    try:
        return tuple(_rules(decode(data).text if data.strip() else ""))
    except InputError as error:
        raise InputError(f"--dict {path}: {error}") from None


def add_rule(path: Path, word: str, reading: str, language: str) -> None:
    """Write a rule for the language to the end of a dictionary file, which need not be there yet.

    Raises InputError for a word that cannot stand in a rule, and for a file that cannot be written.
    """
    lines = f"[{language}]\n{word} = {reading}\n"
    if not _is_rule(lines, Rule(word, reading, language)):
        raise InputError(f"--dict: “{word}” and “{reading}” cannot be written as a rule.")
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        gap = "" if not before or before.endswith("\n") else "\n"
        write_atomically(path, f"{before}{gap}{lines}".encode(), private=False)
    except UnicodeDecodeError:
        raise InputError(f"--dict {path}: only a file in UTF-8 can be written to.") from None
    except OSError as error:
        raise InputError(f"--dict {path}: cannot be written ({error.strerror})") from None


def _is_rule(lines: str, rule: Rule) -> bool:
    """True if these lines of a dictionary hold the rule and nothing else."""
    try:
        return list(_rules(lines)) == [rule]
    except InputError:
        return False


def _rules(text: str) -> Iterator[Rule]:
    language = ""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if section := SECTION.fullmatch(line):
            language = section[1].strip("*")
            if language and language not in LANGUAGES:
                raise InputError(f"line {number}: no such language: {language} (there are {', '.join(LANGUAGES)})")
            continue
        rule = RULE.fullmatch(line)
        if not rule:
            raise InputError(f"line {number}: {line[:40]!r} is not a rule; write: word = reading")
        word = rule["word"].strip()
        regex = len(word) > 2 and word[0] == word[-1] == "/"
        yield _checked(Rule(word[1:-1] if regex else word, rule["reading"].strip(), language, regex), number)


def _checked(rule: Rule, number: int) -> Rule:
    if not rule.regex:
        return rule
    try:
        pattern = re.compile(rule.word)
        # This match has no text in any group. It fails if the reading names a group that does not exist.
        re.sub(f"(?:{rule.word})|$", lambda match: match.expand(rule.reading), "")
    except (re.error, IndexError) as error:
        raise InputError(f"line {number}: /{rule.word}/ is not a valid regular expression: {error}") from None
    if pattern.match(""):
        raise InputError(f"line {number}: /{rule.word}/ also matches where there is no text")
    return rule


class Dictionary:
    """The rules for one language. Of two rules that fit, the earlier one wins; of two words, the longer one."""

    def __init__(self, rules: Iterable[Rule], language: str) -> None:
        valid = [rule for rule in rules if rule.language in ("", language)]
        self._words = {rule.word: rule for rule in reversed(valid) if not rule.regex}
        self._patterns = [(re.compile(rule.word), rule) for rule in valid if rule.regex]
        longest_first = sorted(self._words, key=len, reverse=True)
        self._any = re.compile("|".join(map(_bounded, longest_first))) if longest_first else None

    def __bool__(self) -> bool:
        return bool(self._words or self._patterns)

    def find(self, text: str) -> list[tuple[int, int, str, Rule]]:
        """Return where rules apply in a text: (start, end, what to say, rule). They are in order and do not overlap."""
        found: list[tuple[int, int, str, Rule]] = []
        for pattern, rule in self._patterns:
            found += ((*match.span(), match.expand(rule.reading), rule) for match in pattern.finditer(text) if match[0])
        if self._any:
            for match in self._any.finditer(text):
                rule = self._words[match[0]]
                found.append((*match.span(), rule.reading, rule))
        kept: list[tuple[int, int, str, Rule]] = []
        for entry in sorted(found, key=lambda entry: (entry[0], -entry[1])):
            if not kept or entry[0] >= kept[-1][1]:
                kept.append(entry)
        return kept


def _bounded(word: str) -> str:
    """Return a pattern for a word: a whole word in scripts with spaces, and any part of the text in others."""
    head = f"(?<!{IN_WORD})" if WORD_END.match(word[0]) else ""
    foot = f"(?!{IN_WORD})" if WORD_END.match(word[-1]) else ""
    return head + re.escape(word) + foot
