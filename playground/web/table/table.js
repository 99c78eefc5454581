// Table of figures. `props.value` comes from pack() of table/__init__.py, or is a message of the page. A press on a
// heading or on a row puts what is chosen into `props.value` and triggers `select`; a new value shows it.

import { make } from '../dom.js';

const root = element.querySelector('.figures');
const message = element.querySelector('.message');
const head = root.querySelector('tr');
const body = root.querySelector('tbody');

// Chooses a column or a row.
function choose(choices) {
  props.value = {...props.value, ...choices};
  trigger('select');
}

// Returns the heading of a column, whose button sorts by it, or in reverse if the rows are sorted by it.
function makeHeading({name, title, hint, descending: isFirst}) {
  const sort = () => choose({sort: name, descending: props.value.sort === name ? !props.value.descending : isFirst});
  const button = make('button', {type: 'button', id: `sort-${name}`, textContent: title, title: hint, onclick: sort});
  return make('th', {scope: 'col'}, button);
}

// Returns a row, whose heading is a button that picks it.
function makeRow({key, cells}) {
  const [first, ...others] = cells;
  const isPicked = props.value.picked === key;
  const button = make('button', {
    type: 'button', id: `row-${key}`, textContent: first.text, ariaPressed: isPicked,
  });
  const row = make('tr', {onclick: () => choose({picked: key})}, make('th', {scope: 'row'}, button));
  row.append(...others.map(({text, value}) => (
    make('td', {textContent: text, className: value === null ? 'missing' : ''}))));
  row.toggleAttribute('data-picked', isPicked);
  return row;
}

// Shows the value; the button that was pressed keeps the focus.
function show() {
  const {value} = props;
  message.hidden = !value?.message;
  message.textContent = value?.message ?? '';
  const focused = root.contains(document.activeElement) ? document.activeElement.id : '';
  if (value?.rows) {
    if (!head.children.length) head.append(...value.columns.map(makeHeading)); // once: a tap on one explains it, too
    value.columns.forEach(({name}, i) => {
      head.children[i].ariaSort = name === value.sort ? `${value.descending ? 'de' : 'a'}scending` : null;
    });
    body.replaceChildren(...value.rows.map(makeRow));
  }
  if (focused) document.getElementById(focused)?.focus({preventScroll: true});
  if (value) root.dataset.ready = value.id;
}

watch('value', show);
show();
