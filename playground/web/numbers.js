// Numbers as text, and bytes that come as text.

// Returns a number with three significant digits and a minus sign; null, which stands for infinity in JSON, as ∞.
export function formatNumber(value) {
  if (value === null) return '∞';
  const size = Math.abs(value);
  const isExtreme = value !== 0 && (size < 0.001 || size >= 10000);
  return useMinusSign(isExtreme ? value.toExponential(1) : String(Number(value.toPrecision(3))));
}

// Returns the text of a number with minus signs for its hyphens.
export function useMinusSign(text) {
  return text.replaceAll('-', '−');
}

// Returns the bytes of a base64 text.
export function decodeBytes(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i); // `from` would take 20 times as long
  return bytes;
}

// Returns the nearest value between two bounds.
export function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}

// Returns the scalar product of two vectors.
export function dot(a, b) {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}
