// Drawing of curves over the steps of a training.

import {formatNumber} from '../numbers.js';

// Returns the rows of the history that have a number for each name, and the range of these numbers, widened to hold 0
// and 1.
export function curveData(history, names) {
  const rows = history.filter((row) => names.every((name) => Number.isFinite(row[name])));
  const values = rows.flatMap((row) => names.map((name) => row[name]));
  return {rows, low: Math.min(0, ...values), high: Math.max(1, ...values)};
}

// Draws lines {name: [colour, text]} of the history {step, name: value ...} up to a step.
export function drawCurve(canvas, lines, history, step) {
  const context = canvas.getContext('2d');
  const {width, height} = canvas;
  const ratio = width / (canvas.clientWidth || width);
  const {rows, low, high} = curveData(history, Object.keys(lines));
  context.clearRect(0, 0, width, height);
  for (const [name, [colour]] of Object.entries(lines)) {
    Object.assign(context, {strokeStyle: colour, lineWidth: 2 * ratio});
    context.beginPath();
    for (const row of rows) {
      const share = (row[name] - low) / (high - low);
      context.lineTo((row.step / Math.max(step, 1)) * width, (0.85 - 0.7 * share) * height); // the scale has the rest
    }
    context.stroke();
  }
  if (rows.length) drawScale(context, ratio, low, high, step, getComputedStyle(canvas).color);
}

// Writes the range and the last step into the corners.
function drawScale(context, ratio, low, high, step, colour) {
  const {width, height} = context.canvas;
  Object.assign(context, {fillStyle: colour, font: `${11 * ratio}px sans-serif`});
  const write = (text, x, y, align) => {
    context.textAlign = align;
    context.fillText(text, x, y);
  };
  write(formatNumber(high), 4 * ratio, 12 * ratio, 'left');
  write(formatNumber(low), 4 * ratio, height - 4 * ratio, 'left');
  write(`step ${step}`, width - 4 * ratio, height - 4 * ratio, 'right');
}
