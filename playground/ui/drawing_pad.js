// White ink on black, or orange over a picture. After each stroke the value becomes 28 x 28 grey bytes in base64 ("" when
// blank); {under: URL} puts a picture under what is drawn, and leaves that.
const SIDE = 280, PIXELS = 28, INK = 22, PAUSE = 60;
const canvas = element.querySelector('canvas'), context = canvas.getContext('2d', {willReadFrequently: true});
let strokes = [], current = null, timer = 0, ink = '#fff';

function paint() {
  context.clearRect(0, 0, SIDE, SIDE);
  Object.assign(context, {strokeStyle: ink, lineWidth: INK, lineCap: 'round', lineJoin: 'round'});
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
  return String.fromCharCode(...Uint8Array.from({length: PIXELS * PIXELS}, (_, i) => rgba[4 * i + 3]));
}

const drawn = () => (strokes.length ? btoa(pixels()) : '');

function send() {
  clearTimeout(timer);
  timer = setTimeout(() => { props.value = drawn(); trigger('change'); }, PAUSE);
}

function lay() {
  const under = props.value?.under;
  if (under === undefined) return;
  canvas.style.backgroundImage = under && `url("${under}")`;
  ink = under ? '#e69f00' : '#fff';
  paint();
  props.value = drawn();
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
watch('value', lay);
paint();
