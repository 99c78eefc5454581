// Runs before Gradio's own scripts.

import {offerGuide} from './guide.js';
import {arrowOf} from './keys.js';
import {keepNumbers} from './number_boxes.js';
import {offerQuestions} from './questions.js';
import {selectView} from './select_view.js';
import {recall} from './storage.js';
import {repairStreams} from './streams.js';
import {explainTerms} from './terms.js';
import {keepTheme} from './theme.js';
import {keepTitle} from './title.js';
import {offerTour, stopIn} from './tour.js';

document.querySelector('base')?.remove(); // plotly names clip paths by the page's address, which links.js changes
keepTheme(location, history);
selectView(window);
repairStreams(window);
explainTerms(document);
offerGuide(document, stopIn(location.search) > 0);
offerTour(document);
offerQuestions(document);
keepTitle(document);
keepNumbers(document);

// A tab opens as it was left: links.js keeps its address.
document.addEventListener('click', ({target}) => {
  const link = target.closest?.('#tabs a');
  if (link) link.search = recall(link.pathname, 'sessionStorage') ?? '';
});

// Arrow keys lead along a bar of tabs.
document.addEventListener('keydown', (event) => {
  const {target} = event;
  const [step] = arrowOf(event) ?? [];
  if (!step || !target.matches?.('[role=tab]')) return;
  const bar = [...target.closest('[role=tablist]').querySelectorAll('[role=tab]')];
  const next = bar.at((bar.indexOf(target) + step) % bar.length);
  next.focus();
  next.click();
});

// Back and Forward lead from view to view; that of an address without one is the first.
addEventListener('popstate', ({state}) => {
  const view = state?.view;
  document.querySelector(view ? `[role=tab][data-tab-id="${CSS.escape(view)}"]` : '[role=tab]')?.click();
});

// A file that is dropped on the page goes to the button of reopen.py.
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => {
  const input = document.querySelector('#reopen')?.parentElement.querySelector('input[type=file]');
  if (event.defaultPrevented || !event.dataTransfer.files.length || !input) return;
  event.preventDefault();
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event('change', {bubbles: true}));
});
