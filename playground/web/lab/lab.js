// Training in the plane. `props.value` comes from pack() of lab/__init__.py or from message(). The server trains only
// while this component asks for the next slice.

import {drawDiagram} from '../diagram/diagram.js';
import {make, makeCanvas, makeLegend} from '../dom.js';
import {orError} from '../requests.js';
import {letPaint} from './brush.js';
import {drawCurve} from './curve.js';
import {drawPlane} from './plane.js';

const ARRIVAL = 4000; // milliseconds of training when the page opens
const REST = 500; // milliseconds between looks if a hidden lab is shown
const SLOW = 250; // milliseconds between two steps in slow motion
const SWEEP = 4000; // milliseconds from one end of the dial to the other

const find = (selector) => element.querySelector(selector);
const findAll = (selector) => [...element.querySelectorAll(selector)];
const dial = find('.dial input');
const slow = find('.slow');
const view = {
  value: null, // the lab on show
  refusal: '', // what is wrong with the controls; nothing runs until it is put right
  frame: null, // its newest frame
  numbers: [], // elements of the diagram, null for a box without one
  history: [], // {step, name: value ...} of each frame
};
const training = {
  isPlaying: false,
  isArrival: false, // it plays because the page was opened
  isSweeping: false, // the dial moves by itself
  loop: 0, // number of the newest loop that plays or sweeps; an older one ends
  isBusy: false, // the server has yet to answer
  dialChanged: false, // while it was busy
  startTime: 0, // of Play
  startStep: 0,
};

// ---- requests ----

// Asks the server for an action: "play", "slow", "show", or a step by hand.
async function request(action) {
  if (training.isBusy || !view.value || view.refusal) return;
  training.isBusy = true;
  const {id, lab} = view.value;
  const answer = await orError(() => server.train({lab, action, position: Number(dial.value)}));
  training.isBusy = false;
  if (id !== view.value.id || view.refusal) return; // another lab is on show, or asked for
  if (answer.error) {
    pause();
    showCaption(answer.error);
    return;
  }
  showFrame(answer, action !== 'show');
  if (training.dialChanged) turnDial();
}

// Shows the same step of the training at another position of the dial.
function turnDial() {
  showMark();
  training.dialChanged = training.isBusy;
  if (!training.isBusy && (!training.isPlaying || view.frame.over)) request('show');
}

// Moves the dial from one end to the other, or stops it.
async function sweep() {
  const begins = !training.isSweeping;
  pause();
  if (!begins || view.refusal) return;
  training.isSweeping = true;
  const goesOn = startLoop('isSweeping');
  updateButtons();
  for (let at = 0; goesOn() && at <= dial.max && isSeen(); at++) {
    dial.value = at;
    turnDial();
    await new Promise((done) => setTimeout(done, SWEEP / dial.max));
  }
  if (goesOn()) pause();
}

// Trains until the end or a pause; rests while unseen, since frames go on in a hidden tab of the page.
async function play() {
  if (training.isPlaying || !view.value || view.refusal || view.frame.over) return;
  pause();
  training.isPlaying = true;
  const goesOn = startLoop('isPlaying');
  startClock();
  updateButtons();
  while (goesOn() && !view.frame.over && element.isConnected) {
    if (isSeen()) await request(slow.checked ? 'slow' : 'play');
    else startClock();
    await new Promise((done) => {
      if (isShown() && !slow.checked) requestAnimationFrame(done);
      else setTimeout(done, isShown() ? SLOW : REST);
    });
  }
  if (goesOn()) pause(); // or else something else has begun
}

// Returns a function that says whether a loop goes on: while its state holds, until another begins.
function startLoop(state) {
  const loop = ++training.loop;
  return () => training[state] && loop === training.loop;
}

// Trains for a moment when the page opens, unless the visitor wants no motion.
function playOnArrival() {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  play();
  training.isArrival = training.isPlaying;
  setTimeout(() => { if (training.isArrival) pause(); }, ARRIVAL);
}

// Returns whether the lab is in the open tab of the page.
function isShown() {
  return element.getClientRects().length > 0;
}

// Returns whether that page is in the open tab of the browser, too.
function isSeen() {
  return !document.hidden && isShown();
}

function startClock() {
  Object.assign(training, {startTime: performance.now(), startStep: view.frame.step});
}

function pause() {
  training.isPlaying = training.isArrival = training.isSweeping = false;
  updateButtons();
}

// ---- showing ----

// Shows a frame; one of a new step goes into the history.
function showFrame(frame, isNewStep = true) {
  view.frame = frame;
  if (isNewStep) view.history.push({step: frame.step, ...frame.row});
  element.dataset.step = frame.step;
  element.dataset.pictures = view.history.length;
  find('progress').value = frame.step / view.value.limit;
  view.numbers.forEach((number, i) => { number.textContent = frame.numbers[i]; });
  showCaption(describeFrame());
  updateButtons();
  draw();
}

function describeFrame() {
  const {frame, value} = view;
  const lines = [`step ${frame.step} of at most ${value.limit}`, ...frame.caption];
  const steps = frame.step - training.startStep;
  if (training.isPlaying && steps > 0) {
    lines[0] += `, ${Math.round((steps / (performance.now() - training.startTime)) * 1000)} a second`;
  }
  if (frame.over) lines.push('The training is over: press Reset for another.');
  return lines.join('\n');
}

