// Numbers of one dimension of a code.

import {clamp, useMinusSign} from '../numbers.js';

// Returns the texts of a dimension: mean and deviation of its posterior N(mu, exp(logVar)), its value z, and the KL
// divergence of the posterior from N(0, 1) in nats (Kingma and Welling 2014, appendix B).
export function describeDimension(index, mu, logVar, z) {
  const sigma = Math.exp(logVar / 2);
  const kl = (mu * mu + sigma * sigma - logVar - 1) / 2;
  const fixed = (value, digits) => useMinusSign(value.toFixed(digits));
  return {i: index + 1, mu: fixed(mu, 3), sigma: sigma.toPrecision(3), z: fixed(z, 2), kl: fixed(kl, 2)};
}

// Returns the style that lets a bar cover mean ± deviation on a track from -limit to limit.
export function intervalStyle(mean, deviation, limit) {
  const [left, right] = [mean - deviation, mean + deviation].map((z) => (50 * (clamp(z, -limit, limit) + limit)) / limit);
  return `left:${left.toFixed(1)}%;width:${(right - left).toFixed(1)}%`;
}

// Returns where a code comes from: μ, the mean of the image's posterior; the prior; or the user, who moved it.
export function sourceOf(z, {z: chosen, mu}) {
  if (String(z) === String(mu)) return 'μ';
  return String(z) === String(chosen) ? 'drawn from the prior' : 'set by hand';
}

// Returns the cell to which a direction (right, down) leads from a cell [row, column] of a traversal figure.
export function nextCell([right, down], [row, column], rows, columns) {
  return [clamp(row + down, 0, rows - 1), clamp(column + right, 0, columns - 1)];
}

// Returns the row and the column of a traversal figure at a place in it, given as shares of its width and height.
export function cellAt(x, y, rows, columns) {
  return [Math.floor(y * rows), Math.floor(x * columns)];
}
