// Keys of the keyboard.

const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

// Returns the direction (right, down) of a key event's arrow, if it is one: with Alt, Ctrl or Meta it is the browser's.
export function arrowOf({key, altKey, ctrlKey, metaKey}) {
  return altKey || ctrlKey || metaKey ? undefined : ARROWS[key];
}
