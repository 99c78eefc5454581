// Explanations of the terms that glossary.py marked: on hover, focus and tap.

import {make} from './dom.js';

const GAP = 6; // CSS pixels between a term and its explanation

// Lets a document explain its terms; a tap also shows the titles of other elements, which a pointer shows by itself.
export function explainTerms(document) {
  const note = make('div', {id: 'about-term', hidden: true});
  note.setAttribute('role', 'tooltip');

  function show(term) {
    term.dataset.about ??= term.title;
    term.removeAttribute('title'); // which the browser would show as well
    term.setAttribute('aria-description', term.dataset.about);
    note.textContent = term.dataset.about;
    document.body.append(note);
    note.hidden = false;
    Object.assign(note.style, placeBeside(term.getBoundingClientRect(), note.getBoundingClientRect(), window));
  }
  function hide() {
    note.hidden = true;
  }

  document.addEventListener('pointerover', ({target}) => {
    const term = target.closest?.('dfn');
    if (term) show(term);
    else if (target !== note && !document.activeElement?.matches('dfn')) hide();
  });
  document.addEventListener('focusin', ({target}) => { if (target.matches('dfn')) show(target); });
  document.addEventListener('focusout', ({target}) => { if (target.matches('dfn')) hide(); });
  document.addEventListener('click', (event) => {
    const term = event.target.closest?.('dfn');
    if (!term) return;
    event.preventDefault(); // in a label it would move the control
    show(term);
  });
  document.addEventListener('pointerup', ({target, pointerType}) => {
    const titled = pointerType === 'touch' && target.closest?.('figcaption[title], label[title], summary[title]');
    if (titled) show(titled);
    else if (!target.closest?.('dfn')) hide();
  });
  document.addEventListener('keydown', ({key}) => { if (key === 'Escape') hide(); });
  document.addEventListener('scroll', hide, {capture: true, passive: true});
}

// Returns the style that places a note below a term, or above it where there is no room, and inside the window.
export function placeBeside(term, note, {innerWidth, innerHeight}) {
  const below = term.bottom + GAP;
  const top = below + note.height <= innerHeight ? below : Math.max(0, term.top - GAP - note.height);
  const left = Math.max(0, Math.min(term.left, innerWidth - note.width));
  return {top: `${top}px`, left: `${left}px`};
}
