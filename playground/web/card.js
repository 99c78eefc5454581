// The card at the bottom of a page that says what to look at, for the guides of the tabs and for the tour.

import {make} from './dom.js';

const WAIT = 50; // milliseconds between looks
const PATIENCE = 60_000; // milliseconds after which nothing is waited for
const LINE = 20; // pixels; what is no higher is still empty
const OURS = '.scrubber, .lab, .explorer, .latent';

export class Card {
  // `leave` is called when the visitor presses Escape.
  constructor(document, label, leave) {
    this.document = document;
    document.addEventListener('keydown', ({key}) => { if (key === 'Escape' && !this.node.hidden) leave(); });
    this.text = make('p');
    this.count = make('span');
    this.node = make('div', {className: 'guide-card', hidden: true, role: 'dialog', ariaLabel: label});
  }

  // Shows a text with buttons, [name, function] from left to right, and marks the first visible element of a selector,
  // at a place of the window as `scrollIntoView` knows it.
  show({text, target, count, buttons, block = 'center'}) {
    this.hide();
    this.text.textContent = text;
    this.node.setAttribute('aria-description', text); // read when the focus comes
    this.count.textContent = count;
    this.node.replaceChildren(this.text, this.count, ...buttons.map(([textContent, onclick]) => (
      make('button', {type: 'button', textContent, onclick}))));
    this.node.hidden = false;
    this.document.querySelector('.gradio-container').append(this.node);
    const element = [...this.document.querySelectorAll(target)].find((one) => one.getClientRects().length);
    element?.classList.add('guide-target');
    element?.scrollIntoView({block});
  }

  // Hides the card; the focus goes to the button that shows it again.
  hide() {
    if (this.node.contains(this.document.activeElement)) this.document.querySelector('#guide')?.focus({preventScroll: true});
    this.node.hidden = true;
    for (const one of this.document.querySelectorAll('.guide-target')) one.classList.remove('guide-target');
  }

  // Moves the focus to the last button.
  focus() {
    this.node.lastElementChild.focus();
  }
}

// Returns whether an element can be seen, and a component of ours that it is part of has its first value: Gradio builds a
// component anew for that.
function showsSomething(element) {
  return element.clientHeight > LINE && (!element.closest(OURS) || element.closest('[data-ready]'));
}

// Calls a function once one of the elements of a selector shows something, if that comes in time; `selectorOf` returns the
// selector, or nothing while it is not known.
export function whenShown(document, selectorOf, act) {
  const start = performance.now();
  const timer = setInterval(() => {
    const selector = selectorOf();
    const isReady = selector && [...document.querySelectorAll(selector)].some(showsSomething);
    if (!isReady && performance.now() - start < PATIENCE) return;
    clearInterval(timer);
    if (isReady) act();
  }, WAIT);
}
