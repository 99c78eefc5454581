// Plane of the latent space: a point to drag, and the image that the decoder draws there.
// `props.value` comes from pack() of plane/__init__.py or from message().

import {make, makeLegend, placeIn} from '../dom.js';
import {arrowOf} from '../keys.js';
import {useMinusSign} from '../numbers.js';
import {paintPixels} from '../pixels.js';
import {newestOnly} from '../requests.js';
import {clampToSpan, codeAt, ellipsePoints, fromShares, nearestPoint, project, toPixel} from './geometry.js';

const TOUCH_DISTANCE = 8; // CSS pixels between the pointer and a point that it touches
const STEP = 0.1; // an arrow key moves the cursor so far
const DECODED = 'drawn by the decoder';

const find = (selector) => element.querySelector(selector);
const canvas = find('.plane');
const context = canvas.getContext('2d');
const menus = [find('.across'), find('.up')];
const still = make('canvas').getContext('2d'); // what stays when the cursor moves
const view = {
  value: null, // the value on show
  chart: null, // the map on show: see latent_map.py
  cursor: [0, 0],
  z: [], // the code on show
  samples: [], // places of the codes drawn from the posterior
  background: null,
  draws: 0, // presses of the Draw button, which number the noise
  isMoved: false, // the code on show is not that of the picture that was chosen
  isHovering: false, // the image is that of a point under the pointer
  changes: {move: 0, press: 0}, // of the code: by moving the cursor, and by drawing
};

// ---- requests ----

const handlers = {
  decode: (image) => {
    showImage(image, DECODED);
    element.dataset.decoded = Number(element.dataset.decoded || 0) + 1;
  },
  point: (image) => showImage(image, image.caption),
  chart: showChart,
  reparameterize: showSample,
};
// The requests of a moving pointer skip each other, but never those of a button or a menu.
const requestOnMove = makeRequest('press');
const requestOnPress = makeRequest('move');

// Returns a function that asks the server. Answers about an image that is no longer shown are dropped, and pictures if
// the `other` kind of request has changed the code meanwhile.
function makeRequest(other) {
  const send = newestOnly(({name, since, ...request}) => server[name](request), (answer, {name, about, since}) => {
    if (about !== view.value.id || (name !== 'chart' && since !== view.changes[other])) return;
    if (answer.error) showCaption(answer.error);
    else handlers[name](answer);
    if (name === 'chart') showAxes(view.chart.axes); // those of the map on show, if there is no new one
  });
  return (request) => send({...request, since: view.changes[other]});
}

function requestImage() {
  requestOnMove({...aboutImage(), name: 'decode', z: view.z});
}

function requestChart() {
  requestOnPress({...aboutPosterior(), name: 'chart', axes: menus.map((menu) => menu.value)});
}

// Returns the fields of every request.
function aboutImage() {
  return {about: view.value.id, model: view.value.model};
}

// Returns the fields of a request that needs the posterior of the image.
function aboutPosterior() {
  return {...aboutImage(), z: view.value.z, mu: view.value.mu, log_var: view.value.log_var};
}

// ---- showing ----

function showCaption(text) {
  find('.caption').value = text;
}

function showImage(image, caption) {
  paintPixels(find('.decoded'), image);
  find('figcaption').textContent = caption;
}

// Tells the page the code of the picture on show, and triggers `input` once it is moved, or back where it was.
function showCode(z) {
  view.z = z;
  element.dataset.code = JSON.stringify({model: view.value.model, z});
  const isMoved = String(z) !== String(view.value.z);
  if (isMoved !== view.isMoved) trigger('input');
  view.isMoved = isMoved;
}

function showPosition() {
  showCaption(view.chart.titles.map((title, k) => `${title} = ${useMinusSign(view.cursor[k].toFixed(2))}`).join(', '));
}

function showAxes(axes) {
  menus.forEach((menu, k) => { menu.value = axes[k]; });
}

// Shows a code that was drawn from the posterior.
function showSample(sample) {
  view.changes.press += 1;
  view.cursor = project(sample.z, view.chart.basis);
  view.samples.push(view.cursor);
  find('.numbers').value = sample.numbers;
  showPosition();
  showImage(sample.picture, DECODED);
  showCode(sample.z);
  draw();
}

// Shows another map.
function showChart(chart) {
  view.chart = chart;
  view.samples = [];
  view.background = new Image();
  view.background.onload = drawAll;
  view.background.src = chart.background;
  drawStill();
  setCursor(chart.origin);
}

// ---- drawing ----

function drawAll() {
  if (!view.chart) return;
  drawStill();
  draw();
}

// Draws the pictures, and the codes of test images in the colours of their classes.
function drawStill() {
  const {width, height} = canvas;
  const radius = 2.2 * pixelRatio();
  const hasPoints = find('.points').checked;
  Object.assign(still.canvas, {width, height}); // which clears it
  still.globalAlpha = hasPoints ? 0.55 : 1;
  if (find('.pictures').checked) still.drawImage(view.background, 0, 0, width, height);
  still.globalAlpha = 1;
  for (const [u, v, label] of hasPoints ? view.chart.points : []) {
    still.fillStyle = view.value.colours[label];
    drawCircle([u, v], radius, still);
  }
}

