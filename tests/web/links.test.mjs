// The link of a view, and what an address keeps.

import assert from 'node:assert/strict';
import test from 'node:test';

import {keepTheme} from '../../playground/web/theme.js';
import {openPage} from './fake_page.mjs';

test('what the button says after a press stays as long as after the first', async (t) => {
  t.mock.timers.enable({apis: ['setTimeout']});
  const {element} = openPage({value: null}, {});
  await import('../../playground/web/links/links.js');
  const button = element.querySelector('button');
  for (let press = 0; press < 2; press++) {
    await button.fire('click');
    t.mock.timers.tick(2000);
    assert.equal(button.textContent, 'Nothing to link yet', `press ${press}`);
  }
  t.mock.timers.tick(600);
  assert.equal(button.textContent, 'Copy link');
});

test('a link of other settings than those of the controls says so', async () => {
  const {element} = openPage({value: {link: {seed: '1'}, address: {seed: '1'}, copied: 'Copied'}}, {});
  const copied = [];
  const clipboard = {writeText: async (text) => { copied.push(text); }};
  Object.defineProperty(globalThis, 'navigator', {value: {clipboard}, configurable: true});
  globalThis.location = {origin: 'http://a.org', pathname: '/ddpm'};
  await import('../../playground/web/links/links.js?stale');
  const button = element.querySelector('button');
  for (const [mark, text] of [
    ['', 'Copied'], ['[data-stale]', 'Copied, without the changed settings'],
    ['[data-live=true]', 'Wait for the run, or stop it'],
  ]) {
    element.closest = () => ({querySelector: (selector) => (selector === mark ? {} : null)});
    await button.fire('click');
    assert.equal(button.textContent, text);
  }
  assert.deepEqual(copied, Array(2).fill('http://a.org/ddpm?seed=1'), 'none of a run under way');
});

test('the theme of the first address holds for the pages that follow', () => {
  const kept = {};
  globalThis.window = {
    sessionStorage: {getItem: (key) => kept[key] ?? null, setItem: (key, text) => { kept[key] = text; }},
  };
  const open = (href) => {
    const addresses = [];
    keepTheme({href}, {state: null, replaceState: (state, title, url) => addresses.push(url.href)});
    return addresses;
  };
  assert.deepEqual(open('http://a.org/app/ddpm?seed=1'), []);
  assert.deepEqual(open('http://a.org/app/?__theme=dark'), []);
  assert.deepEqual(open('http://a.org/app/ddpm?seed=1'), ['http://a.org/app/ddpm?seed=1&__theme=dark']);
});
