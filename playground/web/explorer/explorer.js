// Latent explorer: a slider for each dimension of a code, and the image that follows them.
// `props.value` comes from pack() of explorer/__init__.py or from message().

import {make, placeIn} from '../dom.js';
import {arrowOf} from '../keys.js';
import {rememberLayers} from '../layers.js';
import {useMinusSign} from '../numbers.js';
import {differenceOf, paintPixels} from '../pixels.js';
import {newestOnly} from '../requests.js';
import {drawDiagram} from '../diagram/diagram.js';
import {cellAt, describeDimension, intervalStyle, nextCell, sourceOf} from './posterior.js';

const [GAP, MAX_HEIGHT] = [12, 0.4]; // CSS pixels between the images, as in explorer.css; share of the window
const FIRST_SLIDERS = 6; // of the dimensions that say most; the others are folded
const CAPTION = 'Bars below the sliders: what the encoder says of each number of the code (μ ± σ), over the prior (0 ± 1). '
  + 'The first numbers tell most about the image.';
const IMAGE_BOXES = ['image', 'decoded'];
const NUMBER_BOXES = ['posterior', 'code'];

const find = (selector) => element.querySelector(selector);
const view = {
  value: null, // the value on show
  z: [],
  hasFailed: false, // the caption is an error of a request
  isMoved: false, // z is not the code that was chosen
  dimension: 0, // index of the dimension whose numbers are shown
  cell: [0, 0], // row and column of the traversal figure, where the keys have led
  sliders: [],
  boxes: {}, // of the diagram, by what they show
};

const decode = requestTo('decode', (image) => {
  showImage('decoded', image);
  element.dataset.decoded = Number(element.dataset.decoded || 0) + 1;
});
const traverse = requestTo('traverse', (image) => paintPixels(find('.traversal canvas'), image));

// Returns a function that asks the server; answers about an image that is no longer shown are dropped.
function requestTo(name, use) {
  return newestOnly((request) => server[name](request), (answer, request) => {
    if (request.about !== view.value.id) return;
    if (!answer.error) return use(answer);
    view.hasFailed = true;
    showCaption(answer.error);
  });
}

// ---- drawing ----

function showCaption(text) {
  find('.caption').value = text;
}

function showHint() {
  view.hasFailed = false;
  showCaption(`${CAPTION} ${view.value.caveat}`);
}

// Shows an image in its figure, and in its box of the diagram.
function showImage(name, image) {
  paintPixels(find(`.${name}`), image);
  if (view.boxes[name]) paintPixels(view.boxes[name].canvas, image);
  if (name === 'decoded') showImage('difference', differenceOf(view.value.image, image));
}

// Shows the three images beside each other, at the largest whole multiple of their size in pixels of the device.
function layOut() {
  const canvases = [...element.querySelectorAll('.pictures canvas')];
  const room = Math.min((element.clientWidth - 2 * GAP) / canvases.length, innerHeight * MAX_HEIGHT);
  for (const {style, width} of canvases) {
    const side = width / devicePixelRatio;
    style.width = `${Math.max(1, Math.floor(room / side)) * side}px`;
  }
}

// Shows the numbers of the dimension that was moved last, and where the code comes from. Triggers `input` once the code
// is moved, or back where it was.
function showNumbers() {
  const {value, z, dimension, boxes} = view;
  const numbers = describeDimension(dimension, value.mu[dimension], value.log_var[dimension], z[dimension]);
  for (const span of element.querySelectorAll('[data-number]')) span.textContent = numbers[span.dataset.number];
  if (boxes.posterior) boxes.posterior.number.textContent = `${numbers.mu}, ${numbers.sigma}`;
  const source = sourceOf(z, value);
  if (boxes.code) {
    boxes.code.number.textContent = `z${numbers.i} = ${numbers.z}, ${source}`;
    boxes.code.button.parentElement.classList.toggle('cut', source !== 'μ');
  }
  element.dataset.code = JSON.stringify({model: value.model, z});
  const isMoved = String(z) !== String(value.z);
  if (isMoved !== view.isMoved) trigger('input');
  view.isMoved = isMoved;
}

// ---- moving ----

// Shows a changed code; the traversal is drawn again only when a slider is released.
function update(isReleased) {
  showNumbers();
  if (view.hasFailed) showHint();
  const request = {about: view.value.id, model: view.value.model, z: view.z};
  decode(request);
  if (isReleased) traverse(request);
}

// Sets all dimensions.
function setCode(z) {
  view.z = [...z];
  view.sliders.forEach((slider) => slider.update());
  update(true);
}

