// Diagram of a family: boxes and arrows. A box shows its current image or number, and explains itself when pressed.

import {make, makeCanvas} from '../dom.js';

// Draws boxes {name, about, hasImage, hasNumber} into a list, with canvases of a size; below them stands a hint until one
// is pressed.
// Returns {button, canvas, number} of each box, null where it has none. Nothing flows into a box of class `cut`.
export function drawDiagram(list, boxes, {width, height, hint = ''}) {
  const explanation = make('li', {className: 'about', ariaLive: 'polite'}, hint);
  const drawnBoxes = boxes.map((box) => drawBox(box, width, height));
  for (const {button, about} of drawnBoxes) {
    button.addEventListener('click', () => {
      list.querySelectorAll('button').forEach((other) => { other.ariaExpanded = other === button; });
      explanation.textContent = about;
    });
  }
  list.hidden = !boxes.length;
  list.replaceChildren(...drawnBoxes.map(({button}) => make('li', {}, button)), explanation);
  return drawnBoxes;
}

// Returns the elements of one box.
function drawBox({name, about, hasImage, hasNumber}, width, height) {
  const canvas = hasImage ? makeCanvas(`${name} now`, {width, height}) : null;
  const number = hasNumber ? make('b') : null;
  const button = make('button', {type: 'button', title: about, ariaExpanded: false}, ...[canvas, name, number].filter(Boolean));
  return {button, about, canvas, number};
}
