// A repair of Gradio's client, which loses answers on a busy machine.
//
// The server streams the answers to queued events and ends the stream once none is awaited. If an event joins the queue
// just then, the client, which does not know yet that the stream has ended, opens no other, and the answer does not come
// before the next event. The client also aborts a stream that has ended, which may fail all that is under way.

const CLOSE = 'data: {"msg":"close_stream","event_id":null}\n\n';
const PATIENCE = 1000; // milliseconds for the client to take notice of an end

// Lets the `fetch` of a window keep the stream of answers open while an event awaits one.
export function repairStreams(scope) {
  const send = scope.fetch.bind(scope);
  const awaited = new Set(); // ids of events that joined the queue
  const early = new Set(); // ids of events whose answer came before the server's reply that they have joined
  let closed = Promise.resolve(); // the client knows of the end of the last stream

  function note(text) {
    const [, kind] = text.match(/"msg":"(\w+)"/) ?? [];
    const [, id] = text.match(/"event_id":"(\w+)"/) ?? [];
    if (kind === 'process_completed' && !awaited.delete(id)) early.add(id);
    if (kind === 'unexpected_error' || kind === 'server_stopped') awaited.clear();
    return kind;
  }

  async function join(input, init) {
    const response = await send(input, init);
    const {event_id: id} = await response.clone().json().catch(() => ({}));
    await closed;
    if (id && !early.delete(id)) awaited.add(id);
    return response;
  }

  async function cancel(input, init) {
    const response = await send(input, init);
    awaited.delete(JSON.parse(init.body).event_id);
    return response;
  }

  // Passes the messages of a response on; returns true if the server ended it because it knew of nothing awaited.
  async function pass({body}, controller) {
    const encoder = new TextEncoder();
    let pieces = []; // of a message, which ends with an empty line and has no other line breaks than its last two
    for await (const text of readable(body.pipeThrough(new TextDecoderStream()))) {
      pieces.push(text);
      if (!text.includes('\n')) continue;
      const messages = pieces.join('').split(/(?<=\n\n)/);
      pieces = messages.at(-1).endsWith('\n\n') ? [] : [messages.pop()];
      for (const message of messages) {
        if (note(message) === 'close_stream') return true;
        controller.enqueue(encoder.encode(message));
      }
    }
    return false;
  }

  async function open(request) {
    const first = await send(request.clone()).catch((error) => {
      if (!request.signal.aborted) throw error;
      return new Response(''); // the page is left while it connects
    });
    if (!first.ok) return first;
    const body = new ReadableStream({
      async start(controller) {
        try {
          let response = first;
          let isOver = await pass(response, controller);
          while (isOver && awaited.size && response.ok) {
            response = await send(request.clone());
            isOver = await pass(response, controller);
          }
          if (isOver) {
            closed = Promise.race([aborted(request.signal), later(PATIENCE)]);
            controller.enqueue(new TextEncoder().encode(CLOSE));
          }
        } catch (error) {
          if (!request.signal.aborted) return controller.error(error);
        } finally {
          awaited.clear(); // the server drops what a stream awaits that breaks
        }
        controller.close(); // also when the client gives up, as on leaving the page: it would take that for a failure
      },
    });
    return new Response(body, {status: first.status, headers: first.headers});
  }

  scope.fetch = (input, init) => {
    const {pathname} = new URL(input.url ?? input, scope.location.href);
    if (pathname.endsWith('/queue/join')) return join(input, init);
    if (pathname.endsWith('/queue/data')) return open(new Request(input, init));
    if (pathname.endsWith('/cancel')) return cancel(input, init);
    return send(input, init);
  };
}

// Yields the pieces of a stream, which not every browser can iterate over.
async function* readable(stream) {
  const reader = stream.getReader();
  for (let piece; !(piece = await reader.read()).done; ) yield piece.value;
}

function aborted(signal) {
  return new Promise((done) => signal.aborted ? done() : signal.addEventListener('abort', done, {once: true}));
}

function later(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}
