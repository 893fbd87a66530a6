// The page of narrate: choose a text, hear it, follow it. All it knows comes from the addresses below /api.

import {Player} from './player.js';

const $ = id => document.getElementById(id);
const LANGUAGES = {
  ja: 'Japanese', en: 'English', zh: 'Chinese', ko: 'Korean', de: 'German', fr: 'French', ru: 'Russian',
  pt: 'Portuguese', es: 'Spanish', it: 'Italian',
};
const SPEEDS = [0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2];
const SKIP_SECONDS = 15;
const TEXT_BEFORE = 40;      // sentences that are shown before the one at the ear
const TEXT_COUNT = 300;      // sentences that are fetched at once
const SCROLLED_MS = 8000;    // so long after somebody scrolls, the page does not scroll by itself
const TELL_MS = 1000;        // between two words about where the ear is

// ---- talking to the server ------------------------------------------------------------------------------------------

async function ask(path, data, method) {
  const how = {method: method || (data === undefined ? 'GET' : 'POST'), headers: {}};
  if (data instanceof Blob) how.body = data;
  else if (data !== undefined) {
    how.body = JSON.stringify(data);
    how.headers['Content-Type'] = 'application/json';
  }
  let answer;
  try {
    answer = await fetch(path, how);
  } catch {
    throw new Error('The server does not answer. Is narrate still running?');
  }
  const json = answer.headers.get('Content-Type')?.includes('json');
  const content = json ? await answer.json() : null;
  if (!answer.ok) {
    const error = new Error(content?.detail ?? `The server refused this (${answer.status}).`);
    error.status = answer.status;
    throw error;
  }
  return content;
}

function complain(words) {
  $('trouble-words').textContent = words;
  $('trouble').hidden = false;
}

// Runs what a control does; what goes wrong is told in words.
function doing(action) {
  return async event => {
    $('trouble').hidden = true;
    try {
      await action(event);
    } catch (error) {
      complain(error.message);
    }
  };
}

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function clock(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–:––';
  const whole = Math.max(0, Math.round(seconds));
  const rest = `${String(Math.floor(whole / 60) % 60).padStart(whole >= 3600 ? 2 : 1, '0')}:${String(whole % 60).padStart(2, '0')}`;
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${rest}` : rest;
}

// ---- choosing a text ------------------------------------------------------------------------------------------------

async function showChoice() {
  leaveReading();
  document.title = 'narrate';
  $('choose').hidden = false;
  $('read').hidden = $('controls').hidden = true;
  await Promise.all([listOpen(), listLibrary()]);
}

async function listOpen() {
  const {readings} = await ask('/api/readings');
  $('open').hidden = !readings.length;
  $('open-list').replaceChildren(...readings.map(reading => make('li', {},
    make('button', {className: 'item', onclick: () => { wantsSound = true; location.hash = `#/reading/${reading.id}`; }},
      reading.title, make('small', {textContent: [reading.author, percent(reading.progress.share)].filter(Boolean).join(' · ')})),
    make('button', {
      textContent: 'Remove', ariaLabel: `Remove ${reading.title} from this list`,
      onclick: doing(async () => { await ask(`/api/readings/${reading.id}`, undefined, 'DELETE'); await listOpen(); }),
    }))));
}

let library = [];

async function listLibrary() {
  const {documents} = await ask('/api/documents');
  library = documents.filter(each => each.kind === 'library');
  $('library').hidden = !library.length;
  showLibrary();
}

function showLibrary() {
  const wanted = $('filter').value.trim().toLowerCase();
  const found = library.filter(each => `${each.folder} ${each.name}`.toLowerCase().includes(wanted)).slice(0, 200);
  $('library-list').replaceChildren(...found.map(each => make('li', {},
    make('button', {className: 'item', onclick: doing(() => begin(each))}, each.name,
      make('small', {textContent: [each.folder, percent(each.read)].filter(Boolean).join(' · ')})))));
}

function percent(share) {
  return typeof share === 'number' ? `${Math.round(100 * share)} % heard` : '';
}

