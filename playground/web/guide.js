// The guided minute of a tab: a few captions, each at one thing of the page. It comes by itself at the first visit of a tab,
// until a visitor closes one, and again from the button with the question mark.

import {make} from './dom.js';
import {keep, recall} from './storage.js';

const OFF = 'guide.off';
const WAIT = 300; // milliseconds between looks for the first picture
const PATIENCE = 60_000; // milliseconds after which a page without one gets no guide by itself

// Returns the key under which the browser keeps that a tab's guide was shown.
export function seenKey(path) {
  return `guide.${path.split('/').pop()}`;
}

// Lets a document show the guide of its tab.
export function offerGuide(document) {
  const text = make('p');
  const count = make('span');
  const next = make('button', {type: 'button'});
  const close = make('button', {type: 'button', textContent: 'Close'});
  const card = make('div', {id: 'guide-card', hidden: true}, text, count, close, next);
  card.setAttribute('role', 'dialog');
  card.setAttribute('aria-label', 'Guided minute');
  let index = 0;

  const steps = () => JSON.parse(document.querySelector('#guide')?.dataset.steps ?? '[]');
  const unmark = () => document.querySelectorAll('.guide-target').forEach((one) => one.classList.remove('guide-target'));

  function show(k) {
    const all = steps();
    unmark();
    card.hidden = k >= all.length;
    if (card.hidden) return;
    index = k;
    text.textContent = all[k].text;
    count.textContent = `${k + 1} of ${all.length}`;
    next.textContent = k + 1 < all.length ? 'Next' : 'Done';
    document.querySelector('.gradio-container').append(card);
    const target = [...document.querySelectorAll(all[k].target)].find((one) => one.getClientRects().length);
    target?.classList.add('guide-target');
    target?.scrollIntoView({block: 'center'});
  }
  function dismiss() {
    keep(OFF, 'yes');
    show(Infinity);
  }

  next.addEventListener('click', () => show(index + 1));
  close.addEventListener('click', dismiss);
  document.addEventListener('keydown', ({key}) => { if (key === 'Escape' && !card.hidden) dismiss(); });
  document.addEventListener('click', ({target}) => {
    if (!target.closest?.('#guide')) return;
    show(0);
    next.focus();
  });
  showAtFirstVisit(document, () => show(0));
}

// Shows the guide once the page has its first picture, if the tab is new to the visitor.
function showAtFirstVisit(document, show) {
  const key = seenKey(location.pathname);
  if (recall(OFF) || recall(key)) return;
  const start = performance.now();
  const timer = setInterval(() => {
    const isReady = document.querySelector('#guide') && document.querySelector('[data-ready]');
    if (!isReady && performance.now() - start < PATIENCE) return;
    clearInterval(timer);
    if (!isReady || recall(OFF)) return;
    keep(key, 'seen');
    show();
  }, WAIT);
}