// Returns the slider of a dimension.
function makeSlider({index, label, dead}) {
  const range = make('input', {type: 'range', min: -view.value.limit, max: view.value.limit, step: 0.01});
  const output = make('output');
  const text = make('span', {textContent: label});
  const updateSlider = () => {
    range.value = view.z[index];
    output.value = useMinusSign(view.z[index].toFixed(2));
  };
  const bars = [['prior', 0, 1], ['posterior', view.value.mu[index], Math.exp(view.value.log_var[index] / 2)]].map(
    ([className, mean, deviation]) => {
      const bar = make('i', {className});
      bar.style.cssText = intervalStyle(mean, deviation, view.value.limit);
      return bar;
    });
  range.addEventListener('input', () => {
    view.dimension = index;
    view.z[index] = Number(range.value);
    updateSlider();
    update(false);
  });
  range.addEventListener('change', () => update(true));
  const track = make('span', {className: 'track'}, range, ...bars);
  return {label: make('label', {className: dead ? 'dead' : ''}, text, track, output), update: updateSlider};
}

// Goes to the code of the traversal figure's cell that was clicked.
function goToCell(event) {
  if (!view.value) return;
  goTo(cellAt(...placeIn(event.target, event), countRows(), view.value.columns.length));
}

// Goes from cell to cell with the arrow keys.
function goByKey(event) {
  const arrow = arrowOf(event);
  if (!arrow || !view.value) return;
  event.preventDefault();
  goTo(nextCell(arrow, view.cell, countRows(), view.value.columns.length));
}

// Goes to the code of a cell of the traversal figure, and marks it.
function goTo([row, column]) {
  const {dimensions, columns} = view.value;
  const [height, width] = [100 / countRows(), 100 / columns.length];
  view.cell = [row, column];
  find('.cell').hidden = false;
  find('.cell').style.cssText = `left:${column * width}%;top:${row * height}%;width:${width}%;height:${height}%`;
  const z = [...view.z];
  view.dimension = dimensions[row].index;
  z[view.dimension] = columns[column];
  setCode(z);
}

// Returns to the code of the image, or to the mean of the prior.
function press(event) {
  if (!view.value) return;
  const action = event.target.dataset?.do;
  if (action) find('.cell').hidden = true;
  if (action === 'back') setCode(view.value.z);
  if (action === 'zero') setCode(view.value.z.map(() => 0));
}

// ---- a new value ----

// Returns the number of rows of the traversal figure.
function countRows() {
  return view.value.traversal.height / view.value.decoded.height;
}

// Draws the diagram and the sliders of a new value.
function build() {
  const {value} = view;
  const boxes = value.diagram.map((box) => (
    {...box, hasImage: IMAGE_BOXES.includes(box.shows), hasNumber: NUMBER_BOXES.includes(box.shows)}));
  const drawnBoxes = drawDiagram(find('.diagram'), boxes, value.image);
  view.boxes = Object.fromEntries(boxes.map((box, i) => [box.shows, drawnBoxes[i]]));
  view.sliders = value.dimensions.map(makeSlider);
  const [first, others] = element.querySelectorAll('.sliders');
  const labels = view.sliders.map((slider) => slider.label);
  first.replaceChildren(...labels.slice(0, FIRST_SLIDERS));
  others.replaceChildren(...labels.slice(FIRST_SLIDERS));
  find('[data-layer=dimensions]').hidden = !others.children.length;
  find('[data-layer=dimensions] summary').textContent = `${others.children.length} more dimensions`;
  find('.cell').hidden = true;
  view.sliders.forEach((slider) => slider.update());
  find('.names').replaceChildren(...value.dimensions.slice(0, countRows()).map(({label}) => make('span', {}, label)));
}

// Shows a new value.
function load() {
  const value = props.value;
  if (!value) return;
  element.toggleAttribute('data-outdated', Boolean(value.outdated));
  if (value.message) return showCaption(value.message);
  view.value = structuredClone(value);
  Object.assign(view, {z: [...value.z], isMoved: false});
  view.dimension = value.dimensions[0].index;
  build();
  showImage('image', value.image);
  showImage('decoded', value.decoded);
  layOut();
  paintPixels(find('.traversal canvas'), value.traversal);
  showNumbers();
  showHint();
  element.dataset.ready = value.id;
}

element.addEventListener('click', press);
find('.traversal canvas').addEventListener('click', goToCell);
find('.traversal canvas').addEventListener('keydown', goByKey);
new ResizeObserver(layOut).observe(element);
rememberLayers(element);
watch('value', load);
load();
