// Drawing pad: white ink on black, or orange ink over an image. After each stroke the value becomes the JSON of all
// strokes, whose points are in pixels of the canvas ("" if blank). A value {background: URL} puts an image under the
// drawing and leaves the drawing.

import {placeIn} from '../dom.js';
import {arrowOf} from '../keys.js';
import {clamp} from '../numbers.js';

const SIDE = 280; // pixels of the canvas
const INK_WIDTH = 22;
const SEND_DELAY = 60; // milliseconds
const INK_ON_BLACK = '#fff';
const INK_ON_IMAGE = '#e69f00';
const KEY_STEP = 14; // pixels that an arrow key moves the pen

const canvas = element.querySelector('canvas');
const context = canvas.getContext('2d');
const pad = {
  strokes: [], // lists of points
  stroke: null, // the stroke under way
  pointer: null, // id of what draws it, null for keys: a palm may rest beside a pen
  pen: [SIDE / 2, SIDE / 2], // where the keys have moved it
  hasKeys: false, // the pen is moved by keys, and shown
  colour: INK_ON_BLACK,
  sendTimer: 0,
};

// Draws all strokes; a stroke of one point is a dot.
function paint() {
  context.clearRect(0, 0, SIDE, SIDE);
  Object.assign(context, {strokeStyle: pad.colour, lineWidth: INK_WIDTH, lineCap: 'round', lineJoin: 'round'});
  for (const [start, ...others] of pad.strokes) {
    context.beginPath();
    context.moveTo(...start);
    for (const point of others.length ? others : [[start[0] + 0.01, start[1]]]) context.lineTo(...point);
    context.stroke();
  }
  if (pad.hasKeys) {
    Object.assign(context, {strokeStyle: INK_ON_IMAGE, lineWidth: pad.stroke ? 8 : 2});
    context.beginPath();
    context.arc(...pad.pen, INK_WIDTH / 2, 0, 2 * Math.PI);
    context.stroke();
  }
}

// Returns the drawing as the component's value.
function encode() {
  return pad.strokes.length ? JSON.stringify(pad.strokes) : '';
}

// Sends the drawing, unless it changes again within a moment.
function send() {
  clearTimeout(pad.sendTimer);
  pad.sendTimer = setTimeout(() => {
    props.value = encode();
    for (const name of ['input', 'change']) trigger(name); // Gradio sends the latter for a value of the server, too
  }, SEND_DELAY);
}

// Puts the image of a new value under the drawing.
function load() {
  const background = props.value?.background;
  if (background === undefined) return;
  canvas.style.backgroundImage = background && `url("${background}")`;
  pad.colour = background ? INK_ON_IMAGE : INK_ON_BLACK;
  paint();
  props.value = encode();
}

// Returns the place of a pointer event in pixels of the canvas.
function positionOf(event) {
  return placeIn(canvas, event).map((share) => Math.round(SIDE * share));
}

function startStroke(event) {
  if (pad.pointer !== null || !event.isPrimary || event.button !== 0) return;
  pad.pointer = event.pointerId;
  canvas.setPointerCapture(pad.pointer);
  pad.stroke = [positionOf(event)];
  pad.strokes.push(pad.stroke);
  paint();
}

function continueStroke(event) {
  if (event.pointerId !== pad.pointer) return;
  pad.stroke.push(positionOf(event));
  paint();
}

function liftPointer(event) {
  if (event.pointerId === pad.pointer) endStroke();
}

function endStroke() {
  if (!pad.stroke) return;
  pad.stroke = pad.pointer = null;
  send();
}

// Moves the pen by the arrow keys, and lowers or lifts it by Enter or the space bar.
function moveByKey(event) {
  const direction = arrowOf(event);
  if (!direction && event.key !== 'Enter' && event.key !== ' ') return;
  event.preventDefault();
  pad.hasKeys = true;
  if (direction) {
    pad.pen = pad.pen.map((place, axis) => clamp(place + KEY_STEP * direction[axis], 0, SIDE));
    pad.stroke?.push(pad.pen);
  } else if (pad.stroke) {
    endStroke();
  } else {
    pad.stroke = [pad.pen];
    pad.strokes.push(pad.stroke);
  }
  paint();
}

// Lifts the pen and hides it when the pad loses the focus.
function leave() {
  pad.hasKeys = false;
  endStroke();
  paint();
}

// Adds a stroke that was drawn elsewhere, whose points are shares of the pad's sides.
function addStroke({detail}) {
  pad.strokes.push(detail.map((point) => point.map((share) => Math.round(SIDE * share))));
  paint();
  send();
}

// Undoes the last stroke, or clears the pad.
function press(event) {
  const action = event.target.dataset?.do;
  if (!action) return;
  pad.strokes = action === 'undo' ? pad.strokes.slice(0, -1) : [];
  paint();
  send();
}

canvas.addEventListener('pointerdown', startStroke);
canvas.addEventListener('pointermove', continueStroke);
canvas.addEventListener('pointerup', liftPointer);
canvas.addEventListener('pointercancel', liftPointer);
canvas.addEventListener('keydown', moveByKey);
canvas.addEventListener('blur', leave);
element.addEventListener('click', press);
element.addEventListener('stroke', addStroke);
watch('value', load);
if (typeof props.value === 'string' && props.value) pad.strokes = JSON.parse(props.value); // the pad was hidden
load(); // and the image may have come before it was shown
paint();
