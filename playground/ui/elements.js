const $ = (selector) => element.querySelector(selector);

// An element with properties and children.
function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}
