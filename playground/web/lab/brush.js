// Painting of data on a plane: a stroke goes to the drawing pad beside it.

import {placeIn} from '../dom.js';

const WIDTH = 3; // CSS pixels

// Lets strokes on a canvas go to a drawing pad, as shares of its sides.
// `findPad` returns its element, or null where there is none; `begin` is called before a stroke; `toPad` returns the
// place on the pad of a place on the canvas, both as shares of the sides.
export function letPaint(canvas, findPad, begin, toPad) {
  let pointer = null; // id of what paints
  let stroke = [];

  canvas.addEventListener('pointerdown', (event) => {
    if (!findPad() || pointer !== null || !event.isPrimary || event.button !== 0) return;
    begin();
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    stroke = [placeIn(canvas, event)];
  });
  canvas.addEventListener('pointermove', (event) => {
    if (event.pointerId !== pointer) return;
    stroke.push(placeIn(canvas, event));
    drawSegment(canvas, ...stroke.slice(-2));
  });
  for (const name of ['pointerup', 'pointercancel']) {
    canvas.addEventListener(name, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      findPad()?.dispatchEvent(new CustomEvent('stroke', {detail: stroke.map(toPad), bubbles: true}));
    });
  }
}

function drawSegment(canvas, from, to) {
  const {width, height, clientWidth} = canvas;
  const context = canvas.getContext('2d');
  Object.assign(context, {strokeStyle: '#fff', lineWidth: (WIDTH * width) / (clientWidth || width), lineCap: 'round'});
  context.beginPath();
  for (const [x, y] of [from, to]) context.lineTo(x * width, y * height);
  context.stroke();
}
