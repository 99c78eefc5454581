// Drawing of a square of the plane: a field of colour, points and arrows.

import {make} from '../dom.js';
import {decodeBytes} from '../numbers.js';

const POINT_RADIUS = 2.2; // CSS pixels
const ARROW_HEAD = 4;
const ARROW_ANGLE = 2.6; // radians between an arrow and each side of its head

// Returns the numbers x, y, x, y ... of points that come as 16-bit integers in base64.
export function decodeCoordinates(text) {
  return new Int16Array(decodeBytes(text).buffer);
}

// Returns the RGBA bytes of a field of bytes, between the colours of the lowest and of the highest value.
export function colourField(values, [low, high]) {
  const rgba = new Uint8ClampedArray(4 * values.length);
  values.forEach((value, i) => {
    rgba.set([...low.map((channel, k) => channel + ((high[k] - channel) * value) / 255), 255], 4 * i);
  });
  return rgba;
}

// Returns a function from a coordinate, as it travels, to pixels of a canvas; `sign` is -1 for y, which points up.
export function pixelScale(side, scale, span) {
  return (coordinate, sign) => (((sign * coordinate) / scale / span + 1) / 2) * side;
}

// Draws a frame of one plane: {heat, lines, dots, arrows}, and the points that stay.
// `view` has the scale and the span of coordinates, and the ramp of the field.
export function drawPlane(canvas, plane, fixedPoints, {scale, span, ramp}) {
  const context = canvas.getContext('2d');
  const side = canvas.width;
  const ratio = side / (canvas.clientWidth || side);
  const toPixel = pixelScale(side, scale, span);
  context.imageSmoothingEnabled = true;
  context.clearRect(0, 0, side, side);
  if (plane.heat) context.drawImage(makeField(plane.heat, ramp), 0, 0, side, side);
  Object.assign(context, {globalAlpha: 0.7, lineWidth: ratio});
  for (const [text, colour] of plane.lines ?? []) {
    context.strokeStyle = colour;
    drawLine(context, decodeCoordinates(text), toPixel);
  }
  Object.assign(context, {globalAlpha: 1, strokeStyle: '#fff9', lineWidth: 0.5 * ratio});
  for (const [text, colour] of [...fixedPoints, ...plane.dots]) {
    context.fillStyle = colour;
    drawPoints(context, decodeCoordinates(text), toPixel, POINT_RADIUS * ratio);
  }
  Object.assign(context, {strokeStyle: '#fff', lineWidth: ratio});
  drawArrows(context, ...plane.arrows.map(decodeCoordinates), toPixel, ratio);
}

// Returns a canvas with a square field of colour, one pixel a cell.
function makeField(text, ramp) {
  const values = decodeBytes(text);
  const cells = Math.sqrt(values.length);
  const canvas = make('canvas', {width: cells, height: cells});
  canvas.getContext('2d').putImageData(new ImageData(colourField(values, ramp), cells, cells), 0, 0);
  return canvas;
}

function drawPoints(context, coordinates, toPixel, radius) {
  for (let i = 0; i < coordinates.length; i += 2) {
    context.beginPath();
    context.arc(toPixel(coordinates[i], 1), toPixel(coordinates[i + 1], -1), radius, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }
}

function drawLine(context, coordinates, toPixel) {
  context.beginPath();
  for (let i = 0; i < coordinates.length; i += 2) {
    context.lineTo(toPixel(coordinates[i], 1), toPixel(coordinates[i + 1], -1));
  }
  context.stroke();
}

// Draws an arrow from each start by its offset.
function drawArrows(context, starts, offsets, toPixel, ratio) {
  for (let i = 0; i < offsets.length; i += 2) {
    const [x, y] = [toPixel(starts[i] + offsets[i], 1), toPixel(starts[i + 1] + offsets[i + 1], -1)];
    const angle = Math.atan2(-offsets[i + 1], offsets[i]);
    context.beginPath();
    context.moveTo(toPixel(starts[i], 1), toPixel(starts[i + 1], -1));
    context.lineTo(x, y);
    for (const side of [ARROW_ANGLE, -ARROW_ANGLE]) {
      context.moveTo(x, y);
      const head = ARROW_HEAD * ratio;
      context.lineTo(x + head * Math.cos(angle + side), y + head * Math.sin(angle + side));
    }
    context.stroke();
  }
}
