// The explorer's script: how it lays out its pictures, and what it says.

import assert from 'node:assert/strict';
import test from 'node:test';

import {fakeElement, openPage} from './fake_page.mjs';

const IMAGE = {pixels: 'AA==', height: 28, width: 28, channels: 1};
const VALUE = {
  id: 'first', model: 'm', z: [1], mu: [1], log_var: [0], dimensions: [{index: 0, label: 'z1', dead: false}], image: IMAGE,
  decoded: IMAGE, samples: IMAGE, traversal: IMAGE, columns: [0], limit: 4, diagram: [], caveat: 'Blurred.',
};

test('pictures are as wide as whole pixels of the device allow, and an error goes when the code is moved again', async () => {
  const answers = [{error: 'The server is busy.'}, IMAGE];
  const {element} = openPage({value: VALUE}, {decode: async () => answers.shift(), traverse: async () => IMAGE});
  const find = (selector) => element.querySelector(selector);
  const lists = {
    '.pictures canvas': ['.image', '.decoded', '.difference'].map(find), '.sliders': [fakeElement({children: []}), fakeElement({children: []})],
  };
  element.querySelectorAll = (selector) => lists[selector] ?? [];
  element.clientWidth = 324;
  Object.assign(globalThis, {devicePixelRatio: 1.5, innerHeight: 1000});
  await import('../../playground/web/explorer/explorer.js');
  assert.equal(Math.round(parseFloat(find('.image').style.width) * 1.5), 5 * 28);
  const hint = find('.caption').value;
  assert.match(hint, /Blurred\.$/);
  for (const caption of ['The server is busy.', hint]) {
    element.fire('click', {target: {dataset: {do: 'zero'}}});
    await new Promise(setImmediate);
    assert.equal(find('.caption').value, caption);
  }
});
