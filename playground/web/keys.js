// Keys of the keyboard.

// Directions (right, down) of the arrow keys.
export const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
