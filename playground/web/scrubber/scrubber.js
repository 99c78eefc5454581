// Scrubber: synchronised strips of frames, and everything that follows the selected frame. `props.value` comes from
// scrubber/__init__.py, see also scrubber/parts.py, or from message(). Only the sprite sheets are asked of the server.

import {rememberLayers} from '../layers.js';
import {clamp} from '../numbers.js';
import {WordList} from '../words/words.js';
import {isLate} from './arrivals.js';
import {drawCurves} from './curves.js';
import {captionAt, drawFormula, drawMilestones, followDiagram} from './followers.js';
import {drawBelow} from './histograms.js';
import {Pin} from './pin.js';
import {Playback} from './playback.js';
import {closeSheets, loadSheets} from './sheets.js';
import {layOutAll, Strips} from './strips.js';
import {Trail} from './trail.js';

const NOTHING_CAME = 2000; // milliseconds after a run's end
const PLAYING_TIME = 4; // seconds of a run at speed 1
const HOLD = 1000; // milliseconds on the last frame before it plays again
const EDGE = 120; // CSS pixels of the strips that must be visible when a run begins

const find = (selector) => element.querySelector(selector);
const [position, caption, playButton] = ['.position', '.caption', '[data-do=play]'].map(find);

const strips = new Strips(find('.strips'));
const words = new WordList(find('.words'), () => { if (!isLive()) showFrame(view.index); });
const trail = new Trail((x, y) => { if (!isLive()) trigger('select', {x, y}); });
const pin = new Pin(element);
const playback = new Playback(
  () => (Number(find('.speed').value) * Math.max(1, view.run.frames - 1)) / PLAYING_TIME, advance);
const view = {
  run: null, // the value whose frames are shown
  index: 0, // of the selected frame
  end: 0, // index at which playing ends
  followers: [], // functions of the index that show the frame elsewhere
};
const loading = {
  lastId: null, // of the value that came last
  generation: 0, // number of the value that came last; older ones are dropped when their sheets arrive
  run: null, // the finished run whose sheets are on their way
};
const request = {
  isRunning: false, // the server is busy with a run of this view
  pending: null, // stands for a request of which nothing came yet
  isQueued: false, // another run follows the one under way
  settingsChanged: false, // after the request
  isStopping: false,
  hasFrames: false, // the stopped run has made some
  stopTime: -Infinity, // when the last run was stopped, on the server's clock
};

// ---- the selected frame ----

// Returns whether a run is awaited or under way.
function isLive() {
  return element.dataset.live === 'true';
}

function showFrame(k) {
  const {run, followers} = view;
  if (!run) return;
  view.index = clamp(Math.round(k), 0, run.frames - 1);
  strips.drawFrame(view.index, run);
  pin.follow(view.index, run);
  position.value = view.index;
  caption.value = captionAt(run, view.index);
  delete caption.dataset.message;
  position.ariaValueText = run.captions[view.index];
  for (const follow of followers) follow(view.index);
  element.dataset.index = view.index;
}

// Shows a complete run at a frame.
function showRun(run, index) {
  view.run = run;
  strips.setValue(run);
  view.followers = [
    ...drawFormula(find('.formula'), run),
    ...drawCurves(find('.curves'), run, seek),
    ...followDiagram(find('.diagram'), run),
    ...drawMilestones(find('.milestones'), run, seek),
    ...drawBelow(strips.list, run.below),
    ...[words, trail].flatMap((over) => over.draw(run, strips.list[0].context)),
  ];
  position.max = run.frames - 1;
  showFrame(index);
}

// Shows a new part of the run on show, which stays the same run: it may be pinned. A path is followed from its start.
function showPart(part) {
  Object.assign(view.run, part);
  if (isLive()) return;
  showRun(view.run, view.index);
  if (part.path) playOnArrival(view.run.frames - 1);
}

// Goes to a frame and stays there.
function seek(k) {
  setPlaying(false);
  showFrame(k);
}

// ---- a new value ----

// Shows a new value; of several that load at once only the newest.
async function load() {
  if (!props.value || props.value.id === loading.lastId) return; // Gradio announces most values twice
  loading.lastId = props.value.id;
  const value = {...structuredClone(props.value), ...JSON.parse(props.value.following || '{}')};
  if (value.stopped) Object.assign(request, {stopTime: value.at, hasFrames: Boolean(value.following)});
  if (isLate(value, {loadingRun: loading.run, shownRun: view.run?.run, stopTime: request.stopTime})) return;
  if (value.address) return sendAddress(value.address);
  if (value.waiting) return isLive() && (caption.value = value.waiting);
  if (value.part) return showPart(value.part);
  const generation = ++loading.generation;
  if (value.message) {
    restore(value.message);
    return element.toggleAttribute('data-outdated', Boolean(value.outdated));
  }
  if (value.stopped && !value.following) return finishStop();
  loading.run = value.following ? value.run : null;
  await loadFrames(value, generation);
  if (generation === loading.generation) loading.run = null;
}

// Shows a value with frames when its sheets are there, unless a newer value came meanwhile.
async function loadFrames(value, generation) {
  try {
    await loadSheets(value);
    if (generation !== loading.generation) closeSheets(value);
    else if (value.live) showPreview(value);
    else finish(value);
  } catch (error) {
    if (generation !== loading.generation) return;
    restore(`The frames could not be loaded (${error.message}); try again.`);
  }
}

// Tells the link of the view the address of a run under way; with null, the link's own holds again.
const sendAddress = (detail) => element.closest('.stage')?.querySelector('[data-settings]')
  ?.dispatchEvent(new CustomEvent('run-address', {detail}));

