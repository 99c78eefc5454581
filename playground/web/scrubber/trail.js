// Path of a particle that the visitor drops into the first strip with a click, or anywhere with Enter.

import {layOver, makeOverlay} from '../overlay.js';

const MAGNIFICATION = 4; // pixels of the overlay for one of the picture
const [WIDTH, RADIUS] = [5, 16]; // pixels of the overlay
const PATH = '#ffffff';

// Returns the pixels of a path, given as fractions of the width and height, up to frame k.
export function pathUntil(path, k, {width, height}) {
  return path.slice(0, k + 1).map(([x, y]) => [x * width, y * height]);
}

// Returns the opacity of a step of the path that was taken some frames ago.
export function fade(age) {
  return Math.max(0.15, 1 - age / 25);
}

// The path over a strip. `drop` is called with the place of a click, as fractions of the width and height.
export class Trail {
  constructor(drop) {
    this.drop = drop;
    this.overlay = makeOverlay();
  }

  // Lets the canvas of a strip take clicks, if those of the run mean something, and shows the path if there is one.
  // Returns functions of the frame's index that keep the path current.
  draw({path, path_hint: hint}, {canvas}) {
    this.overlay.canvas.hidden = !path;
    canvas.classList.toggle('droppable', Boolean(hint));
    if (!hint) return [];
    Object.assign(canvas, {title: hint, tabIndex: 0});
    canvas.onclick = ({offsetX, offsetY}) => this.drop(offsetX / canvas.clientWidth, offsetY / canvas.clientHeight);
    canvas.onkeydown = ({key}) => { if (key === 'Enter') this.drop(Math.random(), Math.random()); };
    layOver(this.overlay, canvas, MAGNIFICATION);
    return path ? [(k) => this.paint(pathUntil(path, k, this.overlay.canvas))] : [];
  }

  paint(points) {
    const {overlay} = this;
    overlay.clearRect(0, 0, overlay.canvas.width, overlay.canvas.height);
    Object.assign(overlay, {lineWidth: WIDTH, lineJoin: 'round', strokeStyle: PATH, fillStyle: PATH});
    points.slice(1).forEach((point, i) => {
      overlay.globalAlpha = fade(points.length - 2 - i);
      overlay.beginPath();
      overlay.moveTo(...points[i]);
      overlay.lineTo(...point);
      overlay.stroke();
    });
    overlay.globalAlpha = 1;
    for (const [place, draw] of [[points[0], 'stroke'], [points.at(-1), 'fill']]) {
      overlay.beginPath();
      overlay.arc(...place, RADIUS, 0, 2 * Math.PI);
      overlay[draw]();
    }
  }
}
