// The original of an uploaded picture, on which a frame is dragged around what is to be read. The value is {of, original,
// box, swap}: name and URL of the picture, the frame [left, top, right, bottom] in shares of the picture's sides, and
// whether ink and paper are swapped.

import {placeIn} from '../dom.js';
import {arrowOf} from '../keys.js';
import {clamp} from '../numbers.js';

const WHOLE = [0, 0, 1, 1];
const SMALLEST = 0.03; // share of a side; a smaller frame is a click, which takes it away
const KEY_STEP = 0.02; // share of a side

const [original, image, frame, whole, swap] = ['.original', 'img', 'i', 'button', 'input'].map(
  (selector) => element.querySelector(selector));
const photograph = {
  box: WHOLE,
  corner: null, // where the frame that is dragged begins
};

// Shows a frame, and keeps it.
function show(box) {
  photograph.box = box.map((share) => Math.round(1000 * share) / 1000);
  const [left, top, right, bottom] = photograph.box.map((share) => 100 * share);
  Object.assign(frame.style, {left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%`});
}

// Returns true if a frame is large enough, and inside the picture.
function isValid([left, top, right, bottom]) {
  return Math.min(left, top) >= 0 && Math.max(right, bottom) <= 1 && Math.min(right - left, bottom - top) >= SMALLEST;
}

// Sends what was chosen as the component's value.
function send() {
  props.value = {...props.value, box: photograph.box, swap: swap.checked};
  for (const name of ['input', 'change']) trigger(name); // as drawing_pad.js does
}

// Shows the value; there is none until a picture is uploaded.
function load() {
  element.querySelector('.photograph').hidden = !props.value;
  if (!props.value) return;
  image.src = props.value.original;
  swap.checked = props.value.swap;
  show(props.value.box);
}

// Returns the place of a pointer event in shares of the picture's sides.
function positionOf(event) {
  return placeIn(image, event).map((share) => clamp(share, 0, 1));
}

function startFrame(event) {
  if (!event.isPrimary || event.button !== 0) return;
  original.setPointerCapture(event.pointerId);
  photograph.corner = positionOf(event);
  dragFrame(event);
}

function dragFrame(event) {
  if (!photograph.corner || !event.isPrimary) return;
  const [x, y] = positionOf(event);
  const [x0, y0] = photograph.corner;
  show([Math.min(x, x0), Math.min(y, y0), Math.max(x, x0), Math.max(y, y0)]);
}

function endFrame() {
  if (!photograph.corner) return;
  photograph.corner = null;
  if (!isValid(photograph.box)) show(WHOLE);
  send();
}

// Moves the frame by the arrow keys, and with Shift its lower right corner.
function moveByKey(event) {
  const arrow = arrowOf(event);
  if (!arrow) return;
  event.preventDefault();
  const [left, top, right, bottom] = photograph.box;
  const [dx, dy] = arrow.map((direction) => direction * KEY_STEP);
  const box = [...(event.shiftKey ? [left, top] : [left + dx, top + dy]), right + dx, bottom + dy];
  if (!isValid(box)) return;
  show(box);
  send();
}

original.addEventListener('pointerdown', startFrame);
original.addEventListener('pointermove', dragFrame);
original.addEventListener('pointerup', endFrame);
original.addEventListener('pointercancel', endFrame);
original.addEventListener('keydown', moveByKey);
whole.addEventListener('click', () => { show(WHOLE); send(); });
swap.addEventListener('change', send);
watch('value', load);
load();
