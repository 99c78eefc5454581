// The card of the guide and of the tour: what a keyboard and a screen reader find.

import assert from 'node:assert/strict';
import test from 'node:test';

import {Card} from '../../playground/web/card.js';
import {fakeElement, openPage} from './fake_page.mjs';

test('the card says its text to who cannot see it, and gives the focus back to the button of the guide', () => {
  openPage({}, {});
  const focused = [];
  const page = fakeElement({activeElement: null});
  page.querySelector('#guide').focus = () => focused.push('guide');
  let left = 0;
  const card = new Card(page, 'Guided minute', () => { left++; });
  const attributes = {};
  Object.assign(card.node, {
    setAttribute: (name, value) => { attributes[name] = value; }, contains: (node) => node === card.node,
  });
  page.fire('keydown', {key: 'Escape'});
  card.show({text: 'Drag the slider.', target: '.bar', count: '1 of 2', buttons: []});
  assert.equal(attributes['aria-description'], 'Drag the slider.');
  page.fire('keydown', {key: 'Escape'});
  assert.equal(left, 1, 'hidden, it cannot be left');
  card.hide();
  assert.deepEqual(focused, [], 'the focus was elsewhere');
  page.activeElement = card.node;
  card.hide();
  assert.deepEqual(focused, ['guide']);
});
