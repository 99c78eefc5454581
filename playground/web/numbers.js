// Numbers as text, and bytes that come as text.

// Returns a number with three significant digits and a minus sign; null, which stands for infinity in JSON, as ∞.
export function formatNumber(value) {
  if (value === null) return '∞';
  const size = Math.abs(value);
  const isExtreme = value !== 0 && (size < 0.001 || size >= 10000);
  return useMinusSign(isExtreme ? value.toExponential(1) : String(Number(value.toPrecision(3))));
}

// Returns text with the first hyphen as a minus sign.
export function useMinusSign(text) {
  return text.replace('-', '−');
}

// Returns the bytes of a base64 text.
export function decodeBytes(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

// Returns the nearest value between two bounds.
export function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}

// Returns the scalar product of two vectors.
export function dot(a, b) {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}
