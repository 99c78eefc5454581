// The scrubber's computations.

import assert from 'node:assert/strict';
import test from 'node:test';

import {isLate} from '../../playground/web/scrubber/arrivals.js';
import {curveScale, drawCurves, linePoints} from '../../playground/web/scrubber/curves.js';
import {boxFrame, captionAt, drawMilestones} from '../../playground/web/scrubber/followers.js';
import {barPath, linePoints as histogramPoints} from '../../playground/web/scrubber/histograms.js';
import {pinnedFrame, pinnedTitle} from '../../playground/web/scrubber/pin.js';
import {countSteps, Playback} from '../../playground/web/scrubber/playback.js';
import {locateFrame} from '../../playground/web/scrubber/sheets.js';
import {fitStrips, scaleSmall} from '../../playground/web/scrubber/strips.js';
import {fade, pathUntil} from '../../playground/web/scrubber/trail.js';
import {mapOffset, mixColours, momentAt} from '../../playground/web/words/words.js';
import {fakeElement} from './fake_page.mjs';

test('frames lie row by row, sheet after sheet', () => {
  const layout = {columns: 3, per_sheet: 6, width: 10, height: 20};
  assert.deepEqual(locateFrame(0, layout), [0, 0, 0]);
  assert.deepEqual(locateFrame(4, layout), [0, 10, 20]);
  assert.deepEqual(locateFrame(6, layout), [1, 0, 0]);
  assert.deepEqual(locateFrame(17, layout), [2, 20, 20]);
});

test('strips lie beside each other at whole multiples of their size, where they fit', () => {
  const three = [false, false, false];
  assert.equal(fitStrips(three, 128, 1000), 2);
  assert.equal(fitStrips(three, 64, 474), 2);
  assert.equal(fitStrips(three, 64, 473), 3, 'in pairs, since a strip takes at least 150 pixels');
  assert.equal(fitStrips(three, 128, 400), 3, 'one below the other, if a row has no room');
  assert.equal(fitStrips([...three, false, false], 28, 320), 5, 'or in pairs');
  assert.equal(fitStrips(three, 64, 324), 2, 'whatever the pixels of the device');
  assert.equal(fitStrips(three, 32, 300), 9, 'but not narrower than their captions');
  assert.equal(fitStrips([...three, false, false], 28, 728), 8, 'or in two rows');
  assert.equal(fitStrips([false], 32, 2000), 20, 'a strip is at most 640 pixels wide');
  assert.equal(fitStrips([false, false], 600, 300), 0, 'and shrinks if it must');
  assert.equal(fitStrips([false, false, true], 160, 924), 2, 'a small one takes half');
  assert.equal(fitStrips([false, false, true], 164, 728), 2, 'or lies below the large ones');
});

test('a small strip takes half the scale of the others, rounded up where there is room', () => {
  const strips = [false, false, true];
  assert.equal(scaleSmall(strips, 160, 1564, 3), 2);
  assert.equal(scaleSmall(strips, 160, 1304, 3), 2);
  assert.equal(scaleSmall(strips, 160, 1303, 3), 1);
  assert.equal(scaleSmall(strips, 160, 924, 2), 1);
  assert.equal(scaleSmall(strips, 160, 100, 1), 1);
});

test('what there is to say of a run stays above the caption of every frame', () => {
  const captions = ['step 0', 'step 1'];
  assert.deepEqual([0, 1].map((k) => captionAt({captions, notice: 'Not known: zeppelin.'}, k)),
    ['Not known: zeppelin.\nstep 0', 'Not known: zeppelin.\nstep 1']);
  assert.equal(captionAt({captions, notice: ''}, 1), 'step 1');
});

