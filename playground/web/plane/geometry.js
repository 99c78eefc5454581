// Geometry of a plane through the latent space: chart {basis, origin, mu, span, ellipse, points}, all in coordinates (u, v).

import {clamp, dot} from '../numbers.js';

// Returns the coordinates of a code in the plane.
export function project(z, basis) {
  return basis.map((axis) => dot(axis, z));
}

// Returns the code at a place of the plane: that of the picture, z at the origin, moved within the plane.
export function codeAt([u, v], chart, z) {
  const [du, dv] = [u - chart.origin[0], v - chart.origin[1]];
  return z.map((value, i) => value + du * chart.basis[0][i] + dv * chart.basis[1][i]);
}

// Returns a place within the bounds of the plane.
export function clampToSpan(place, span) {
  return place.map((coordinate) => clamp(coordinate, -span, span));
}

// Returns a place as pixels of a canvas with a width and a height.
export function toPixel([u, v], span, {width, height}) {
  return [((u / span + 1) / 2) * width, ((1 - v / span) / 2) * height];
}

// Returns the place at shares x and y of the width and height, from the top left.
export function fromShares(x, y, span) {
  return [(x * 2 - 1) * span, (1 - y * 2) * span];
}

// Returns the points of an ellipse around a centre, so many standard deviations away, with the half axes a and b.
export function ellipsePoints([u, v], [a, b], deviations) {
  return Array.from({length: 61}, (_, k) => {
    const cos = deviations * Math.cos((k / 30) * Math.PI);
    const sin = deviations * Math.sin((k / 30) * Math.PI);
    return [u + cos * a[0] + sin * b[0], v + cos * a[1] + sin * b[1]];
  });
}

// Returns the index of the point nearest to a place, or -1 if none is within a distance.
export function nearestPoint(place, points, distance) {
  let nearest = -1;
  let least = distance * distance;
  points.forEach(([u, v], i) => {
    const squared = (u - place[0]) ** 2 + (v - place[1]) ** 2;
    if (squared < least) {
      least = squared;
      nearest = i;
    }
  });
  return nearest;
}
