// The drawing pad: what draws ink, and what lies under it.

import assert from 'node:assert/strict';
import test from 'node:test';

import {openPage} from './fake_page.mjs';

test('only what is pressed draws: no mouse that passes over a pen lowered by a key, no palm beside another pen', async () => {
  const props = {value: ''};
  const events = [];
  const {element} = openPage(props, {});
  globalThis.trigger = (name) => events.push(name);
  await import('../../playground/web/drawing_pad/drawing_pad.js');
  const canvas = element.querySelector('canvas');
  const press = (key) => canvas.fire('keydown', {key, preventDefault() {}});
  press('Enter');
  canvas.fire('pointermove', {isPrimary: true, pointerId: 1, buttons: 0, clientX: 10, clientY: 10});
  press('ArrowRight');
  press('Enter');
  await new Promise((done) => setTimeout(done, 100));
  assert.deepEqual(JSON.parse(props.value), [[[140, 140], [154, 140]]]);
  assert.deepEqual(events, ['input', 'change']);
  const at = (pointerId, clientX, clientY) => ({isPrimary: true, button: 0, buttons: 1, pointerId, clientX, clientY});
  canvas.fire('pointerdown', at(1, 0, 0));
  canvas.fire('pointerdown', at(2, 90, 90)); // a palm beside the pen
  canvas.fire('pointermove', at(2, 91, 90));
  canvas.fire('pointerup', at(2, 91, 90));
  canvas.fire('pointermove', at(1, 10, 0));
  canvas.fire('pointerup', at(1, 10, 0));
  await new Promise((done) => setTimeout(done, 100));
  assert.deepEqual(JSON.parse(props.value).slice(1), [[[0, 0], [28, 0]]]);
});

test('an image that came while the pad was hidden lies under the drawing', async () => {
  const props = {value: {background: 'data:image/jpeg;base64,AA=='}};
  const {element} = openPage(props, {});
  await import('../../playground/web/drawing_pad/drawing_pad.js?hidden');
  assert.equal(element.querySelector('canvas').style.backgroundImage, 'url("data:image/jpeg;base64,AA==")');
  assert.equal(props.value, '', 'no drawing yet');
});

test('a stroke that was drawn elsewhere joins the others', async () => {
  const props = {value: '[[[1, 2]]]'};
  const {element} = openPage(props, {});
  await import('../../playground/web/drawing_pad/drawing_pad.js?elsewhere');
  element.fire('stroke', {detail: [[0.5, 0], [1, 0.25]]});
  await new Promise((done) => setTimeout(done, 100));
  assert.deepEqual(JSON.parse(props.value), [[[1, 2]], [[140, 0], [280, 70]]]);
});
