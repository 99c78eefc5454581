// Sprite sheets: all frames of a strip in a few large images.

// Returns the place of frame k: the index of its sheet, and its corner there.
export function locateFrame(k, {columns, per_sheet: perSheet, width, height}) {
  const cell = k % perSheet;
  return [Math.floor(k / perSheet), (cell % columns) * width, Math.floor(cell / columns) * height];
}

// Loads the sheets of all strips of a value, which become its `bitmaps`.
export async function loadSheets(value) {
  await Promise.all(value.strips.map(async (strip) => {
    strip.bitmaps = await Promise.all(strip.sheets.map(loadBitmap));
  }));
}

// Frees the memory of a value's bitmaps.
export function closeSheets(value) {
  value?.strips?.forEach((strip) => strip.bitmaps?.forEach((bitmap) => bitmap.close()));
}

async function loadBitmap(source) {
  const response = await fetch(source.url || source);
  return createImageBitmap(await response.blob());
}