// A reading of the document: one that is open already goes on.
async function begin(document) {
  const {readings} = await ask('/api/readings');
  let reading = readings.find(each => each.document === document.id);
  if (!reading) {
    const wishes = {document: document.id};
    if ($('language').value) wishes.language = $('language').value;
    reading = await ask('/api/readings', wishes);
  }
  wantsSound = true;
  location.hash = `#/reading/${reading.id}`;
}

async function send(file) {
  if (!file) return;
  $('notice').textContent = `Sending ${file.name} …`;
  try {
    await begin(await ask(`/api/documents?name=${encodeURIComponent(file.name)}`, file.slice()));
  } finally {
    $('notice').textContent = '';
  }
}

function listenToChoice() {
  fillSelect($('language'), [['', 'found out by itself'], ...Object.entries(LANGUAGES)]);
  $('file').addEventListener('change', doing(async () => { await send($('file').files[0]); $('file').value = ''; }));
  $('paste').addEventListener('submit', doing(async event => {
    event.preventDefault();
    const text = $('pasted').value;
    if (!text.trim()) throw new Error('There is no text yet. Paste one into the field first.');
    await begin(await ask('/api/documents/text', {text}));
    $('pasted').value = '';
  }));
  $('filter').addEventListener('input', showLibrary);
  for (const name of ['dragover', 'dragleave', 'drop']) {
    document.addEventListener(name, event => {
      event.preventDefault();
      $('drop').classList.toggle('over', name === 'dragover');
    });
  }
  document.addEventListener('drop', doing(event => send(event.dataTransfer.files[0])));
}

function fillSelect(select, pairs) {
  select.replaceChildren(...pairs.map(([value, text]) => make('option', {value, textContent: text})));
}

// ---- one reading ----------------------------------------------------------------------------------------------------

let reading = null;       // what the server says of it
let runs = new Map();     // by number: {number, url, sentences, segments, complete}
let waiting = null;       // a jump to what has no sound yet: {chunk, after}, chunk null for any
let wantsSound = false;   // somebody has pressed Play
let marked = null;        // the sentence that is marked, by its number
let chapters = [];
let figures = {};
let events = null;
let lastScroll = 0, lastTold = 0;
const shown = {first: 0, next: 0, end: false};  // the sentences on the page
const player = new Player($('audio'), complain);
const address = (path = '') => `/api/readings/${reading.id}${path}`;

async function showReading(id) {
  leaveReading(reading?.id === id);
  reading = await ask(`/api/readings/${id}`);
  $('choose').hidden = true;
  $('read').hidden = $('controls').hidden = false;
  document.title = $('title').textContent = reading.title;
  $('author').textContent = reading.author;
  $('text').lang = reading.language;
  await Promise.all([listChapters(), listVoices()]);
  await showText(Math.max(0, (reading.chunk ?? 0) - TEXT_BEFORE));
  showState(reading);
  showFigures(reading.progress);
  mark(reading.chunk ?? 0);
  follow(reading.event);
  if (waiting || player.run) return;  // somebody has gone to a sentence already
  if (reading.run !== null) await resume(reading.run);
  else if (wantsSound) await play();
  else await waitForSound();
}

function leaveReading(returning = false) {
  player.pause();
  if (reading && !returning) tell();
  events?.close();
  events = null;
  player.close();
  reading = marked = waiting = null;
  runs = new Map();
}

// The run that is being heard, where the ear is.
async function resume(number) {
  const wait = waiting, heard = player.run;
  const run = await learn(number);
  if (waiting !== wait || player.run !== heard) return;  // somebody has gone to another place meanwhile
  if (run.segments.length || run.sentences.length) openRun(run, run.heard);
  else await waitForSound();
}

async function waitForSound() {
  if (reading.state === 'playing') waitFor(null);
  showPlaying();
}

async function learn(number) {
  const known = await ask(address(`/runs/${number}`));
  const run = runOf(number), {sentences, segments} = run;  // what came while we asked is newer
  Object.assign(run, known, {complete: known.complete || run.complete});
  run.segments.push(...segments.filter(each => each.index >= known.segments.length));
  const last = known.sentences.at(-1)?.chunk ?? -1;
  run.sentences.push(...sentences.filter(each => each.chunk > last));
  return run;
}

