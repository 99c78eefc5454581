// The scrubber: frames as sprite sheets on canvases, and everything that follows the frame shown.
// `props.value` comes from pack(), live(), message() or stopped() of scrubber.py, which tells of its fields.
// Nothing here asks the server for anything but the sheets themselves.
const position = $('.position'), caption = $('.caption'), playButton = $('[data-do=play]');
let run = null;          // the value whose frames are shown
let strips = [];         // one a strip: {canvas, context, sheets}
let shapeOfStrips = '';  // what their canvases were made for
let followers = [];      // what else shows the frame: the formula's numbers, the curves, the diagram
let seen = null, index = 0, generation = 0, waiting = null, changed = false, queued = false, arriving = false, underWay = false, stopping = false, stoppedAt = -Infinity, playing = false, clock = 0, owed = 0;

// ---- drawing a frame ----

const place = (k) => {   // where frame k lies: which sheet, and its corner there
  const j = k % run.per_sheet;
  return [Math.floor(k / run.per_sheet), (j % run.columns) * run.width, Math.floor(j / run.columns) * run.height];
};

const clear = (context, {vacant}) => vacant.forEach((box) => context.clearRect(...box));     // where no picture is

function show(k) {
  if (!run) return;
  index = Math.max(0, Math.min(run.frames - 1, Math.round(k)));
  const [sheet, x, y] = place(index);
  for (const s of strips) {
    s.context.drawImage(s.sheets[sheet], x, y, run.width, run.height, 0, 0, run.width, run.height);
    clear(s.context, run);
  }
  position.value = index;
  caption.value = run.captions[index];
  position.setAttribute('aria-valuetext', run.captions[index]);
  for (const follow of followers) follow(index);
  element.dataset.index = index;
}

// ---- canvases ----

const LARGEST = 480, SMALLEST = 150, GAP = 12;       // CSS pixels: a strip's width, if there is room, and what lies between two (--gap)

function layOut() {                  // as many strips beside each other as fit at a whole number of device pixels a pixel
  if (!strips.length) return;
  const ratio = window.devicePixelRatio || 1, width = strips[0].canvas.width / ratio, wrap = $('.strips');
  const room = (columns) => (wrap.clientWidth - GAP * (columns - 1)) / columns;
  let columns = strips.length;
  while (columns > 1 && room(columns) < Math.max(width, SMALLEST)) columns--;
  const scale = Math.max(1, Math.floor(Math.min(room(columns), LARGEST) / width));
  wrap.style.setProperty('--columns', columns);
  for (const s of strips) s.canvas.style.width = room(columns) < width ? '100%' : `${scale * width}px`;
}

function canvasesFor(value) {
  const wrap = $('.strips'), shape = JSON.stringify([value.width, value.height, value.strips.map((s) => [s.name, s.hint])]);
  if (shape === shapeOfStrips) return value.strips.forEach((strip, k) => { strips[k].sheets = strip.bitmaps; });
  shapeOfStrips = shape;
  strips = value.strips.map((strip) => {
    const canvas = make('canvas', {width: value.width, height: value.height});
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', `${strip.name}: ${strip.hint}, at the selected frame`);
    const context = canvas.getContext('2d');
    context.imageSmoothingEnabled = false;
    const figcaption = make('figcaption', {textContent: strip.name}, make('small', {textContent: strip.hint})), below = make('div', {className: 'below'});
    return {canvas, context, below, sheets: strip.bitmaps, figure: make('figure', {}, canvas, figcaption, below)};
  });
  wrap.replaceChildren(...strips.map((s) => s.figure));
  layOut();
}

const bitmap = async (source) => createImageBitmap(await (await fetch(source.url || source)).blob());
const bitmapsOf = (value) => Promise.all(value.strips.map(async (s) => { s.bitmaps = await Promise.all(s.sheets.map(bitmap)); }));
const discard = (value) => value?.strips?.forEach((s) => s.bitmaps?.forEach((b) => b.close()));

// ---- a new value ----

async function load() {
  if (!props.value || props.value.id === seen) return;      // Gradio tells of most values twice
  seen = props.value.id;
  const value = {...structuredClone(props.value), ...JSON.parse(props.value.following || '{}')};
  if (value.stopped) stoppedAt = value.at;
  if (value.live && value.started <= stoppedAt) return;     // it was on its way when its run was stopped
  if (arriving && !value.following) return;                 // a finished run comes: nothing less takes its place
  if (value.words && !value.strips) return run && adopt({...run, words: value.words}, index);     // of the run on show
  const mine = ++generation;
  if (value.message) return back(value.message);
  if (value.stopped) return stop();
  arriving = Boolean(value.following);
  try {
    await bitmapsOf(value);
    if (mine !== generation) return discard(value);       // a newer value came meanwhile
    value.live ? preview(value) : finish(value);
  } catch (error) {
    if (mine === generation) back(`The frames could not be loaded (${error.message}); press Sample again.`);
  }
  if (mine === generation) arriving = false;
}

