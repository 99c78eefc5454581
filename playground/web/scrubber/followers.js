// Caption, formula and diagram of a run. Each of the last two draws its part and returns functions of the frame's index
// that keep it current.

import {drawDiagram} from '../diagram/diagram.js';
import {locateFrame} from './sheets.js';

// Returns the caption of a frame, below what there is to say of the whole run.
export function captionAt({captions, notice}, k) {
  return [notice, captions[k]].filter(Boolean).join('\n');
}

// Draws the formula, whose numbers are those of the selected frame.
export function drawFormula(container, {formula, numbers}) {
  container.parentElement.hidden = !formula; // its layer
  container.innerHTML = formula; // written by our own code, never by a user
  return [...container.querySelectorAll('[data-number]')].map((span) => {
    const texts = numbers[span.dataset.number];
    return (k) => { span.textContent = texts[k]; };
  });
}

// Draws the diagram, whose images and numbers are those of the selected frame.
export function followDiagram(list, run) {
  const boxes = run.diagram.map((box) => ({...box, hasImage: box.strip !== null, hasNumber: box.number !== null}));
  const [width, height] = run.tile;
  return drawDiagram(list, boxes, {width, height}).flatMap(({canvas, number}, i) => {
    const followers = [];
    if (canvas) followers.push(followImage(canvas.getContext('2d', {alpha: false}), boxes[i], run));
    if (number) followers.push((k) => { number.textContent = run.numbers[boxes[i].number][k]; });
    return followers;
  });
}

// Returns the frame that a box shows at frame k. The last frame, where no step is yet to be taken, shows the step that
// led to it, as the formula does.
export function boxFrame(k, {ahead}, {frames, diagram}) {
  const last = frames - (diagram.some((box) => box.ahead < 0) ? 1 : 2);
  return Math.max(0, Math.min(k, last) + ahead);
}

// Returns a function that draws the first picture of a box's strip.
function followImage(context, box, run) {
  const [width, height] = run.tile;
  return (k) => {
    const [sheet, x, y] = locateFrame(boxFrame(k, box, run), run);
    context.drawImage(run.strips[box.strip].bitmaps[sheet], x, y, width, height, 0, 0, width, height);
  };
}