// The run of this number as far as it is known here.
function runOf(number) {
  if (!runs.has(number)) {
    const url = address(`/runs/${number}/playlist.m3u8`);
    runs.set(number, {number, url, sentences: [], segments: [], complete: false, heard: 0});
  }
  return runs.get(number);
}

function openRun(run, seconds) {
  waiting = null;
  $('waiting').hidden = true;
  player.open(run, seconds);
  player.setSpeed(reading.speed);
  onTime();
  if (wantsSound) start();
  showPlaying();
}

async function start() {
  wantsSound = true;
  if (!await player.play()) {
    wantsSound = false;
    $('notice').textContent = 'Press Play to begin.';
  } else if ($('notice').textContent === 'Press Play to begin.') {
    $('notice').textContent = '';
  }
  showPlaying();
}

async function play() {
  wantsSound = true;
  if (reading.state === 'elsewhere') return showReading(reading.id);
  if (player.run && ['playing', 'paused'].includes(reading.state) && !player.audio.ended) {
    await start();
    tell();
    return;
  }
  waitFor(null);
  start();  // within the press of the button, so that the browser lets sound begin later
  const {run} = await ask(address('/play'), {});
  if (run !== null && waiting?.chunk === null && run <= waiting.after) await resume(run);
}

function pause() {
  wantsSound = false;
  player.pause();
  showPlaying();
  tell();
}

function waitFor(chunk) {
  const after = Math.max(0, ...runs.keys());
  waiting = {chunk, after};
  $('waiting').hidden = false;
}

// Go to a sentence, a chapter or a time: at once where there is sound, else the server makes it next.
async function seek(to) {
  wantsSound = true;
  waitFor(-1);
  const mine = waiting;
  const where = await ask(address('/seek'), to);
  if (waiting !== mine) return;
  if (where.run === null) {
    player.pause();
    waiting.chunk = where.chunk;
    await showSentence(where.chunk);
    mark(where.chunk);
    for (const run of runs.values()) arrive(run);
    return;
  }
  waiting = null;
  $('waiting').hidden = true;
  if (player.run?.number === where.run) player.jump(where.seconds);
  else openRun(runs.get(where.run) ?? await learn(where.run), where.seconds);
  await showSentence(where.chunk);
  mark(where.chunk);
  await start();
}

// If the run has what is waited for, it is opened there.
function arrive(run) {
  if (!waiting || waiting.chunk === -1 || run.number <= waiting.after) return;
  const sentence = run.sentences.find(each => waiting.chunk === null || each.chunk === waiting.chunk);
  if (sentence) openRun(run, sentence.start);
}

// ---- what the server tells ------------------------------------------------------------------------------------------

function follow(after) {
  events = new EventSource(address(`/events?after=${after}`));
  const on = (name, action) => events.addEventListener(name, event => action(JSON.parse(event.data)));
  const mine = events;
  events.onopen = () => { $('connection').textContent = ''; };
  events.onerror = () => mine === events && lostConnection();
  on('run', told => { runOf(told.run); });
  on('text', onText);
  on('audio', onAudio);
  on('complete', told => { runOf(told.run).complete = true; grown(runOf(told.run)); });
  on('progress', showFigures);
  on('state', onState);
  on('failed', told => { $('notice').textContent = `This could not be spoken, and there is silence instead: “${told.text}” (${told.why})`; });
  on('notice', told => { $('notice').textContent = told.text; });
  on('done', () => { $('notice').textContent = 'The text has been read to its end.'; });
  on('export', showExport);
  on('reset', doing(() => showReading(reading.id)));
  on('bye', () => { $('connection').textContent = 'The server has been stopped. Your place is kept.'; });
}

