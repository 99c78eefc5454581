// What follows the scrubber's frame: the formula's numbers, the curves with their marker, the diagram's thumbnails.
// Each function draws its part for a new run and returns functions of the frame's index that keep it current.

function drawFormula(value) {
  const formula = $('.formula');
  formula.hidden = !value.formula;
  formula.innerHTML = value.formula;      // written by our own code, never by a user
  return [...formula.querySelectorAll('[data-number]')].map((span) => {
    const shown = value.numbers[span.dataset.number];
    return (k) => { span.textContent = shown[k]; };
  });
}

// ---- curves ----

const SVG = 'http://www.w3.org/2000/svg', WIDE = 100, HIGH = 40, MARGIN = 7;   // room for the labels of the scale above and below the curve
const svg = (tag, attributes) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};
const readable = (v) => (v === null ? '∞' : v !== 0 && (Math.abs(v) < 0.001 || Math.abs(v) >= 10000) ? v.toExponential(1) : String(Number(v.toPrecision(3)))).replace('-', '−');

function drawCurves(value) {
  const drawn = (value.curves || []).map((curve) => drawCurve(curve, value.frames, value.ends));
  $('.curves').replaceChildren(...drawn.map((curve) => curve.figure));
  return drawn.map((curve) => curve.follow);
}

function drawCurve(curve, frames, ends) {
  const height = curve.log ? Math.log10 : (v) => v;
  const finite = curve.series.flatMap((s) => s.values).filter((v) => v !== null && (!curve.log || v > 0)).map(height);
  const low = Math.min(...finite), high = Math.max(...finite), span = high - low || 1;
  const xOf = (k) => (frames > 1 ? (k / (frames - 1)) * WIDE : 0);
  const yOf = (v) => MARGIN + (1 - (height(v) - low) / span) * (HIGH - 2 * MARGIN);
  const chart = svg('svg', {viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': `${curve.name}: ${curve.hint}`});
  for (const series of curve.series) {
    const points = series.values.map((v, k) => (v === null || (curve.log && v <= 0) ? null : `${xOf(k)},${yOf(v)}`));
    const line = svg('polyline', {points: points.filter(Boolean).join(' ')});
    line.style.stroke = series.colour;
    chart.append(line);
  }
  const marker = svg('line', {y1: 0, y2: HIGH});
  chart.append(marker);
  const caption = make('figcaption', {title: curve.hint}, `${curve.name}${curve.log ? ' (log)' : ''} `);
  const readouts = curve.series.map((series) => {
    const key = make('span', {className: 'key'}), number = make('b');
    key.style.background = series.colour;
    caption.append(make('span', {className: 'series'}, key, series.name ? `${series.name} ` : '', number), ' ');
    return (k) => { number.textContent = readable(series.values[k]); };
  });
  const footer = make('div', {className: 'ends'}, make('span', {textContent: ends[0]}), make('span', {textContent: ends[1]}));
  const value = curve.log ? (v) => 10 ** v : (v) => (Math.abs(v) < span / 1000 ? 0 : v);
  const scale = [high, low].map((v) => make('span', {className: 'scale', textContent: readable(value(v))}));
  const plot = make('div', {className: 'plot'}, chart, ...(finite.length && high > low ? scale : []));
  const figure = make('figure', {className: 'curve'}, caption, plot, footer, make('small', {textContent: curve.hint}));
  const drag = (event) => {
    const box = chart.getBoundingClientRect();
    setPlaying(false);
    show(((event.clientX - box.left) / box.width) * (frames - 1));
  };
  chart.addEventListener('pointerdown', (event) => { chart.setPointerCapture(event.pointerId); drag(event); });
  chart.addEventListener('pointermove', (event) => { if (event.buttons) drag(event); });
  return {figure, follow: (k) => { marker.setAttribute('x1', xOf(k)); marker.setAttribute('x2', xOf(k)); readouts.forEach((f) => f(k)); }};
}

// ---- under the strips ----

function drawBelow(value) {
  return value.below.flatMap(({notes, plots}, i) => {
    const note = make('p'), drawn = plots.map(drawHistogram);
    strips[i].below.replaceChildren(...(notes.length ? [note] : []), ...drawn.map((plot) => plot.figure));
    return [...(notes.length ? [(k) => { note.textContent = notes[k]; }] : []), ...drawn.map((plot) => plot.follow)];
  });
}

function drawHistogram(plot) {
  const chart = svg('svg', {viewBox: '0 0 100 100', preserveAspectRatio: 'none', role: 'img', 'aria-label': `${plot.name}, at the selected frame`});
  const bars = plot.counts.map(({colour}) => {
    const path = svg('path', {});
    path.style.fill = colour;
    chart.append(path);
    return path;
  });
  for (const {colour, values} of plot.lines) {
    const low = Math.min(0, ...values), span = Math.max(0, ...values) - low || 1, last = values.length - 1;
    const line = svg('polyline', {points: values.map((v, j) => `${100 * j / last},${96 - 92 * (v - low) / span}`).join(' ')});
    line.style.stroke = colour;
    chart.append(line);
  }
  if (plot.mark) chart.append(svg('line', {x1: 100 * plot.mark[0], x2: 100 * plot.mark[0], y1: 0, y2: 100}));
  const keys = [...plot.counts, ...plot.lines].map(({name, colour}) => {
    const key = make('span', {className: 'key'});
    key.style.background = colour;
    return make('span', {className: 'series'}, key, name);
  });
  const caption = make('figcaption', {}, `${plot.name} `, ...(keys.length > 1 ? keys : []));
  const [low, mark, high] = ['', plot.mark?.[1] ?? '', ''].map((textContent) => make('span', {textContent}));
  const ends = make('div', {className: 'ends'}, low, mark, high);
  const follow = (k) => {
    [low.textContent, high.textContent] = plot.ends[Math.min(k, plot.ends.length - 1)];
    bars.forEach((path, i) => {
      const heights = plot.counts[i].heights[k], wide = 100 / heights.length;
      path.setAttribute('d', heights.map((h, j) => `M${j * wide} 100v${-h}h${0.9 * wide}v${h}z`).join(''));
    });
  };
  return {figure: make('figure', {className: 'curve'}, caption, chart, ends), follow};
}

// ---- the diagram ----

function followDiagram(value) {
  const boxes = value.diagram.map((box) => ({...box, pictured: box.strip !== null, numbered: box.number !== null}));
  return drawDiagram($('.diagram'), boxes, ...value.tile).flatMap(({canvas, number}, i) => [
    ...(canvas ? [thumbnail(canvas.getContext('2d', {alpha: false}), boxes[i], value)] : []),
    ...(number ? [(k) => { number.textContent = value.numbers[boxes[i].number][k]; }] : []),
  ]);
}

const thumbnail = (context, box, value) => (k) => {      // where a step is yet to be taken, the last frame shows the one that led to it, as the formula does
  const last = value.frames - (value.diagram.some((each) => each.ahead < 0) ? 1 : 2);
  const [sheet, x, y] = place(Math.max(0, Math.min(k, last) + box.ahead));
  const [w, h] = value.tile;
  context.drawImage(value.strips[box.strip].bitmaps[sheet], x, y, w, h, 0, 0, w, h);
};
