"""From clips to sinks: plays in order, with pauses and speed, and goes where the listener wants.

It runs in a thread of its own, beside the one that makes the clips; a third one has the transport in its hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from math import inf

from narrate.clip import Clip, Samples, join, silence
from narrate.pipeline import LazyList, Prefetch
from narrate.playback.stretch import Stretch
from narrate.playback.transport import Transport
from narrate.sinks import Ear, Opener, Sink
from narrate.synthesis.narrator import Narrator
from narrate.text.document import Chunk

BLOCK_SECONDS = 0.05  # written at once while somebody listens: what a key press waits for, at most
POLL_SECONDS = 0.05  # between two looks at the transport while no clip is ready


class Aborted(Exception):  # noqa: N818 - named after what happened
    """The listener broke the reading off: what is not complete is thrown away."""


@dataclass(slots=True)
class Player:
    """Plays `script` from the chunk at `index` on, into the sinks that `openers` make.

    `ahead_seconds` bounds what is made before it is written, and `unheard_seconds` what is written before it is heard,
    where a sink takes sound early; `asked_seconds` bounds both together with what an engine is asked for. `listening`:
    somebody may change their mind, so sound goes out in small blocks.
    `buffered` tells how many seconds of sound lie before the ear; None: what is ready here and in the sinks, or
    infinitely many if nobody listens. `on_chunk` hears of every chunk as its sound begins, in the playing thread. The
    counters are read by other threads while they change.
    """

    script: LazyList[Chunk]
    narrator: Narrator
    openers: Sequence[Opener]
    transport: Transport = field(default_factory=Transport)
    ahead_seconds: float = 120.0
    unheard_seconds: float = 60.0
    asked_seconds: float = inf
    listening: bool = False
    buffered: Callable[[], float] | None = None
    on_chunk: Callable[[Chunk], object] = lambda _: None
    index: int = 0
    chunk: Chunk | None = field(default=None, init=False)
    """The one that sounds."""
    written_seconds: float = field(default=0.0, init=False)
    finishing: bool = field(default=False, init=False)
    """All sound is written."""
    _sinks: list[Sink] = field(default_factory=list, init=False)
    _prefetch: Prefetch[Clip] | None = field(default=None, init=False)
    _began_at: float = field(default=0.0, init=False)  # seconds written when the chunk that sounds began
    _unwritten: float = field(default=0.0, init=False)  # seconds of the clip that is being written
    _pieces: int = field(default=0, init=False)  # of the chunk at `index` that were written since we came there
    _stretch: Stretch | None = field(default=None, init=False)
    _due: float = field(default=0.0, init=False)  # samples that are owed to the sinks at the speed of the moment

    @property
    def ready_seconds(self) -> float:
        """Sound that is made, in order, and not yet heard."""
        return self._prefetch.held if self._prefetch else 0.0

    @property
    def ear(self) -> Ear:
        """Where the listener is: where sound is written, unless a sink takes it before it is heard."""
        for sink in list(self._sinks):
            if (ear := sink.ear) is not None:
                return ear
        into = self.written_seconds - self._began_at if self.chunk else 0.0
        return Ear(self.chunk, into, self.written_seconds, 0.0)

    @property
    def gaps(self) -> int:
        """How often the sound broke off because the next of it came late."""
        return sum(sink.gaps for sink in self._sinks)

    @property
    def hangs(self) -> bool:
        """True while a device does not answer."""
        return any(sink.hangs for sink in self._sinks)

    def play(self) -> None:
        """Play to the end of the script, or until the listener stops. Raises `Aborted` if it was broken off."""
        with ExitStack() as stack:
            while not self.transport.stopped and not self._play_on(stack):
                pass
            self.finishing = not self.transport.stopped
            if self.transport.aborted:
                raise Aborted

    @property
    def finished_share(self) -> float | None:
        """How much of completing the files is done, 0 to 1; None while there is sound, and where there are no files."""
        files = [sink.finished_share for sink in self._sinks if not sink.is_heard]
        return min(files) if files and self.finishing else None

    def hush(self) -> None:
        """Let the ear hear no more. Files are written on, as fast as they can be. May be called from any thread."""
        self.listening = False
        for sink in self._sinks:
            if sink.is_heard:
                sink.abort()
        self.transport.play()

    def abort(self) -> None:
        """Be silent now and end soon. May be called from any thread."""
        self.transport.abort()
        for sink in self._sinks:
            sink.abort()
        self.narrator.interrupt()

    def _play_on(self, stack: ExitStack) -> bool:
        """Play with clips made from `index` on. True at the end, False at a place that these clips do not lead to."""
        due = self.index  # the index of the next clip that `prefetch` will give
        begun: list[Clip] = []  # what it has given of that chunk before
        clips = self.narrator.clips(
            self.script.since(due), due, buffered=self._buffered, ahead_seconds=self.asked_seconds
        )
        with Prefetch(clips, self.ahead_seconds, lambda clip: clip.seconds, self.narrator.interrupt) as prefetch:
            self._prefetch = prefetch
            if (rate := self.narrator.engine.sample_rate) is not None:
                self._open_sinks(stack, rate)
            while not self.transport.stopped:
                self._follow_ear()
                self._wait_while_paused()
                self._follow_seek()
                if self.index > due and not self.narrator.has_begun(self.index):
                    return False
                if self.index < due:
                    if not self._play_again():
                        return False
                    continue
                if self.index == due and self._pieces < len(begun):
                    self._sound(begun[self._pieces])
                    continue
                with self.narrator.clock.stage("sound wait"):
                    clip = prefetch.take(POLL_SECONDS if self.listening else None)
                if clip is not None:
                    self._open_sinks(stack, clip.sample_rate)
                    due = clip.index + clip.final
                    begun = [] if clip.final else [*begun, clip]
                    if clip.index == self.index:
                        self._sound(clip)
                elif prefetch.exhausted and prefetch.held == 0 and self.transport.aim is None:
                    if self._wait_for_ear(0.0):
                        return True
                elif self.script.waiting:
                    self._rest()
        return True

    def _open_sinks(self, stack: ExitStack, sample_rate: int) -> None:
        if not self._sinks:
            self._sinks += [stack.enter_context(opener(sample_rate)) for opener in self.openers]

    def _buffered(self) -> float:
        if self.buffered is not None:
            return self.buffered()
        return self.ready_seconds + self._unwritten + self.ear.unheard_seconds if self.listening else inf

    def _rest(self) -> None:
        for sink in self._sinks:
            sink.rest()

    def _wait_while_paused(self) -> None:
        if self.transport.paused:
            self._rest()
            early = any(sink.ear is not None for sink in self._sinks)
            while not self.transport.wait_while_paused(POLL_SECONDS if early else None):
                self._follow_ear()  # it may move within what it has

    def _follow_ear(self) -> None:
        """Tell which chunk sounds, if that is not the one that is written."""
        for sink in self._sinks:
            if (ear := sink.ear) is not None and ear.chunk is not None and ear.chunk is not self.chunk:
                self._hears(ear.chunk)

    def _hears(self, chunk: Chunk) -> None:
        self.chunk, self._began_at = chunk, self.written_seconds
        self.on_chunk(chunk)

    def _wait_for_ear(self, seconds: float) -> bool:
        """Wait until no more than so much of what is written is unheard. False if the listener wants something else."""
        if seconds <= 0:
            for sink in self._sinks:
                sink.drain()
        while self.ear.unheard_seconds > seconds and not self.transport.stopped:
            if self.transport.aim is not None:
                return False
            self.transport.wait(POLL_SECONDS)
            self._follow_ear()
        return True

    def _follow_seek(self) -> None:
        aim = self.transport.take_aim()
        if aim is not None:
            self.index, self._pieces = aim, 0
            self._stretch, self._due = None, 0.0
            self._rest()  # what is there to hear next may have to be made first

    def _play_again(self) -> bool:
        """Play a chunk that went by before, from the store; False if it has to be made anew."""
        chunk = self.script.get(self.index)
        take = self.narrator.takes.get(self.narrator.key(chunk)) if chunk else None
        if chunk is None or take is None:
            return False
        self._sound(Clip(chunk, take.samples, take.sample_rate))
        return True

    def _sound(self, clip: Clip) -> None:
        """Write one clip, and after the chunk's last one its pause, unless the listener wants something else."""
        if self._pieces == 0:
            if all(sink.ear is None for sink in self._sinks):
                self._hears(clip.chunk)
            for sink in self._sinks:
                sink.begin(clip.chunk)
        if not self._write_blocks(clip):
            return
        if clip.final and clip.chunk.pause > 0:
            quiet = silence(clip.chunk.pause, clip.sample_rate)
            if not self._write_blocks(replace(clip, samples=quiet, pause=True)):
                return
        self.index += clip.final
        self._pieces = 0 if clip.final else self._pieces + 1

    def _write_blocks(self, clip: Clip) -> bool:
        """Write the clip block by block; False if the listener wants something else before its end."""
        count = len(clip.samples)
        step = round(BLOCK_SECONDS * clip.sample_rate) if self.listening else max(1, count)
        for start in range(0, max(1, count), step):
            self._unwritten = (count - start) / clip.sample_rate
            self._wait_while_paused()
            self._follow_ear()
            self._wait_for_ear(self.unheard_seconds)
            if self.transport.aim is not None or self.transport.stopped:
                self._unwritten = 0.0
                return False
            last = start + step >= count
            block = clip.samples[start : start + step]
            if clip.pause:
                samples = self._pause(len(block), clip.sample_rate)
            else:
                samples = self._stretched(block, clip.sample_rate, last=last and clip.final)
            self._write(replace(clip, samples=samples, final=clip.final and last and not clip.pause))
        self._unwritten = 0.0
        return True

    def _stretched(self, samples: Samples, sample_rate: int, *, last: bool) -> Samples:
        """Speech at the speed of the moment; with the `last` of a chunk all of it is out, before its pause begins."""
        speed = self.transport.speed
        self._due += len(samples) / speed
        if self._stretch is None or self._stretch.speed != speed:
            before = self._stretch.flush() if self._stretch else samples[:0]
            self._stretch = Stretch(speed, sample_rate)
            samples = join([before, self._stretch.push(samples)])
        else:
            samples = self._stretch.push(samples)
        if last:
            samples = join([samples, self._stretch.flush()])
            self._stretch = None
        self._due -= len(samples)
        return samples

    def _pause(self, count: int, sample_rate: int) -> Samples:
        """A pause of so many samples, at the speed of the moment. It makes up for what stretching was off by."""
        self._due += count / self.transport.speed
        quiet = silence(max(0, round(self._due)) / sample_rate, sample_rate)
        self._due -= len(quiet)
        return quiet

    def _write(self, clip: Clip) -> None:
        with self.narrator.clock.stage("sink"):
            for sink in self._sinks:
                sink.write(clip)
        self.written_seconds += clip.seconds
