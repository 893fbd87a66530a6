"""What an audiobook says of itself, by the names that players and libraries look for."""

from __future__ import annotations

from dataclasses import dataclass, field

# ISO 639-2, which MP4, ID3 and Matroska want.
THREE_LETTERS = {
    "ja": "jpn", "en": "eng", "zh": "zho", "ko": "kor", "de": "deu", "fr": "fra", "ru": "rus", "pt": "por",
    "es": "spa", "it": "ita",
}  # fmt: skip
GENRE = "Audiobook"


@dataclass(frozen=True, slots=True)
class About:
    """A book as its sound file names it; "" for what is not known.

    `language` is a code of two letters. `part` is the book's number in the series. `cover` is a picture as JPEG or PNG.
    A file that holds one chapter has its title, the book's as `album`, and a `track` such as "3/11".
    """

    title: str = ""
    author: str = ""
    language: str = ""
    narrator: str = ""
    description: str = ""
    publisher: str = ""
    date: str = ""
    series: str = ""
    part: str = ""
    album: str = ""
    track: str = ""
    cover: bytes | None = field(default=None, repr=False)

    @property
    def long_language(self) -> str:
        """The language's code of three letters, as it stands if there is none."""
        return THREE_LETTERS.get(self.language, self.language)

    @property
    def grouping(self) -> str:
        """The series as libraries write it in one field: "Name #3"."""
        return f"{self.series} #{self.part}" if self.series and self.part else self.series


def tags(about: About) -> dict[str, str]:
    """Tags for MP3, Opus, FLAC and Matroska, by FFmpeg's names; without those that are not known.

    Libraries look for the narrator among the composers, and for the author where music has its artist.
    """
    named = common_tags(about) | {
        "language": about.long_language,
        "publisher": about.publisher,
        "comment": about.description,
        "narrator": about.narrator,
        "series": about.series,
        "series-part": about.part,
    }
    return _known(named)


def mp4_tags(about: About) -> dict[str, str]:
    """Tags for MP4, by FFmpeg's names for the atoms that Apple's players, Plex and audiobookshelf read.

    The muxer drops all other names without a word, so series and part go where television has show and episode.
    """
    named = common_tags(about) | {
        "description": about.description,
        "synopsis": about.description,
        "show": about.series,
        "episode_id": about.part,
        "copyright": about.publisher,
        "media_type": "2",  # an audiobook, no song
    }
    return _known(named)


def common_tags(about: About) -> dict[str, str]:
    """The tags that have one name in every format; "" for what is not known."""
    return {
        "title": about.title,
        "album": about.album or about.title,
        "track": about.track,
        "artist": about.author,
        "album_artist": about.author,
        "composer": about.narrator,
        "date": about.date,
        "genre": GENRE if about.title else "",
        "grouping": about.grouping,
    }


def wav_info(about: About) -> dict[bytes, str]:
    """The tags of a WAV file's INFO list, by their four letters; without those that are not known."""
    named = {
        b"INAM": about.title,
        b"IPRD": about.album or about.title,
        b"IPRT": about.track,
        b"IART": about.author,
        b"ICMT": about.description,
        b"ICRD": about.date,
        b"ILNG": about.long_language,
        b"IGNR": GENRE if about.title else "",
    }
    return {name: value for name, value in named.items() if value}


def _known(named: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in named.items() if value}
