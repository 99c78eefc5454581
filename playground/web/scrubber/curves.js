// Curves over the frames of a run, with a marker at the selected frame that can be dragged.

import {make, makeSvg, placeIn} from '../dom.js';
import {formatNumber} from '../numbers.js';

const WIDTH = 100; // units of the chart
const HEIGHT = 40;
const MARGIN = 7; // room for the labels of the scale above and below the curve

// Returns the transform and the range of a curve's values: {toHeight, low, high}; null values, and values of a
// logarithmic curve that are not positive, count for nothing.
export function curveScale({series, log}) {
  const toHeight = log ? Math.log10 : (value) => value;
  const finite = series.flatMap(({values}) => values).filter((value) => hasPoint(value, log)).map(toHeight);
  return {toHeight, low: Math.min(...finite), high: Math.max(...finite)};
}

// Returns the points of a line as SVG reads them.
export function linePoints(values, {toHeight, low, high}, log, frames) {
  const y = (value) => MARGIN + (1 - (toHeight(value) - low) / (high - low || 1)) * (HEIGHT - 2 * MARGIN);
  const points = values.map((value, k) => (hasPoint(value, log) ? `${xOf(k, frames)},${y(value)}` : ''));
  return points.filter(Boolean).join(' ');
}

// Draws the curves of a run into a container. `seek` is called with the frame, not rounded, that the user drags to.
// Returns functions of the frame's index that keep markers and numbers current.
export function drawCurves(container, run, seek) {
  const curves = run.curves.map((curve) => drawCurve(curve, run.frames, run.ends, seek));
  container.replaceChildren(...curves.map(({figure}) => figure));
  container.parentElement.hidden = !curves.length; // its layer
  return curves.map(({follow}) => follow);
}

// Returns the key of a colour with a text, for the caption of a plot.
export function makeKey(colour, ...text) {
  const key = make('span', {className: 'key'});
  key.style.background = colour;
  return make('span', {className: 'series'}, key, ...text);
}

function hasPoint(value, log) {
  return value !== null && (!log || value > 0);
}

function xOf(k, frames) {
  return frames > 1 ? (k / (frames - 1)) * WIDTH : 0;
}

function drawCurve(curve, frames, ends, seek) {
  const scale = curveScale(curve);
  const {chart, marker} = drawChart(curve, scale, frames);
  const readouts = curve.series.map(() => make('b'));
  const title = make('figcaption', {title: curve.hint}, `${curve.name}${curve.log ? ' (log)' : ''} `);
  curve.series.forEach(({name, colour}, i) => title.append(makeKey(colour, name ? `${name} ` : '', readouts[i]), ' '));
  const plot = make('div', {className: 'plot'}, chart, ...scaleLabels(curve, scale));
  const endLabels = make('div', {className: 'ends'}, ...ends.map((textContent) => make('span', {textContent})));
  const figure = make('figure', {className: 'curve'}, title, plot, endLabels, make('small', {textContent: curve.hint}));
  addDragging(chart, frames, seek);
  const follow = (k) => {
    marker.setAttribute('x1', xOf(k, frames));
    marker.setAttribute('x2', xOf(k, frames));
    readouts.forEach((readout, i) => { readout.textContent = formatNumber(curve.series[i].values[k]); });
  };
  return {figure, follow};
}

function drawChart({name, hint, series, log}, scale, frames) {
  const chart = makeSvg('svg', {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img',
    'aria-label': `${name}: ${hint}`});
  for (const {values, colour} of series) {
    const line = makeSvg('polyline', {points: linePoints(values, scale, log, frames)});
    line.style.stroke = colour;
    chart.append(line);
  }
  const marker = makeSvg('line', {y1: 0, y2: HEIGHT});
  chart.append(marker);
  return {chart, marker};
}

// Returns the labels of the highest and the lowest value; none for a curve without a range.
function scaleLabels({log}, {low, high}) {
  if (!(high > low)) return [];
  const toValue = log ? (height) => 10 ** height : (height) => (Math.abs(height) < (high - low) / 1000 ? 0 : height);
  return [high, low].map((height) => make('span', {className: 'scale', textContent: formatNumber(toValue(height))}));
}

function addDragging(chart, frames, seek) {
  const drag = (event) => seek(placeIn(chart, event)[0] * (frames - 1));
  chart.addEventListener('pointerdown', (event) => {
    chart.setPointerCapture(event.pointerId);
    drag(event);
  });
  chart.addEventListener('pointermove', (event) => {
    if (chart.hasPointerCapture(event.pointerId)) drag(event); // no drag that began elsewhere
  });
}
