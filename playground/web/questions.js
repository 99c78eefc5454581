// The questions of the start page: a reader guesses, then sees the answer. `?question=guidance` in the page's address opens
// one, and the address names the one that was opened last.

import {withParameter} from './address.js';
import {whenShown} from './card.js';

const PREFIX = 'question-'; // of their ids
const KEY = 'question'; // in the address

// Lets the questions of a document show their answers.
export function offerQuestions(document) {
  document.addEventListener('click', ({target}) => {
    const choice = target.closest?.('.question .choices button');
    if (choice) answer(choice);
  });
  document.addEventListener('toggle', ({target}) => {
    if (target.matches?.('.question')) keepInAddress(target);
  }, true); // it does not bubble
  const id = PREFIX + new URLSearchParams(location.search).get(KEY);
  if (id === PREFIX + null) return;
  whenShown(document, () => `#${CSS.escape(id)} summary`, () => {
    const question = document.getElementById(id);
    question.open = true;
    question.scrollIntoView();
  });
}

// Marks a choice, and shows the answer.
function answer(choice) {
  for (const other of choice.parentElement.children) other.ariaPressed = other === choice;
  const question = choice.closest('.question');
  question.dataset.answered = 'yes';
  question.querySelector('.answer').hidden = false;
}

function keepInAddress(question) {
  const name = question.id.slice(PREFIX.length);
  const isNamed = new URLSearchParams(location.search).get(KEY) === name;
  if (question.open || isNamed) history.replaceState(history.state, '', withParameter(location.href, KEY, question.open && name));
}
