// The tour: stops through the tabs in the order of ideas. `?tour=5` is the fifth; a visitor who leaves can go on from the
// start page.

import {withParameter} from './address.js';
import {Card, whenShown} from './card.js';
import {keep, recall} from './storage.js';

const STOP = 'tour.stop';

// Returns the number of the stop in an address, 0 for none.
export function stopIn(search) {
  return Math.max(0, Math.floor(Number(new URLSearchParams(search).get('tour')))) || 0;
}

// Returns an address with the number of a stop.
export function withStop(address, number) {
  return `${address}${address.includes('?') ? '&' : '?'}tour=${number}`;
}

// Returns whether an address is of another tab, or view, than a page's.
export function isElsewhere(address, href) {
  const [there, here] = [new URL(address, href), new URL(href)];
  const view = there.searchParams.get('view');
  return there.pathname !== here.pathname || Boolean(view) && view !== here.searchParams.get('view');
}

// Shows the stop in the page's address, or goes where it is, and lets the start page offer the next one.
export function offerTour(document) {
  const stopsOf = () => JSON.parse(document.querySelector('#tour')?.dataset.stops ?? '[]');
  const card = new Card(document, 'Tour', leave);
  const go = (number) => { location.href = withStop(stopsOf()[number - 1].address, number); };
  const number = stopIn(location.search);

  function leave() {
    card.hide();
    history.replaceState(history.state, '', withParameter(location.href, 'tour'));
  }
  function show(stop, n) {
    const isLast = number === n;
    keep(STOP, isLast ? '' : String(number));
    const buttons = [['Leave', leave]];
    if (number > 1) buttons.push(['Back', () => go(number - 1)]);
    buttons.push([isLast ? 'Done' : 'Next', () => (isLast ? leave() : go(number + 1))]);
    card.show({...stop, count: `Stop ${number} of ${n}`, buttons});
    card.focus();
  }

  if (number) whenShown(document, () => '#tabs', () => {
    const {length, [number - 1]: stop} = stopsOf();
    if (!stop) return;
    if (isElsewhere(stop.address, location.href)) return location.replace(withStop(stop.address, number));
    whenShown(document, () => stop.target, () => show(stop, length));
  });
  const left = Number(recall(STOP));
  const isStart = location.pathname.endsWith('/');
  if (isStart && left > 1) whenShown(document, () => '.families', () => offerToGoOn(document.querySelector('#take-tour'), left, go));
}

// Lets the link to the tour lead to the stop where it was left.
function offerToGoOn(link, number, go) {
  link.textContent = `Go on with the tour, stop ${number}`;
  link.addEventListener('click', (event) => { event.preventDefault(); go(number); });
}
