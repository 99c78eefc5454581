// The drawing pad: what draws ink.

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
