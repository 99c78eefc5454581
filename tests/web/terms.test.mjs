// Places of explanations, and keys of what the browser keeps.

import assert from 'node:assert/strict';
import test from 'node:test';

import {withParameter} from '../../playground/web/address.js';
import {seenKey} from '../../playground/web/guide.js';
import {placeBeside} from '../../playground/web/terms.js';
import {stopIn, withStop} from '../../playground/web/tour.js';

test('an explanation stays inside the window, above its term where there is no room below', () => {
  const page = {innerWidth: 400, innerHeight: 300};
  const note = {width: 200, height: 50};
  assert.deepEqual(placeBeside({left: 10, top: 20, bottom: 40}, note, page), {top: '46px', left: '10px'});
  assert.deepEqual(placeBeside({left: 390, top: 280, bottom: 298}, note, page), {top: '224px', left: '200px'});
});

test('each tab has a guide of its own, below a sub-path too', () => {
  assert.equal(seenKey('/ddpm'), 'guide.ddpm');
  assert.equal(seenKey('/space/app/ddpm'), 'guide.ddpm');
});

test('the stop of the tour is part of an address', () => {
  assert.equal(withStop('vae', 2), 'vae?tour=2');
  assert.equal(withStop('vae?view=map', 3), 'vae?view=map&tour=3');
  assert.equal(withParameter('http://a.org/vae?tour=3&view=map', 'tour'), 'http://a.org/vae?view=map');
  assert.deepEqual(['?view=map&tour=3', '?tour=x', '?tour=-1', ''].map(stopIn), [3, 0, 0, 0]);
});

test('an address names one question', () => {
  assert.equal(withParameter('http://a.org/app/?question=elbo&x=1', 'question', 'guidance'), 'http://a.org/app/?question=guidance&x=1');
  assert.equal(withParameter('http://a.org/app/?question=elbo', 'question', ''), 'http://a.org/app/');
});