async function lostConnection() {
  if (!$('connection').textContent) $('connection').textContent = 'No connection to the server. Trying again …';
  if (events.readyState !== EventSource.CLOSED) return;
  const id = reading?.id;
  await new Promise(done => setTimeout(done, 2000));
  if (!reading || reading.id !== id) return;
  try {
    await showReading(id);
    $('connection').textContent = '';
  } catch (error) {
    if (error.status === 404) {
      location.hash = '';
      complain('This reading is no longer open. Choose the text again: your place is kept.');
    } else {
      lostConnection();
    }
  }
}

function onText(told) {
  const run = runOf(told.run);
  const known = run.sentences.findLast(each => each.chunk === told.chunk && each.start === told.start);
  if (known) known.end = told.end;
  else run.sentences.push(told);
  arrive(run);
}

function onAudio(told) {
  const run = runOf(told.run);
  if (told.index < run.segments.length) return;
  run.segments.push(told);
  grown(run);
}

function grown(run) {
  if (player.run === run) player.grown();
}

function onState(told) {
  Object.assign(reading, told);
  showState(told);
  if (!['playing', 'paused'].includes(told.state) && told.state !== 'finished' && player.playing) {
    wantsSound = false;
    player.pause();
  }
  if (told.state === 'failed') {
    waiting = null;
    $('waiting').hidden = true;
    complain(told.why);
  }
}

function showState({speed, sleep}) {
  const speeds = SPEEDS.includes(speed) ? SPEEDS : [...SPEEDS, speed].sort((a, b) => a - b);
  fillSelect($('speed'), speeds.map(each => [each, `${each}×`]));
  $('speed').value = speed;
  $('sleep').value = sleep ?? '';
  player.setSpeed(speed);
}

// ---- where the ear is -----------------------------------------------------------------------------------------------

async function tell() {
  if (!reading || !player.run || waiting) return;
  lastTold = Date.now();
  const ear = {run: player.run.number, seconds: player.seconds, playing: player.playing};
  const how = {method: 'POST', body: JSON.stringify(ear), headers: {'Content-Type': 'application/json'}, keepalive: true};
  try {
    const answer = await fetch(address('/position'), how);
    const {current} = await answer.json();
    if (current === false && !waiting && player.run?.number === ear.run && player.playing) goneElsewhere();
  } catch { /* the events tell of a lost connection */ }
}

function goneElsewhere() {
  wantsSound = false;
  player.pause();
  $('notice').textContent = 'The reading goes on at another place, perhaps on another device. Press Play to hear it here.';
  player.close();
  reading.state = 'elsewhere';
  showPlaying();
}

function onTime() {
  if (!reading || !player.run || waiting) return;
  const at = player.seconds, run = player.run;
  const sentence = run.sentences.findLast(each => each.start <= at + 0.05) ?? run.sentences[0];
  if (sentence && sentence.chunk !== marked) {
    mark(sentence.chunk);
    if (!element(sentence.chunk)) showSentence(sentence.chunk);
  }
  if (Date.now() - lastTold >= TELL_MS) tell();
}

function mark(chunk) {
  const before = marked === null ? null : element(marked);
  before?.removeAttribute('aria-current');
  marked = chunk;
  const now = element(chunk);
  if (!now) return;
  if (before && document.activeElement !== before) before.tabIndex = -1;
  now.setAttribute('aria-current', 'true');
  now.tabIndex = 0;
  if ($('chapter').value !== now.dataset.chapter) $('chapter').value = now.dataset.chapter;
  if (Date.now() - lastScroll > SCROLLED_MS) intoView(now);
  showSession();
}

function intoView(sentence) {
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const {top, bottom} = sentence.getBoundingClientRect();
  const last = innerHeight - $('controls').offsetHeight;
  if (top < 60 || bottom > last - 20) sentence.scrollIntoView({block: 'center', behavior: calm ? 'auto' : 'smooth'});
}

// ---- the text -------------------------------------------------------------------------------------------------------

const element = chunk => document.getElementById(`s${chunk}`);

async function showText(first) {
  const part = await ask(`/api/readings/${reading.id}/text?first=${first}&count=${TEXT_COUNT}`);
  $('text').replaceChildren();
  shown.first = shown.next = first;
  append(part);
}

