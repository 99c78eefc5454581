// Button that copies the link of the view. `props.value` comes from value() of links/__init__.py.
// Triggers `select` when it is first visible with a value.

import {make} from '../dom.js';
import {keep} from '../storage.js';

const button = element.querySelector('button'); // its data-settings are read by scrubber.js
const LABEL_TIME = 2500; // milliseconds that the button says what happened
let labelTimer = 0;
let wasVisible = false;
let runAddress = null; // of a run under way, so that a reload goes on with it

// Shows a text on the button for a while.
function showText(text) {
  button.textContent = text;
  clearTimeout(labelTimer);
  labelTimer = setTimeout(() => { button.textContent = 'Copy link'; }, LABEL_TIME);
}

// Returns whether a parameter of the address is Gradio's, or the stop of the tour, which is in one view only.
function isOfPage(key, isOther) {
  return key.startsWith('__') || (key === 'tour' && !isOther);
}

// Writes the value into the page's address, beside the parameters of the page.
function updateAddress() {
  if (!props.value) return;
  button.dataset.settings = new URLSearchParams(props.value.link ?? {});
  if (!element.offsetParent) return;
  const address = runAddress ?? props.value.address;
  const view = address.view ?? '';
  const isOther = history.state?.view !== undefined && history.state.view !== view;
  const pageParameters = [...new URLSearchParams(location.search)].filter(([key]) => isOfPage(key, isOther));
  const query = new URLSearchParams([...pageParameters, ...Object.entries(address)]);
  const search = query.size ? `?${query}` : '';
  const change = isOther ? 'pushState' : 'replaceState'; // Back leads to the view before, see page.js
  history[change]({...history.state, view}, '', location.pathname + search + location.hash);
  const settings = new URLSearchParams(Object.entries(address));
  keep(location.pathname, settings.size ? `?${settings}` : '', 'sessionStorage'); // with which page.js opens the tab again
  if (!wasVisible) setTimeout(() => trigger('select'), 100); // once Gradio has updated the controls
  wasVisible = true;
}

// Copies a text where the browser has no clipboard for the page: at an address without https, or in a frame of another site.
function copySelection(text) {
  const area = make('textarea', {value: text, style: 'position: fixed'});
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand('copy');
  area.remove();
  button.focus();
  return isCopied;
}

// Copies the link of what is on show, or shows it where the browser does not allow that.
async function copy() {
  const stage = element.closest('.stage');
  if (stage?.querySelector('[data-live=true]')) return showText('Wait for the run, or stop it');
  const isStale = stage?.querySelector('[data-stale]');
  if (!props.value?.link) return showText(props.value?.copied ?? 'Nothing to link yet');
  const link = `${location.origin}${location.pathname}?${new URLSearchParams(props.value.link)}`;
  const isCopied = await navigator.clipboard?.writeText(link).then(() => true, () => false) || copySelection(link);
  if (!isCopied) return window.prompt('Copy this link:', link);
  showText(isStale ? 'Copied, without the changed settings' : props.value.copied);
}

button.addEventListener('click', copy);
button.addEventListener('run-address', ({detail}) => { runAddress = detail; updateAddress(); });
new ResizeObserver(updateAddress).observe(button); // fires when the button's tab is opened
watch('value', () => { runAddress = null; updateAddress(); });
updateAddress();
