// A training in the plane. `props.value` comes from pack() or message() of lab.py; the training goes on only as long as
// this component asks for the next slice of it.
const field = $('.field'), curves = {covered: $('.covered'), lost: $('.lost')};
let shown = null, frame = null, history = [], playing = false, asking = false, began = 0, first = 0;

const say = (text) => { $('.caption').value = text; };
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const places = (text) => new Int16Array(bytes(text).buffer);

// ---- asking ----

async function ask(turn) {
  if (asking || !shown) return;
  asking = true;
  const about = shown.id;
  let answer;
  try { answer = await server.train({lab: shown.lab, turn}); } catch (error) { answer = {error: `The server did not answer (${error.message || error}).`}; }
  asking = false;
  if (about !== shown.id) return;
  if (answer.error) { pause(); say(answer.error); return; }
  see(answer);
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
  for (const turn of ['D', 'G']) $(`[data-do=${turn}]`).disabled = playing || frame?.over;
  element.dataset.playing = playing;
}

// ---- drawing ----

function see(next) {
  frame = next;
  history.push({step: frame.step, modes: frame.modes, quality: frame.quality, ...frame.losses});
  element.dataset.step = frame.step;
  element.dataset.pictures = history.length;
  $('progress').value = frame.step / shown.limit;
  tell();
  label();
  draw();
}

function tell() {
  const lines = [`step ${frame.step} of at most ${shown.limit}`];
  if (frame.modes !== null) lines.push(`modes covered ${frame.modes} of ${shown.modes}`, `good points ${(100 * frame.quality).toFixed(1)}%`);
  const losses = Object.entries(frame.losses).map(([name, loss]) => `of ${name} ${loss.toFixed(3)}`);
  if (losses.length) lines.push(`loss ${losses.join(', ')}`);
  if (playing && frame.step > first) lines[0] += `, ${Math.round((frame.step - first) / (performance.now() - began) * 1000)} a second`;
  if (frame.over) lines.push('The training is over: press Reset for another.');
  say(lines.join('\n'));
}

function draw() {
  if (!frame) return;
  const context = field.getContext('2d'), side = field.width, ratio = side / (field.clientWidth || side);
  context.imageSmoothingEnabled = true;
  context.drawImage(verdict(), 0, 0, side, side);
  const to = (value, flip) => (flip * value / shown.scale / shown.span + 1) / 2 * side;
  const dots = (text, colour) => {
    const xy = places(text);
    context.fillStyle = colour;
    context.strokeStyle = '#fff9'; context.lineWidth = 0.5 * ratio;
    for (let i = 0; i < xy.length; i += 2) {
      context.beginPath(); context.arc(to(xy[i], 1), to(xy[i + 1], -1), 2.2 * ratio, 0, 2 * Math.PI); context.fill(); context.stroke();
    }
  };
  dots(shown.real, shown.colours[0]);
  dots(frame.fake, shown.colours[1]);
  const from = places(frame.fake), by = places(frame.arrows);
  context.strokeStyle = '#fff'; context.lineWidth = ratio;
  for (let i = 0; i < by.length; i += 2) {
    context.beginPath(); context.moveTo(to(from[i], 1), to(from[i + 1], -1));
    context.lineTo(to(from[i] + by[i], 1), to(from[i + 1] + by[i + 1], -1)); context.stroke();
  }
  drawCurve('covered', {modes: (row) => row.modes / shown.modes, quality: (row) => row.quality});
  drawCurve('lost', {D: (row) => row.D, G: (row) => row.G});
}

function verdict() {                 // dark where D says fake, lighter where it says real
  const small = make('canvas', {width: frame.cells, height: frame.cells}), image = new ImageData(frame.cells, frame.cells);
  bytes(frame.heat).forEach((value, i) => image.data.set([value * 0.35, value * 0.4, value * 0.45 + 12, 255], 4 * i));
  small.getContext('2d').putImageData(image, 0, 0);
  return small;
}

function drawCurve(name, lines) {    // over the steps so far; what is between 0 and 1 has that range, losses have their own
  const canvas = curves[name], context = canvas.getContext('2d'), {width, height} = canvas, ratio = width / (canvas.clientWidth || width);
  const rows = history.filter((row) => Object.values(lines).every((value) => Number.isFinite(value(row))));
  const values = rows.flatMap((row) => Object.values(lines).map((value) => value(row)));
  const low = Math.min(0, ...values), span = Math.max(1, ...values) - low;
  context.clearRect(0, 0, width, height);
  for (const [line, value] of Object.entries(lines)) {
    context.strokeStyle = getComputedStyle($(`i.${line}`)).backgroundColor;
    context.lineWidth = 2 * ratio;
    context.beginPath();
    for (const row of rows) context.lineTo(row.step / Math.max(frame.step, 1) * width, (0.96 - 0.92 * (value(row) - low) / span) * height);
    context.stroke();
  }
}

function fit() {
  const ratio = window.devicePixelRatio || 1;
  for (const canvas of [field, ...Object.values(curves)]) {
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * ratio));
    if (width && (canvas.width !== width || canvas.height !== height)) Object.assign(canvas, {width, height});
  }
  draw();
}

// ---- buttons and values ----

element.addEventListener('click', (event) => {
  const action = event.target.dataset?.do;
  if (action === 'play') { if (playing) pause(); else play(); }
  if (action === 'D' || action === 'G') ask(action);
  if (action === 'save') save();
});

function save() {                    // the plane as it is, as a PNG
  field.toBlob((file) => {
    const link = make('a', {href: URL.createObjectURL(file), download: `gan-lab-step${frame.step}.png`});
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

function load() {
  const value = props.value;
  if (!value) return;
  pause();
  if (value.message) return say(value.message);
  shown = structuredClone(value);
  history = [];
  $('.why').textContent = shown.why;
  see(shown.frame);
  element.dataset.ready = shown.id;
}

new ResizeObserver(fit).observe(field);
watch('value', load);
load();
