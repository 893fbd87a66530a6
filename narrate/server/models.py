"""What browsers and programs send and get below /api, for texts and readings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from narrate.playback.stretch import FASTEST, SLOWEST

Speed = Annotated[float, Field(ge=SLOWEST, le=FASTEST, description="How fast, from 0.5 to 2.")]
Index = Annotated[int, Field(ge=0, le=2**31 - 1)]
Seconds = Annotated[float, Field(ge=0, le=10_000_000)]
NAMES = {"language": "lang"}  # fields that the table of settings calls otherwise


class Model(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)


class TextSent(Model):
    """A text to read."""

    text: str = Field(min_length=1, max_length=20_000_000)


class DocumentModel(Model):
    """A text that can be read."""

    id: str
    name: str
    kind: Literal["upload", "text", "library"]
    folder: str = Field("", description="Where in the library it is.")
    size: int = Field(0, description="In bytes.")
    read: float | None = Field(None, description="How far the ear is, 0 to 1; null if nobody listened yet.")


class DocumentList(Model):
    documents: list[DocumentModel]


class Wishes(Model):
    """Who reads, and how. Every further field is a setting of the table, such as `footnotes` or `seed`."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    voice: str | None = Field(None, description="A voice of the engine.")
    engine: str | None = Field(None, description="Such as espeak.")
    language: str | None = Field(None, description="Such as en. Found out from the text if it is left out.")

    def settings(self) -> dict[str, object]:
        """By the names of the table of settings; None for what was sent as null."""
        sent = {name: value for name, value in self.model_dump().items() if name in self.model_fields_set}
        return {NAMES.get(name, name.replace("_", "-")): value for name, value in sent.items() if name not in _OWN}


class NewReading(Wishes):
    """What is to be read, and how."""

    document: str = Field(description="The id of a document.")
    speed: Speed | None = None


_OWN = frozenset(("document",))


class SeekTo(Model):
    """Where to go: one of the three."""

    chunk: Index | None = Field(None, description="The number of a sentence.")
    chapter: Index | None = Field(None, description="The number of a chapter.")
    seconds: Seconds | None = Field(None, description="A time of the book.")

    @model_validator(mode="after")
    def _one(self) -> SeekTo:
        if [self.chunk, self.chapter, self.seconds].count(None) != 2:
            raise ValueError("name a chunk, a chapter or seconds, and only one of them")
        return self


class WhereTo(Model):
    """Where the jump leads; `run` is null if the sound must be made first, which begins a new run."""

    chunk: int
    run: int | None
    seconds: float | None


class EarAt(Model):
    """Where the ear of a page is."""

    run: Index
    seconds: Seconds
    playing: bool = True


class EarKnown(Model):
    current: bool = Field(description="False if that run is not the current one any more.")


class SpeedWanted(Model):
    speed: Speed


class SleepWanted(Model):
    """When to stop: after so many minutes of listening, at the end of the chapter, or not at all."""

    minutes: Annotated[float, Field(gt=0, le=24 * 60)] | None = None
    chapter: bool = False


class SentenceModel(Model):
    """A sentence of a run; `end` is null while its sound is being written."""

    chunk: int
    chapter: int
    text: str
    start: float
    end: float | None


class SegmentModel(Model):
    index: int
    url: str
    start: float
    end: float


class RunModel(Model):
    """A stretch of sound without a gap, whose time begins at 0."""

    run: int
    url: str
    complete: bool
    heard: float = Field(description="Where the ear is, in seconds.")
    sentences: list[SentenceModel]
    segments: list[SegmentModel]


class ReadingModel(Model):
    """A reading as it is now."""

    id: str
    document: str
    title: str
    author: str
    language: str
    state: Literal["playing", "paused", "resting", "finished", "failed"]
    why: str = Field("", description="Why it has failed.")
    engine: str
    voice: str | None
    speed: float
    sleep: float | Literal["chapter"] | None = Field(description="Minutes, or the chapter, after which it stops.")
    chunk: int | None = Field(description="The sentence at the ear.")
    chapter: int | None
    run: int | None = Field(description="The run that is being heard.")
    event: int = Field(description="The number of the last event.")
    progress: dict[str, Any]


class ReadingList(Model):
    readings: list[ReadingModel]


class ChapterModel(Model):
    number: int
    title: str


class ChapterList(Model):
    chapters: list[ChapterModel]


class ChunkModel(Model):
    """A sentence of the text: what is spoken in one go. `joined`: no space stands before it."""

    chunk: int
    chapter: int
    paragraph: int
    text: str
    joined: bool


class TextPart(Model):
    """Some sentences of the text. `end`: no more follow."""

    title: str
    chunks: list[ChunkModel]
    end: bool


class VoiceModel(Model):
    name: str
    engine: str
    description: str


class VoiceList(Model):
    """The voices that can read this text, and the one that does."""

    engine: str
    voice: str | None
    voices: list[VoiceModel]


class ExportModel(Model):
    """A file that is being made. `url` is there when it is done, `why` if it could not be made."""

    format: str
    state: Literal["making", "done", "failed"]
    share: float = Field(description="How much is done, 0 to 1.")
    left_seconds: float | None
    size: int | None
    url: str | None
    why: str


class Detail(Model):
    """Why a request was refused, in a sentence."""

    detail: str
