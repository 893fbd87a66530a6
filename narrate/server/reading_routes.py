"""The addresses below /api for texts and readings. Who wants to listen sends a text and gets a reading of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Path, Query, Request
from starlette.responses import FileResponse, Response, StreamingResponse

from narrate.engines.table import ENGINES, find_engine
from narrate.server.documents import Documents, Entry, NoSuchDocument, TooLarge
from narrate.server.exports import Export, Exports, Format, NoSuchFile
from narrate.server.hls import HEAD, PLAYLIST, Run
from narrate.server.models import (
    ChapterList,
    ChapterModel,
    ChunkModel,
    Detail,
    DocumentList,
    DocumentModel,
    EarAt,
    EarKnown,
    ExportModel,
    NewReading,
    ReadingList,
    ReadingModel,
    RunModel,
    SeekTo,
    SegmentModel,
    SentenceModel,
    SleepWanted,
    SpeedWanted,
    TextPart,
    TextSent,
    VoiceList,
    VoiceModel,
    WhereTo,
    Wishes,
)
from narrate.server.problems import Problem
from narrate.server.problems import answer as problem_answer
from narrate.server.readings import NoSuchReading, Reading, Readings, TooManyReadings, of_sentence
from narrate.text.document import Chunk

Id = Annotated[str, Path(max_length=64)]
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]
REFUSED: dict[int | str, dict[str, Any]] = {400: {"model": Detail}, 404: {"model": Detail}, 413: {"model": Detail}}
STORED = {"Cache-Control": "private, max-age=3600, immutable"}
FRESH = {"Cache-Control": "no-store"}
RETRY_SECONDS = 30.0  # nobody knows when a listener will leave
FIRST_SEGMENT_SECONDS = 20.0  # how long a playlist waits for something to play
EVENTS = "text/event-stream"
HLS = "application/vnd.apple.mpegurl"
FORMATS: dict[Format, str] = {
    "m4b": "audio/mp4", "mp3": "audio/mpeg", "opus": "audio/ogg", "flac": "audio/flac", "epub": "application/epub+zip",
}  # fmt: skip


def document_router(documents: Documents) -> APIRouter:
    routes = APIRouter(prefix="/api/documents", tags=["texts"], responses=REFUSED)

    @routes.get("")
    def list_documents() -> DocumentList:
        """The books of the library, and what was sent."""
        return DocumentList(documents=[_document(entry) for entry in documents.list()])

    @routes.post(
        "",
        status_code=201,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    async def send_document(
        request: Request, name: Annotated[str, Query(max_length=400, description="The name of the file.")]
    ) -> DocumentModel:
        """Send a book: its bytes are the body."""
        return _document(await documents.receive(name, request.stream()))

    @routes.post("/text", status_code=201)
    def send_text(sent: TextSent) -> DocumentModel:
        """Send a text."""
        return _document(documents.paste(sent.text))

    @routes.delete("/{document}", status_code=204)
    def delete_document(document: Id) -> None:
        """Throw away what was sent. Books of the library stay."""
        documents.remove(document)

    return routes


def reading_router(readings: Readings) -> APIRouter:
    routes = APIRouter(prefix="/api/readings", tags=["readings"], responses=REFUSED)

    @routes.get("")
    def list_readings() -> ReadingList:
        """All readings, the one that was touched last first."""
        return ReadingList(readings=[_reading(reading) for reading in readings.list()])

    @routes.post("", status_code=201)
    def create(wanted: NewReading) -> ReadingModel:
        """Begin to read a document, where the ear stopped last time."""
        wishes = {name: value for name, value in wanted.settings().items() if value is not None}
        return _reading(readings.create(wanted.document, wishes))

    @routes.get("/{reading}")
    def get(reading: Id) -> ReadingModel:
        """A reading: where the ear is, and how much is made."""
        return _reading(readings.find(reading))

    @routes.delete("/{reading}", status_code=204)
    def delete(reading: Id) -> None:
        """End a reading. Its place is kept."""
        readings.delete(reading)

    @routes.post("/{reading}/play")
    def play(reading: Id) -> ReadingModel:
        """Go on where the ear is."""
        found = readings.find(reading)
        found.play()
        return _reading(found)

    @routes.post("/{reading}/pause")
    def pause(reading: Id) -> ReadingModel:
        """Pause the reading. The place is kept, and nothing new is made."""
        found = readings.find(reading)
        found.pause()
        return _reading(found)

    @routes.post("/{reading}/seek")
    def seek(reading: Id, to: SeekTo) -> WhereTo:
        """Go to a sentence, a chapter or a time, also where no sound is yet: it is made next."""
        where = readings.find(reading).seek(chunk=to.chunk, chapter=to.chapter, seconds=to.seconds)
        return WhereTo(chunk=where.chunk, run=where.run, seconds=where.seconds)

    @routes.post("/{reading}/position")
    def position(reading: Id, ear: EarAt) -> EarKnown:
        """The page says, every second or so, where its ear is. The place is kept there."""
        return EarKnown(current=readings.find(reading).hears(ear.run, ear.seconds, playing=ear.playing))

    @routes.post("/{reading}/speed")
    def speed(reading: Id, wanted: SpeedWanted) -> ReadingModel:
        """How fast players of this reading play it."""
        found = readings.find(reading)
        found.set_speed(wanted.speed)
        return _reading(found)

    @routes.post("/{reading}/sleep")
    def sleep(reading: Id, wanted: SleepWanted) -> ReadingModel:
        """Stop after a while. Without minutes and chapter, the timer is off."""
        found = readings.find(reading)
        found.set_sleep("chapter" if wanted.chapter else wanted.minutes)
        return _reading(found)

    @routes.post("/{reading}/voice")
    def voice(reading: Id, wishes: Wishes) -> ReadingModel:
        """Go on from the same sentence with another voice, engine or language. null is the server's own choice."""
        found = readings.find(reading)
        found.change(wishes.settings())
        return _reading(found)

    @routes.get("/{reading}/voices")
    def voices(reading: Id) -> VoiceList:
        """The voices that can read this text."""
        return _voices(readings.find(reading))

    @routes.get("/{reading}/chapters")
    def chapters(reading: Id) -> ChapterList:
        """The chapters of the text, with their numbers and titles."""
        document = readings.find(reading).book.document
        found = document.chapters if document else ()
        return ChapterList(chapters=[ChapterModel(number=each.number, title=each.title) for each in found])

    @routes.get("/{reading}/text")
    def text(
        reading: Id,
        first: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
        count: Annotated[int, Query(ge=1, le=1000)] = 300,
        chapter: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
    ) -> TextPart:
        """Some of the text, from a sentence or a chapter on."""
        found = readings.find(reading)
        return _text(found, found.first_of_chapter(chapter) if chapter is not None else first, count)

    @routes.get("/{reading}/events", response_class=StreamingResponse, responses={200: {"content": {EVENTS: {}}}})
    async def events(
        reading: Id,
        after: Annotated[int | None, Query(ge=0, le=2**53)] = None,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> StreamingResponse:
        """What happens from now on, or after the event of that number: text, audio, progress, failed, notice, done."""
        found = readings.find(reading)
        number = _number(last_event_id)
        if number is None:
            number = found.log.last if after is None else after
        return StreamingResponse(
            found.log.follow(number), media_type=EVENTS, headers={**FRESH, "X-Accel-Buffering": "no"}
        )

    return routes


def sound_router(readings: Readings) -> APIRouter:
    routes = APIRouter(prefix="/api/readings/{reading}/runs/{run}", tags=["sound"], responses=REFUSED)

    def find(reading: str, run: int) -> tuple[Reading, Run]:
        found = readings.find(reading)
        there = found.runs.find(run)
        if there is None:
            raise NoSuchReading("There is no such run, or not any more. The reading says which one is heard.")
        return found, there

    @routes.get("")
    def get_run(reading: Id, run: Number) -> RunModel:
        """The sentences and segments of a run."""
        return _run(*find(reading, run))

    @routes.get(f"/{PLAYLIST}", response_class=Response, responses={200: {"content": {HLS: {}}}})
    async def playlist(reading: Id, run: Number) -> Response:
        """The run for players of HLS. It grows while the run is made."""
        found, there = find(reading, run)
        found.runs.visited()
        waited = 0.0
        while not there.segments and waited < FIRST_SEGMENT_SECONDS and found.awake:
            await asyncio.sleep(0.05)
            waited += 0.05
        return Response(there.playlist(), media_type=HLS, headers=FRESH)

    @routes.get(f"/{HEAD}", response_class=FileResponse)
    def head(reading: Id, run: Number) -> FileResponse:
        """What a player needs before the first segment."""
        _, there = find(reading, run)
        if not there.segments:
            raise NoSuchReading("No sound of this run is ready yet.")
        return _sound(there.folder / HEAD)

    @routes.get("/{segment}.m4s", response_class=FileResponse)
    def segment(reading: Id, run: Number, segment: Number) -> FileResponse:
        """Some seconds of sound, as the playlist names them."""
        found, there = find(reading, run)
        if segment >= len(there.segments):
            raise NoSuchReading("This sound is not made yet.")
        found.runs.fetched(there, segment)
        return _sound(there.folder / there.segments[segment].name)

    return routes


def export_router(readings: Readings, exports: Exports) -> APIRouter:
    routes = APIRouter(prefix="/api/readings/{reading}/files/{form}", tags=["files"], responses=REFUSED)

    @routes.post("", status_code=202)
    def make(reading: Id, form: Format) -> ExportModel:
        """Make a file of the whole text. What was heard is not made again."""
        return _export(exports.make(readings.find(reading), form))

    @routes.get("")
    def look(reading: Id, form: Format) -> ExportModel:
        """How far it is."""
        return _export(exports.find(readings.find(reading), form))

    @routes.get("/file", response_class=FileResponse)
    def download(reading: Id, form: Format) -> FileResponse:
        """The finished file. Parts of it can be asked for."""
        export = exports.find(readings.find(reading), form)
        if export.state != "done":
            raise NoSuchFile("This file is not finished.")
        return FileResponse(export.path, media_type=FORMATS[form], filename=export.name, headers=FRESH)

    return routes


def answer_listeners(app: FastAPI) -> None:
    """What cannot be found is 404, and so on; the words are those of the error."""
    answers: dict[type[Exception], int] = {
        NoSuchReading: 404,
        NoSuchDocument: 404,
        NoSuchFile: 404,
        TooLarge: 413,
        TooManyReadings: 503,
    }
    for kind, status in answers.items():
        app.add_exception_handler(kind, _answering(status))


def _answering(status: int) -> Callable[[Request, Any], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        problem = Problem(status, str(error), retry_after=RETRY_SECONDS if status == 503 else None)
        return problem_answer(request.url.path, problem)

    return answer


def _sound(path: FilePath) -> FileResponse:
    if not path.is_file():
        raise NoSuchReading("This sound is not kept any more. The reading says which run is heard.")
    return FileResponse(path, media_type="audio/mp4", headers=STORED)


def _number(last_event_id: str | None) -> int | None:
    return int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else None


def _document(entry: Entry) -> DocumentModel:
    return DocumentModel(
        id=entry.id, name=entry.name, kind=entry.kind, folder=entry.folder, size=entry.size, read=entry.read
    )


def _reading(reading: Reading) -> ReadingModel:
    event = reading.log.last  # before all else: what happens meanwhile is told twice rather than not at all
    run = reading.runs.current
    chunk = reading.chunk
    return ReadingModel(
        id=reading.id,
        document=reading.entry.id,
        title=reading.book.title,
        author=reading.book.author,
        language=reading.book.language,
        state=reading.state,
        why=reading.why,
        engine=reading.engine_name,
        voice=reading.speaking.voice.name,
        speed=reading.speed,
        sleep=reading.sleep.choice if not isinstance(reading.sleep.choice, str) else "chapter",
        chunk=chunk.index if chunk else None,
        chapter=chunk.chapter if chunk else None,
        run=run.number if run and reading.awake and not reading.is_waiting else None,
        event=event,
        progress=reading.statistics(),
    )


def _run(reading: Reading, run: Run) -> RunModel:
    return RunModel(
        run=run.number,
        url=reading.address(run, PLAYLIST),
        complete=run.complete,
        heard=run.heard,
        sentences=[SentenceModel(**of_sentence(sentence)) for sentence in list(run.sentences)],
        segments=[SegmentModel(**reading.of_segment(run, segment)) for segment in list(run.segments)],
    )


def _text(reading: Reading, first: int, count: int) -> TextPart:
    source = reading.book.document.source if reading.book.document else ""
    chunks: list[ChunkModel] = []
    before = reading.script.get(first - 1) if first else None
    for index in range(first, first + count):
        chunk = reading.script.get(index)
        if chunk is None:
            break
        chunks.append(
            ChunkModel(
                chunk=index,
                chapter=chunk.chapter,
                paragraph=chunk.paragraph,
                text=chunk.text,
                joined=_is_joined(before, chunk, source),
            )
        )
        before = chunk
    end = reading.script.get(first + count) is None
    return TextPart(title=reading.book.title, chunks=chunks, end=end)


def _is_joined(before: Chunk | None, chunk: Chunk, source: str) -> bool:
    """True if no space stands between the two in the text."""
    if before is None or before.paragraph != chunk.paragraph:
        return False
    return not any(letter.isspace() for letter in source[before.end - 1 : chunk.start + 1])


def _voices(reading: Reading) -> VoiceList:
    language = reading.book.language
    names = [entry.name for entry in ENGINES if entry.auto and entry.missing() is None]
    if reading.engine_name not in names and any(entry.name == reading.engine_name for entry in ENGINES):
        names.insert(0, reading.engine_name)
    found = [
        VoiceModel(name=voice.name, engine=name, description=voice.description)
        for name in names
        for voice in find_engine(name).voices()
        if language in voice.languages
    ]
    return VoiceList(engine=reading.engine_name, voice=reading.speaking.voice.name, voices=found)


def _export(export: Export) -> ExportModel:
    return ExportModel(
        format=export.form,
        state=export.state,
        share=export.share,
        left_seconds=export.left_seconds,
        size=export.size,
        url=export.url if export.state == "done" else None,
        why=export.why,
    )
