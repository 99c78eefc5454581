// Elements of the page.

// Returns a new element with properties and children.
export function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

// Returns a legend of marks [colour, text]; one whose colour is "" is text alone.
export function makeLegend(marks) {
  return make('div', {className: 'legend'}, ...marks.map(([background, text]) => {
    const mark = make('i');
    Object.assign(mark.style, {background});
    return make('span', {}, ...(background ? [mark] : []), text);
  }));
}

// Returns a new SVG element with attributes.
export function makeSvg(tag, attributes) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

// Returns a canvas that screen readers announce as an image with this label.
export function makeCanvas(label, properties = {}) {
  return make('canvas', {role: 'img', ariaLabel: label, ...properties});
}

// Returns the place of a pointer in an element, as shares of its width and height from the top left.
export function placeIn(element, {clientX, clientY}) {
  const {left, top, width, height} = element.getBoundingClientRect();
  return [(clientX - left) / width, (clientY - top) / height];
}
