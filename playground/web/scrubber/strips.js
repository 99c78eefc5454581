// Strips of a run, side by side: a canvas each, with a caption above the notes and plots of its own.

import {make, makeCanvas} from '../dom.js';
import {locateFrame} from './sheets.js';

const MAX_WIDTH = 640; // CSS pixels of a strip, where there is room
const MIN_WIDTH = 150;
const GAP = 12; // CSS pixels between strips: --gap of scrubber.css

// Returns how strips lie in a container: as many beside each other as fit, each at a whole number of device pixels a
// pixel; `scale` is 0 if even one is wider than its column. Widths are in CSS pixels.
export function fitStrips(count, width, containerWidth) {
  const columnWidth = (columns) => (containerWidth - GAP * (columns - 1)) / columns;
  let columns = count;
  while (columns > 1 && columnWidth(columns) < Math.max(width, MIN_WIDTH)) columns--;
  const room = columnWidth(columns);
  return {columns, scale: room < width ? 0 : Math.max(1, Math.floor(Math.min(room, MAX_WIDTH) / width))};
}

// The strips in a container.
export class Strips {
  constructor(container) {
    this.container = container;
    this.list = []; // {context, below, sheets, figure}
    this.shape = ''; // size, names and hints of the strips that were built
  }

  // Takes the sheets of a value; new canvases are built only if it has another shape.
  setValue(value) {
    const shape = JSON.stringify([value.width, value.height, value.strips.map(({name, hint}) => [name, hint])]);
    if (shape !== this.shape) {
      this.shape = shape;
      this.list = value.strips.map((strip) => this.makeStrip(strip, value));
      this.container.replaceChildren(...this.list.map(({figure}) => figure));
      this.layOut();
    }
    value.strips.forEach((strip, i) => { this.list[i].sheets = strip.bitmaps; });
  }

  makeStrip({name, hint}, {width, height}) {
    const canvas = makeCanvas(`${name}: ${hint}, at the selected frame`, {width, height});
    const context = canvas.getContext('2d');
    context.imageSmoothingEnabled = false;
    const caption = make('figcaption', {textContent: name}, make('small', {textContent: hint}));
    const below = make('div', {className: 'below'});
    return {context, below, sheets: [], figure: make('figure', {}, canvas, caption, below)};
  }

  layOut() {
    if (!this.list.length) return;
    const width = this.list[0].context.canvas.width / (window.devicePixelRatio || 1);
    const {columns, scale} = fitStrips(this.list.length, width, this.container.clientWidth);
    this.container.style.setProperty('--columns', columns);
    for (const {context} of this.list) context.canvas.style.width = scale ? `${scale * width}px` : '100%';
  }

  // Draws frame k of a run.
  drawFrame(k, run) {
    const [sheet, x, y] = locateFrame(k, run);
    for (const {context, sheets} of this.list) {
      context.drawImage(sheets[sheet], x, y, run.width, run.height, 0, 0, run.width, run.height);
      clearVacant(context, run);
    }
  }

  // Draws the only frame of a run under way.
  drawPreview(value) {
    for (const {context, sheets} of this.list) {
      context.drawImage(sheets[0], 0, 0);
      clearVacant(context, value);
    }
  }
}

// Makes the places of a grid that hold no picture transparent.
function clearVacant(context, {vacant}) {
  vacant.forEach((box) => context.clearRect(...box));
}
