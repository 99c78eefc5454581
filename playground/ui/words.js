// The words of a prompt under the strips, each with the map of the attention that it gets; the one pointed at, or stepped
// to with the arrow keys, lays its map over the first strip as a spotlight.
let chosen = -1;          // the word whose map lies over, or -1
let wordsShown = '';      // what the buttons were made for

function drawWords(value) {
  const list = $('.words'), {words} = value;
  list.hidden = !words;
  if (!words) { chosen = -1; return []; }
  const bytes = Uint8Array.from(atob(words.maps), (c) => c.charCodeAt(0)), {size, pictures} = words;
  const places = size * size, map = (k, word, n) => (((words.kept[k] * words.tokens.length) + word) * pictures + n) * places;
  const shape = JSON.stringify([words.tokens, size]);
  if (shape !== wordsShown) {
    wordsShown = shape;
    chosen = -1;
    list.replaceChildren(...words.tokens.map(([text, note], word) => wordButton(list, text, note, word, size)));
  }
  const thumbnails = [...list.querySelectorAll('canvas')].map((canvas) => canvas.getContext('2d'));
  const image = new ImageData(size, size), veil = make('canvas', {width: size, height: size}), over = veil.getContext('2d');
  const paint = (context, at, pixel) => {
    for (let i = 0; i < places; i++) image.data.set(pixel(bytes[at + i]), 4 * i);
    context.putImageData(image, 0, 0);
  };
  return [(k) => {
    thumbnails.forEach((context, word) => paint(context, map(k, word, 0), (v) => [v, v, v, 255]));
    if (chosen < 0) return;
    const {context} = strips[0], [w, h] = value.tile, gap = value.gap, columns = (value.width + gap) / (w + gap);
    for (let n = 0; n < pictures; n++) {       // dark where the word gets no attention
      paint(over, map(k, chosen, n), (v) => [0, 0, 0, 0.85 * (255 - v)]);
      context.drawImage(veil, (n % columns) * (w + gap), Math.floor(n / columns) * (h + gap), w, h);
    }
  }];
}

function wordButton(list, text, note, word, size) {
  const canvas = make('canvas', {width: size, height: size});
  canvas.setAttribute('aria-hidden', 'true');
  const button = make('button', {type: 'button', title: note}, canvas, make('span', {textContent: text}));
  const choose = (yes) => {
    chosen = yes ? word : -1;
    list.querySelectorAll('button').forEach((other, i) => other.setAttribute('aria-pressed', i === chosen));
    if (element.dataset.live !== 'true') show(index);    // its pictures are gone as soon as they are drawn
  };
  button.setAttribute('aria-pressed', 'false');
  if (note) button.dataset.note = note;
  button.addEventListener('pointerenter', ({pointerType}) => { if (pointerType === 'mouse') choose(true); });
  button.addEventListener('pointerleave', ({pointerType}) => { if (pointerType === 'mouse') choose(false); });
  button.addEventListener('focus', () => choose(true));
  button.addEventListener('blur', () => choose(false));
  button.addEventListener('keydown', (event) => {
    const next = {ArrowLeft: 'previousElementSibling', ArrowRight: 'nextElementSibling'}[event.key];
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();         // else the scrubber would move
    button[next]?.focus();
  });
  return button;
}
