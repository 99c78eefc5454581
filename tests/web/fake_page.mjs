// The page that a component's script finds, without a browser: an element that remembers what is set on it.

const FRAME = 250; // milliseconds between two frames of this browser

// Returns an element. Those within it are made when they are first looked for, and stay the same.
export function fakeElement(properties = {}) {
  const parts = new Map();
  const listeners = {};
  const classes = new Set();
  let captured, parent;
  return {
    dataset: {}, style: {}, hidden: false, value: '', textContent: '', disabled: false, isConnected: true,
    classList: {toggle: (name, on) => (on ? classes.add(name) : classes.delete(name)), contains: (name) => classes.has(name)},
    querySelector(selector) {
      if (!parts.has(selector)) parts.set(selector, fakeElement());
      return parts.get(selector);
    },
    querySelectorAll: () => [],
    get parentElement() { return parent ??= fakeElement(); },
    closest: () => null,
    getClientRects: () => [{}],
    setAttribute() {}, append() {}, after() {}, replaceChildren() {}, replaceWith() {}, toggleAttribute() {},
    setPointerCapture(id) { captured = id; },
    hasPointerCapture: (id) => id === captured,
    getContext() {
      return new Proxy({canvas: this}, {get: (context, name) => context[name] ?? (() => {})});
    },
    getBoundingClientRect: () => ({left: 0, top: 0, width: 100, height: 100}),
    addEventListener: (name, listener) => { listeners[name] = listener; },
    fire: (name, event) => listeners[name](event),
    ...properties,
  };
}

// Sets the globals of a component's script, for a visitor who wants no motion unless told otherwise: `frames` draws the
// given number of frames, one after the other.
export function openPage(props, server, {motion = false} = {}) {
  const drawing = [];
  let now = performance.now();
  const page = {element: fakeElement(), props, changed: () => {}};
  Object.assign(globalThis, {
    element: page.element, props, server, window: globalThis, trigger: () => {},
    document: {hidden: false, createElement: () => fakeElement()},
    watch: (_, listener) => { page.changed = listener; },
    matchMedia: () => ({matches: !motion}),
    requestAnimationFrame: (callback) => drawing.push(callback),
    cancelAnimationFrame: () => {},
    ResizeObserver: class { observe() {} },
    MutationObserver: class { observe() {} },
    Image: class {}, Option: class {}, ImageData: class {}, devicePixelRatio: 1,
  });
  page.asksForFrames = () => drawing.length > 0;
  page.setValue = (value) => { props.value = value; page.changed(); };
  page.frames = async (n) => {
    for (let i = 0; i < n; i++) {
      await new Promise(setImmediate);
      now += FRAME;
      drawing.splice(0).forEach((callback) => callback(now));
    }
    await new Promise(setImmediate);
  };
  return page;
}
