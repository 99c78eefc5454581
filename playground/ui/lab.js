// A training in the plane. `props.value` comes from pack() or message() of lab.py; the training goes on only as long as
// this component asks for the next slice of it.
let shown = null, frame = null, history = [], playing = false, asking = false, turned = false, began = 0, first = 0;

const say = (text) => { $('.caption').value = text; };
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const places = (text) => new Int16Array(bytes(text).buffer);
const dial = $('.dial input');
const all = (selector) => [...element.querySelectorAll(selector)];

// ---- asking ----

async function ask(turn) {
  if (asking || !shown) return;
  asking = true;
  const about = shown.id;
  let answer;
  try { answer = await server.train({lab: shown.lab, turn, at: Number(dial.value)}); } catch (error) { answer = {error: `The server did not answer (${error.message || error}).`}; }
  asking = false;
  if (about !== shown.id) return;
  if (answer.error) { pause(); say(answer.error); return; }
  see(answer, turn !== 'look');
  if (turned) look();
}

function look() {                    // the same training, its dial at another place
  $('.dial output').value = shown.dial.marks[dial.value];
  turned = asking;
  if (!asking && (!playing || frame.over)) ask('look');
}

async function play() {
  if (playing || !shown || frame.over) return;
  playing = true;
  [began, first] = [performance.now(), frame.step];
  label();
  while (playing && !frame.over && element.isConnected) {
    await ask('play');
    await new Promise(requestAnimationFrame);
  }
  pause();
}

function pause() { playing = false; label(); }

function label() {
  $('[data-do=play]').textContent = playing ? 'Pause' : 'Play';
  for (const button of all('.turns button')) button.disabled = playing || frame?.over;
  element.dataset.playing = playing;
}

// ---- drawing ----

function see(next, goes = true) {
  frame = next;
  if (goes) history.push({step: frame.step, ...frame.row});
  element.dataset.step = frame.step;
  element.dataset.pictures = history.length;
  $('progress').value = frame.step / shown.limit;
  tell();
  label();
  draw();
}

function tell() {
  const lines = [`step ${frame.step} of at most ${shown.limit}`, ...frame.caption];
  if (playing && frame.step > first) lines[0] += `, ${Math.round((frame.step - first) / (performance.now() - began) * 1000)} a second`;
  if (frame.over) lines.push('The training is over: press Reset for another.');
  say(lines.join('\n'));
}

function draw() {
  if (!frame) return;
  all('.field').forEach((canvas, i) => drawPlane(canvas, frame.planes[i], shown.still[i], shown.planes[i].ramp));
  all('.curve').forEach((canvas, i) => drawCurve(canvas, shown.curves[i].lines));
}

function drawPlane(canvas, plane, still, ramp) {
  const context = canvas.getContext('2d'), side = canvas.width, ratio = side / (canvas.clientWidth || side);
  context.imageSmoothingEnabled = true;
  context.clearRect(0, 0, side, side);
  if (plane.heat) context.drawImage(coloured(plane.heat, ramp), 0, 0, side, side);
  const to = (value, flip) => (flip * value / shown.scale / shown.span + 1) / 2 * side;
  context.strokeStyle = '#fff9'; context.lineWidth = 0.5 * ratio;
  for (const [text, colour] of [...still, ...plane.dots]) {
    const xy = places(text);
    context.fillStyle = colour;
    for (let i = 0; i < xy.length; i += 2) {
      context.beginPath(); context.arc(to(xy[i], 1), to(xy[i + 1], -1), 2.2 * ratio, 0, 2 * Math.PI); context.fill(); context.stroke();
    }
  }
  const [from, by] = plane.arrows.map(places);
  context.strokeStyle = '#fff'; context.lineWidth = ratio;
  for (let i = 0; i < by.length; i += 2) {
    const [x, y] = [to(from[i] + by[i], 1), to(from[i + 1] + by[i + 1], -1)], angle = Math.atan2(-by[i + 1], by[i]);
    context.beginPath(); context.moveTo(to(from[i], 1), to(from[i + 1], -1)); context.lineTo(x, y);
    for (const turn of [2.6, -2.6]) { context.moveTo(x, y); context.lineTo(x + 4 * ratio * Math.cos(angle + turn), y + 4 * ratio * Math.sin(angle + turn)); }
    context.stroke();
  }
}

