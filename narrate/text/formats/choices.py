"""What a listener may choose about notes, code, pictures and tables, and the words that announce them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Ruby = Literal["reading", "base"]
Footnotes = Literal["skip", "end", "inline"]
Code = Literal["skip", "read", "announce"]
Tables = Literal["plain", "headed"]

CODE = {"en": "Code.", "de": "Programmcode.", "fr": "Code.", "es": "Código.", "it": "Codice.", "pt": "Código."}
CODE |= {"ru": "Код программы.", "ja": "コード。", "zh": "代码。", "ko": "코드."}
PICTURE = {"en": "Picture: ", "de": "Bild: ", "fr": "Image : ", "es": "Imagen: ", "it": "Immagine: ", "pt": "Imagem: "}
PICTURE |= {"ru": "Рисунок: ", "ja": "画像、", "zh": "图片：", "ko": "그림: "}


@dataclass(frozen=True, slots=True)
class Choices:
    """How pages are read.

    Words have their reading, or are said as they are written ("base"). Footnotes are left out, said at the end of their
    page, or in round brackets where their mark stands ("inline"). Code is left out, read, or only announced. With
    `alt`, the description of a picture is read. Tables are read row by row, with "headed" each cell with the head of
    its column. `language` is that of the words which announce a picture or code, "" if it is to be found out.
    """

    ruby: Ruby = "reading"
    footnotes: Footnotes = "skip"
    code: Code = "skip"
    alt: bool = False
    tables: Tables = "plain"
    language: str = ""

    @property
    def announces(self) -> bool:
        """True if words are added, whose language must be known."""
        return self.alt or self.code == "announce"