test('playing keeps the speed whatever the browser draws', () => {
  assert.deepEqual(countSteps(100, 20), {steps: 2, rest: 0});
  assert.deepEqual(countSteps(30, 20), {steps: 0, rest: 30});
  let [frames, rest] = [0, 0];
  for (let k = 0; k < 60; k++) {
    const result = countSteps(rest + 1000 / 60, 16);
    frames += result.steps;
    rest = result.rest;
  }
  assert.equal(frames, 16, 'in a second');
  assert.deepEqual(countSteps(-200, 20), {steps: 0, rest: -200}, 'a frame that is held');
});

test('playing that is begun twice ticks once a frame', () => {
  let waiting = [];
  Object.assign(globalThis, {
    requestAnimationFrame: (callback) => waiting.push({callback}) && waiting.at(-1),
    cancelAnimationFrame: (request) => { waiting = waiting.filter((other) => other !== request); },
  });
  const playback = new Playback(() => 1000, () => {});
  playback.start();
  playback.start();
  playback.stop();
  playback.start();
  for (let k = 0; k < 3; k++) {
    assert.equal(waiting.length, 1);
    waiting.splice(0)[0].callback(performance.now());
  }
});

test('what belongs to a run that another has replaced is dropped', () => {
  const state = {loadingRun: null, shownRun: 'a', stopTime: 5};
  const strips = {of: 'a', following: '{}'};
  const of = (value, changed) => isLate(value, {...state, ...changed});
  assert.deepEqual([of(strips, {}), of(strips, {shownRun: 'b'}), of(strips, {loadingRun: 'b'})], [false, true, true]);
  assert.equal(of(strips, {shownRun: 'b', loadingRun: 'a'}), false, 'its own frames are on their way');
  assert.equal(of(strips, {shownRun: undefined}), false, 'a scrubber that was hidden shows its last value');
  assert.equal(of({...strips, part: {}}, {shownRun: undefined}), true, 'a part needs its run');
  assert.deepEqual([4, 6].map((started) => of({started}, {})), [true, false], 'before and after Stop');
  assert.deepEqual([of({live: true}, {loadingRun: 'b'}), of({live: true}, {})], [true, false]);
  assert.equal(of({run: 'b', following: '{}'}, {loadingRun: 'a'}), false, 'a newer run');
});

test('a pinned run keeps step with a longer one, and names what differs', () => {
  assert.deepEqual([0, 25, 50].map((k) => pinnedFrame(k, 51, 21)), [0, 10, 20]);
  assert.equal(pinnedFrame(0, 1, 5), 0);
  assert.equal(pinnedTitle('steps=20&w=2&view=a', 'steps=50&w=2&view=a&label=3'),
    'Pinned; changed above: steps 20 → 50, label – → 3');
  assert.equal(pinnedTitle('steps=20', 'steps=20'), 'Pinned; the settings are the same');
  for (const settings of [['', ''], ['', 'steps=20'], ['steps=20', '']]) {
    assert.equal(pinnedTitle(...settings), 'Pinned', 'nothing is known of a drawing that no link holds');
  }
});

test('a curve leaves out what has no height', () => {
  const series = [{values: [1, 10, null]}, {values: [0, 100, -5]}];
  const {toHeight, low, high} = curveScale({series, log: true});
  assert.deepEqual([low, high, toHeight(1000)], [0, 2, 3]);
  assert.equal(linePoints([1, 100, null], {toHeight, low, high}, true, 3), '0,33 50,7');
  assert.deepEqual(curveScale({series, log: false}).low, -5);
});

test('a constant curve is drawn at the bottom, and a single frame at the left', () => {
  const scale = curveScale({series: [{values: [4]}], log: false});
  assert.equal(linePoints([4], scale, false, 1), '0,33');
});

test('a drag moves to another frame only if it began on the curve', () => {
  const charts = [];
  const createElementNS = (_, tag) => {
    const node = fakeElement();
    if (tag === 'svg') charts.push(node);
    return node;
  };
  globalThis.document = {createElement: () => fakeElement(), createElementNS};
  const curve = {name: 'x', hint: '', series: [{name: '', colour: '', values: [0, 1, 2, 3, 4]}]};
  const frames = [];
  drawCurves(fakeElement(), {frames: 5, ends: ['', ''], curves: [curve]}, (k) => frames.push(k));
  const at = (clientX) => ({pointerId: 1, buttons: 1, clientX, clientY: 0});
  charts[0].fire('pointermove', at(25));
  assert.deepEqual(frames, []);
  charts[0].fire('pointerdown', at(50));
  charts[0].fire('pointermove', at(75));
  assert.deepEqual(frames, [2, 3]);
});

