// The theme that an address names, as that of a frame in another site does: links name none.

import {keep, recall} from './storage.js';

const THEME = '__theme'; // parameter that Gradio reads

// Lets the theme of the first address hold for all pages that follow.
export function keepTheme({href}, history) {
  const url = new URL(href);
  const theme = url.searchParams.get(THEME);
  if (theme) return keep(THEME, theme, 'sessionStorage');
  const kept = recall(THEME, 'sessionStorage');
  if (!kept) return;
  url.searchParams.set(THEME, kept);
  history.replaceState(history.state, '', url);
}
