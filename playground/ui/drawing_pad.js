// White ink on black. After each stroke the value becomes 28 x 28 grey bytes in base64 ("" when blank).
const SIDE = 280, PIXELS = 28, INK = 22, PAUSE = 60;
const canvas = element.querySelector('canvas'), context = canvas.getContext('2d', {willReadFrequently: true});
let strokes = [], current = null, timer = 0;

function paint() {
  context.fillStyle = '#000';
  context.fillRect(0, 0, SIDE, SIDE);
  Object.assign(context, {strokeStyle: '#fff', lineWidth: INK, lineCap: 'round', lineJoin: 'round'});
  for (const [start, ...rest] of strokes) {
    context.beginPath();
    context.moveTo(...start);
    for (const point of rest.length ? rest : [[start[0] + 0.01, start[1]]]) context.lineTo(...point);
    context.stroke();
  }
}

function pixels() {
  const small = document.createElement('canvas');
  small.width = small.height = PIXELS;
  const target = small.getContext('2d');
  target.imageSmoothingQuality = 'high';
  target.drawImage(canvas, 0, 0, PIXELS, PIXELS);
  const rgba = target.getImageData(0, 0, PIXELS, PIXELS).data;
  return String.fromCharCode(...Uint8Array.from({length: PIXELS * PIXELS}, (_, i) => rgba[4 * i]));
}

function send() {
  clearTimeout(timer);
  timer = setTimeout(() => { props.value = strokes.length ? btoa(pixels()) : ''; trigger('change'); }, PAUSE);
}

const at = (event) => {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
};
const lift = () => { if (current) { current = null; send(); } };
canvas.addEventListener('pointerdown', (event) => {
  if (!event.isPrimary || event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  strokes.push(current = [at(event)]);
  paint();
});
canvas.addEventListener('pointermove', (event) => { if (current && event.isPrimary) { current.push(at(event)); paint(); } });
canvas.addEventListener('pointerup', lift);
canvas.addEventListener('pointercancel', lift);
element.addEventListener('click', (event) => {
  const action = event.target.dataset?.do;
  if (!action) return;
  strokes = action === 'undo' ? strokes.slice(0, -1) : [];
  paint();
  send();
});
paint();
