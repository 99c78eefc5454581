// The page that a component's script finds, without a browser: an element that remembers what is set on it.

// Returns an element. Those within it are made when they are first looked for, and stay the same.
export function fakeElement(properties = {}) {
  const parts = new Map();
  const listeners = {};
  const classes = new Set();
  return {
    dataset: {}, style: {}, hidden: false, value: '', textContent: '', disabled: false, isConnected: true,
    classList: {toggle: (name, on) => (on ? classes.add(name) : classes.delete(name)), contains: (name) => classes.has(name)},
    querySelector(selector) {
      if (!parts.has(selector)) parts.set(selector, fakeElement());
      return parts.get(selector);
    },
    querySelectorAll: () => [],
    closest: () => null,
    getClientRects: () => [{}],
    setAttribute() {}, append() {}, replaceChildren() {}, toggleAttribute() {}, setPointerCapture() {},
    getContext: () => new Proxy({}, {get: (context, name) => context[name] ?? (() => {}), set: () => true}),
    getBoundingClientRect: () => ({left: 0, top: 0, width: 100, height: 100}),
    addEventListener: (name, listener) => { listeners[name] = listener; },
    fire: (name, event) => listeners[name](event),
    ...properties,
  };
}

// Sets the globals of a component's script: `frames` draws the given number of frames, one after the other.
export function openPage(props, server) {
  const drawing = [];
  const page = {element: fakeElement(), props, changed: () => {}};
  Object.assign(globalThis, {
    element: page.element, props, server, window: globalThis, trigger: () => {},
    document: {hidden: false, createElement: () => fakeElement()},
    watch: (_, listener) => { page.changed = listener; },
    matchMedia: () => ({matches: true}), // no motion
    requestAnimationFrame: (callback) => drawing.push(callback),
    ResizeObserver: class { observe() {} },
    Image: class {}, Option: class {}, ImageData: class {},
  });
  page.setValue = (value) => { props.value = value; page.changed(); };
  page.frames = async (n) => {
    for (let i = 0; i < n; i++) {
      await new Promise(setImmediate);
      drawing.splice(0).forEach((callback) => callback());
    }
    await new Promise(setImmediate);
  };
  return page;
}
