// The diagram of a family: boxes and arrows, each box with what is in it now; touched, it explains itself.
// Draws boxes {name, about, pictured, numbered} into a list; gives {canvas, number} of each, or null where it has none.
function drawDiagram(list, boxes, width, height) {
  const about = make('li', {className: 'about'});
  about.setAttribute('aria-live', 'polite');
  const drawn = boxes.map((box) => {
    const canvas = box.pictured ? make('canvas', {width, height}) : null, number = box.numbered ? make('b') : null;
    const button = make('button', {type: 'button', title: box.about}, ...[canvas, box.name, number].filter(Boolean));
    button.setAttribute('aria-expanded', 'false');
    canvas?.setAttribute('role', 'img');
    canvas?.setAttribute('aria-label', `${box.name} now`);
    button.addEventListener('click', () => {
      list.querySelectorAll('button').forEach((other) => other.setAttribute('aria-expanded', other === button));
      about.textContent = box.about;
    });
    return {item: make('li', {}, button), canvas, number};
  });
  list.hidden = !boxes.length;
  list.replaceChildren(...drawn.map((box) => box.item), about);
  return drawn;
}
