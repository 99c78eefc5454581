// The lab's script: when it asks the server to train.

import assert from 'node:assert/strict';
import test from 'node:test';

import {letPaint} from '../../playground/web/lab/brush.js';
import {fakeElement, openPage} from './fake_page.mjs';

const LAB = {
  id: 'first', lab: 'abc', why: '', planes: [], curves: [], actions: [], diagram: [], drawing: 4.4, span: 3, still: [], limit: 100, dial: null,
  frame: {step: 0, over: false, planes: [], row: {}, caption: []},
};

// Opens a page with a lab that is being trained; `requests` are the actions that the server was asked for.
async function openLab(name) {
  const requests = [];
  const page = openPage({value: LAB}, {train: async ({action}) => {
    requests.push(action);
    return {...LAB.frame, step: requests.length};
  }});
  await import(`../../playground/web/lab/lab.js?${name}`);
  const press = (action) => page.element.fire('click', {target: {dataset: {do: action}}});
  press('play');
  await page.frames(3);
  assert.ok(requests.length >= 3);
  return {...page, requests, press, find: (selector) => page.element.querySelector(selector)};
}

test('a lab rests while its tab, of the browser or of the page, is not the open one', async (t) => {
  t.mock.timers.enable({apis: ['setTimeout']});
  const {element, frames, requests, asksForFrames} = await openLab('hidden');
  const hide = [
    (isHidden) => { document.hidden = isHidden; },
    (isHidden) => { element.getClientRects = () => (isHidden ? [] : [{}]); },
  ];
  for (const setHidden of hide) {
    setHidden(true);
    await frames(1); // what was on its way
    const before = requests.length;
    for (let second = 0; second < 5; second++) {
      await frames(4);
      t.mock.timers.tick(1000);
    }
    await frames(1);
    assert.equal(requests.length, before);
    assert.ok(document.hidden || !asksForFrames(), 'the browser would draw them');
    setHidden(false);
    t.mock.timers.tick(500);
    await frames(5);
    assert.ok(requests.length >= before + 4, 'and goes on by itself');
  }
});

test('a training that is over cannot be played', async () => {
  const {setValue, find} = await openLab('over');
  setValue({...LAB, id: 'over', frame: {...LAB.frame, over: true}});
  assert.equal(find('[data-do=play]').disabled, true);
});

test('a loop that was stopped and begun again runs once', async () => {
  const {frames, press, requests, setValue, find} = await openLab('twice');
  press('play'); // pause
  press('play');
  const before = requests.length;
  await frames(10);
  assert.ok(requests.length - before <= 11, `${requests.length - before} in ten frames`);
  const pauses = [];
  globalThis.setTimeout = (callback) => { pauses.push(callback); };
  setValue({...LAB, id: 'dial', dial: {title: 't', marks: ['no noise', 'little', 'some', 'much'], at: 0}});
  for (let i = 0; i < 3; i++) press('sweep'); // begins, stops, begins
  assert.equal(pauses.length, 2);
  for (const end of pauses.splice(0)) end();
  await frames(1);
  assert.equal(pauses.length, 1, 'the first has ended');
  assert.deepEqual([find('.dial input').value, find('.dial input').ariaValueText], [1, 'little']);
});

test('nothing runs with a refused value, whose message stays until another lab is there', async () => {
  const {setValue, frames, requests, press, find} = await openLab('refused');
  assert.equal(find('.caption').ariaLive, 'off', 'no screen reader reads every frame');
  setValue({id: 'second', message: 'Learning rate must be a number from 1e-06 to 1, not 5.'});
  assert.equal(find('.caption').ariaLive, 'polite');
  const before = requests.length;
  for (const action of ['play', 'D']) {
    press(action);
    await frames(5);
  }
  assert.equal(requests.length, before);
  assert.equal(find('[data-do=play]').textContent, 'Play');
  assert.match(find('.caption').value, /^Learning rate must be .* not 5\.\n/);
  assert.ok(find('.lab').classList.contains('refused'));
  assert.ok(find('[data-do=play]').disabled && find('.dial input').disabled);
  setValue({...LAB, id: 'third'});
  assert.match(find('.caption').value, /^step 0/);
  assert.ok(!find('.lab').classList.contains('refused'));
  press('play');
  await frames(3);
  assert.ok(requests.length > before);
});

test('slow motion asks for one step at a time, and not at every frame', async (t) => {
  const {find, frames, requests} = await openLab('slow');
  t.mock.timers.enable({apis: ['setTimeout']});
  find('.slow').checked = true;
  await frames(2);
  const before = requests.length;
  for (let k = 0; k < 3; k++) {
    t.mock.timers.tick(250);
    await frames(3);
  }
  assert.deepEqual(requests.slice(before), ['slow', 'slow', 'slow']);
});

test('a stroke on a plane goes to the pad, to the same place of the plane', () => {
  const strokes = [];
  let begun = 0;
  let pad = {dispatchEvent: ({detail}) => strokes.push(detail)};
  const canvas = fakeElement({width: 100, clientWidth: 100, height: 100, closest: () => ({querySelector: () => pad})});
  letPaint(canvas, {span: 3, drawing: 4.4}, () => { begun += 1; });
  const at = (pointerId, clientX, clientY) => ({isPrimary: pointerId === 1, button: 0, pointerId, clientX, clientY});
  canvas.fire('pointermove', at(1, 10, 10)); // passes over it
  canvas.fire('pointerdown', at(1, 50, 50));
  canvas.fire('pointerdown', at(2, 20, 20)); // a palm
  canvas.fire('pointermove', at(2, 21, 20));
  canvas.fire('pointermove', at(1, 50 + 100 / 3 * 1.1, 50)); // 2.2 of 3 from the middle: the pad's edge
  canvas.fire('pointerup', at(1, 80, 50));
  assert.equal(begun, 1);
  assert.equal(strokes.length, 1);
  strokes[0].flat().forEach((share, i) => assert.ok(Math.abs(share - [0.5, 0.5, 1, 0.5][i]) < 1e-9, share));
  pad = null; // other data are chosen
  canvas.fire('pointerdown', at(1, 50, 50));
  canvas.fire('pointerup', at(1, 50, 50));
  assert.deepEqual([begun, strokes.length], [1, 1]);
});
