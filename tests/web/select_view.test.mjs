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
  assert.equal(select(makeConfig(), 'map').components[0].props.selected, 'map');
  for (const view of [null, 'nowhere', 'elsewhere']) assert.deepEqual(select(makeConfig(), view), makeConfig());
  assert.deepEqual(select({auth_required: true}, 'map'), {auth_required: true});
});

test('the configuration in the page is changed before Gradio reads it', () => {
  const scope = {location: {search: '?view=map&seed=3'}, gradio_config: makeConfig(), fetch: () => {}};
  selectView(scope);
  assert.equal(scope.gradio_config.components[0].props.selected, 'map');
});

test('a configuration that is fetched is changed, other answers pass untouched', async () => {
  const answers = {'/below/config': makeConfig(), '/config/other': {components: 1}};
  const scope = {
    location: {search: '?view=map', href: 'http://here/vae?view=map'},
    fetch: async (input) => Response.json(answers[new URL(input.url ?? input, 'http://here').pathname]),
  };
  selectView(scope);
  const config = await (await scope.fetch('http://here/below/config?page=vae')).json();
  assert.equal(config.components[0].props.selected, 'map');
  assert.deepEqual(await (await scope.fetch(new Request('http://here/config/other'))).json(), {components: 1});
});
