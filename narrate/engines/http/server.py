"""One speech server as a member of a pool: a call for each request, and what the answers mean."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from narrate.clip import Samples
from narrate.clock import OFF, Clock
from narrate.engines import Request
from narrate.engines.http.dialect import Dialect, body
from narrate.engines.http.measure import Slots
from narrate.engines.http.sound import Arriving, BadSound, Heard, decode, message_of
from narrate.engines.pool import Reply, Trouble
from narrate.engines.resample import resampled
from narrate.errors import EngineError
from narrate.pace import chunk_seconds
from narrate.pipeline import Background
from narrate.voice import Voice

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 5.0
PATIENCE_SECONDS = 30.0  # for the first byte and each next one, and LONGER times what the sound is expected to last
LONGER = 4.0
MOST_BYTES = 256 << 20  # of one answer


@dataclass(slots=True)
class Facts:
    """What was found out about a server once."""

    dialect: Dialect
    model: str
    voices: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    deterministic: bool = False
    uses_seed: bool = False
    identity: str = ""
    """Of a narrate server: what its engines are, in a few letters."""


@dataclass(eq=False)
class Server:
    """A `Member`: the server at `url`. `rate` is the sample rate in Hz that all its sound is brought to."""

    url: str
    facts: Facts
    headers: Mapping[str, str]
    most_slots: int | None = None
    rate: int = 24_000
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _running: dict[str, bool] = field(default_factory=dict, init=False)  # by id: is it still wanted
    _client: httpx.Client | None = field(default=None, init=False)
    _clock: Clock = field(default=OFF, init=False)

    def __post_init__(self) -> None:
        self._slots = Slots(self.facts.dialect.slots, self.most_slots)

    @property
    def name(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def slots(self) -> int:
        return self._slots.count

    @property
    def running(self) -> int:
        return len(self._running)

    def prepare(self, voice: Voice, clock: Clock) -> None:
        self._clock = clock
        self._open()

    def send(self, request: Request, reply: Callable[[Reply], object], *, pieces: bool) -> None:
        with self._lock:
            self._running[request.id] = True
        Background(lambda: self._call(request, reply, pieces=pieces), "narrate-call")

    def cancel(self, ids: Collection[str]) -> None:
        with self._lock:
            self._running.update(dict.fromkeys(self._running.keys() & set(ids), False))

    def close(self) -> None:
        with self._lock:
            self._running = dict.fromkeys(self._running, False)
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _open(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
                self._client = httpx.Client(headers=dict(self.headers), limits=limits, follow_redirects=False)
            return self._client

    def _is_wanted(self, request_id: str) -> bool:
        return self._running.get(request_id, False)

    def _call(self, request: Request, reply: Callable[[Reply], object], *, pieces: bool) -> None:
        start = self._clock.now()
        try:
            answer = self._ask(request, reply, pieces=pieces)
        except Exception as error:  # a defect here must not leave the pool waiting for ever
            answer = Reply(request.id, trouble=Trouble.LOST, why=f"{type(error).__name__}: {error}")
        finally:
            with self._lock:
                self._running.pop(request.id, None)
        if answer.trouble is Trouble.BUSY:
            self._slots.refused()
        elif answer.clips and answer.clips[-1].failure is None:
            self._slots.made(answer.clips[-1].seconds, start, self._clock.now())
        reply(answer)

    def _ask(self, request: Request, reply: Callable[[Reply], object], *, pieces: bool) -> Reply:
        """The last reply to the request; pieces of sound before it are told on the way."""
        import httpx

        facts = self.facts
        sent = body(facts.dialect, request, facts.model, pieces=pieces, now=self._clock.now())
        patience = PATIENCE_SECONDS + LONGER * chunk_seconds(request.chunk)
        timeout = httpx.Timeout(patience, connect=CONNECT_SECONDS)
        arriving = Arriving()
        heard = False
        try:
            with self._open().stream("POST", self.url + facts.dialect.path, json=sent, timeout=timeout) as response:
                if response.status_code != 200:
                    return refused(request, response.status_code, _body(response), response.headers, self.rate)
                arriving.rate = _said_rate(response.headers)
                data = bytearray()
                for block in response.iter_bytes():
                    if not self._is_wanted(request.id):
                        return Reply(request.id, trouble=Trouble.LOST, why="it was cancelled")
                    data += block
                    if len(data) > MOST_BYTES:
                        return self._failed(request, "the server sent sound without end")
                    if not pieces:
                        continue
                    samples = arriving.feed(block)
                    pieces = arriving.rate in (None, self.rate)  # pieces are not resampled: one would hear the joints
                    if pieces and len(samples):
                        heard = True
                        reply(Reply(request.id, (request.clip(samples, self.rate, final=False),)))
                finish = response.headers.get("X-Finish-Reason", "")
        except httpx.HTTPError as error:
            away = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            return Reply(request.id, trouble=Trouble.AWAY if away else Trouble.LOST, why=_in_words(error))
        if finish == "length":
            return self._failed(request, "it spoke without end")
        try:
            rest = Heard(np.zeros(0, np.float32), self.rate) if heard else decode(bytes(data), arriving.rate)
        except BadSound as error:
            return self._failed(request, str(error))
        return Reply(request.id, (request.clip(self._at_rate(rest.samples, rest.sample_rate), self.rate),))

    def _failed(self, request: Request, why: str) -> Reply:
        return Reply(request.id, (request.failed(why, self.rate),))

    def _at_rate(self, samples: Samples, rate: int | None) -> Samples:
        return resampled(samples, rate or self.rate, self.rate)


def refused(request: Request, status: int, said: bytes, headers: Mapping[str, str], rate: int) -> Reply:
    """What an answer without sound means: this text, this server, or for now only."""
    words = message_of(said)
    why = f"the server answers {status}{f' ({words})' if words else ''}"
    if status in (400, 413, 422, 500):  # the text, or its luck: another attempt may do better
        return Reply(request.id, (request.failed(why, rate),))
    if status in (408, 425, 429, 502, 503, 504):
        return Reply(request.id, trouble=Trouble.BUSY, why=why, rest_seconds=_retry_after(headers))
    if 300 <= status < 400:
        why = f"the server sends us elsewhere ({status}: {headers.get('Location', 'nowhere')}); name that address"
    elif status in (401, 403):
        why = f"{why}; it wants a key: set NARRATE_API_KEY, or api-key in the settings file"
    return Reply(request.id, trouble=Trouble.GONE, why=why)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return max(0.1, min(600.0, float(headers.get("Retry-After", ""))))
    except ValueError:  # a date, or nothing
        return None


def _said_rate(headers: Mapping[str, str]) -> int | None:
    text = headers.get("X-Sample-Rate", "")
    return int(text) if text.isdigit() and 4000 <= int(text) <= 192_000 else None


def _body(response: httpx.Response) -> bytes:
    data = bytearray()
    for block in response.iter_bytes():
        data += block
        if len(data) > 8192:
            break
    return bytes(data)


def _in_words(error: Exception) -> str:
    import httpx

    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
        return "it does not answer"
    if isinstance(error, httpx.TimeoutException):
        return "it took too long"
    return "the connection broke"


def ask_json(client: httpx.Client, url: str, path: str, **query: Any) -> Any:
    """What stands at a path of the server, as JSON; None if there is nothing. Raises EngineError if it is not there."""
    import httpx

    try:
        response = client.get(url + path, params=query, timeout=CONNECT_SECONDS)
    except httpx.HTTPError as error:
        raise EngineError(f"The speech server {urlsplit(url).netloc} cannot be used: {_in_words(error)}.") from None
    if response.status_code in (401, 403):
        raise EngineError(
            f"The speech server {urlsplit(url).netloc} wants a key. Set NARRATE_API_KEY, or api-key in the settings "
            "file."
        )
    if response.status_code != 200:
        return None
    try:
        return response.json()
    except ValueError:
        return None
