// A plane of the latent space. `props.value` comes from pack() or message() of plane.py.
const canvas = $('.plane'), context = canvas.getContext('2d');
const NEAR = 8, STEP = 0.1;          // CSS pixels to a point that is touched; how far an arrow key goes
let shown = null, chart = null, cursor = [0, 0], drawn = [], background = null, presses = 0, hovering = false;

const say = (text) => { $('.caption').value = text; };
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const onto = (z) => chart.basis.map((axis) => dot(axis, z));
const codeAt = ([u, v]) => {         // the image's code, moved within the plane
  const [du, dv] = [u - chart.mu[0], v - chart.mu[1]];
  return shown.mu.map((m, i) => m + du * chart.basis[0][i] + dv * chart.basis[1][i]);
};
const bounded = (x) => Math.max(-chart.span, Math.min(chart.span, x));

// Questions about what is shown: {how: the function that answers, ...}; what comes when another image is shown is
// dropped. What the pointer asks as it moves goes through one line, what is pressed or chosen through another.
const line = () => newestOf(({how, ...question}) => server[how](question), (answer, {how, about}) => {
  if (about !== shown.id) return;
  if (answer.error) say(answer.error); else answered[how](answer);
  if (how === 'chart') ['.across', '.up'].forEach((name, k) => { $(name).value = chart.axes[k]; });      // of the map on show
});
const ask = line(), press = line();
const answered = {
  decode: (answer) => {
    see(answer, 'drawn by the decoder');
    element.dataset.decoded = Number(element.dataset.decoded || 0) + 1;
  },
  point: (answer) => see(answer, answer.caption),
  chart: adopt,
  reparameterise: (answer) => {
    cursor = onto(answer.z);
    drawn.push(cursor);
    $('.numbers').value = answer.numbers;
    whereabouts();
    see(answer.picture, 'drawn by the decoder');
    draw();
  },
};
const about = () => ({about: shown.id, model: shown.model});
const gaussian = () => ({...about(), mu: shown.mu, log_var: shown.log_var});
const see = (picture, caption) => { paint($('.decoded'), picture); $('figcaption').textContent = caption; };

// ---- drawing ----

const toPixel = ([u, v]) => [((u / chart.span + 1) / 2) * canvas.width, ((1 - v / chart.span) / 2) * canvas.height];

function draw() {
  if (!chart) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if ($('.pictures').checked && background) {
    context.globalAlpha = $('.points').checked ? 0.55 : 1;
    context.drawImage(background, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = 1;
  }
  const ratio = canvas.width / canvas.clientWidth || 1;
  if ($('.points').checked) {
    for (const [u, v, label] of chart.points) {
      context.fillStyle = shown.colours[label];
      circle([u, v], 2.2 * ratio);
    }
  }
  context.strokeStyle = '#fff'; context.lineWidth = 2 * ratio;
  ellipse(1); ellipse(2);
  context.fillStyle = '#fff';
  for (const place of drawn) circle(place, 2.5 * ratio);
  circle(chart.mu, 4 * ratio);
  context.strokeStyle = '#000'; context.fillStyle = '#f0e442';
  circle(cursor, 7 * ratio); context.stroke();
}

function circle(place, radius) {
  context.beginPath(); context.arc(...toPixel(place), radius, 0, 2 * Math.PI); context.fill();
}

function ellipse(deviations) {       // of q(z|x), around mu
  const [a, b] = chart.ellipse;
  context.beginPath();
  for (let k = 0; k <= 60; k++) {
    const c = deviations * Math.cos((k / 30) * Math.PI), s = deviations * Math.sin((k / 30) * Math.PI);
    context.lineTo(...toPixel([chart.mu[0] + c * a[0] + s * b[0], chart.mu[1] + c * a[1] + s * b[1]]));
  }
  context.stroke();
}

function fit() {
  const side = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
  if (side) { canvas.width = canvas.height = side; draw(); }
}

// ---- moving ----

function go(place) {
  cursor = place.map(bounded);
  hovering = false;
  $('.numbers').value = '';
  ask({...about(), how: 'decode', z: codeAt(cursor)});
  whereabouts();
  draw();
}

const whereabouts = () => say(chart.titles.map((title, k) => `${title} = ${cursor[k].toFixed(2)}`).join(', '));

const at = (event) => {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width * 2 - 1) * chart.span, (1 - (event.clientY - box.top) / box.height * 2) * chart.span];
};

function touched(event) {            // the test image under the pointer, if one is near
  const place = at(event), near = (NEAR / canvas.clientWidth) * 2 * chart.span;
  let best = -1, least = near * near;
  chart.points.forEach(([u, v], i) => {
    const distance = (u - place[0]) ** 2 + (v - place[1]) ** 2;
    if (distance < least) { least = distance; best = i; }
  });
  return best;
}

canvas.addEventListener('pointerdown', (event) => { if (chart) { canvas.setPointerCapture(event.pointerId); go(at(event)); } });
canvas.addEventListener('pointermove', (event) => {
  if (!chart) return;
  if (event.buttons) return go(at(event));
  const index = $('.points').checked ? touched(event) : -1;
  if (index >= 0) { hovering = true; ask({...about(), how: 'point', index}); } else rest();
});
canvas.addEventListener('pointerleave', rest);
function rest() {                    // nothing is pointed at: the picture is that of the cursor again
  if (!hovering) return;
  hovering = false;
  ask({...about(), how: 'decode', z: codeAt(cursor)});
}
canvas.addEventListener('keydown', (event) => {
  const move = {ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP]}[event.key];
  if (!move || !chart) return;
  event.preventDefault();
  go([cursor[0] + move[0], cursor[1] + move[1]]);
});
element.addEventListener('click', (event) => {
  if (!chart) return;
  const action = event.target.dataset?.do;
  if (action === 'back') { drawn = []; go(chart.mu); }
  if (action === 'draw') press({...gaussian(), how: 'reparameterise', seed: shown.seed, press: ++presses});
});
for (const name of ['.across', '.up']) $(name).addEventListener('change', turn);
for (const name of ['.pictures', '.points']) $(name).addEventListener('change', draw);
function turn() { press({...gaussian(), how: 'chart', axes: [$('.across').value, $('.up').value]}); }

// ---- a new value ----

function adopt(answer) {
  chart = answer;
  drawn = [];
  background = new Image();
  background.onload = draw;
  background.src = chart.background;
  go(chart.mu);
}

function load() {
  const value = props.value;
  if (!value) return;
  if (value.message) return say(value.message);
  shown = structuredClone(value);
  presses = 0;
  for (const [k, name] of ['.across', '.up'].entries()) {
    $(name).replaceChildren(...shown.axes.map(([axis, title]) => new Option(title, axis)));
    $(name).value = shown.chart.axes[k];
  }
  $('.legend').replaceChildren(...shown.names.map((name, i) => {
    const colour = make('i');
    colour.style.background = shown.colours[i];
    return make('span', {}, colour, name);
  }));
  adopt(shown.chart);
  element.dataset.ready = shown.id;
}

new ResizeObserver(fit).observe(canvas);
watch('value', load);
load();
