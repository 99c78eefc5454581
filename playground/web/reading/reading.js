// Line under a prompt: how it is read, and buttons that change it. `props.value` comes from value() of
// reading/__init__.py. A press of a button puts its prompt into `props.value.chosen` and triggers `select`.

import { make } from '../dom.js';

const root = element.querySelector('.reading');
const [line, group] = root.children;

// Chooses a prompt; the text box has the focus, as if it had been typed.
function choose(prompt) {
  document.querySelector(`#${root.dataset.prompt} textarea`)?.focus();
  props.value = {...props.value, chosen: prompt};
  trigger('select');
}

// Shows the value.
function show() {
  const {sentence, fixes} = props.value ?? {sentence: '', fixes: []};
  line.replaceChildren(...sentence.split('*').map((text, i) => (i % 2 ? make('em', {textContent: text}) : text)));
  group.replaceChildren(...fixes.map(({label, prompt}) => make('button', {
    type: 'button', textContent: label, title: prompt, onclick: () => choose(prompt),
  })));
}

watch('value', show);
show();
