// What components with pictures of their own share: pixels onto a canvas, and questions of which only the newest counts.

function paint(canvas, {pixels, height, width, channels}) {
  const bytes = Uint8Array.from(atob(pixels), (c) => c.charCodeAt(0)), image = new ImageData(width, height);
  for (let i = 0, n = width * height; i < n; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = bytes[channels * i + (channels === 1 ? 0 : c)];
    image.data[4 * i + 3] = 255;
  }
  canvas.width = width; canvas.height = height;
  canvas.getContext('2d').putImageData(image, 0, 0);
}

// Asks the server for the newest question put while the one before was under way; the others are skipped.
function newestOf(ask, use) {
  let waiting = null, busy = false;
  return async (question) => {
    waiting = question;
    if (busy) return;
    busy = true;
    while (waiting) {
      const asked = waiting;
      waiting = null;
      try { use(await ask(asked), asked); } catch (error) { use({error: `The server did not answer (${error.message || error}).`}, asked); }
    }
    busy = false;
  };
}
