// What the browser keeps for a page; a browser that keeps nothing, as in some frames of other sites, refuses access.

// Returns the text kept under a key by `localStorage`, or `sessionStorage`, or null.
export function recall(key, storage = 'localStorage') {
  try {
    return window[storage].getItem(key);
  } catch {
    return null;
  }
}

// Keeps a text under a key, if the browser keeps any.
export function keep(key, text, storage = 'localStorage') {
  try {
    window[storage].setItem(key, text);
  } catch { /* the page works without */ }
}
