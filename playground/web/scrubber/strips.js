// Strips of a run, side by side: a canvas each, with a caption above the notes and plots of its own.

import {make, makeCanvas} from '../dom.js';
import {locateFrame} from './sheets.js';

const MAX_WIDTH = 640; // CSS pixels of a strip, where there is room
const MIN_WIDTH = 150;
const [ROW_WIDTH, ROW_HEIGHT] = [300, 100]; // of a strip with its caption beside it,
const ROOM = 1200; // in a container as wide as this at most; more in a wider one
const BUTTONS = 57; // CSS pixels that the page's fixed buttons take on a phone, as in scrubber.css
const GAP = 12; // CSS pixels between strips, as in scrubber.css

// Returns the scale at which strips, of which some are small, lie beside each other in a container, or at least the large
// ones; or else, if they are many, in two rows or in pairs; or else, rather than at scale 1, one below the other; 0 if
// even one of them is too wide. Widths are in CSS pixels.
export function fitStrips(areSmall, width, containerWidth) {
  const largest = Math.floor(Math.min(containerWidth, MAX_WIDTH) / width);
  const large = areSmall.filter((isSmall) => !isSmall);
  const parts = large.length > 2 && large.length === areSmall.length ? [Math.ceil(large.length / 2), 2] : [];
  for (const row of [areSmall, large, ...parts.map((n) => large.slice(0, n))]) {
    for (let scale = largest; scale > 1; scale--) {
      if (rowWidth(row, width, scale, halve(scale)) <= containerWidth) return scale;
    }
  }
  return largest;
}

// Returns the scale of the small strips among others: half of theirs, rounded up if a row has room for that.
export function scaleSmall(areSmall, width, containerWidth, scale) {
  const up = Math.ceil(scale / 2);
  return rowWidth(areSmall, width, scale, up) <= containerWidth ? up : halve(scale);
}

function halve(scale) {
  return Math.max(1, Math.floor(scale / 2));
}

// Returns the width of strips beside each other, some of them small.
function rowWidth(areSmall, width, scale, smallScale) {
  const widths = areSmall.map((isSmall) => Math.max(MIN_WIDTH, width * (isSmall ? smallScale : scale)));
  return widths.reduce((sum, each) => sum + each + GAP, -GAP);
}

// Fits the strips on show, and those of a pinned run, to their places; if the window cannot hold those on show, their
// player stays in view.
export function layOutAll(player, shown, pinned) {
  shown.layOut();
  pinned.layOut();
  player.classList.toggle('afloat', shown.container.offsetHeight > innerHeight - BUTTONS);
}

// The strips in a container.
export class Strips {
  constructor(container) {
    this.container = container;
    this.list = []; // {context, below, sheets, figure, isSmall}
    this.shape = ''; // size, names, hints and kinds of the strips that were built
  }

  // Takes the sheets of a value; new canvases are built only if it has another shape.
  setValue(value) {
    const shape = JSON.stringify([value.width, value.height, value.strips.map(({name, hint, small}) => [name, hint, small])]);
    if (shape !== this.shape) {
      this.shape = shape;
      this.list = value.strips.map((strip) => this.makeStrip(strip, value));
      this.container.replaceChildren(...this.list.map(({figure}) => figure));
      this.layOut();
    }
    value.strips.forEach((strip, i) => { this.list[i].sheets = strip.bitmaps; });
  }

  makeStrip({name, hint, small}, {width, height}) {
    const canvas = makeCanvas(`${name}: ${hint}, at the selected frame`, {width, height});
    const context = canvas.getContext('2d');
    context.imageSmoothingEnabled = false;
    const caption = make('figcaption', {textContent: name}, make('small', {textContent: hint}));
    const below = make('div', {className: 'below'});
    const about = make('div', {className: 'about'}, caption, below);
    return {context, below, sheets: [], figure: make('figure', {}, make('div', {className: 'picture'}, canvas), about), isSmall: small};
  }

  layOut() {
    if (!this.list.length) return;
    const [width, height] = ['width', 'height'].map((side) => this.list[0].context.canvas[side] / devicePixelRatio);
    const {clientWidth} = this.container;
    const room = Math.max(1, clientWidth / ROOM);
    const areSmall = this.list.map(({isSmall}) => isSmall);
    const scale = this.container.closest('.rows')
      ? Math.floor(Math.min(clientWidth / width, room * ROW_WIDTH / width, room * ROW_HEIGHT / height))
      : fitStrips(areSmall, width, clientWidth);
    const smallScale = scaleSmall(areSmall, width, clientWidth, scale);
    for (const {context, isSmall} of this.list) {
      context.canvas.style.width = scale ? `${(isSmall ? smallScale : scale) * width}px` : '100%';
    }
  }

  // Draws frame k of a run.
  drawFrame(k, run) {
    const [sheet, x, y] = locateFrame(k, run);
    for (const {context, sheets} of this.list) {
      context.drawImage(sheets[sheet], x, y, run.width, run.height, 0, 0, run.width, run.height);
      for (const box of run.vacant) context.clearRect(...box); // a place of a grid that holds no picture
    }
  }
}