async function showSentence(chunk) {
  if (element(chunk)) return;
  await showText(Math.max(0, chunk - TEXT_BEFORE));
  lastScroll = 0;
  mark(chunk);
}

function append(part) {
  let paragraph = $('text').lastElementChild;
  for (const each of part.chunks) {
    const before = $('text').querySelector('[data-last]');
    if (!before || before.dataset.paragraph !== String(each.paragraph) || before.dataset.chapter !== String(each.chapter)) {
      paragraph = make(isHeading(each, paragraph) ? 'h2' : 'p');
      $('text').append(paragraph);
    } else if (!each.joined) {
      paragraph.append(' ');
    }
    before?.removeAttribute('data-last');
    paragraph.append(sentenceLink(each));
  }
  shown.next += part.chunks.length;
  shown.end = part.end;
  $('earlier').hidden = shown.first === 0;
  $('later').hidden = part.end;
}

function sentenceLink(each) {
  const link = make('a', {href: `#s${each.chunk}`, id: `s${each.chunk}`, textContent: each.text, tabIndex: -1});
  Object.assign(link.dataset, {chunk: each.chunk, chapter: each.chapter, paragraph: each.paragraph, last: ''});
  return link;
}

// The first sentences of a chapter that make up its title.
function isHeading(each, before) {
  const last = before?.querySelector('a:last-of-type');
  const begins = !last || last.dataset.chapter !== String(each.chapter) || before.tagName === 'H2';
  return begins && chapters.find(chapter => chapter.number === each.chapter)?.title.includes(each.text.trim());
}

async function showMore() {
  append(await ask(address(`/text?first=${shown.next}&count=${TEXT_COUNT}`)));
}

async function showBefore() {
  const first = Math.max(0, shown.first - TEXT_COUNT), anchor = shown.first;
  await showText(first);
  while (shown.next <= anchor && !shown.end) await showMore();
  mark(marked);
  element(anchor)?.scrollIntoView({block: 'start'});
}

function listenToText() {
  $('text').addEventListener('click', doing(event => {
    const link = event.target.closest('a[data-chunk]');
    if (!link) return;
    event.preventDefault();
    return seek({chunk: Number(link.dataset.chunk)});
  }));
  $('text').addEventListener('keydown', event => {  // arrows go from sentence to sentence, Enter goes there by sound
    const step = {ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1}[event.key];
    const here = event.target.closest('a[data-chunk]');
    if (!step || !here) return;
    const next = element(Number(here.dataset.chunk) + step);
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    here.tabIndex = here.hasAttribute('aria-current') ? 0 : -1;
    next.tabIndex = 0;
    next.focus();
    lastScroll = Date.now();
  });
  document.querySelector('.skip').addEventListener('click', event => {
    event.preventDefault();
    (element(marked) ?? $(reading ? 'text' : 'file')).focus();
  });
  for (const name of ['wheel', 'touchmove']) addEventListener(name, () => { lastScroll = Date.now(); }, {passive: true});
  $('later').addEventListener('click', doing(showMore));
  $('earlier').addEventListener('click', doing(showBefore));
  new IntersectionObserver(seen => {
    if (seen.some(each => each.isIntersecting) && !$('later').hidden) doing(showMore)();
  }, {rootMargin: '600px'}).observe($('later'));
}

async function listChapters() {
  ({chapters} = await ask(address('/chapters')));
  fillSelect($('chapter'), chapters.map(each => [each.number, each.title || (each.number ? `Chapter ${each.number}` : 'Beginning')]));
}

async function listVoices() {
  const {engine, voice, voices} = await ask(address('/voices'));
  fillSelect($('voice'), [['', 'chosen by narrate'], ...voices.map(each => [`${each.engine}/${each.name}`, `${each.name} (${each.engine}) – ${each.description}`])]);
  $('voice').value = voice ? `${engine}/${voice}` : '';
  fillSelect($('spoken'), Object.entries(LANGUAGES));
  $('spoken').value = reading.language;
}

// ---- figures, player, keys ------------------------------------------------------------------------------------------