function showCaption(text) {
  find('.caption').value = text;
}

function updateButtons() {
  const {refusal, frame} = view;
  find('.caption').ariaLive = training.isPlaying ? 'off' : 'polite'; // one frame follows another
  const playButton = find('[data-do=play]');
  playButton.textContent = training.isPlaying ? 'Pause' : 'Play';
  find('[data-do=sweep]').textContent = training.isSweeping ? 'Stop' : 'Play through';
  playButton.disabled = Boolean(refusal || frame?.over);
  dial.disabled = find('[data-do=sweep]').disabled = Boolean(refusal);
  for (const button of findAll('.actions button')) button.disabled = training.isPlaying || refusal || frame?.over;
  find('.lab').classList.toggle('refused', refusal);
}

function draw() {
  const {frame, value, history} = view;
  if (!frame) return;
  findAll('.field').forEach((canvas, i) => {
    drawPlane(canvas, frame.planes[i], value.still[i], {...value, ramp: value.planes[i].ramp});
  });
  findAll('.curve').forEach((canvas, i) => drawCurve(canvas, value.curves[i].lines, history, frame.step));
}

// Fits the canvases to the device's pixels.
function resize() {
  for (const canvas of findAll('.field, .curve')) {
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * devicePixelRatio));
    if (width && (canvas.width !== width || canvas.height !== height)) Object.assign(canvas, {width, height});
  }
  draw();
}

// ---- buttons ----

function press(event) {
  const action = event.target.dataset?.do;
  if (!action) return;
  training.isArrival = false;
  if (action === 'save') save();
  else if (action === 'sweep') sweep();
  else if (action !== 'play') request(action);
  else if (training.isPlaying) pause();
  else play();
}

// Saves the planes side by side as a PNG.
function save() {
  const fields = findAll('.field');
  const side = fields[0].width;
  const sheet = make('canvas', {width: side * fields.length, height: side});
  const pen = sheet.getContext('2d');
  // A browser that guards against fingerprints does not read the nothing that is there.
  if (pen.getImageData(0, 0, 2, 2).data.some(Boolean)) return showCaption('This browser alters what is saved: take a screenshot.');
  fields.forEach((canvas, i) => pen.drawImage(canvas, i * side, 0));
  const download = `${element.parentElement.closest('[id]').id}-step${view.frame.step}.png`;
  make('a', {href: sheet.toDataURL(), download}).click();
}

// ---- a new value ----

// Builds the planes, buttons and curves of a kind of lab.
function build({planes, actions, curves, diagram}) {
  find('.lab').classList.toggle('many', planes.length > 1);
  find('.planes').replaceChildren(...planes.map(({label, legend}) => make(
    'figure', {}, make('figcaption', {}, label), makeCanvas(label, {className: 'field'}), makeLegend(legend))));
  find('.actions').replaceChildren(...actions.map(({name, title, hint}) => {
    const button = make('button', {type: 'button', title: hint}, title);
    button.dataset.do = name;
    return button;
  }));
  find('.curves').replaceChildren(...curves.flatMap(({label, lines}) => (
    [makeCanvas(label, {className: 'curve'}), makeLegend(Object.values(lines))])));
  const hint = '⇠ is the gradient on its way back. Press a box to read what it does.';
  const boxes = drawDiagram(find('.diagram'), diagram.map((box) => ({...box, hasNumber: true})), {hint});
  boxes.forEach(({button: {parentElement}}, i) => {
    parentElement.classList.toggle('left', diagram[i].comes_from_right);
    parentElement.classList.toggle('gradient', diagram[i].has_gradient);
  });
  view.numbers = boxes.map(({number}) => number);
  if (planes.length) letPaint(find('.field'), view.value, pause);
  resize();
}

// Shows the dial of a lab that has one.
function setDial(value) {
  find('.dial').hidden = !value;
  if (!value) return;
  find('.dial span').textContent = value.title;
  dial.max = value.marks.length - 1;
  dial.value = value.at;
  showMark();
}

function showMark() {
  find('.dial output').value = dial.ariaValueText = view.value.dial.marks[dial.value];
}

// Marks the number boxes with these labels beside the stage, and no others.
function markRefused(labels) {
  for (const box of element.closest('.tab-body')?.querySelectorAll('.controls input[type=number]') ?? []) {
    box.ariaInvalid = labels.includes(box.ariaLabel);
  }
}

// Shows a new value.
function load() {
  const value = props.value;
  if (!value) return;
  view.refusal = value.message ?? '';
  markRefused(value.refused ?? []);
  pause();
  if (view.refusal) return showCaption(`${view.refusal}\nNothing runs until this is fixed.`);
  const isFirst = !view.value;
  Object.assign(view, {value: structuredClone(value), history: [], frame: null});
  find('.why').textContent = value.why;
  setDial(view.value.dial);
  if (isFirst) build(view.value);
  showFrame(view.value.frame);
  element.dataset.ready = value.id;
  if (isFirst) playOnArrival();
}

dial.addEventListener('input', () => {
  if (training.isSweeping) pause();
  turnDial();
});
element.addEventListener('click', press);
new ResizeObserver(resize).observe(find('.planes'));
new MutationObserver(draw).observe(document.body, {attributeFilter: ['class']}); // the theme, whose colours curves have
watch('value', load);
load();
