// Folded layers of a view, `details` with the name of their layer: each stays as the visitor left it, in all views alike.

import {keep, recall} from './storage.js';

// Opens the layers in an element that the visitor left open, and keeps what becomes of them.
export function rememberLayers(element) {
  for (const details of element.querySelectorAll('details[data-layer]')) {
    const key = `layer.${details.dataset.layer}`;
    details.open = recall(key) === 'open';
    details.addEventListener('toggle', () => {
      keep(key, details.open ? 'open' : 'closed');
      for (const other of document.querySelectorAll(`details[data-layer=${details.dataset.layer}]`)) {
        other.open = details.open;
      }
    });
  }
}
