// The drawing pad: what draws ink, and what lies under it.

import assert from 'node:assert/strict';
import test from 'node:test';

import {openPage} from './fake_page.mjs';

test('a mouse that passes over the pad draws nothing, though a key has lowered the pen', async () => {
  const props = {value: ''};
  const events = [];
  const {element} = openPage(props, {});
  globalThis.trigger = (name) => events.push(name);
  await import('../../playground/web/drawing_pad/drawing_pad.js');
  const canvas = element.querySelector('canvas');
  const press = (key) => canvas.fire('keydown', {key, preventDefault() {}});
  press('Enter');
  canvas.fire('pointermove', {isPrimary: true, buttons: 0, clientX: 10, clientY: 10});
  press('ArrowRight');
  press('Enter');
  await new Promise((done) => setTimeout(done, 100));
  assert.deepEqual(JSON.parse(props.value), [[[140, 140], [154, 140]]]);
  assert.deepEqual(events, ['input', 'change']);
  canvas.fire('pointerdown', {isPrimary: true, button: 0, pointerId: 1, clientX: 0, clientY: 0});
  canvas.fire('pointermove', {isPrimary: true, buttons: 1, clientX: 10, clientY: 0});
  canvas.fire('pointerup', {});
  await new Promise((done) => setTimeout(done, 100));
  assert.deepEqual(JSON.parse(props.value)[1], [[0, 0], [28, 0]]);
});

test('an image that came while the pad was hidden lies under the drawing', async () => {
  const props = {value: {background: 'data:image/jpeg;base64,AA=='}};
  const {element} = openPage(props, {});
  await import('../../playground/web/drawing_pad/drawing_pad.js?hidden');
  assert.equal(element.querySelector('canvas').style.backgroundImage, 'url("data:image/jpeg;base64,AA==")');
  assert.equal(props.value, '', 'no drawing yet');
});
