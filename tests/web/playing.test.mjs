// The scrubber's script: when it plays, and what it says meanwhile.

import assert from 'node:assert/strict';
import test from 'node:test';

import {openPage} from './fake_page.mjs';

const FOLLOWING = {captions: ['0', '1', '2', '3', '4'], curves: [], formula: '', numbers: {}, diagram: [], words: null, milestones: [], below: []};
const RUN = {
  id: 'first', run: 'a', frames: 5, start: -1, width: 1, height: 1, columns: 5, per_sheet: 5, tile: [1, 1], gap: 0, vacant: [],
  strips: [{name: 'x', hint: '', small: false, sheets: ['data:']}], ends: ['', ''], following: JSON.stringify(FOLLOWING),
};

Object.assign(globalThis, {
  fetch: async () => ({blob: async () => null}), createImageBitmap: async () => ({close() {}}), localStorage: {getItem: () => null}, innerHeight: 1000,
});

test('a run that plays in a hidden tab of the page rests on its last frame', async () => {
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

test('settings that are changed before the first run is there differ from its own', async () => {
  const page = openPage({value: null}, {});
  await import('../../playground/web/scrubber/scrubber.js?early');
  const {dataset, fire} = page.element;
  assert.equal(dataset.live, false, 'by which events find it');
  fire('run-requested', {detail: false});
  fire('settings-changed');
  page.setValue(RUN);
  await page.frames(1);
  assert.deepEqual([dataset.ready, dataset.stale], ['first', '']);
  fire('run-requested', {detail: false});
  page.setValue({...RUN, id: 'second', run: 'b'});
  await page.frames(1);
  assert.deepEqual([dataset.ready, dataset.stale], ['second', undefined]);
});

test('the finished run is read aloud, but not each of its previews', async () => {
  const page = openPage({value: RUN}, {});
  await import('../../playground/web/scrubber/scrubber.js?live');
  await page.frames(1);
  const caption = page.element.querySelector('.caption');
  const show = async (value) => {
    page.setValue({...RUN, ...value});
    await page.frames(1);
    return caption.ariaLive;
  };
  assert.equal(await show({id: 'preview', live: true, index: 1, caption: 'step 1', following: ''}), 'off');
  assert.equal(caption.value, 'step 1');
  assert.equal(await show({id: 'second', run: 'b'}), 'polite');
  assert.equal(caption.value, '4');
});

test('an error is not marked as a run of other settings, but the run on show stays so', async () => {
  const page = openPage({value: RUN}, {});
  await import('../../playground/web/scrubber/scrubber.js?error');
  await page.frames(1);
  const {dataset, fire, querySelector} = page.element;
  const caption = querySelector('.caption');
  fire('settings-changed');
  fire('run-requested', {detail: false});
  page.setValue({id: 'error', message: 'No word of it is known.'});
  assert.deepEqual([caption.value, caption.dataset.message, dataset.stale], ['No word of it is known.', '', '']);
  fire('keydown', {key: 'Home', target: {matches: () => false}, preventDefault() {}});
  assert.deepEqual([caption.value, caption.dataset.message, dataset.stale], ['0', undefined, '']);
});
