// Words of a prompt, each with the map of the attention that it gets. The words that are chosen, and the one that is
// pointed at or reached with the arrow keys, colour the pictures of a strip where the network looks for them.

import {make} from '../dom.js';
import {arrowOf} from '../keys.js';
import {decodeBytes} from '../numbers.js';
import {layOver, makeOverlay} from '../overlay.js';

const NONE = -1;
const MAGNIFICATION = 4; // pixels of the overlay for one of the pictures, so that it is smooth
const [DARKEST, STRONGEST] = [0.5, 0.65]; // opacity of the overlay without attention, where it is black, and with the most

// Returns the position of a map among the bytes of all: see Words of scrubber/parts.py.
export function mapOffset({tokens, pictures, size}, moment, word, picture) {
  return ((moment * tokens.length + word) * pictures + picture) * size * size;
}

// Returns the moment of which maps are shown at a frame: its own, or the last, which is the mean of all.
export function momentAt({moments}, frame, ofAllSteps) {
  return ofAllSteps ? Math.max(...moments) + 1 : moments[frame];
}

// Returns the colour, as RGBA from 0 to 255, of a place to which words of some colours give attention from 0 to 255.
export function mixColours(colours, attention) {
  const sum = attention.reduce((total, value) => total + value, 0) || 1;
  const most = Math.max(...attention) / 255;
  const mean = [0, 1, 2].map((channel) => colours.reduce((total, colour, i) => total + colour[channel] * attention[i], 0) / sum);
  return [...mean.map((value) => value * most), 255 * (DARKEST + (STRONGEST - DARKEST) * most)];
}

// The words above a scrubber. `redraw` draws the selected frame again, if it may.
export class WordList {
  constructor(list, redraw) {
    this.list = list;
    this.redraw = redraw;
    this.chosen = new Set(); // indices of the words that colour the strip
    this.pointed = NONE; // index of the word that colours it as long as it is pointed at
    this.shape = ''; // tokens and size of the buttons that were built
    this.overlay = makeOverlay();
    this.moments = this.makeMoments();
  }

  // Shows the words of a run, if it has some, above the strip whose canvas is to be coloured.
  // Returns functions of the frame's index that keep the maps current.
  draw(run, {canvas}) {
    const {words} = run;
    this.list.hidden = this.overlay.canvas.hidden = !words;
    if (!words) return [];
    this.setTokens(words);
    layOver(this.overlay, canvas, MAGNIFICATION);
    const mapPainter = new MapPainter(decodeBytes(words.maps), words);
    const thumbnails = [...this.list.querySelectorAll('canvas')].map((thumbnail) => thumbnail.getContext('2d'));
    return [(k) => {
      const moment = momentAt(words, k, this.moments.value === 'all');
      thumbnails.forEach((thumbnail, word) => mapPainter.paintGrey(thumbnail, mapOffset(words, moment, word, 0)));
      this.paintOverlay(run, mapPainter, moment);
    }];
  }

  // Builds the buttons of other tokens.
  setTokens({tokens, colours, size}) {
    const shape = JSON.stringify([tokens, size]);
    if (shape === this.shape) return;
    this.shape = shape;
    this.chosen.clear();
    this.pointed = NONE;
    const buttons = tokens.map(([text, note], word) => this.makeButton(text, note, word, {size, colour: colours[word]}));
    this.list.replaceChildren(...buttons, make('label', {}, 'Attention at ', this.moments));
  }

  // Colours each picture of the strip where the words on show get attention.
  paintOverlay({words, tile, gap, width}, mapPainter, moment) {
    const {overlay} = this;
    overlay.clearRect(0, 0, overlay.canvas.width, overlay.canvas.height);
    const lit = [...new Set([...this.chosen, this.pointed])].filter((word) => word !== NONE);
    overlay.canvas.toggleAttribute('data-lit', lit.length > 0);
    if (!lit.length) return;
    const [tileWidth, tileHeight, space] = [...tile, gap].map((length) => MAGNIFICATION * length);
    const columns = (width + gap) / (tile[0] + gap);
    overlay.imageSmoothingEnabled = words.smooth;
    for (let picture = 0; picture < words.pictures; picture++) {
      const map = mapPainter.paintColours(lit, (word) => mapOffset(words, moment, word, picture));
      const [column, row] = [picture % columns, Math.floor(picture / columns)];
      overlay.drawImage(map, column * (tileWidth + space), row * (tileHeight + space), tileWidth, tileHeight);
    }
  }

  point(word) {
    this.pointed = word;
    this.redraw();
  }

  // Chooses a word, or gives it up.
  toggle(button, word) {
    if (!this.chosen.delete(word)) this.chosen.add(word);
    button.ariaPressed = this.chosen.has(word);
    this.redraw();
  }

  makeButton(text, note, word, {size, colour}) {
    const canvas = make('canvas', {width: size, height: size, ariaHidden: true});
    const button = make('button', {type: 'button', title: note, ariaPressed: false}, canvas, make('span', {textContent: text}));
    button.style.setProperty('--colour', colour);
    if (note) button.dataset.note = note;
    const onMouse = (target) => ({pointerType}) => { if (pointerType === 'mouse') this.point(target); };
    button.addEventListener('pointerenter', onMouse(word));
    button.addEventListener('pointerleave', onMouse(NONE));
    button.addEventListener('focus', () => { if (button.matches(':focus-visible')) this.point(word); }); // not by a tap
    button.addEventListener('blur', () => this.point(NONE));
    button.addEventListener('click', () => this.toggle(button, word));
    button.addEventListener('keydown', focusNeighbour);
    return button;
  }

  // Makes the choice between the attention at the selected step and the mean of all steps.
  makeMoments() {
    const select = make('select', {}, new Option('this step', 'one'), new Option('all steps', 'all'));
    select.addEventListener('change', this.redraw);
    return select;
  }
}

// Goes to a word before or after with an arrow key, which would otherwise move the scrubber.
function focusNeighbour(event) {
  const [right] = arrowOf(event) ?? [];
  if (!right) return;
  event.preventDefault();
  event.stopPropagation();
  event.currentTarget[right < 0 ? 'previousElementSibling' : 'nextElementSibling']?.focus();
}

// Painter of square maps of bytes.
class MapPainter {
  constructor(bytes, {size, colours}) {
    this.bytes = bytes;
    this.colours = colours.map((colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16)));
    this.image = new ImageData(size, size);
    this.blend = make('canvas', {width: size, height: size}).getContext('2d');
  }

  // Paints the map at an offset in grey, white for the most attention.
  paintGrey(context, offset) {
    this.paint(context, (i) => [...Array(3).fill(this.bytes[offset + i]), 255]);
  }

  // Returns a canvas with the maps of words, each in its colour; `toOffset` returns the offset of a word's.
  paintColours(words, toOffset) {
    const [colours, offsets] = [words.map((word) => this.colours[word]), words.map(toOffset)];
    this.paint(this.blend, (i) => mixColours(colours, offsets.map((offset) => this.bytes[offset + i])));
    return this.blend.canvas;
  }

  paint(context, toRgba) {
    const {data, width, height} = this.image;
    for (let i = 0; i < width * height; i++) data.set(toRgba(i), 4 * i);
    context.putImageData(this.image, 0, 0);
  }
}
