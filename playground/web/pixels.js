// Images that come as pixels in base64.

import {decodeBytes} from './numbers.js';

// Draws an image, as pack_image() of answers.py makes it, onto a canvas of its size.
export function paintPixels(canvas, {pixels, height, width, channels}) {
  const image = new ImageData(toRgba(decodeBytes(pixels), channels), width, height);
  Object.assign(canvas, {width, height});
  canvas.getContext('2d').putImageData(image, 0, 0);
}

// Returns the difference of two images of a size, bright where they differ.
export function differenceOf(one, other) {
  const [a, b] = [one, other].map(({pixels}) => decodeBytes(pixels));
  return {...one, pixels: btoa(String.fromCharCode(...a.map((value, i) => Math.abs(value - b[i]))))};
}

// Returns the RGBA bytes of grey or RGB pixels.
export function toRgba(bytes, channels) {
  const rgba = new Uint8ClampedArray((4 * bytes.length) / channels).fill(255);
  for (let pixel = 0; pixel < rgba.length / 4; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      rgba[4 * pixel + channel] = bytes[channels * pixel + (channels === 1 ? 0 : channel)];
    }
  }
  return rgba;
}
