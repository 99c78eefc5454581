// Computations of the other components, and what they share.

import assert from 'node:assert/strict';
import test from 'node:test';

import {cellAt, describeDimension, intervalStyle, nextCell, sourceOf} from '../../playground/web/explorer/posterior.js';
import {arrowOf} from '../../playground/web/keys.js';
import {curveData} from '../../playground/web/lab/curve.js';
import {colourField, decodeCoordinates, pixelScale} from '../../playground/web/lab/plane.js';
import {clamp, decodeBytes, formatNumber} from '../../playground/web/numbers.js';
import {differenceOf, toRgba} from '../../playground/web/pixels.js';
import {
  clampToSpan, codeAt, ellipsePoints, fromShares, nearestPoint, project, toPixel,
} from '../../playground/web/plane/geometry.js';
import {newestOnly, orError} from '../../playground/web/requests.js';

test('numbers have three digits and a minus sign', () => {
  const texts = [0, 1, -1.23456, 12345, -0.0001234, null].map(formatNumber);
  assert.deepEqual(texts, ['0', '1', '−1.23', '1.2e+4', '−1.2e−4', '∞']);
});

test('numbers are clamped', () => {
  assert.deepEqual([-1, 0.5, Infinity].map((value) => clamp(value, 0, 1)), [0, 0.5, 1]);
});

test('pixels become opaque RGBA', () => {
  assert.deepEqual([...decodeBytes('AP8H')], [0, 255, 7]);
  assert.deepEqual([...toRgba([1, 2], 1)], [1, 1, 1, 255, 2, 2, 2, 255]);
  assert.deepEqual([...toRgba([1, 2, 3, 4, 5, 6], 3)], [1, 2, 3, 255, 4, 5, 6, 255]);
});

test('of the requests in between only the newest is sent', async () => {
  const sent = [];
  const answers = [];
  const gates = [];
  const ask = newestOnly((request) => {
    sent.push(request);
    return new Promise((resolve) => gates.push(resolve));
  }, (answer, request) => answers.push([answer, request]));
  const running = ask(1);
  ask(2);
  ask(3);
  gates.shift()('one');
  await new Promise(setImmediate);
  gates.shift()('three');
  await running;
  assert.deepEqual(sent, [1, 3]);
  assert.deepEqual(answers, [['one', 1], ['three', 3]]);
});

test('an answer that cannot be shown does not end the requests', async () => {
  const shown = [];
  const ask = newestOnly(async (request) => request, (answer) => {
    if (answer === 1) throw new Error('broken');
    shown.push(answer);
  });
  await assert.rejects(ask(1));
  await ask(2);
  assert.deepEqual(shown, [2]);
});

test('a server that does not answer is one sentence', async () => {
  const answer = await orError(async () => { throw new Error('offline'); });
  assert.deepEqual(answer, {error: 'The server did not answer (offline).'});
});

test('a dimension at the prior costs nothing', () => {
  assert.deepEqual(describeDimension(0, 0, 0, -1), {i: 1, mu: '0.000', sigma: '1.00', z: '−1.00', kl: '0.00'});
  const {kl} = describeDimension(2, 1.5, -2, 0); // (1.5² + e⁻² + 2 - 1) / 2
  assert.equal(kl, '1.69');
});

test('a code comes from the mean of its image, from the prior, or from the user', () => {
  const drawn = {z: [1, 2], mu: [0.9, 1.9]};
  assert.equal(sourceOf([1, 2], {z: [1, 2], mu: [1, 2]}), 'μ');
  assert.equal(sourceOf([1, 2], drawn), 'drawn from the prior');
  assert.equal(sourceOf([1, 0], drawn), 'set by hand');
});

test('a click on the traversal finds its cell', () => {
  assert.deepEqual(cellAt(0.99, 0.3, 4, 11), [1, 10]);
});

const CHART = {basis: [[1, 0, 0], [0, 0, 1]], origin: [0.5, -1]};

test('a code within the plane is the inverse of its projection', () => {
  const z = codeAt([2, 3], CHART, [0.5, 7, -1]);
  assert.deepEqual(z, [2, 7, 3], 'what the plane does not hold stays');
  assert.deepEqual(project(z, CHART.basis), [2, 3]);
});

test('places of the plane become pixels and back', () => {
  const [x, y] = toPixel([1, 2], 4, {width: 100, height: 200});
  assert.deepEqual([x, y], [62.5, 50]);
  assert.deepEqual(fromShares(x / 100, y / 200, 4), [1, 2]);
  assert.deepEqual(clampToSpan([9, -9], 4), [4, -4]);
});

test('an ellipse goes round its centre at the given distance', () => {
  const points = ellipsePoints([1, 1], [[2, 0], [0, 1]], 2);
  assert.deepEqual(points[0], [5, 1]);
  assert.ok(points.every(([u, v]) => Math.abs(((u - 1) / 4) ** 2 + ((v - 1) / 2) ** 2 - 1) < 1e-9));
});

test('the nearest point counts only within reach', () => {
  const points = [[0, 0], [1, 1], [1.1, 1]];
  assert.equal(nearestPoint([1.02, 1], points, 0.5), 1);
  assert.equal(nearestPoint([3, 3], points, 0.5), -1);
});

test('points of a lab travel as 16-bit integers', () => {
  const text = Buffer.from(new Int16Array([-3000, 1500]).buffer).toString('base64');
  assert.deepEqual([...decodeCoordinates(text)], [-3000, 1500]);
  const toPixels = pixelScale(600, 1000, 3);
  assert.deepEqual([toPixels(-3000, 1), toPixels(1500, -1)], [0, 150]);
});

test('a field goes from its lowest to its highest colour', () => {
  assert.deepEqual([...colourField([0, 255], [[0, 10, 20], [255, 110, 30]])], [0, 10, 20, 255, 255, 110, 30, 255]);
});

test('a curve of a lab skips steps without a value, and its range includes 0 and 1', () => {
  const history = [{step: 0}, {step: 1, D: 0.5}, {step: 2, D: -2}];
  assert.deepEqual(curveData(history, ['D']), {rows: history.slice(1), low: -2, high: 1});
});

test('arrow keys lead from cell to cell of a traversal and stop at its border', () => {
  const press = (key, cell) => nextCell(arrowOf({key}), cell, 10, 11);
  assert.deepEqual(press('ArrowDown', [0, 5]), [1, 5]);
  assert.deepEqual(press('ArrowUp', [0, 5]), [0, 5]);
  assert.deepEqual(press('ArrowRight', [3, 10]), [3, 10]);
});

test('arrow keys of the browser, such as Alt and left for Back, are left to it', () => {
  assert.deepEqual(arrowOf({key: 'ArrowLeft', shiftKey: true}), [-1, 0]);
  assert.equal(arrowOf({key: 'Tab'}), undefined);
  for (const modifier of ['altKey', 'ctrlKey', 'metaKey']) {
    assert.equal(arrowOf({key: 'ArrowLeft', [modifier]: true}), undefined, modifier);
  }
});

test('a bar covers a mean and a deviation on its track, and does not leave it', () => {
  assert.equal(intervalStyle(0, 1, 4), 'left:37.5%;width:25.0%');
  assert.equal(intervalStyle(4, 1, 4), 'left:87.5%;width:12.5%');
});

test('the difference of two images is bright where they differ', () => {
  const image = (...bytes) => ({pixels: btoa(String.fromCharCode(...bytes)), width: 3, height: 1, channels: 1});
  assert.deepEqual(differenceOf(image(0, 10, 255), image(0, 30, 0)), image(0, 20, 255));
});
