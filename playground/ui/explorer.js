// The latent explorer. `props.value` comes from pack() or message() of explorer.py.
const LARGEST = 224;                 // CSS pixels: the greatest width of a picture
let shown = null, z = [], sliders = [], moving = 0;      // moving: the dimension whose numbers are shown
let boxes = {};                      // of the diagram, by what they show

const say = (text) => { $('.caption').value = text; };
// Asks about what is shown; an answer that comes when another image is shown is dropped.
const asking = (name, use) => newestOf((question) => server[name](question), (answer, asked) => {
  if (asked.about !== shown.id) return;
  if (answer.error) say(answer.error); else use(answer);
});
const decode = asking('decode', (answer) => {
  drawn('decoded', answer);
  element.dataset.decoded = Number(element.dataset.decoded || 0) + 1;
});
const traverse = asking('traverse', (answer) => paint($('.traversal canvas'), answer));

function drawn(what, picture) {
  const canvas = $(`.${what}`);
  paint(canvas, picture);
  canvas.style.width = `${Math.max(1, Math.floor(LARGEST / picture.width)) * picture.width}px`;
  if (boxes[what]) paint(boxes[what].canvas, picture);
}

function tell() {                    // the numbers of the dimension that moves
  const i = moving, mu = shown.mu[i], sigma = Math.exp(shown.log_var[i] / 2);
  const kl = (mu * mu + sigma * sigma - shown.log_var[i] - 1) / 2, written = (v, digits = 2) => v.toFixed(digits).replace('-', '−');
  const numbers = {i: i + 1, mu: written(mu, 3), sigma: sigma.toPrecision(3), z: written(z[i]), kl: written(kl)};
  for (const span of element.querySelectorAll('[data-number]')) span.textContent = numbers[span.dataset.number];
  if (boxes.posterior) boxes.posterior.number.textContent = `${numbers.mu}, ${numbers.sigma}`;
  if (boxes.code) boxes.code.number.textContent = `z${i + 1} = ${numbers.z}`;
  element.dataset.code = JSON.stringify({model: shown.model, z});
}

function moved(settled) {
  tell();
  const question = {about: shown.id, model: shown.model, z};
  decode(question);
  if (settled) traverse(question);
}

function set(values, settled = true) {
  z = [...values];
  sliders.forEach((slider) => slider.follow());
  moved(settled);
}

function sliderFor(dimension) {
  const range = make('input', {type: 'range', min: -shown.limit, max: shown.limit, step: 0.01});
  const number = make('output');
  const label = make('label', {className: dimension.dead ? 'dead' : ''}, make('span', {textContent: dimension.label}), range, number);
  const follow = () => { range.value = z[dimension.index]; number.value = z[dimension.index].toFixed(2); };
  range.addEventListener('input', () => { moving = dimension.index; z[moving] = Number(range.value); follow(); moved(false); });
  range.addEventListener('change', () => moved(true));
  return {label, follow};
}

function load() {
  const value = props.value;
  if (!value) return;
  if (value.message) return say(value.message);
  shown = structuredClone(value);
  z = [...shown.z];
  moving = shown.dimensions[0].index;
  const diagram = shown.diagram.map((box) => ({...box, pictured: ['image', 'decoded'].includes(box.shows), numbered: ['posterior', 'code'].includes(box.shows)}));
  const painted = drawDiagram($('.diagram'), diagram, shown.image.width, shown.image.height);
  boxes = Object.fromEntries(diagram.map((box, k) => [box.shows, painted[k]]));
  sliders = shown.dimensions.map(sliderFor);
  $('.sliders').replaceChildren(...sliders.map((slider) => slider.label));
  sliders.forEach((slider) => slider.follow());
  const rows = shown.traversal.height / shown.decoded.height;
  $('.names').replaceChildren(...shown.dimensions.slice(0, rows).map((d) => make('span', {textContent: d.label})));
  drawn('image', shown.image);
  drawn('decoded', shown.decoded);
  paint($('.traversal canvas'), shown.traversal);
  tell();
  say(`The first dimensions say most about the images; how much is measured in nats. ${shown.caveat}`);
  element.dataset.ready = shown.id;
}

element.addEventListener('click', (event) => {
  if (!shown) return;
  const action = event.target.dataset?.do;
  if (action === 'back') set(shown.z);
  if (action === 'zero') set(shown.z.map(() => 0));
});
$('.traversal canvas').addEventListener('click', (event) => {
  if (!shown) return;
  const box = event.target.getBoundingClientRect(), rows = shown.traversal.height / shown.decoded.height;
  const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
  const column = Math.floor(((event.clientX - box.left) / box.width) * shown.columns.length);
  const values = [...z];
  moving = shown.dimensions[row].index;
  values[moving] = shown.columns[column];
  set(values);
});
watch('value', load);
load();