// Shows the finished run again, with text, if any, as the caption.
function restore(text) {
  caption.ariaLive = 'polite';
  sendAddress(null);
  if (view.run) showRun(view.run, view.index);
  if (text) [caption.value, caption.dataset.message] = [text, ''];
  if (isLive()) caption.scrollIntoView({block: 'nearest'}); // below the fold
  setLive(false);
}

// Shows the newest frame of a run under way; the finished run before it is kept.
function showPreview(value) {
  setPlaying(false);
  caption.ariaLive = 'off'; // one preview follows another
  strips.setValue(value);
  strips.drawFrame(0, value);
  closeSheets(value);
  position.max = value.frames - 1;
  position.value = value.index;
  caption.value = value.caption;
  setLive(true, value.index / (value.frames - 1));
  element.dataset.preview = value.index;
}

// Shows a finished run in place of the one before.
function finish(value) {
  const before = view.run;
  if (value.of && isLive()) { // other strips of the run before, to which Stop may return
    view.run = value;
    return pin.release(before);
  }
  caption.ariaLive = 'polite';
  const start = value.start < 0 ? value.frames + value.start : value.start;
  showRun(value, value.keep && before?.frames === value.frames ? view.index : start);
  if (!before && !('preview' in element.dataset)) playOnArrival(start);
  pin.release(before);
  delete element.dataset.outdated;
  if (value.stopped) finishStop();
  else setLive(false);
  if (!request.settingsChanged) delete element.dataset.stale;
  if (request.isQueued) request.settingsChanged = request.isQueued = false;
  element.dataset.ready = value.id;
}

// ---- runs: events that controls.py sends, and the buttons of the page ----

// Waits for a run that was requested; a run under way comes first.
function onRunRequested({detail: isStale}) {
  request.isRunning = true;
  if (isLive()) {
    request.isQueued = true;
    return;
  }
  request.settingsChanged = request.isQueued = false;
  setLive(true);
  request.pending = {};
  caption.value = 'Waiting for the model …';
  if (isStale) element.dataset.stale = '';
  const box = find('.strips').getBoundingClientRect();
  if (box.bottom < EDGE || box.top > innerHeight - EDGE) element.scrollIntoView(); // as on a phone
}

// Waits a moment for what an ended run sent.
function onRunEnded() {
  const {pending} = request;
  request.isRunning = false;
  if (request.isStopping) return finishStop();
  if (!pending) return;
  setTimeout(() => {
    if (request.pending === pending) restore('No answer came: try again.');
  }, NOTHING_CAME);
}

// Shows what the stopped run has made, or else the run before, once the run has ended: Gradio also cancels a run that
// begins while it cancels another.
function finishStop() {
  request.isStopping = request.isRunning;
  const instead = view.run ? 'Stopped; the previous run is shown.' : 'Stopped before the first picture: try again.';
  if (request.isStopping) caption.value = 'Stopping …';
  else restore(!request.hasFrames && instead);
}

// Switches between a run under way, with its progress from 0 to 1, and a finished one.
function setLive(live, progress = 0) {
  request.pending = null;
  if (live !== isLive()) trigger(live ? 'play' : 'end'); // for the buttons of the page
  find('.progress').value = progress;
  for (const control of element.querySelectorAll('.bar button, .position')) control.disabled = live || !view.run;
  element.dataset.live = live;
}

// ---- playing ----

// Goes on by some frames while playing, from the last to the first; in a hidden tab it ends.
function advance(steps) {
  if (!element.getClientRects().length) return seek(view.end);
  showFrame(view.index >= view.end ? 0 : Math.min(view.index + steps, view.end));
  if (view.index < view.end) return;
  if (find('.loop').checked) playback.hold(HOLD);
  else setPlaying(false);
}

// Plays a run that the page opens with up to the frame where it rests, unless the visitor wants no motion.
function playOnArrival(end) {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  showFrame(0);
  setPlaying(true);
  view.end = end;
}

function setPlaying(playing) {
  const isPlaying = playing && Boolean(view.run);
  caption.ariaLive = isPlaying ? 'off' : 'polite';
  playButton.textContent = playButton.ariaLabel = isPlaying ? 'Pause' : 'Play';
  if (!isPlaying) return playback.stop();
  view.end = view.run.frames - 1;
  if (view.index >= view.end) showFrame(0);
  playback.start();
}

// ---- buttons, keys, pointers ----

const actions = {
  first: () => seek(0),
  last: () => seek(Infinity),
  back: () => seek(view.index - 1),
  forward: () => seek(view.index + 1),
  play: () => setPlaying(!playback.isPlaying),
  pin: () => { pin.toggle(view.run); showFrame(view.index); },
};
const keys = {ArrowLeft: 'back', ArrowRight: 'forward', Home: 'first', End: 'last', ' ': 'play'};

function onClick(event) {
  actions[event.target.closest('[data-do]')?.dataset.do]?.();
}

// Acts on a key, unless the focused control has a meaning of its own for it.
function onKey(event) {
  const action = keys[event.key];
  if (!action || isLive() || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.target.matches('select, .diagram button')) return;
  if (event.key === ' ' && event.target.matches('button, summary, input[type=checkbox]')) return;
  if (event.target === position && action !== 'play') return;
  event.preventDefault();
  actions[action]();
}

element.addEventListener('run-requested', onRunRequested);
element.addEventListener('run-ended', onRunEnded);
element.addEventListener('settings-changed', () => { request.settingsChanged = true; element.dataset.stale = ''; });
element.addEventListener('click', onClick);
element.addEventListener('keydown', onKey);
position.addEventListener('input', () => seek(Number(position.value)));
new ResizeObserver(() => layOutAll(find('.bar'), strips, pin.strips)).observe(find('.strips'));
rememberLayers(element);
setLive(false);
watch('value', load);
load(); // watch() is silent about the first value