function coloured(field, [low, high]) {      // a square of bytes as a picture
  const values = bytes(field), cells = Math.sqrt(values.length);
  const small = make('canvas', {width: cells, height: cells}), image = new ImageData(cells, cells);
  values.forEach((value, i) => image.data.set([...low.map((c, k) => c + (high[k] - c) * value / 255), 255], 4 * i));
  small.getContext('2d').putImageData(image, 0, 0);
  return small;
}

function drawCurve(canvas, lines) {  // over the steps so far; what is between 0 and 1 has that range, the rest has its own
  const context = canvas.getContext('2d'), {width, height} = canvas, ratio = width / (canvas.clientWidth || width);
  const names = Object.keys(lines), rows = history.filter((row) => names.every((name) => Number.isFinite(row[name])));
  const values = rows.flatMap((row) => names.map((name) => row[name]));
  const low = Math.min(0, ...values), span = Math.max(1, ...values) - low;
  context.clearRect(0, 0, width, height);
  for (const name of names) {
    context.strokeStyle = lines[name][0];
    context.lineWidth = 2 * ratio;
    context.beginPath();
    for (const row of rows) context.lineTo(row.step / Math.max(frame.step, 1) * width, (0.96 - 0.92 * (row[name] - low) / span) * height);
    context.stroke();
  }
  if (!rows.length) return;
  Object.assign(context, {fillStyle: getComputedStyle(canvas).color, font: `${11 * ratio}px sans-serif`});
  const write = (text, x, y, align) => { context.textAlign = align; context.fillText(text, x, y); };
  const number = (value) => String(Number(value.toPrecision(3))).replace('-', '−');
  write(number(low + span), 4 * ratio, 12 * ratio, 'left');
  write(number(low), 4 * ratio, height - 4 * ratio, 'left');
  write(`step ${frame.step}`, width - 4 * ratio, height - 4 * ratio, 'right');
}

function fit() {
  const ratio = window.devicePixelRatio || 1;
  for (const canvas of all('.field, .curve')) {
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * ratio));
    if (width && (canvas.width !== width || canvas.height !== height)) Object.assign(canvas, {width, height});
  }
  draw();
}

// ---- buttons and values ----

dial.addEventListener('input', look);

element.addEventListener('click', (event) => {
  const action = event.target.dataset?.do;
  if (action === 'play') { if (playing) pause(); else play(); }
  else if (action === 'save') save();
  else if (action) ask(action);
});

function save() {                    // the planes as they are, beside each other, as a PNG
  const fields = all('.field'), side = fields[0].width, sheet = make('canvas', {width: side * fields.length, height: side});
  fields.forEach((canvas, i) => sheet.getContext('2d').drawImage(canvas, i * side, 0));
  sheet.toBlob((file) => {
    const link = make('a', {href: URL.createObjectURL(file), download: `${element.parentElement.closest('[id]').id}-step${frame.step}.png`});
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

function legend(marks) {
  return make('div', {className: 'legend'}, ...marks.map(([colour, text]) => {
    const mark = make('i');
    mark.style.background = colour;
    return make('span', {}, ...(colour ? [mark] : []), text);
  }));
}

const pictured = (kind, label) => {
  const canvas = make('canvas', {className: kind, ariaLabel: label});
  canvas.setAttribute('role', 'img');
  return canvas;
};

function furnish() {                 // planes, buttons and curves of this kind of lab
  $('.bench').classList.toggle('many', shown.planes.length > 1);
  $('.planes').replaceChildren(...shown.planes.map((plane) => make('figure', {}, make('figcaption', {}, plane.label), pictured('field', plane.label), legend(plane.legend))));
  $('.turns').replaceChildren(...shown.turns.map((turn) => {
    const button = make('button', {type: 'button', title: turn.hint}, turn.title);
    button.dataset.do = turn.name;
    return button;
  }));
  $('.curves').replaceChildren(...shown.curves.flatMap(({label, lines}) => [pictured('curve', label), legend(Object.values(lines))]));
  fit();
}

function load() {
  const value = props.value;
  if (!value) return;
  pause();
  if (value.message) return say(value.message);
  const before = shown;
  shown = structuredClone(value);
  history = [];
  frame = null;
  $('.why').textContent = shown.why;
  $('.dial').hidden = !shown.dial;
  if (shown.dial) {
    $('.dial span').textContent = shown.dial.title;
    dial.max = shown.dial.marks.length - 1;
    dial.value = shown.dial.at;
    $('.dial output').value = shown.dial.marks[shown.dial.at];
  }
  if (!before) furnish();
  see(shown.frame);
  element.dataset.ready = shown.id;
}

new ResizeObserver(fit).observe($('.planes'));
watch('value', load);
load();