function showFigures(told) {
  figures = told;
  const total = told.total_seconds, at = told.position_seconds ?? 0;
  $('now').textContent = clock(at);
  $('whole').textContent = clock(total);
  if (document.activeElement !== $('place') || !dragging) {
    $('place').max = Math.max(1, Math.round(total ?? 1));
    $('place').value = Math.round(at);
    $('place').setAttribute('aria-valuetext', `${clock(at)} of ${clock(total)}`);
  }
  const made = Math.round(100 * (told.ready_share ?? 0));
  $('made').style.width = `${made}%`;
  $('made').setAttribute('aria-valuenow', made);
  if (!$('more').open) return;
  const rows = {
    'Sound ready ahead': told.ready_seconds === undefined ? '–' : `${Math.round(told.ready_seconds)} s`,
    'Time to make a second of sound': told.rtf ? `${told.rtf.toFixed(3)} s` : '–',
    'Wait for the first sound': told.first_sound_seconds === null ? '–' : `${told.first_sound_seconds.toFixed(1)} s`,
    'Sentences made now': told.made ?? '–',
    'Sentences made earlier and used again': told.reused ?? '–',
    'Sentences that could not be spoken': told.failed ?? '–',
    'Left of the chapter': clock(told.chapter_left_seconds),
    'Left in all': clock(told.left_seconds),
    'Sleep timer': told.sleep_seconds ? `in ${clock(told.sleep_seconds)}` : told.sleep_at_chapter_end ? 'end of chapter' : 'off',
  };
  $('figures').replaceChildren(...Object.entries(rows).flatMap(([name, value]) => [
    make('dt', {textContent: name}), make('dd', {textContent: value})]));
}

let dragging = false;

function showPlaying() {
  const on = player.playing || (wantsSound && waiting !== null);
  $('play').setAttribute('aria-label', on ? 'Pause' : 'Play');
  $('play-shape').setAttribute('d', on ? 'M6 4h4v16H6zM14 4h4v16h-4z' : 'M7 4v16l13-8z');
  if (navigator.mediaSession) navigator.mediaSession.playbackState = on ? 'playing' : 'paused';
}

async function toggle() {
  if (player.playing || (wantsSound && waiting)) pause();
  else await play();
}

async function step(by) {
  if (marked !== null) await seek({chunk: Math.max(0, marked + by)});
}

async function skip(seconds) {
  const run = player.run, to = player.seconds + seconds;
  const end = run?.segments.at(-1)?.end ?? 0;
  if (run && to >= 0 && to < end - 0.5) {
    player.jump(to);
    onTime();
    tell();
  } else {
    await seek({seconds: Math.max(0, (figures.position_seconds ?? 0) + seconds)});
  }
}

async function changeChapter(by) {
  const here = chapters.findIndex(each => String(each.number) === $('chapter').value);
  const next = chapters[here + by];
  if (next) await seek({chapter: next.number});
}

async function changeVoice(wishes) {
  wantsSound = player.playing || wantsSound;
  await tell();
  await ask(address('/voice'), wishes);
}

async function download(format) {
  $('making').hidden = false;
  showExport(await ask(address(`/files/${format}`), {}));
}

function showExport(told) {
  $('making').hidden = false;
  const name = told.format.toUpperCase();
  if (told.state === 'failed') $('making').textContent = `${name} could not be made. ${told.why}`;
  else if (told.url) $('making').replaceChildren(make('a', {href: told.url, download: '', textContent: `Save the ${name} file (${(told.size / 1e6).toFixed(1)} MB)`}));
  else $('making').textContent = `${name} is being made: ${Math.floor(100 * told.share)} %` + (told.left_seconds ? `, about ${clock(told.left_seconds)} left` : '');
}

