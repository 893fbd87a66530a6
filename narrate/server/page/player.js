// Plays the runs of a reading: by the browser's own HLS where that is best, else by Media Source with the same files.

const TYPE = 'audio/mp4; codecs="mp4a.40.2"';
const HLS = 'application/vnd.apple.mpegurl';
const AHEAD_SECONDS = 45;   // are fetched before they are heard
const BEHIND_SECONDS = 90;  // are kept after they were heard
const AGAIN_MS = 1000;      // after which something is tried again

const Source = window.ManagedMediaSource || window.MediaSource;

// Safari plays HLS on while the screen is locked; other browsers have Media Source, which starts sooner.
function playsItself(audio) {
  const wish = new URLSearchParams(location.search).get('sound');
  if (wish) return wish === 'hls';
  const able = audio.canPlayType(HLS) !== '';
  return able && (Boolean(window.ManagedMediaSource) || !Source || !Source.isTypeSupported(TYPE));
}

export class Player {
  // `failed` is called with a sentence when a run cannot be played.
  constructor(audio, failed) {
    this.audio = audio;
    this.failed = failed;
    this.run = null;      // {number, url, segments, complete}, which grows outside of this class
    this.speed = 1;
    this.itself = playsItself(audio);
    this.feeder = null;
    this.wanted = null;   // where to go as soon as the sound reaches so far
    audio.addEventListener('error', () => this.onError());
    for (const name of ['loadedmetadata', 'durationchange', 'progress']) audio.addEventListener(name, () => this.arrive());
  }

  get seconds() { return this.wanted ?? this.audio.currentTime; }
  get playing() { return !this.audio.paused && !this.audio.ended; }

  open(run, seconds) {
    this.run = run;
    this.wanted = seconds;
    this.feeder?.close();
    this.feeder = null;
    if (this.itself) {
      this.audio.src = run.url;
    } else if (Source && Source.isTypeSupported(TYPE)) {
      this.feeder = new Feeder(this, run);
    } else {
      this.failed('This browser cannot play the sound. Try a newer one.');
      return;
    }
  }

  close() {
    this.feeder?.close();
    this.feeder = this.run = this.wanted = null;
    this.audio.removeAttribute('src');
    this.audio.load();
  }

  // To a time of the run, which has been opened.
  jump(seconds) {
    this.wanted = seconds;
    this.arrive();
    this.feeder?.feed();
  }

  // Beyond what a player knows it would go to the end instead.
  arrive() {
    const {audio, wanted} = this;
    if (wanted === null || audio.readyState === 0) return;
    const {seekable} = audio;
    if (!seekable.length || seekable.end(seekable.length - 1) < wanted) return;
    this.wanted = null;
    if (Math.abs(audio.currentTime - wanted) > 0.01) audio.currentTime = wanted;
    this.setSpeed(this.speed);
  }

  setSpeed(speed) {
    this.speed = this.audio.playbackRate = this.audio.defaultPlaybackRate = speed;
  }

  async play() {
    try {
      await this.audio.play();
      return true;
    } catch (error) {
      return error.name !== 'NotAllowedError';  // else a newer run has taken its place
    }
  }

  pause() { this.audio.pause(); }

  grown() {
    this.feeder?.feed();
    this.arrive();
  }

  onError() {
    if (!this.run || !this.audio.error) return;
    if (this.itself && Source && Source.isTypeSupported(TYPE)) {  // its own HLS did not work after all
      const at = this.seconds, wasPlaying = this.playing;
      this.itself = false;
      this.open(this.run, at);
      if (wasPlaying) this.play();
    } else {
      this.failed('The sound could not be played. Press Play to try again.');
    }
  }
}

// Gives a Media Source what it needs next: the segment at the ear, and those after it.
class Feeder {
  constructor(player, run) {
    this.player = player;
    this.run = run;
    this.audio = player.audio;
    this.closed = this.busy = this.ready = false;
    this.source = new Source();
    this.url = URL.createObjectURL(this.source);
    this.audio.disableRemotePlayback = true;  // ManagedMediaSource asks for it
    this.audio.src = this.url;
    this.onTime = () => this.feed();
    this.audio.addEventListener('timeupdate', this.onTime);
    this.audio.addEventListener('seeking', this.onTime);
    this.source.addEventListener('sourceopen', () => this.begin(), {once: true});
  }

  begin() {
    if (this.closed) return;
    URL.revokeObjectURL(this.url);
    this.buffer = this.source.addSourceBuffer(TYPE);
    this.feed();
  }

  // A player seeks no farther than the source says that it is long.
  lengthen() {
    const end = this.run.segments.at(-1)?.end ?? 0;
    const {duration, readyState} = this.source;
    if (readyState === 'open' && !this.buffer.updating && !(duration >= end)) this.source.duration = end;
  }

  close() {
    this.closed = true;
    this.audio.removeEventListener('timeupdate', this.onTime);
    this.audio.removeEventListener('seeking', this.onTime);
  }

  async feed() {
    if (this.closed || this.busy || !this.buffer || !this.run.segments.length) return;
    this.busy = true;
    try {
      while (!this.closed && await this.step()) { /* until there is enough */ }
    } catch (error) {
      if (!this.closed) setTimeout(() => this.feed(), AGAIN_MS);
    } finally {
      this.busy = false;
    }
  }

  // One change of the buffer. False if nothing is needed now.
  async step() {
    this.lengthen();
    if (!this.ready) {
      await this.append(this.run.url.replace(/[^/]*$/, 'init.mp4'));
      this.ready = true;
      return true;
    }
    const at = this.player.seconds, end = this.bufferedUntil(at);
    const next = this.run.segments.find(segment => segment.end > end + 0.02);
    if (next && end - at < AHEAD_SECONDS && !(next === this.last && at === this.lastAt)) {
      [this.last, this.lastAt] = [next, at];
      await this.makeRoom(at);
      await this.append(next.url);
      return true;
    }
    if (!next && this.run.complete && this.source.readyState === 'open') this.source.endOfStream();
    return false;
  }

  bufferedUntil(seconds) {
    const ranges = this.buffer.buffered;
    for (let i = 0; i < ranges.length; i++) {
      if (ranges.start(i) <= seconds + 0.1 && seconds < ranges.end(i)) return ranges.end(i);
    }
    return seconds;
  }

  async append(url) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
    const data = await answer.arrayBuffer();
    if (!this.closed) await this.change(() => this.buffer.appendBuffer(data));
  }

  async makeRoom(seconds) {
    const ranges = this.buffer.buffered;
    if (ranges.length && ranges.start(0) < seconds - 2 * BEHIND_SECONDS) {
      await this.change(() => this.buffer.remove(0, seconds - BEHIND_SECONDS));
    }
  }

  change(begin) {
    return new Promise((done, failed) => {
      this.buffer.addEventListener('updateend', done, {once: true});
      this.buffer.addEventListener('error', failed, {once: true});
      begin();
    });
  }
}
