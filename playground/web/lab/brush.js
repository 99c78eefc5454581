// Painting of data on a plane: a stroke goes to the drawing pad beside it.

import {placeIn} from '../dom.js';

const WIDTH = 3; // CSS pixels

// Lets strokes on the canvas of a plane, which goes from -`span` to `span`, go to the pad beside it, which covers a square
// of side `drawing` around the middle; `begin` is called before each.
export function letPaint(canvas, {span, drawing}, begin) {
  let pointer = null; // id of what paints
  let stroke = [];
  const findPad = () => canvas.closest('.tab-body')?.querySelector('.pad'); // none while other data are chosen
  const toPad = (place) => place.map((share) => (span * (2 * share - 1)) / drawing + 0.5); // both as shares of the sides

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