test('bars share the width, and lines of a histogram include 0', () => {
  assert.equal(barPath([50, 100]), 'M0 100v-50h45v50zM50 100v-100h45v100z');
  assert.equal(histogramPoints([1, 2]), '0,50 100,4');
  assert.equal(histogramPoints([-1, 0]), '0,96 100,4');
});

test('a box ahead shows the next frame, and at the end the step that led there', () => {
  const run = {frames: 5, diagram: [{ahead: 0}, {ahead: 1}]};
  assert.deepEqual([0, 3, 4].map((k) => boxFrame(k, {ahead: 1}, run)), [1, 4, 4]);
  assert.deepEqual([0, 4].map((k) => boxFrame(k, {ahead: 0}, run)), [0, 3]);
  const backward = {frames: 5, diagram: [{ahead: -1}, {ahead: 0}]};
  assert.deepEqual([0, 1, 4].map((k) => boxFrame(k, {ahead: -1}, backward)), [0, 0, 3]);
  assert.equal(boxFrame(4, {ahead: 0}, backward), 4);
});

test('the map of a word lies behind those of the words and pictures before it', () => {
  const words = {tokens: ['a', 'b', 'c'], moments: [0, 0, 1], pictures: 2, size: 4};
  assert.equal(mapOffset(words, 0, 0, 0), 0);
  assert.equal(mapOffset(words, 0, 2, 1), 5 * 16);
  assert.equal(mapOffset(words, 1, 0, 0), 6 * 16);
  assert.deepEqual([0, 1, 2].map((k) => momentAt(words, k, false)), [0, 0, 1]);
  assert.equal(momentAt(words, 0, true), 2, 'the mean of all comes last');
});

test('a place is coloured by the words that look there, and darkened where none does', () => {
  const [red, blue] = [[255, 0, 0], [0, 0, 255]];
  assert.deepEqual(mixColours([red, blue], [255, 0]), [255, 0, 0, 0.65 * 255]);
  assert.deepEqual(mixColours([red, blue], [255, 255]), [127.5, 0, 127.5, 0.65 * 255]);
  assert.deepEqual(mixColours([red, blue], [0, 0]), [0, 0, 0, 0.5 * 255]);
});

test('the path of a particle grows with the frames', () => {
  const path = [[0, 0], [0.5, 0.25], [1, 1]];
  assert.deepEqual(pathUntil(path, 1, {width: 100, height: 200}), [[0, 0], [50, 50]]);
  assert.equal(pathUntil(path, 2, {width: 1, height: 1}).length, 3);
  assert.deepEqual([fade(0), fade(100)], [1, 0.15], 'what is long ago stays faint');
});

test('milestones lead to their frames, and the last one reached is marked', () => {
  const buttons = [];
  const container = fakeElement({replaceChildren: (...children) => buttons.push(...children)});
  globalThis.document = {createElement: () => fakeElement({setAttribute(name, value) { this[name] = value; }})};
  const visited = [];
  const [follow] = drawMilestones(container, {milestones: [[2, 'half'], [5, 'all']]}, (k) => visited.push(k));
  assert.equal(container.hidden, false);
  const marked = (k) => {
    follow(k);
    return buttons.map((button) => button['aria-current']);
  };
  assert.deepEqual([marked(1), marked(2), marked(7)], [['false', 'false'], ['step', 'false'], ['false', 'step']]);
  buttons[1].onclick();
  assert.deepEqual(visited, [5]);
  drawMilestones(container, {milestones: []}, () => {});
  assert.equal(container.hidden, true);
});
