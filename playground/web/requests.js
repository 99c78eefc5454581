// Requests to the server of which only the newest counts.

// Returns a function that sends a request when the one before is answered, and skips all but the newest in between.
// `send` returns a promise of the answer; `use` gets the answer, or {error}, and its request.
export function newestOnly(send, use) {
  let next = null;
  let isBusy = false;
  return async (request) => {
    next = request;
    if (isBusy) return;
    isBusy = true;
    try {
      while (next) {
        const current = next;
        next = null;
        use(await orError(() => send(current)), current);
      }
    } finally {
      isBusy = false; // also if an answer cannot be shown
    }
  };
}

// Returns what `send` promises, or {error: one sentence} if the server does not answer.
export async function orError(send) {
  try {
    return await send();
  } catch (error) {
    return {error: `The server did not answer (${error.message || error}).`};
  }
}