function draw() {
  const {chart, samples, cursor} = view;
  const ratio = pixelRatio();
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(still.canvas, 0, 0);
  Object.assign(context, {strokeStyle: '#fff', lineWidth: 2 * ratio});
  drawEllipse(1);
  drawEllipse(2);
  context.fillStyle = '#fff';
  for (const place of samples) drawCircle(place, 2.5 * ratio);
  drawCircle(chart.mu, 4 * ratio);
  Object.assign(context, {strokeStyle: '#000', fillStyle: '#f0e442'});
  drawCircle(cursor, 7 * ratio);
  context.stroke();
}

// Returns the pixels of the canvas in a CSS pixel.
function pixelRatio() {
  return canvas.width / canvas.clientWidth || 1;
}

function drawCircle(place, radius, target = context) {
  target.beginPath();
  target.arc(...toPixel(place, view.chart.span, canvas), radius, 0, 2 * Math.PI);
  target.fill();
}

// Draws the posterior q(z|x) as an ellipse around its mean.
function drawEllipse(deviations) {
  const {mu, ellipse, span} = view.chart;
  context.beginPath();
  for (const place of ellipsePoints(mu, ellipse, deviations)) context.lineTo(...toPixel(place, span, canvas));
  context.stroke();
}

// Fits the canvas to the device's pixels.
function resize() {
  const side = Math.round(canvas.clientWidth * devicePixelRatio);
  if (!side) return;
  canvas.width = canvas.height = side;
  drawAll();
}

// ---- moving ----

// Moves the cursor to a place that the user has chosen.
function moveTo(place) {
  view.changes.move += 1;
  setCursor(place);
}

function setCursor(place) {
  view.cursor = clampToSpan(place, view.chart.span);
  view.isHovering = false;
  find('.numbers').value = '';
  showCode(codeAt(view.cursor, view.chart, view.value.z));
  requestImage();
  showPosition();
  draw();
}

// Returns the place of a pointer event.
function placeOf(event) {
  return fromShares(...placeIn(canvas, event), view.chart.span);
}

function pressPointer(event) {
  if (!view.chart) return;
  canvas.setPointerCapture(event.pointerId);
  moveTo(placeOf(event));
}

// Drags the cursor, or shows the test image under the pointer.
function movePointer(event) {
  if (!view.chart) return;
  if (canvas.hasPointerCapture(event.pointerId)) return moveTo(placeOf(event));
  if (event.buttons) return; // a drag that began elsewhere
  const distance = (TOUCH_DISTANCE / canvas.clientWidth) * 2 * view.chart.span;
  const index = find('.points').checked ? nearestPoint(placeOf(event), view.chart.points, distance) : -1;
  if (index < 0) return endHover();
  view.isHovering = true;
  requestOnMove({...aboutImage(), name: 'point', index});
}

// Shows the image at the cursor again.
function endHover() {
  if (!view.isHovering) return;
  view.isHovering = false;
  requestImage();
}

function pressKey(event) {
  const arrow = arrowOf(event);
  if (!arrow || !view.chart) return;
  event.preventDefault();
  moveTo([view.cursor[0] + STEP * arrow[0], view.cursor[1] - STEP * arrow[1]]);
}

// Returns to the image, or draws a code from its posterior.
function pressButton(event) {
  if (!view.chart) return;
  const action = event.target.dataset?.do;
  if (action === 'back') {
    view.samples = [];
    moveTo(view.chart.origin);
  }
  if (action === 'draw') {
    view.draws += 1;
    requestOnPress({...aboutPosterior(), name: 'reparameterize', seed: view.value.seed, press: view.draws});
  }
}

// ---- a new value ----

// Shows a new value.
function load() {
  const value = props.value;
  if (!value) return;
  element.toggleAttribute('data-outdated', Boolean(value.outdated));
  if (value.message) return showCaption(value.message);
  view.value = structuredClone(value);
  Object.assign(view, {draws: 0, isMoved: false});
  for (const menu of menus) menu.replaceChildren(...value.axes.map(([axis, title]) => new Option(title, axis)));
  showAxes(value.chart.axes);
  find('.legend').replaceWith(makeLegend(value.names.map((name, i) => [value.colours[i], name])));
  showChart(view.value.chart);
  element.dataset.ready = value.id;
}

canvas.addEventListener('pointerdown', pressPointer);
canvas.addEventListener('pointermove', movePointer);
canvas.addEventListener('pointerleave', endHover);
canvas.addEventListener('keydown', pressKey);
element.addEventListener('click', pressButton);
for (const menu of menus) menu.addEventListener('change', requestChart);
for (const name of ['.pictures', '.points']) find(name).addEventListener('change', drawAll);
new ResizeObserver(resize).observe(canvas);
watch('value', load);
load();
