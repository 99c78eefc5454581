// The scrubber's script: when it plays.

import assert from 'node:assert/strict';
import test from 'node:test';

import {openPage} from './fake_page.mjs';

const FOLLOWING = {captions: ['0', '1', '2', '3', '4'], curves: [], formula: '', numbers: {}, diagram: [], words: null, below: []};
const RUN = {
  id: 'first', run: 'a', frames: 5, start: -1, width: 1, height: 1, columns: 5, per_sheet: 5, tile: [1, 1], gap: 0, vacant: [],
  strips: [{name: 'x', hint: '', small: false, sheets: ['data:']}], ends: ['', ''], following: JSON.stringify(FOLLOWING),
};

test('a run that plays in a hidden tab of the page rests on its last frame', async () => {
  Object.assign(globalThis, {
    fetch: async () => ({blob: async () => null}), createImageBitmap: async () => ({close() {}}), localStorage: {getItem: () => null},
  });
  const page = openPage({value: RUN}, {}, {motion: true});
  page.element.querySelector('.speed').value = '4'; // a frame of the run at each of the browser's
  await import('../../playground/web/scrubber/scrubber.js');
  const {dataset} = page.element;
  await page.frames(2);
  assert.ok(page.asksForFrames() && dataset.index < 3, `at ${dataset.index}`);
  page.element.getClientRects = () => [];
  await page.frames(1);
  assert.deepEqual([dataset.index, page.asksForFrames()], [4, false]);
});
