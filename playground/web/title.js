// The title of a page in the browser's bar, which Gradio sets to that of the whole app, and again when it has mounted.

import {whenShown} from './card.js';

// Gives a document the title that its head names, and keeps it.
export function keepTitle(document) {
  const set = () => {
    const title = document.querySelector('#tabs')?.dataset.title;
    if (title && document.title !== title) document.title = title;
  };
  whenShown(document, () => '#tabs', set);
  new MutationObserver(set).observe(document.head, {subtree: true, childList: true, characterData: true});
}
