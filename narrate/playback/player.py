"""From clips to sinks: the reader's side. Plays in order, with pauses and speed, and goes where the listener wishes.

Runs in a thread of its own beside the one that makes the clips; `Wishes` are set from a third, the keyboard's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from narrate.clip import Clip, Samples, join, silence
from narrate.pipeline import Ahead, Growing, Wishes
from narrate.playback.stretch import Stretch
from narrate.sinks import Sink
from narrate.synthesis.narrator import Narrator
from narrate.text.document import Chunk

BLOCK = 0.05  # seconds written at once while somebody listens: what a key press waits for, at most
HEARTBEAT = 0.05  # seconds between two looks at the wishes while no clip is ready


@dataclass(slots=True)
class Player:
    """Plays `script` from a place on, into every sink. `ahead_seconds` bounds what is made before it is heard.

    `listening`: somebody may change their mind; clips go out in small blocks. `buffer` tells the planner how many
    seconds of sound lie before the listener, if that is not what is ready here. `on_chunk` hears of every chunk as its
    sound begins, in the playing thread. The counters are read by others while they change.
    """

    script: Growing[Chunk]
    narrator: Narrator
    sinks: Sequence[Sink]
    wishes: Wishes = field(default_factory=Wishes)
    ahead_seconds: float = 120.0
    listening: bool = False
    buffer: Callable[[], float] | None = None
    on_chunk: Callable[[Chunk], object] = lambda _: None
    rest: Callable[[], object] = lambda: None
    place: int = 0
    chunk: Chunk | None = field(default=None, init=False)
    written_seconds: float = field(default=0.0, init=False)
    _ahead: Ahead[Clip] | None = field(default=None, init=False)
    _pieces: int = field(default=0, init=False)  # of the chunk at `place` that were written since we came there
    _stretch: Stretch | None = field(default=None, init=False)
    _speed: float = field(default=1.0, init=False)

    @property
    def buffered_seconds(self) -> float:
        """Sound that is made, in order, and not yet heard."""
        return self._ahead.held if self._ahead else 0.0

    def play(self) -> None:
        """Play from the chunk at `place` to the end of the script, or until the listener stops."""
        self.narrator.planner.buffered = self.buffer or (lambda: self.buffered_seconds)
        while not self.wishes.stopping and not self._play_on():
            pass

    def _play_on(self) -> bool:
        """Play with clips made from `place` on. True at the end, False at a place that these clips do not lead to."""
        due = self.place  # the index of the next clip that `ahead` will give
        begun: list[Clip] = []  # what it has given of that chunk before
        clips = self.narrator.clips(self.script.since(due), due)
        with Ahead(clips, self.ahead_seconds, lambda clip: clip.seconds, self.narrator.interrupt) as ahead:
            self._ahead = ahead
            while not self.wishes.stopping:
                self._wait_while_paused()
                self._follow_wish()
                if self.place > due and not self.narrator.has_begun(self.place):
                    return False
                if self.place < due:
                    if not self._play_again():
                        return False
                    continue
                if self.place == due and self._pieces < len(begun):
                    self._sound(begun[self._pieces])
                    continue
                with self.narrator.clock.stage("sound wait"):
                    clip = ahead.take(HEARTBEAT if self.listening else None)
                if clip is not None:
                    due = clip.index + clip.final
                    begun = [] if clip.final else [*begun, clip]
                    if clip.index == self.place:
                        self._sound(clip)
                elif ahead.exhausted and ahead.held == 0 and not self.wishes.jumping:
                    return True
                elif self.script.waiting:
                    self.rest()
        return True

    def _wait_while_paused(self) -> None:
        if self.wishes.paused:
            self.rest()
            self.wishes.wait_while_paused()

    def _follow_wish(self) -> None:
        wish = self.wishes.take_jump()
        if wish is not None:
            self.place, self._pieces = max(0, wish), 0
            self._stretch = None
            self.rest()  # what is there to hear next may have to be made first

    def _play_again(self) -> bool:
        """Play a chunk that went by before, from the store; False if it has to be made anew."""
        chunk = self.script.get(self.place)
        kept = self.narrator.takes.get(self.narrator.key(chunk)) if chunk else None
        if kept is None:
            return False
        self._sound(Clip(self.place, kept.samples, kept.sample_rate))
        return True

    def _sound(self, clip: Clip) -> None:
        """Write one clip and the pause after it, block by block, until it ends or the listener wants something else."""
        chunk = self.script.get(clip.index)
        assert chunk is not None, "a clip's chunk was read from the script"
        if self.chunk is None or self.chunk.index != chunk.index:
            self.chunk = chunk
            self.on_chunk(chunk)
        samples = join([clip.samples, silence(chunk.pause, clip.sample_rate)]) if clip.final else clip.samples
        step = round(BLOCK * clip.sample_rate) if self.listening else max(1, len(samples))
        for start in range(0, len(samples), step):
            self._wait_while_paused()
            if self.wishes.jumping or self.wishes.stopping:
                return
            self._write(clip, samples[start : start + step], last=clip.final and start + step >= len(samples))
        self.place += clip.final
        self._pieces = 0 if clip.final else self._pieces + 1

    def _write(self, clip: Clip, samples: Samples, *, last: bool) -> None:
        speed = self.wishes.speed
        if self._stretch is None or self._speed != speed:
            before = self._stretch.flush() if self._stretch else samples[:0]
            self._stretch, self._speed = Stretch(speed, clip.sample_rate), speed
            samples = join([before, self._stretch.push(samples)])
        else:
            samples = self._stretch.push(samples)
        if last:
            samples = join([samples, self._stretch.flush()])
            self._stretch = None
        with self.narrator.clock.stage("sink"):
            for sink in self.sinks:
                sink.write(Clip(clip.index, samples, clip.sample_rate, clip.final))
        self.written_seconds += len(samples) / clip.sample_rate