function listenToControls() {
  const on = (id, name, action) => $(id).addEventListener(name, doing(action));
  on('play', 'click', toggle);
  on('sentence-back', 'click', () => step(-1));
  on('sentence-on', 'click', () => step(1));
  on('back', 'click', () => skip(-SKIP_SECONDS));
  on('on', 'click', () => skip(SKIP_SECONDS));
  on('chapter', 'change', () => seek({chapter: Number($('chapter').value)}));
  on('speed', 'change', () => ask(address('/speed'), {speed: Number($('speed').value)}));
  on('sleep', 'change', () => {
    const choice = $('sleep').value;
    return ask(address('/sleep'), choice === 'chapter' ? {chapter: true} : {minutes: choice ? Number(choice) : null});
  });
  on('voice', 'change', () => {
    const [engine, ...name] = $('voice').value.split('/');
    return changeVoice({engine: engine || null, voice: name.join('/') || null});
  });
  on('spoken', 'change', () => changeVoice({language: $('spoken').value, engine: null, voice: null}));
  for (const button of $('files').querySelectorAll('button')) button.addEventListener('click', doing(() => download(button.dataset.format)));
  $('place').addEventListener('input', () => { dragging = true; $('now').textContent = clock(Number($('place').value)); });
  on('place', 'change', async () => { dragging = false; await seek({seconds: Number($('place').value)}); });
  $('more').addEventListener('toggle', () => showFigures(figures));
  new ResizeObserver(() => {  // the text can be scrolled clear of the player, however high that is
    const room = `${$('controls').offsetHeight + 32}px`;
    document.body.style.paddingBottom = document.documentElement.style.scrollPaddingBottom = room;
    if (marked !== null && Date.now() - lastScroll > SCROLLED_MS) intoView(element(marked) ?? document.body);
  }).observe($('controls'));
  $('trouble-close').addEventListener('click', () => { $('trouble').hidden = true; });
  document.addEventListener('keydown', event => {
    const free = !event.target.closest('input, select, textarea, button, summary, a') && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (!reading || !free) return;
    const action = {' ': toggle, ArrowLeft: () => step(-1), ArrowRight: () => step(1)}[event.key];
    if (action) { event.preventDefault(); doing(action)(); }
  });
}

function listenToSound() {
  const audio = $('audio');
  for (const name of ['play', 'playing', 'pause']) audio.addEventListener(name, () => { showPlaying(); tell(); });
  audio.addEventListener('timeupdate', onTime);
  audio.addEventListener('seeked', () => { onTime(); tell(); });
  audio.addEventListener('ended', () => { showPlaying(); tell(); });
  document.addEventListener('visibilitychange', () => { if (document.hidden) tell(); });
  addEventListener('pagehide', () => tell());
  const session = navigator.mediaSession;
  if (!session) return;
  const keys = {
    play, pause, seekbackward: () => skip(-SKIP_SECONDS), seekforward: () => skip(SKIP_SECONDS),
    previoustrack: () => changeChapter(-1), nexttrack: () => changeChapter(1), seekto: details => seek({seconds: details.seekTime}),
  };
  for (const [name, action] of Object.entries(keys)) {
    try { session.setActionHandler(name, doing(action)); } catch { /* this browser has no such key */ }
  }
}

// What the lock screen shows.
function showSession() {
  const session = navigator.mediaSession;
  if (!session || !reading) return;
  const chapter = chapters.find(each => String(each.number) === $('chapter').value)?.title;
  if (session.metadata?.album !== reading.title || session.metadata?.title !== (chapter || reading.title)) {
    session.metadata = new MediaMetadata({title: chapter || reading.title, artist: reading.author, album: reading.title});
  }
  const duration = figures.total_seconds, position = figures.position_seconds;
  if (duration > 0 && position >= 0 && position <= duration) {
    session.setPositionState?.({duration, position, playbackRate: player.speed});
  }
}

// ---- the beginning --------------------------------------------------------------------------------------------------

const go = doing(async () => {
  const id = location.hash.match(/^#\/reading\/([\w-]+)$/)?.[1];
  if (!id) {
    if (location.hash === '' || location.hash === '#') await showChoice();
    return;
  }
  try {
    await showReading(id);
  } catch (error) {
    if (error.status !== 404) throw error;
    history.replaceState(null, '', './');
    await showChoice();
    complain(error.message);
  }
});

listenToChoice();
listenToText();
listenToControls();
listenToSound();
addEventListener('hashchange', go);
go();
