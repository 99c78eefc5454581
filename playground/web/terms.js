// Explanations on hover, focus and tap: of the terms that glossary.py marked, and of what has a title.

import {make} from './dom.js';

const GAP = 6; // CSS pixels between a term and its explanation
const EXPLAINED = '[title]:not([title=""]), [data-about]';
const LEFT_TO_THE_BROWSER = 'button[aria-label], input, canvas'; // what its name says already, and what is too large for a note below it
const EXPLAINED_BY_PRESS = '[aria-expanded]';

// Returns the element around another that has an explanation, if any.
function explainedAround(element) {
  const explained = element.closest?.(EXPLAINED);
  return explained?.matches(LEFT_TO_THE_BROWSER) ? null : explained;
}

// Lets a document explain its terms and its titles.
export function explainTerms(document) {
  const note = make('div', {id: 'about-term', hidden: true, role: 'tooltip'});

  function show(term) {
    if (term.title) term.dataset.about = term.title;
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

  document.addEventListener('pointerover', ({target, pointerType}) => {
    if (pointerType === 'touch') return; // a tap, see below
    const term = explainedAround(target);
    if (term) show(term);
    else if (target !== note && !document.activeElement?.matches(':focus-visible[data-about]')) hide();
  });
  document.addEventListener('focusin', ({target}) => {
    const term = target.matches(':focus-visible') && target.closest(EXPLAINED);
    if (term) show(term);
  });
  document.addEventListener('focusout', hide);
  document.addEventListener('click', (event) => {
    const term = event.target.closest?.('dfn');
    if (!term) return;
    event.preventDefault(); // in a label it would move the control
    show(term);
  });
  document.addEventListener('pointerup', ({target, pointerType}) => {
    const term = explainedAround(target);
    if (pointerType === 'touch' && term && !term.matches(EXPLAINED_BY_PRESS)) show(term);
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
