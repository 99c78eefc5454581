// The map of the latent space: which of the server's answers it shows.

import assert from 'node:assert/strict';
import test from 'node:test';

import {fakeElement, openPage} from './fake_page.mjs';

const IMAGE = {pixels: 'AA==', height: 1, width: 1, channels: 1};
const CHART = {
  basis: [[1, 0], [0, 1]], origin: [0, 0], mu: [0, 0], span: 4, points: [], titles: ['z1', 'z2'], axes: [0, 1],
  ellipse: [[1, 0], [0, 1]], background: '',
};
const VALUE = {
  id: 'first', model: 'm', z: [0, 0], mu: [0, 0], log_var: [0, 0], seed: 0, axes: [], names: [], colours: [], chart: CHART,
};

test('a drag moves the code only if it began on the map', async () => {
  const {element} = openPage({value: VALUE}, {decode: async () => IMAGE});
  await import('../../playground/web/plane/plane.js?drag');
  const canvas = element.querySelector('.plane');
  const at = (clientX) => ({pointerId: 1, buttons: 1, clientX, clientY: 50});
  const code = () => JSON.parse(element.dataset.code).z;
  canvas.fire('pointermove', at(75));
  assert.deepEqual(code(), [0, 0]);
  canvas.fire('pointerdown', at(75));
  canvas.fire('pointermove', at(25));
  assert.deepEqual(code(), [-2, 0]);
});

test('the points are not drawn again when the cursor moves', async () => {
  const points = Array.from({length: 1000}, () => [0, 0, 0]);
  const {element} = openPage({value: {...VALUE, chart: {...CHART, points}}}, {decode: async () => IMAGE});
  const canvas = element.querySelector('.plane');
  const {getContext} = canvas;
  let circles = 0;
  const count = {getContext() { return Object.assign(getContext.call(this), {arc: () => { circles++; }}); }};
  Object.assign(canvas, count);
  document.createElement = () => fakeElement(count);
  element.querySelector('.points').checked = true;
  await import('../../playground/web/plane/plane.js?points');
  assert.ok(circles >= 1000);
  circles = 0;
  canvas.fire('pointerdown', {pointerId: 1, clientX: 75, clientY: 50});
  assert.ok(circles > 0 && circles < 10, `${circles} circles`);
});

test('a picture of the pointer and one that was drawn do not replace a newer one of the other', async () => {
  const waiting = {};
  const ask = (name) => () => new Promise((answer) => { waiting[name] = answer; });
  const {element} = openPage({value: VALUE}, {decode: ask('decode'), reparameterize: ask('reparameterize')});
  await import('../../playground/web/plane/plane.js');
  const canvas = element.querySelector('.plane');
  const answer = async (name, value) => { waiting[name](value); await new Promise(setImmediate); };
  const code = () => JSON.parse(element.dataset.code).z;
  await answer('decode', IMAGE);
  assert.equal(element.dataset.decoded, 1);

  canvas.fire('pointerdown', {clientX: 75, clientY: 50});
  element.fire('click', {target: {dataset: {do: 'draw'}}});
  await answer('reparameterize', {z: [3, 3], picture: IMAGE, numbers: ''});
  assert.deepEqual(code(), [3, 3]);
  await answer('decode', IMAGE);
  assert.equal(element.dataset.decoded, 1, 'of the place before');

  element.fire('click', {target: {dataset: {do: 'draw'}}});
  canvas.fire('pointerdown', {clientX: 75, clientY: 50});
  await answer('reparameterize', {z: [1, 1], picture: IMAGE, numbers: ''});
  assert.deepEqual(code(), [2, 0], 'the place that was chosen after it');
  await answer('decode', IMAGE);
  assert.equal(element.dataset.decoded, 2);
});
