"""Takes with something wrong in them, and a stand-in for a recogniser of speech that errs as a real one does."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from narrate.clip import Samples
from narrate.playback.stretch import Stretch

ERRORS = {"en": 0.05, "ja": 0.05, "zh": 0.04}  # of words (en) and characters: what good recognisers of 2025 and 2026 do
_PIECES = {
    "ja": re.compile(r"[ァ-ヶー]+|[一-龠々]+[ぁ-ん]{0,2}|[ぁ-ん]{1,3}|[^\w]+|\w"),
    "zh": re.compile(r"\w{1,2}|[^\w]+"),
}
_SHORT = {"en": "the a of and to in it".split(), "ja": list("はがをにのとも"), "zh": list("了的是我在他")}


def pieces(text: str, language: str) -> list[str]:
    """The text in words, about; they joined are the text again."""
    return re.findall(r"\S+\s*", text) if language not in _PIECES else _PIECES[language].findall(text)


@dataclass
class Recogniser:
    """Hears what is said, without marks, and errs at `rate`: seven times in ten it hears another word or character of
    the language, else it drops one, or hears a short one more."""

    language: str
    rate: float
    luck: random.Random
    vocabulary: Sequence[str]

    def hear(self, text: str) -> str:
        spaced = self.language not in _PIECES
        units = re.sub(r"[\W_]+", " ", re.sub("['’]", "", text)).split() if spaced else re.findall(r"\w", text)
        heard: list[str] = []
        for unit in units:
            if self.luck.random() >= self.rate:
                heard.append(unit)
                continue
            kind = self.luck.random()
            if kind < 0.7:
                heard.append(self._other(unit))
            elif kind < 0.85:
                heard += [unit, self.luck.choice(_SHORT[self.language])]
        return (" " if spaced else "").join(heard).lower()

    def _other(self, unit: str) -> str:
        """A word that is like it, or any other one."""
        if len(unit) > 3 and self.luck.random() < 0.7:
            at = self.luck.randrange(len(unit))
            return unit[:at] + self.luck.choice("aeioutnsr") + unit[at + 1 :]
        return self.luck.choice(self.vocabulary)


# What is said, instead of the words.


def cut(words: list[str], luck: random.Random) -> list[str]:
    size = luck.randint(2, 4)
    at = luck.randrange(max(1, len(words) - size))
    return words[:at] + words[at + size :]


def doubled(words: list[str], luck: random.Random) -> list[str]:
    size = luck.randint(2, 4)
    at = luck.randrange(max(1, len(words) - size))
    return words[: at + size] + words[at:]


def added(words: list[str], luck: random.Random) -> list[str]:
    size = luck.randint(4, 6)
    at, source = luck.randrange(len(words)), luck.randrange(max(1, len(words) - size))
    return words[:at] + luck.sample(words[source : source + size], min(size, len(words) - source)) + words[at:]


def swapped(words: list[str], luck: random.Random) -> list[str]:
    size = luck.randint(2, 3)
    at = luck.randrange(max(1, len(words) - 2 * size))
    return words[:at] + words[at + size : at + 2 * size] + words[at : at + size] + words[at + 2 * size :]


def replaced(words: list[str], luck: random.Random) -> list[str]:
    """A run in which other words of the text stand, in another order."""
    size = luck.randint(3, 5)
    at = luck.randrange(max(1, len(words) - size))
    others = luck.sample(words, min(size, len(words)))
    return words[:at] + others + words[at + size :]


TEXT_FAULTS: dict[str, Callable[[list[str], random.Random], list[str]]] = {
    "words cut out": cut, "words doubled": doubled, "words added": added, "words swapped": swapped,
    "words replaced": replaced,
}  # fmt: skip


# What sounds, instead of the take.


def louder(samples: Samples, sample_rate: int, luck: random.Random) -> Samples:
    del sample_rate, luck
    return np.clip(2 * samples, -1, 1)


def softer(samples: Samples, sample_rate: int, luck: random.Random) -> Samples:
    del sample_rate, luck
    return samples / 2


def higher(samples: Samples, sample_rate: int, luck: random.Random) -> Samples:
    """Two semitones, as long as before."""
    del luck
    times = 2 ** (2 / 12)
    places = np.arange(0, len(samples) - 1, times)
    quick = np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
    return stretched(quick, sample_rate, 1 / times)


def half_speed(samples: Samples, sample_rate: int, luck: random.Random) -> Samples:
    del luck
    return stretched(samples, sample_rate, 0.5)


def stretched(samples: Samples, sample_rate: int, speed: float) -> Samples:
    stretch = Stretch(speed, sample_rate)
    return np.concatenate([stretch.push(samples), stretch.flush()])


def click(samples: Samples, sample_rate: int, luck: random.Random) -> Samples:
    """Two samples that do not belong there, between 0.3 and 0.8 of full scale."""
    del sample_rate
    at = luck.randrange(len(samples) // 10, len(samples) * 9 // 10)
    found = samples.copy()
    found[at : at + 2] += luck.choice([-1, 1]) * luck.uniform(0.3, 0.8)
    return np.clip(found, -1, 1)


def babble(samples: Samples, sample_rate: int, luck: random.Random) -> Samples:
    """One and a half to three seconds of the take itself, backwards and twice over, half as loud."""
    count = min(len(samples), round(luck.uniform(1.5, 3) * sample_rate))
    back = samples[::-1]
    murmur = (back[:count] + samples[-count:]) / 4
    return np.concatenate([samples, murmur]).astype(np.float32)


def end_cut(samples: Samples, sample_rate: int, luck: random.Random) -> Samples:
    """A quarter to a half of it is missing."""
    del sample_rate
    return samples[: round(len(samples) * luck.uniform(0.5, 0.75))]


SOUND_FAULTS: dict[str, Callable[[Samples, int, random.Random], Samples]] = {
    "+6 dB": louder, "-6 dB": softer, "pitch +2 semitones": higher, "half speed": half_speed, "a click": click,
    "babble appended": babble, "the end cut": end_cut,
}  # fmt: skip
