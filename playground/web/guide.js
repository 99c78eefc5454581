// The guided minute of a tab: a few captions, each at a thing of the page. It comes by itself at a tab's first visit,
// until a visitor closes one, or again from the question-mark button.

import {Card, whenShown} from './card.js';
import {keep, recall} from './storage.js';

const OFF = 'guide.off';

// Returns the key under which the browser keeps that a tab's guide was shown.
export function seenKey(path) {
  return `guide.${path.split('/').pop()}`;
}

// Lets a document show the guide of its tab; a visitor who is on the tour has another.
export function offerGuide(document, isOnTour) {
  const card = new Card(document, 'Guided minute', dismiss);

  const stepsOf = () => JSON.parse(document.querySelector('#guide')?.dataset.steps ?? '[]');

  function show(k) {
    const steps = stepsOf();
    if (k >= steps.length) return card.hide();
    const isLast = k + 1 === steps.length;
    const buttons = [['Close', dismiss], [isLast ? 'Done' : 'Next', () => { show(k + 1); card.focus(); }]];
    card.show({...steps[k], count: `${k + 1} of ${steps.length}`, buttons, block: 'nearest'});
  }
  function dismiss() {
    keep(OFF, 'yes');
    card.hide();
  }

  document.addEventListener('click', ({target, isTrusted}) => {
    if (isTrusted && target.closest?.('[role=tab]')) card.hide(); // it is about the view that is left
    if (!target.closest?.('#guide')) return;
    show(0);
    card.focus();
  });
  const key = seenKey(location.pathname);
  if (isOnTour || recall(OFF) || recall(key)) return;
  whenShown(document, () => stepsOf()[0]?.target, () => {
    if (recall(OFF)) return;
    keep(key, 'seen');
    show(0);
  });
}
