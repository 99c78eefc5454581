// Drawings over a picture of the page, finer than its pixels.

import {make} from './dom.js';

// Returns the context of a canvas that lies over another one, and lets the pointer through.
export function makeOverlay() {
  return make('canvas', {className: 'overlay', ariaHidden: true}).getContext('2d');
}

// Lays an overlay over a canvas; it is drawn at so many times the pixels.
export function layOver({canvas: overlay}, canvas, magnification) {
  canvas.after(overlay);
  Object.assign(overlay, {width: magnification * canvas.width, height: magnification * canvas.height});
}
