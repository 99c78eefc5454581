// Words of a prompt, each with the map of the attention that it gets. The word that is pointed at, or reached with the
// arrow keys, lays its map over a strip as a spotlight.

import {make} from '../dom.js';
import {decodeBytes} from '../numbers.js';

const NONE = -1;
const MAX_DARKNESS = 0.85; // opacity where a word gets no attention

// Returns the position of a map among the bytes of all: see Words of scrubber/parts.py.
export function mapOffset({tokens, moments, pictures, size}, frame, word, picture) {
  return ((moments[frame] * tokens.length + word) * pictures + picture) * size * size;
}

// The words above a scrubber. `redraw` draws the selected frame again, if it may.
export class WordList {
  constructor(list, redraw) {
    this.list = list;
    this.redraw = redraw;
    this.selected = NONE; // index of the word whose map lies over the strip
    this.shape = ''; // tokens and size of the buttons that were built
  }

  // Shows the words of a run, if it has some; `context` is the strip's that the maps lie over.
  // Returns functions of the frame's index that keep the maps current.
  draw(run, context) {
    const {words} = run;
    this.list.hidden = !words;
    if (!words) {
      this.selected = NONE;
      return [];
    }
    this.setTokens(words);
    const bytes = decodeBytes(words.maps);
    const mapPainter = new MapPainter(bytes, words.size);
    const thumbnails = [...this.list.querySelectorAll('canvas')].map((canvas) => canvas.getContext('2d'));
    return [(k) => {
      thumbnails.forEach((thumbnail, word) => mapPainter.paintGrey(thumbnail, mapOffset(words, k, word, 0)));
      if (this.selected !== NONE) this.paintSpotlight(run, context, mapPainter, k);
    }];
  }

  // Builds the buttons of other tokens.
  setTokens({tokens, size}) {
    const shape = JSON.stringify([tokens, size]);
    if (shape === this.shape) return;
    this.shape = shape;
    this.selected = NONE;
    this.list.replaceChildren(...tokens.map(([text, note], word) => this.makeButton(text, note, word, size)));
  }

  // Darkens each picture of the strip where the selected word gets no attention.
  paintSpotlight({words, tile, gap, width}, context, mapPainter, k) {
    const [tileWidth, tileHeight] = tile;
    const columns = (width + gap) / (tileWidth + gap);
    for (let picture = 0; picture < words.pictures; picture++) {
      const veil = mapPainter.paintVeil(mapOffset(words, k, this.selected, picture));
      const [column, row] = [picture % columns, Math.floor(picture / columns)];
      context.drawImage(veil, column * (tileWidth + gap), row * (tileHeight + gap), tileWidth, tileHeight);
    }
  }

  select(word) {
    this.selected = word;
    this.list.querySelectorAll('button').forEach((button, i) => button.setAttribute('aria-pressed', i === word));
    this.redraw();
  }

  makeButton(text, note, word, size) {
    const canvas = make('canvas', {width: size, height: size});
    canvas.setAttribute('aria-hidden', 'true');
    const button = make('button', {type: 'button', title: note}, canvas, make('span', {textContent: text}));
    button.setAttribute('aria-pressed', 'false');
    if (note) button.dataset.note = note;
    const onMouse = (selected) => ({pointerType}) => { if (pointerType === 'mouse') this.select(selected); };
    button.addEventListener('pointerenter', onMouse(word));
    button.addEventListener('pointerleave', onMouse(NONE));
    button.addEventListener('focus', () => this.select(word));
    button.addEventListener('blur', () => this.select(NONE));
    button.addEventListener('keydown', focusNeighbour);
    return button;
  }
}

// Goes to the word before or after with an arrow key, which would otherwise move the scrubber.
function focusNeighbour(event) {
  const neighbour = {ArrowLeft: 'previousElementSibling', ArrowRight: 'nextElementSibling'}[event.key];
  if (!neighbour) return;
  event.preventDefault();
  event.stopPropagation();
  event.currentTarget[neighbour]?.focus();
}

// Painter of square maps of bytes.
class MapPainter {
  constructor(bytes, size) {
    this.bytes = bytes;
    this.image = new ImageData(size, size);
    this.veil = make('canvas', {width: size, height: size}).getContext('2d');
  }

  // Paints the map at an offset in grey, white for the most attention.
  paintGrey(context, offset) {
    this.paint(context, offset, (value) => [value, value, value, 255]);
  }

  // Returns a canvas with the map at an offset as a black veil, clear for the most attention.
  paintVeil(offset) {
    this.paint(this.veil, offset, (value) => [0, 0, 0, MAX_DARKNESS * (255 - value)]);
    return this.veil.canvas;
  }

  paint(context, offset, toRgba) {
    const {data, width, height} = this.image;
    for (let i = 0; i < width * height; i++) data.set(toRgba(this.bytes[offset + i]), 4 * i);
    context.putImageData(this.image, 0, 0);
  }
}
