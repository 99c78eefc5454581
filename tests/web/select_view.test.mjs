// The view of the address in the configuration of a page.

import assert from 'node:assert/strict';
import test from 'node:test';

import {select, selectView} from '../../playground/web/select_view.js';

const makeConfig = () => ({components: [
  {type: 'tabs', props: {}},
  {type: 'tabitem', props: {id: 'traverse'}},
  {type: 'tabitem', props: {id: 'map'}},
  {type: 'html', props: {id: 'elsewhere'}},
]});

test('a view of the page is selected, nothing else', () => {
  const after = (config, view) => { select(config, view); return config; };
  assert.equal(after(makeConfig(), 'map').components[0].props.selected, 'map');
  for (const view of [null, 'nowhere', 'elsewhere']) assert.deepEqual(after(makeConfig(), view), makeConfig());
  assert.deepEqual(after({auth_required: true}, 'map'), {auth_required: true});
});

// Returns a window whose page has no tabs yet, and functions that mount them and count presses.
function openWindow(search, config) {
  const tabs = [];
  const watching = new Set();
  let presses = 0;
  return {
    location: {search}, gradio_config: config, document: {querySelectorAll: () => tabs},
    MutationObserver: class {
      constructor(callback) { this.callback = callback; }
      observe() { watching.add(this); }
      disconnect() { watching.delete(this); }
    },
    mount(...ids) {
      tabs.push(...ids.map((tabId) => ({
        dataset: {tabId}, getAttribute: () => String(config?.components[0].props.selected === tabId), click: () => { presses++; },
      })));
      for (const observer of watching) observer.callback([], observer);
    },
    setTimeout(callback) { this.giveUp = callback; },
    watching, presses: () => presses,
  };
}

test('the configuration is changed before Gradio reads it, and no tab is pressed', () => {
  const scope = openWindow('?view=map&seed=3', makeConfig());
  selectView(scope);
  assert.equal(scope.gradio_config.components[0].props.selected, 'map');
  scope.mount('traverse', 'map');
  assert.deepEqual([scope.presses(), scope.watching.size], [0, 0]);
});

test('where the server has rendered the page, the tab is pressed once it is there', () => {
  const scope = openWindow('?view=map');
  selectView(scope);
  scope.mount('traverse');
  assert.deepEqual([scope.presses(), scope.watching.size], [0, 1]);
  scope.mount('map');
  assert.deepEqual([scope.presses(), scope.watching.size], [1, 0]);
});

test('a view that no page has is not looked for for ever', () => {
  const known = openWindow('?view=nonsense', makeConfig());
  selectView(known);
  assert.equal(known.watching.size, 0, 'the configuration tells');
  const rendered = openWindow('?view=nonsense');
  selectView(rendered);
  rendered.mount('traverse', 'map');
  rendered.giveUp();
  assert.equal(rendered.watching.size, 0);
});

test('an address without a view changes nothing', () => {
  const scope = openWindow('?seed=3', makeConfig());
  selectView(scope);
  scope.mount('traverse', 'map');
  assert.deepEqual([scope.gradio_config, scope.presses(), scope.watching.size], [makeConfig(), 0, 0]);
});
