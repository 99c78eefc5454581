// Notes and histograms under the strips.

import {make, makeSvg} from '../dom.js';
import {makeKey} from './curves.js';

const SIDE = 100; // units of the chart

// Returns the outline of bars with these heights, 0 ... 100.
export function barPath(heights) {
  const width = SIDE / heights.length;
  return heights.map((height, j) => `M${j * width} 100v${-height}h${0.9 * width}v${height}z`).join('');
}

// Returns the points of a line over the whole width, on a scale of its own that holds 0.
export function linePoints(values) {
  const low = Math.min(0, ...values);
  const range = Math.max(0, ...values) - low || 1;
  const last = values.length - 1;
  return values.map((value, j) => `${(SIDE * j) / last},${96 - (92 * (value - low)) / range}`).join(' ');
}

// Draws what is below each strip. Returns functions of the frame's index that keep it current.
export function drawBelow(strips, below) {
  return below.flatMap(({notes, plots}, i) => {
    const note = make('p');
    const histograms = plots.map(drawHistogram);
    strips[i].below.replaceChildren(...(notes.length ? [note] : []), ...histograms.map(({figure}) => figure));
    const followNote = (k) => { note.textContent = notes[k]; };
    return [...(notes.length ? [followNote] : []), ...histograms.map(({follow}) => follow)];
  });
}

function drawHistogram(plot) {
  const {chart, bars} = drawChart(plot);
  const keys = [...plot.counts, ...plot.lines].map(({name, colour}) => makeKey(colour, name));
  const caption = make('figcaption', {}, `${plot.name} `, ...(keys.length > 1 ? keys : []));
  const [low, mark, high] = ['', plot.mark?.[1] ?? '', ''].map((textContent) => make('span', {textContent}));
  const ends = make('div', {className: 'ends'}, low, mark, high);
  const follow = (k) => {
    [low.textContent, high.textContent] = plot.ends[Math.min(k, plot.ends.length - 1)];
    bars.forEach((path, i) => path.setAttribute('d', barPath(plot.counts[i].heights[k])));
  };
  return {figure: make('figure', {className: 'curve'}, caption, chart, ends), follow};
}

function drawChart({name, counts, lines, mark}) {
  const chart = makeSvg('svg', {viewBox: `0 0 ${SIDE} ${SIDE}`, preserveAspectRatio: 'none', role: 'img',
    'aria-label': `${name}, at the selected frame`});
  const bars = counts.map(({colour}) => {
    const path = makeSvg('path', {});
    path.style.fill = colour;
    return path;
  });
  chart.append(...bars);
  for (const {colour, values} of lines) {
    const line = makeSvg('polyline', {points: linePoints(values)});
    line.style.stroke = colour;
    chart.append(line);
  }
  if (mark) chart.append(makeSvg('line', {x1: SIDE * mark[0], x2: SIDE * mark[0], y1: 0, y2: SIDE}));
  return {chart, bars};
}
