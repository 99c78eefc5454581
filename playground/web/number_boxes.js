// Number boxes keep their last number: from one in which none stands Gradio would make the lowest that is allowed.

import {make} from './dom.js';

// Gives a box that is left without a number its last one again, and says so below it.
export function keepNumbers(document) {
  const message = make('small', {role: 'alert'});
  let last = '';
  document.addEventListener('focus', ({target}) => { last = target.value; }, true);
  document.addEventListener('input', () => message.remove());
  document.addEventListener('blur', ({target}) => {
    if (target.type !== 'number' || target.value || !last) return;
    target.value = last;
    target.dispatchEvent(new Event('input', {bubbles: true}));
    message.textContent = `This must be a number: it stays ${last}.`;
    target.closest('.block').append(message);
  }, true);
}
