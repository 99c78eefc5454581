// The repair of Gradio's stream of answers, on a server that is played.

import assert from 'node:assert/strict';
import test from 'node:test';

import {repairStreams} from '../../playground/web/streams.js';

const DATA = 'http://here/gradio_api/queue/data?session_hash=s';
const JOIN = 'http://here/gradio_api/queue/join';
const CLOSE = {msg: 'close_stream', event_id: null};
const completed = (id) => ({msg: 'process_completed', event_id: id, output: {data: [`of ${id}`]}});
const turn = () => new Promise((done) => setTimeout(done));

// Returns a page whose fetch is repaired, and its server: streams that it has opened, each with `say` and `end`.
function makePage() {
  const streams = [];
  const joined = ['a', 'b', 'c'];
  const scope = {
    location: {href: 'http://here/'},
    async fetch(input) {
      const url = input.url ?? input;
      if (url === JOIN) return Response.json({event_id: joined.shift()});
      if (!url.startsWith(DATA)) return Response.json({url});
      let controller;
      const body = new ReadableStream({start: (made) => { controller = made; }});
      streams.push({
        say: (message) => controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(message)}\n\n`)),
        write: (text) => controller.enqueue(new TextEncoder().encode(text)),
        end: () => controller.close(),
        fail: (error) => controller.error(error),
      });
      return new Response(body);
    },
  };
  repairStreams(scope);
  return {scope, streams};
}

// Opens a stream as Gradio's client does; returns the messages that will have come, and its controller.
async function listen(scope) {
  const abort = new AbortController();
  const response = await scope.fetch(new Request(DATA, {signal: abort.signal}));
  const messages = [];
  const over = (async () => {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (let piece; !(piece = await reader.read()).done; ) {
      text += piece.value;
      messages.splice(0, messages.length, ...text.split('\n\n').filter(Boolean).map((line) => JSON.parse(line.slice(6))));
    }
  })();
  return {messages, abort, over};
}

test('a stream that ends while an event awaits its answer goes on', async () => {
  const {scope, streams} = makePage();
  await scope.fetch(JOIN);
  const {messages, abort, over} = await listen(scope);
  streams[0].say(completed('a'));
  await turn();
  await scope.fetch(JOIN); // b, while the end of the stream is on its way
  streams[0].say(CLOSE);
  streams[0].end();
  await turn();
  assert.equal(streams.length, 2);
  streams[1].say(completed('b'));
  streams[1].say(CLOSE);
  streams[1].end();
  await over;
  assert.deepEqual(messages, [completed('a'), completed('b'), CLOSE]);
  abort.abort();
});

test('a stream that nothing awaits ends', async () => {
  const {scope, streams} = makePage();
  await scope.fetch(JOIN);
  const {messages, over} = await listen(scope);
  streams[0].say(completed('a'));
  streams[0].say(CLOSE);
  await over; // though the server has not ended it: the client aborts only what is over
  assert.deepEqual(messages, [completed('a'), CLOSE]);
  assert.equal(streams.length, 1);
});

test('an event that joins as a stream ends waits until the client knows', async () => {
  const {scope, streams} = makePage();
  await scope.fetch(JOIN);
  const {abort, over} = await listen(scope);
  streams[0].say(completed('a'));
  streams[0].say(CLOSE);
  await over;
  let hasJoined = false;
  const joining = scope.fetch(JOIN).then(() => { hasJoined = true; });
  await turn();
  assert.equal(hasJoined, false);
  abort.abort();
  await joining;
});

test('an answer that comes before the reply to joining is not awaited', async () => {
  const {scope, streams} = makePage();
  await scope.fetch(JOIN);
  const {over} = await listen(scope);
  streams[0].say(completed('b'));
  await turn();
  await scope.fetch(JOIN); // b
  streams[0].say(completed('a'));
  streams[0].say(CLOSE);
  await over;
  assert.equal(streams.length, 1);
});

test('a cancelled event is not awaited', async () => {
  const {scope, streams} = makePage();
  await scope.fetch(JOIN);
  const {over} = await listen(scope);
  const response = await scope.fetch('http://here/gradio_api/cancel', {body: '{"event_id": "a"}'});
  assert.deepEqual(await response.json(), {url: 'http://here/gradio_api/cancel'});
  streams[0].say(CLOSE);
  await over;
  assert.equal(streams.length, 1);
});

test('a stream that the client gives up ends without an error, another breaks', async () => {
  for (const isGivenUp of [true, false]) {
    const {scope, streams} = makePage();
    const {abort, over} = await listen(scope);
    if (isGivenUp) abort.abort();
    streams[0].fail(new DOMException('the signal is aborted', 'AbortError'));
    if (isGivenUp) await over;
    else await assert.rejects(over);
  }
});

test('what a broken stream awaited is not awaited by the next', async () => {
  for (const breakIt of [(stream) => stream.fail(new Error('lost')), (stream) => stream.end()]) {
    const {scope, streams} = makePage();
    await scope.fetch(JOIN);
    const {over} = await listen(scope);
    breakIt(streams[0]);
    await over.catch(() => {});
    await scope.fetch(JOIN); // b
    const next = await listen(scope);
    streams[1].say(completed('b'));
    streams[1].say(CLOSE);
    await next.over;
    assert.equal(streams.length, 2);
  }
});

test('a stream that the client gives up while it connects is empty', async () => {
  const scope = {location: {href: 'http://here/'}, fetch: async () => { throw new DOMException('aborted', 'AbortError'); }};
  repairStreams(scope);
  const abort = new AbortController();
  const request = new Request(DATA, {signal: abort.signal});
  await assert.rejects(scope.fetch(request));
  abort.abort();
  assert.equal(await (await scope.fetch(request)).text(), '');
});

test('a message comes in pieces, and a broken stream just ends', async () => {
  const {scope, streams} = makePage();
  await scope.fetch(JOIN);
  const {messages, over} = await listen(scope);
  const text = `data: ${JSON.stringify(completed('a'))}\n\n`;
  for (const piece of [text.slice(0, 20), text.slice(20, -1), text.slice(-1)]) streams[0].write(piece);
  streams[0].end();
  await over;
  assert.deepEqual(messages, [completed('a')]);
});