function stop() {              // Gradio cancels whatever begins before it is done with cancelling: nothing may until then
  stopping = underWay;
  if (stopping) caption.value = 'Stopping …';
  else back(run ? 'Stopped; the run before is shown.' : 'Stopped. Press Sample to start again.');
}

function back(text) {          // to the run before, and why
  if (run) adopt(run, index);
  busy(false);
  caption.value = text;
}

function preview(value) {      // the newest frame of a run under way; the finished run before it is kept
  setPlaying(false);
  canvasesFor(value);
  strips.forEach((s) => { s.context.drawImage(s.sheets[0], 0, 0); clear(s.context, value); });
  discard(value);
  position.max = value.frames - 1; position.value = value.index;
  caption.value = value.caption;
  busy(true, value.index / (value.frames - 1));
  element.dataset.preview = value.index;
}

function finish(value) {
  const before = run, start = value.start < 0 ? value.frames + value.start : value.start;
  adopt(value, value.keep && before?.frames === value.frames ? index : start);
  discard(before);
  busy(false);
  if (value.notice) caption.value = value.notice;
  if (!changed) delete element.dataset.stale;
  if (queued) changed = queued = false;
  element.dataset.ready = value.id;
}

function adopt(value, at) {
  run = value;
  canvasesFor(value);
  followers = [...drawFormula(value), ...drawCurves(value), ...followDiagram(value), ...drawBelow(value), ...drawWords(value)];
  position.max = value.frames - 1;
  show(at);
}

element.addEventListener('changed', () => { changed = true; element.dataset.stale = ''; });    // a setting
element.addEventListener('awaited', ({detail}) => {       // a run was asked for
  underWay = true;
  if (element.dataset.live === 'true') { queued = true; return; }      // after the one under way, if at all
  changed = queued = false;
  busy(true);
  waiting = {};
  caption.value = 'Waiting for the model …';
  if (detail) element.dataset.stale = '';
  const box = $('.strips').getBoundingClientRect();
  if (box.bottom < 120 || box.top > innerHeight - 120) element.scrollIntoView();      // as on a phone
});
element.addEventListener('over', () => {                  // and has ended: what it sent may still be on its way
  const mine = waiting;
  underWay = false;
  if (stopping) return stop();
  if (mine) setTimeout(() => { if (waiting === mine) back('Nothing came: press Sample again.'); }, 2000);
});

function busy(yes, share = 0) {
  waiting = null;
  if (yes !== (element.dataset.live === 'true')) trigger(yes ? 'play' : 'end');   // the page's own buttons follow
  $('.progress').hidden = !yes; $('.progress').value = share;
  $('.scrubber').classList.toggle('live', yes);   // what belongs to the run before is dimmed
  for (const control of element.querySelectorAll('.bar button, .position')) control.disabled = yes || !run;
  element.dataset.live = yes;
}

// ---- playing, keys, pointers ----

function tick(now) {
  if (!playing || !element.isConnected) return;
  owed += Math.min(now - clock, 250); clock = now;
  const pause = 1000 / Number($('.speed').value), steps = Math.floor(owed / pause);
  owed -= steps * pause;
  if (steps) {
    const next = index + steps, ended = next >= run.frames;
    if (ended && !$('.loop').checked) { show(run.frames - 1); return setPlaying(false); }
    show(ended ? 0 : next);
  }
  requestAnimationFrame(tick);
}

function setPlaying(yes) {
  playing = yes && !!run;
  caption.setAttribute('aria-live', playing ? 'off' : 'polite');
  playButton.textContent = playing ? 'Pause' : 'Play';
  playButton.setAttribute('aria-label', playing ? 'Pause' : 'Play');
  if (!playing) return;
  if (index >= run.frames - 1) show(0);
  owed = 0; clock = performance.now();
  requestAnimationFrame(tick);
}

const actions = {
  first: () => show(0), last: () => run && show(run.frames - 1),
  back: () => show(index - 1), forward: () => show(index + 1), play: () => setPlaying(!playing),
};
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-do]');
  if (!button) return;
  if (button.dataset.do !== 'play') setPlaying(false);
  actions[button.dataset.do]();
});
position.addEventListener('input', () => { setPlaying(false); show(Number(position.value)); });
element.addEventListener('keydown', (event) => {   // the range has its own arrow keys; these serve the rest
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.target.matches('select, .diagram button') || element.dataset.live === 'true') return;
  const key = {ArrowLeft: 'back', ArrowRight: 'forward', Home: 'first', End: 'last', ' ': 'play'}[event.key];
  if (!key || (event.key === ' ' && event.target.matches('button, input[type=checkbox]'))) return;
  if (event.target === position && key !== 'play') return;
  event.preventDefault();
  if (key !== 'play') setPlaying(false);
  actions[key]();
});

// ---- start ----

new ResizeObserver(layOut).observe($('.strips'));
busy(false);
watch('value', load);
load();                  // watch() is silent about the first value
